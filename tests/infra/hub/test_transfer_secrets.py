"""A signed address opens a file to whoever reads it: it must not get into any text."""

import asyncio
import logging
import threading
import traceback

import pytest
from aiohttp import web

from infra.hub.errors import HubError
from infra.hub.transfer.engine import transfer
from tests.fakes.hub.faults import Corrupt, IgnoreRange, Status, Truncate, WrongContentRange
from tests.infra.hub.repository import CONFIG, WEIGHTS, plan_for
from tests.infra.hub.serving import serving
from tests.infra.hub.test_transfer_tls import plan_at
from tests.infra.hub.watching import Recorder

SIGNATURE = "sig="


def assert_nothing_told(heard: Recorder, error: BaseException | None, log: str) -> None:
    told = [retry.reason for retry in heard.retries]
    if error is not None:
        told += traceback.format_exception(error)
    assert SIGNATURE not in "".join([*told, log])


@pytest.mark.parametrize(
    "fault",
    [
        Status(status=403),
        Status(status=404),
        Status(status=418),
        Status(status=503),
        Truncate(after_bytes=0),
        Corrupt(offset=0),
        IgnoreRange(),
        WrongContentRange(shift_bytes=1),
    ],
    ids=repr,
)
def test_nothing_that_fails_tells_a_signed_address(hub, commit, tmp_path, caplog, fault):
    caplog.set_level(logging.DEBUG)
    hub.faults.cdn.set(fault)
    heard, error = Recorder(), None
    try:
        plan = plan_for(hub, CONFIG, WEIGHTS, revision=commit)
        transfer(plan, tmp_path, heard, threading.Event())
    except HubError as e:
        error = e
    log = "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp")
    )
    assert_nothing_told(heard, error, log)


@pytest.mark.parametrize(
    "location",
    [
        "ftp://cdn.example/blob?sig=secret",
        "http://user:sig=secret@[::1/blob?sig=secret",
        "http://localhost:99999/blob?sig=secret",
        "http://localhost:1/blob?sig=secret",
        "http://localhost:1/a b\tc\x7f?sig=secret",
        "//?sig=secret",
        "",
    ],
    ids=repr,
)
async def test_address_that_leads_nowhere_is_not_repeated(tmp_path, location):
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location.replace("\x7f", "%7f")})

    heard = Recorder()
    async with serving(redirect) as endpoint:
        with pytest.raises(HubError) as caught:
            await asyncio.to_thread(transfer, plan_at(endpoint), tmp_path, heard, threading.Event())
    assert_nothing_told(heard, caught.value, "")
