"""`python -m tests.fakes.hub` as the demo and the end-to-end tests start it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from tests.fakes.hub.wire import fetch

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "tests.fakes.hub"]
DEADLINE_S = 30.0


@asynccontextmanager
async def started(
    *command: str, **env: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and the endpoint it announces; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            line = (await process.stdout.readline()).decode()
        word, endpoint = line.split()
        assert word == "ready"
        yield process, endpoint
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def rest(process: asyncio.subprocess.Process) -> bytes:
    """What is printed until every holder of the pipe has ended."""
    async with asyncio.timeout(DEADLINE_S):
        return await process.stdout.read()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_the_demo_and_ends_cleanly(tmp_path: Path, number):
    async with started(*COMMAND, "--rate", "1000000", TMPDIR=str(tmp_path)) as (process, endpoint):
        api = HfApi(endpoint=endpoint, token=False)
        assert api.model_info("acme/tiny-llama").safetensors.total == 31_465_984
        shard = f"{endpoint}/acme/tiny-llama/resolve/main/model-00001-of-00002.safetensors"
        cdn = fetch(shard).headers["location"].partition("/blobs/")[0]
        (rate,) = fetch(f"{cdn}/__ctl").json()["faults"]
        assert (rate["kind"], rate["bytes_per_s"], rate["per_connection"]) == (
            "rate",
            1_000_000,
            False,
        )
        assert len(names(tmp_path)) == 1
        process.send_signal(number)
        assert await rest(process) == b""
        assert await process.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            fetch(endpoint)
    assert names(tmp_path) == []


async def test_it_listens_where_it_is_told_and_keeps_its_data(tmp_path: Path):
    data = tmp_path / "data"
    async with started(*COMMAND, "--data", str(data)) as (process, endpoint):
        port = endpoint.rpartition(":")[2]
        process.terminate()
        await process.wait()
    async with started(*COMMAND, "--data", str(data), "--port", port) as (_, again):
        assert again == endpoint
    assert (data / "acme" / "tiny-llama" / "config.json").is_file()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is of Linux")
async def test_it_dies_with_its_parent(tmp_path: Path):
    child = [*COMMAND, "--die-with-parent", "--data", str(tmp_path)]
    parent = f"import subprocess; subprocess.run({child!r})"
    async with started(sys.executable, "-c", parent) as (process, endpoint):
        process.kill()
        # The child holds the pipe too: its end is the end of the output.
        assert await rest(process) == b""
        with pytest.raises(ConnectionRefusedError):
            fetch(endpoint)
