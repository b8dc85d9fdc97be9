"""What only SQLite has: lanes, several processes on one file, and file systems that do not lock."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from infra.db.store import Store, Tx
from infra.settings import Database
from tests.program import Program
from tests.stack import ROOT

PROCESSES, WRITES = 4, 100
# Reads and then writes, which is what a deferred transaction fails at.
WRITER = """
    import asyncio, sys
    from sqlalchemy import text
    from infra.db.store import Store, Tx
    from infra.settings import Database

    def count_up(tx: Tx) -> None:
        n = tx.session.execute(text("SELECT seq FROM feed_head")).scalar_one()
        tx.session.execute(text("UPDATE feed_head SET seq = :n"), {"n": n + 1})

    async def main(url: str, writes: int) -> None:
        store = Store(Database(url=url))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(store.write(count_up) for _ in range(writes)))
        await store.close()

    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mllm.db"


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> str:
    (tmp_path / "mllm.db").write_bytes(sqlite_template.read_bytes())
    return sqlite(tmp_path)


def test_four_processes_write_at_once_and_none_finds_it_locked(url: str):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), url, str(WRITES)]
    processes = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = [None] * PROCESSES

        def finish(index: int) -> None:
            answers[index] = processes[index].communicate("go\n", timeout=60)

        threads = [threading.Thread(target=finish, args=(n,)) for n in range(PROCESSES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert answers == [("", "")] * PROCESSES
    assert asyncio.run(_seq(url)) == PROCESSES * WRITES


async def _seq(url: str) -> int:
    store = Store(Database(url=url))
    try:
        query = text("SELECT seq FROM feed_head")
        return await store.read(lambda tx: int(tx.session.execute(query).scalar_one()))
    finally:
        await store.close()


async def test_heartbeat_does_not_queue_behind_waiting_writes(url: str):
    """A lease is renewed while another write of this process waits for its turn."""
    store = Store(Database(url=url))
    blocked, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def waits(_tx: Tx) -> str:
        loop.call_soon_threadsafe(blocked.set)
        assert go_on.wait(20)
        return "write"

    try:
        # The read lane holds no lock; its two threads are busy, the heartbeat's is not.
        reads = [asyncio.create_task(store.read(waits)) for _ in range(2)]
        await asyncio.wait_for(blocked.wait(), 20)
        beat = text("UPDATE feed_head SET seq = seq + 1 RETURNING seq")
        seq = await asyncio.wait_for(
            store.heartbeat(lambda tx: tx.session.execute(beat).scalar_one()), 20
        )
        assert seq == 1
        assert not any(read.done() for read in reads)
    finally:
        go_on.set()
        await store.close()
    assert await asyncio.gather(*reads) == ["write", "write"]


async def test_reader_is_not_stopped_by_a_writer(url: str):
    store = Store(Database(url=url))
    writing, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def write(tx: Tx) -> None:
        tx.session.execute(text("UPDATE feed_head SET seq = 7"))
        loop.call_soon_threadsafe(writing.set)
        assert go_on.wait(20)

    query = text("SELECT seq FROM feed_head")
    try:
        task = asyncio.create_task(store.write(write))
        await asyncio.wait_for(writing.wait(), 20)
        read = store.read(lambda tx: tx.session.execute(query).scalar_one())
        assert await asyncio.wait_for(read, 20) == 0
        go_on.set()
        await task
        assert await store.read(lambda tx: tx.session.execute(query).scalar_one()) == 7
    finally:
        go_on.set()
        await store.close()


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts need root")
@pytest.mark.parametrize("folder", ["plain", "with space"])
def test_network_file_system_is_refused(tmp_path: Path, folder: str):
    """The kernel's list of mounts says NFS, as it would on such a mount."""
    point = tmp_path / folder
    point.mkdir()
    mounts = tmp_path / "mounts"
    escaped = str(point).replace(" ", "\\040")  # proc(5), getmntent(3)
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\n")
    script = f"""
        import ctypes, sys
        libc = ctypes.CDLL(None, use_errno=True)
        CLONE_NEWNS, MS_BIND, MS_REC_PRIVATE = 0x20000, 0x1000, 0x44000
        if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None):
            sys.exit("no namespace")
        if libc.mount({str(mounts).encode()!r}, b"/proc/self/mounts", None, MS_BIND, None):
            sys.exit("no mount")
        from infra.db.engine import NetworkFileSystemError, sqlite_engine
        try:
            sqlite_engine("sqlite:///{point}/deep/mllm.db")
        except NetworkFileSystemError as e:
            print("refused", e)
        print("elsewhere", sqlite_engine("sqlite:///{tmp_path}/mllm.db").dialect.name)
    """
    program = Program([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT)
    try:
        program.wait()
        if "no " in program.output:
            pytest.skip(program.output)
        assert program.lines == [
            f"refused SQLite cannot be kept on {point}/deep (nfs4): use a local disk, or Postgres"
            " (MLLM_DATABASE_URL)",
            "elsewhere sqlite",
        ]
    finally:
        program.close()


async def test_missing_folder_is_made(tmp_path: Path):
    store = Store(Database(url=f"sqlite:///{tmp_path}/a/b/mllm.db"))
    await store.ping()
    await store.close()
    assert (tmp_path / "a" / "b" / "mllm.db").exists()
