"""`python -m tests.fakes.hub`: serves the demo repositories until SIGTERM or SIGINT.

Prints one line, `ready http://127.0.0.1:PORT`, as soon as it serves.
"""

import argparse
import asyncio
import ctypes
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from tests.fakes.hub import demo
from tests.fakes.hub.faults import Rate
from tests.fakes.hub.server import HubServer

PR_SET_PDEATHSIG = 1  # linux/prctl.h
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    options = _options()
    if options.die_with_parent:
        _die_with_parent()
    for number in SIGNALS:
        signal.signal(number, _leave)
    with ExitStack() as stack:
        data = options.data
        if data is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-double-")))
        server = HubServer(demo.repositories(data))
        if options.rate is not None:
            server.cdn.faults.set([Rate(bytes_per_s=options.rate)])
        asyncio.run(_serve(server, port=options.port, cdn_port=options.cdn_port))


async def _serve(server: HubServer, *, port: int, cdn_port: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    await server.start(port=port, cdn_port=cdn_port)
    try:
        sys.stdout.write(f"ready {server.hub.url}\n")
        sys.stdout.flush()
        await stopping.wait()
    finally:
        await server.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.hub", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the hub; 0: any free one")
    parser.add_argument("--cdn-port", type=int, default=0, help="of the CDN; 0: any free one")
    parser.add_argument("--data", type=Path, help="keeps the files; default: a temporary folder")
    parser.add_argument("--rate", type=int, metavar="BYTES_PER_S", help="of the whole CDN")
    parser.add_argument("--die-with-parent", action="store_true", help="where Linux allows")
    options = parser.parse_args()
    if options.rate is not None and options.rate <= 0:
        parser.error("--rate must be above zero")
    return options


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Before the server runs: unwinds, so that the temporary folder goes too."""
    sys.exit(0)


def _die_with_parent() -> None:
    """SIGTERM when the thread that started this process ends; elsewhere than on Linux nothing."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    main()
