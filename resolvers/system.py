"""The installation as a whole."""

from core.system.state import System
from resolvers.context import Context


async def state(ctx: Context) -> System:
    return await ctx.services.system.state()
