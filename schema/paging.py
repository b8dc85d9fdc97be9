"""Keyset connections."""

from typing import Any

import strawberry

from core.paging import Page


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="More follows: ask with after: endCursor.")
    has_previous_page: bool = strawberry.field(description="This page starts after some others.")
    start_cursor: str | None = strawberry.field(description="Null: the page is empty.")
    end_cursor: str | None = strawberry.field(description="Null: the page is empty.")


def page_info(page: Page[Any]) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=page.cursors[0] if page.cursors else None,
        end_cursor=page.cursors[-1] if page.cursors else None,
    )
