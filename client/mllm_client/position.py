"""Where a subscription stands, so that it goes on there after a lost connection.

Job logs and events go on after the last entry seen. For events that needs one to begin with: who
follows "from now on" and loses the connection before anything happened would miss what happens
meanwhile. So the newest event is asked for first, and followed after.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from mllm_client.document import Document

EPOCH = "1970-01-01T00:00:00+00:00"
EMPTY_LOG_LOOK_S = 0.5

Ask = Callable[[dict[str, Any]], Awaitable[list[Any]]]
"""Asks for a page of events with these variables."""


class Position:
    """The variables of a subscription, moved on with each answer.

    `since`: of events, where to begin if nothing has been seen yet; None: from now on.
    """

    def __init__(
        self, document: Document, variables: dict[str, Any], *, since: datetime | None = None
    ) -> None:
        self._root = document.root
        self._since = since.isoformat() if since else None
        self.variables = dict(variables)

    @property
    def is_known(self) -> bool:
        """Whether the subscription can be opened without missing or repeating anything."""
        return self._root != "eventAdded" or self.variables.get("after") is not None

    async def find(self, ask: Ask) -> dict[str, Any] | None:
        """Makes it known; returns the first event since then, where there is one.

        While the log is empty there is nothing to go on after: waits for its first event.
        """
        types = self.variables.get("types")
        wanted = {"types": types} if types is not None else {}
        while True:
            newest = await ask({"first": 1})
            if self._since is not None:
                for event in await ask({**wanted, "since": self._since, "first": 1}):
                    return {"__typename": "Event", **event}
            if newest:
                self.variables["after"] = newest[0]["id"]
                return None
            self._since = self._since or EPOCH
            await asyncio.sleep(EMPTY_LOG_LOOK_S)

    def advance(self, data: dict[str, Any]) -> None:
        """Moves behind the answer just seen."""
        value: Any = data.get(self._root)
        match self._root:
            case "jobLogAdded":
                self.variables["after"] = value["cursor"]
            case "eventAdded" if "reason" not in value:
                self.variables["after"] = value["id"]
            case "eventAdded" if value["reason"] == "not-held":
                # Live from there; after other gaps `to` is itself the next event.
                self.variables["after"] = value["to"]
