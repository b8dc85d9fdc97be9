"""The embedded Valkey: keeps what it was told, is private, and dies with who started it."""

import os
import select
import signal
import socket
import stat
import sys
import textwrap
from pathlib import Path

import pytest
import redis

from infra.valkey import Valkey, ValkeyError
from tests.program import Program
from tests.stack import ROOT


def client(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, decode_responses=True)


def test_entries_survive_a_stop_and_a_kill(tmp_path: Path):
    with Valkey.start(tmp_path) as valkey, client(valkey) as connection:
        connection.xadd("stream", {"n": "1"}, id="1-1")
    with Valkey.start(tmp_path) as valkey, client(valkey) as connection:
        connection.xadd("stream", {"n": "2"}, id="2-1")
        valkey.send_signal(signal.SIGKILL)
        assert valkey.process.wait(5) == -signal.SIGKILL
    with Valkey.start(tmp_path) as valkey, client(valkey) as connection:
        assert connection.xrange("stream") == [("1-1", {"n": "1"}), ("2-1", {"n": "2"})]


def test_only_its_user_reaches_it(tmp_path: Path):
    with Valkey.start(tmp_path / "state") as valkey, client(valkey) as connection:
        assert connection.config_get("port") == {"port": "0"}
        modes = [stat.S_IMODE(p.stat().st_mode) for p in (valkey.directory, valkey.socket_path)]
        assert modes == [0o700, 0o700]


def test_full_memory_refuses_writes_instead_of_dropping_entries(tmp_path: Path):
    with Valkey.start(tmp_path) as valkey, client(valkey) as connection:
        limits = connection.config_get("maxmemory*")
        assert limits["maxmemory"] == str(256 << 20)
        assert limits["maxmemory-policy"] == "noeviction"


def test_stop_leaves_no_socket(tmp_path: Path):
    valkey = Valkey.start(tmp_path)
    valkey.stop()
    valkey.stop()
    assert valkey.poll() == 0
    assert not valkey.socket_path.exists()


@pytest.mark.parametrize("name", ["x" * 100, "per%cent and space"])
def test_socket_moves_where_its_path_would_not_fit(tmp_path: Path, name: str):
    directory = tmp_path / name
    with Valkey.start(directory) as valkey, client(valkey) as connection:
        assert connection.ping()
        folder = valkey.socket_path.parent
        assert folder != directory
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_folder_of_somebody_else_is_refused_for_the_socket(tmp_path: Path):
    directory = tmp_path / ("x" * 100)
    with Valkey.start(directory) as valkey:
        folder = valkey.socket_path.parent
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        with pytest.raises(ValkeyError, match=r"is not a private folder .*; remove it$"):
            Valkey.start(directory)
    finally:
        folder.rmdir()


def test_server_left_by_a_killed_process_is_replaced(tmp_path: Path):
    with Valkey.start(tmp_path) as left, Valkey.start(tmp_path) as valkey:
        assert left.process.wait(5) == 0
        with client(valkey) as connection:
            assert connection.info("server")["process_id"] == valkey.pid


def test_another_server_at_its_socket_is_not_taken_for_it(tmp_path: Path):
    with Valkey.start(tmp_path / "a") as mine, Valkey.start(tmp_path / "b") as other:
        mine.socket_path.unlink()
        mine.socket_path.symlink_to(other.socket_path)
        with pytest.raises(ValkeyError, match="another server answers at"):
            mine.ready()


def test_damaged_file_is_told_with_the_words_of_the_server(tmp_path: Path):
    with Valkey.start(tmp_path) as valkey, client(valkey) as connection:
        connection.set("key", "value")
    (file,) = tmp_path.glob("appendonlydir/*.aof")
    file.write_bytes(b"*x\r\n" * 100)
    with pytest.raises(ValkeyError, match=r"ended with status 1; the end of .*(?s:.)*Bad file"):
        Valkey.start(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell of the death")
def test_dies_with_its_parent_even_if_the_parent_blocked_the_signal(tmp_path: Path):
    script = f"""
        import signal, sys
        from pathlib import Path
        from infra.valkey import Valkey
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        print("pid", Valkey.start(Path({str(tmp_path)!r})).pid, flush=True)
        signal.pause()
    """
    parent = Program([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT)
    try:
        fd = os.pidfd_open(int(parent.expect(r"^pid (\d+)$")[1]))
        try:
            parent.signal(signal.SIGKILL)
            ended, _, _ = select.select([fd], [], [], 1)
            assert ended
        finally:
            os.close(fd)
    finally:
        parent.close()
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(OSError):  # noqa: PT011
        connection.connect(str(tmp_path / "valkey.sock"))
