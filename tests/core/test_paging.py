"""Cursors come back as they went; what was never one is refused before it reaches a database."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import paging
from core.errors import BadCursor, LimitExceeded

keys = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@given(keys)
def test_text_comes_back(key: str):
    cursor = paging.encode(key)
    assert paging.decode(cursor) == key
    assert all(c.isalnum() or c in "-_" for c in cursor)


@given(st.integers(0, 10**18 - 1))
def test_number_comes_back(key: int):
    assert paging.decode_number(paging.encode(key)) == key


@given(st.text())
def test_anything_is_a_cursor_or_refused(text: str):
    try:
        decoded = paging.decode(text)
    except BadCursor:
        return
    decoded.encode()
    assert "\x00" not in decoded


@pytest.mark.parametrize("cursor", ["$", "a", "é", "a b", "/w==", "_w", "====", "=", "YQ=a"])
def test_malformed_cursor_is_refused(cursor: str):
    with pytest.raises(BadCursor, match="is not a cursor of this list") as e:
        paging.decode(cursor)
    assert e.value.code == "BAD_CURSOR"


@pytest.mark.parametrize("text", ["\x00", "a\x00b"])
def test_character_that_postgres_refuses_is_refused(text: str):
    with pytest.raises(BadCursor):
        paging.decode(base64.urlsafe_b64encode(text.encode()).decode())


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "1e3", " 1", "1" * 19, "²", "١"])
def test_cursor_without_a_number_is_refused_where_one_is_needed(text: str):
    with pytest.raises(BadCursor):
        paging.decode_number(paging.encode(text))


@pytest.mark.parametrize("first", [1, 50, 100])
def test_first_within_its_limits(first: int):
    assert paging.check_first(first) == first


@pytest.mark.parametrize("first", [0, -1, 101])
def test_first_out_of_its_limits_is_refused_not_clamped(first: int):
    with pytest.raises(LimitExceeded, match=f"between 1 and 100, not {first}"):
        paging.check_first(first)


def test_other_maximum():
    assert paging.check_first(1000, maximum=1000) == 1000


@given(st.lists(st.integers(0, 1000), unique=True, max_size=30).map(sorted), st.integers(1, 10))
def test_pages_joined_are_the_list(rows: list[int], first: int):
    seen: list[int] = []
    after: str | None = None
    while True:
        start = -1 if after is None else paging.decode_number(after)
        fetched = [row for row in rows if row > start][: first + 1]
        page = paging.page(fetched, first=first, after=after, key=lambda row: row)
        assert page.has_previous == (after is not None)
        assert len(page.rows) == len(page.cursors) <= first
        seen += page.rows
        if not page.has_next:
            break
        after = page.cursors[-1]
    assert seen == rows
