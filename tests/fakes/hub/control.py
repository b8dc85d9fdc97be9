"""GET and POST /__ctl on each origin: what it counts and what goes wrong with it.

A POST holds any of `reset` (counters, faults), `faults` (replaces all), and on the hub `options`,
`move_branch` {"repository", "changes": {path: text or null}, "branch"} and `mutate` {"repository",
"path", "content"}.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from tests.fakes.hub import errors
from tests.fakes.hub.catalog import Catalog
from tests.fakes.hub.faults import parse_fault
from tests.fakes.hub.options import HubOptions, Switchboard
from tests.fakes.hub.origin import CONTROL_ROUTE, Origin

Command = Callable[[Any], object]


class Control:
    """The control plane of one origin; it is counted nowhere and no fault applies to it."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.commands: dict[str, Command] = {"reset": self._reset, "faults": self._faults}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/__ctl", self.show, name=CONTROL_ROUTE),
            web.post("/__ctl", self.change, name=CONTROL_ROUTE),
        ]

    def state(self) -> dict[str, Any]:
        counters = asdict(self.origin.tally.snapshot())
        counters["ranges"] = [served._asdict() for served in self.origin.tally.snapshot().ranges]
        return {
            "origin": self.origin.name,
            "url": self.origin.url,
            "faults": self.origin.faults.state(),
            "counters": counters,
        }

    async def show(self, _request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def change(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            unknown = body.keys() - self.commands.keys()
            if unknown:
                raise ValueError(f"unknown here: {', '.join(sorted(unknown))}")
            # In the order of the table: a reset comes before the faults that follow it.
            for name, command in self.commands.items():
                if name in body:
                    command(body[name])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return errors.bad_request(f"{type(error).__name__}: {error}").response()
        return web.json_response(self.state())

    def _reset(self, wanted: bool) -> None:
        if wanted:
            self.origin.faults.set(())
            self.origin.tally.reset()

    def _faults(self, documents: list[Mapping[str, Any]]) -> None:
        self.origin.faults.set([parse_fault(document) for document in documents])


class HubControl(Control):
    """The control plane of the hub origin."""

    def __init__(self, origin: Origin, *, catalog: Catalog, switchboard: Switchboard) -> None:
        super().__init__(origin)
        self._catalog = catalog
        self._switchboard = switchboard
        self.commands |= {
            "options": self._options,
            "move_branch": self._move_branch,
            "mutate": self._mutate,
        }

    def state(self) -> dict[str, Any]:
        return super().state() | {"options": asdict(self._switchboard.options)}

    def _options(self, values: Mapping[str, bool]) -> None:
        self._switchboard.options = HubOptions(**values)

    def _move_branch(self, order: Mapping[str, Any]) -> None:
        changes = {
            path: None if text is None else text.encode() for path, text in order["changes"].items()
        }
        self._catalog.move_branch(order["repository"], changes, branch=order.get("branch", "main"))

    def _mutate(self, order: Mapping[str, str]) -> None:
        self._catalog.mutate(order["repository"], order["path"], order["content"].encode())
