"""Weights: install, and what is installed."""

from core.jobs.entity import Job
from core.paging import Page, check_first
from core.weights.entity import Weights, WeightsFile
from core.weights.service import Install, InstallRequest
from core.weights.volume import StorageUsage
from resolvers.context import Context
from resolvers.outcome import Outcome, answer


async def at(ctx: Context, location: str, path: str) -> Weights | None:
    return await ctx.services.weights.at(location, path)


async def get(ctx: Context, weights_id: str) -> Weights | None:
    return await ctx.services.weights.get(weights_id)


async def page(
    ctx: Context, location: str | None, *, first: int, after: str | None
) -> Page[Weights]:
    return await ctx.services.weights.page(location, first=check_first(first), after=after)


async def totals(ctx: Context, location: str | None) -> tuple[int, int]:
    return await ctx.services.weights.totals(location)


async def files(
    ctx: Context, weights_id: str, *, first: int, after: str | None
) -> Page[WeightsFile]:
    return await ctx.services.weights.files(weights_id, first=check_first(first), after=after)


async def storage(ctx: Context, location: str) -> StorageUsage:
    return await ctx.services.weights.storage(location)


async def install_job(ctx: Context, weights: Weights) -> Job | None:
    if weights.install_job_id is None:
        return None
    return await ctx.services.jobs.get(weights.install_job_id)


def storage_uri(ctx: Context, weights: Weights) -> str:
    return ctx.services.weights.volume.storage_uri(weights.path)


def inference_model_path(ctx: Context, weights: Weights) -> str:
    return ctx.services.weights.volume.inference_model_path(weights.path)


async def install(ctx: Context, request: InstallRequest) -> Outcome[Install]:
    work = ctx.services.weights.install(request, ctx.principal)
    return await answer(work, under=["input"])
