"""Weights on the volume, and installing them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from core.jobs.entity import Job as JobRow
from core.paging import Page
from core.principal import Scope
from core.weights.entity import Weights as WeightsRow
from core.weights.entity import WeightsFile as WeightsFileRow
from core.weights.service import InstallRequest
from core.weights.volume import StorageUsage as StorageUsageState
from resolvers import weights as resolvers
from schema.access import Requires
from schema.errors import Payload, user_errors
from schema.nodes import Node
from schema.paging import PageInfo, page_info
from schema.scalars import Bytes

if TYPE_CHECKING:
    from schema.jobs import Job

LazyJob = Annotated["Job", strawberry.lazy("schema.jobs")]
First = Annotated[int, strawberry.argument(description="Page size, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="The endCursor of the page before.")]
Location = Annotated[str, strawberry.argument(description="Which volume; there is one so far.")]


@strawberry.type(description="One file of installed weights.")
class WeightsFile:
    path: str = strawberry.field(description="Below the folder of the weights.")
    size: Bytes = strawberry.field(description="Bytes.")
    sha256: str | None = strawberry.field(description="In hex. Null: not known.")
    verified: bool = strawberry.field(
        description="The sha256 was computed from the bytes that were written, and was right."
    )


@strawberry.type(description="A page of files, by path.")
class WeightsFileConnection:
    page: strawberry.Private[Page[WeightsFileRow]]

    @strawberry.field(graphql_type=list[WeightsFile], description="The files.")
    def nodes(self) -> list[WeightsFileRow]:
        return list(self.page.rows)

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)


@strawberry.type(description="A folder of verified files below the root of a location.")
class Weights(Node):
    location: str = strawberry.field(description="Which volume.")
    path: str = strawberry.field(
        description="Path under the location's root, e.g. Qwen/Qwen2.5-0.5B-Instruct."
    )
    hub_repo: str | None = strawberry.field(description="Where it came from. Null: not from a hub.")
    revision: str | None = strawberry.field(description="Commit sha. Null: not from a hub.")
    requested_revision: str | None = strawberry.field(
        description="The branch, tag or commit that was asked for. Null: the default branch."
    )
    size: Bytes = strawberry.field(description="Bytes of all files.")
    file_count: int = strawberry.field(description="How many files.")
    license: str | None = strawberry.field(description="As the model card says. Null: it does not.")
    installed_at: datetime | None = strawberry.field(description="When it appeared. Null: unknown.")
    verified_at: datetime | None = strawberry.field(
        description="When every sha256 was last computed. Null: never."
    )

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, WeightsRow)

    @strawberry.field(description="What an InferenceService names: pvc:// or file://.")
    def storage_uri(self, info: strawberry.Info) -> str:
        return resolvers.storage_uri(info.context, row(self))

    @strawberry.field(description="Where a serving container sees the weights.")
    def inference_model_path(self, info: strawberry.Info) -> str:
        return resolvers.inference_model_path(info.context, row(self))

    @strawberry.field(description="The files, by path.")
    async def files(
        self, info: strawberry.Info, first: First = 100, after: After = None
    ) -> WeightsFileConnection:
        page = await resolvers.files(info.context, row(self).id, first=first, after=after)
        return WeightsFileConnection(page=page)

    @strawberry.field(
        graphql_type=LazyJob | None, description="The job that installed it. Null: no longer held."
    )
    async def install_job(self, info: strawberry.Info) -> JobRow | None:
        return await resolvers.install_job(info.context, row(self))


def row(source: Any) -> WeightsRow:
    """The source of a field is the row, whatever the type checker takes `self` for."""
    found: WeightsRow = source
    return found


@strawberry.type(description="A page of weights, by path.")
class WeightsConnection:
    page: strawberry.Private[Page[WeightsRow]]
    location: strawberry.Private[str | None]

    @strawberry.field(graphql_type=list[Weights], description="The weights.")
    def nodes(self) -> list[WeightsRow]:
        return list(self.page.rows)

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        return page_info(self.page)

    @strawberry.field(description="How many there are on all pages.")
    async def total_count(self, info: strawberry.Info) -> int:
        return (await resolvers.totals(info.context, self.location))[0]

    @strawberry.field(description="Bytes of all pages together.")
    async def total_size(self, info: strawberry.Info) -> Bytes:
        return Bytes((await resolvers.totals(info.context, self.location))[1])


@strawberry.type(description="The space of a location.")
class StorageUsage:
    location: str = strawberry.field(description="Which volume.")
    root: str = strawberry.field(description="Where the server sees it.")
    capacity: Bytes = strawberry.field(description="Bytes of the file system.")
    available: Bytes = strawberry.field(description="Bytes that are free.")
    used: Bytes = strawberry.field(description="Bytes of installed weights.")
    reserved: Bytes = strawberry.field(description="Bytes that running jobs have yet to write.")
    staging: Bytes = strawberry.field(description="Bytes of downloads that are not published yet.")


@strawberry.input(description="What to install, and where.")
class WeightsInstallInput:
    hub_repo: str = strawberry.field(description="owner/name on the hub.")
    revision: str | None = strawberry.field(
        default=None,
        description="Branch, tag or commit; pinned to a commit. Default: the main branch.",
    )
    location: str = strawberry.field(default="default", description="Which volume.")
    target: str | None = strawberry.field(
        default=None, description="Path below the root. Default: the repository's name."
    )
    allow: list[str] | None = strawberry.field(
        default=None, description="Glob patterns over file paths: only these files. Default: all."
    )
    ignore: list[str] | None = strawberry.field(
        default=None, description="Glob patterns over file paths: not these files."
    )
    overwrite: bool = strawberry.field(
        default=False,
        description="Replace what is installed at the target, once the new is complete.",
    )
    priority: int = strawberry.field(default=0, description="-100 to 100; higher runs first.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="A retry with the same key returns the first call's job."
    )


@strawberry.type(
    description="storageUri and inferenceModelPath are known before the first byte; "
    "joined: an equal install was already running."
)
class WeightsInstallPayload(Payload):
    job_row: strawberry.Private[JobRow | None]
    storage_uri: str | None = strawberry.field(description="Null: refused.")
    inference_model_path: str | None = strawberry.field(description="Null: refused.")
    joined: bool = strawberry.field(description="An equal install was already running.")

    @strawberry.field(
        graphql_type=LazyJob | None, description="Follow it with jobUpdated. Null: refused."
    )
    def job(self) -> JobRow | None:
        return self.job_row


@strawberry.type
class WeightsQuery:
    @strawberry.field(
        graphql_type=Weights | None, description="Installed weights by path. Null: there are none."
    )
    async def weights(
        self, info: strawberry.Info, path: str, location: Location = "default"
    ) -> WeightsRow | None:
        return await resolvers.at(info.context, location, path)

    @strawberry.field(description="All installed weights, by path.")
    async def all_weights(
        self,
        info: strawberry.Info,
        location: Annotated[str | None, strawberry.argument(description="Default: all.")] = None,
        first: First = 20,
        after: After = None,
    ) -> WeightsConnection:
        page = await resolvers.page(info.context, location, first=first, after=after)
        return WeightsConnection(page=page, location=location)

    @strawberry.field(graphql_type=StorageUsage, description="The space of a location.")
    async def storage(
        self, info: strawberry.Info, location: Location = "default"
    ) -> StorageUsageState:
        return await resolvers.storage(info.context, location)


@strawberry.type
class WeightsMutation:
    @strawberry.mutation(
        extensions=[Requires(Scope.WRITE)],
        description="Pins the commit, checks access and space, and queues the download as a job.",
    )
    async def weights_install(
        self,
        info: strawberry.Info,
        input: WeightsInstallInput,
    ) -> WeightsInstallPayload:
        outcome = await resolvers.install(info.context, _request(input))
        done = outcome.value
        return WeightsInstallPayload(
            job_row=done.job if done else None,
            storage_uri=done.storage_uri if done else None,
            inference_model_path=done.inference_model_path if done else None,
            joined=done.joined if done else False,
            user_errors=user_errors(outcome.errors),
        )


def _request(given: WeightsInstallInput) -> InstallRequest:
    return InstallRequest(
        hub_repo=given.hub_repo,
        revision=given.revision,
        location=given.location,
        target=given.target,
        allow=given.allow,
        ignore=given.ignore,
        overwrite=given.overwrite,
        priority=given.priority,
        idempotency_key=given.idempotency_key,
    )
