"""The installation as a whole."""

from __future__ import annotations

from datetime import timedelta

import strawberry

from core.system.state import System as SystemState
from resolvers import system as resolvers
from schema.enums import CheckLevel
from schema.scalars import Json
from schema.weights import StorageUsage


@strawberry.type(description="A part of the installation.")
class Subsystem:
    name: str = strawberry.field(description="Which part.")
    state: CheckLevel = strawberry.field(description="Whether it works.")
    message: str = strawberry.field(description="What is known of it, for people.")


@strawberry.type(description="What the installation says of itself.")
class System:
    version: str = strawberry.field(description="Of the server.")
    uptime: timedelta = strawberry.field(description="Of the process that answers.")
    mode: str = strawberry.field(description="embedded or cluster.")
    subsystems: list[Subsystem] = strawberry.field(description="Its parts, asked just now.")
    workers: int = strawberry.field(description="Worker processes that are there.")
    queue_depth: int = strawberry.field(description="Pending jobs.")
    job_counts: Json = strawberry.field(description="Jobs by state.")
    storage: list[StorageUsage] = strawberry.field(description="The space of each location.")
    settings: Json = strawberry.field(description="Without secrets.")


@strawberry.type
class SystemQuery:
    @strawberry.field(graphql_type=System, description="The installation as a whole.")
    async def system(self, info: strawberry.Info) -> SystemState:
        return await resolvers.state(info.context)
