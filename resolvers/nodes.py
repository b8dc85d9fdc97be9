"""Anything by its id."""

from typing import assert_never

from core import ids
from core.feed.entity import Event
from core.jobs.entity import Job
from core.weights.entity import Weights
from resolvers import feed, jobs, weights
from resolvers.context import Context

Row = Job | Weights | Event


async def find(ctx: Context, node_id: str) -> Row | None:
    """None where nothing has the id, or it is of a kind that is no node. Raises BadId."""
    prefix = ids.prefix_of(node_id)
    match prefix:
        case ids.Prefix.JOB:
            return await jobs.get(ctx, node_id)
        case ids.Prefix.WEIGHTS:
            return await weights.get(ctx, node_id)
        case ids.Prefix.EVENT:
            return await feed.find(ctx, node_id)
        case ids.Prefix.TOKEN:  # tokens are not readable yet
            return None
        case _:
            assert_never(prefix)
