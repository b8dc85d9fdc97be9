"""Which server is asked, and which token goes there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.conftest import Run
from tests.client.double import TOKEN, Double

LOCAL = ("MLLM_SERVER", "MLLM_TOKEN")


@pytest.fixture
def home(environment: dict[str, str], server: Double) -> Path:
    """The state directory of a local server that does not run."""
    path = Path(environment["MLLM_HOME"])
    path.mkdir(mode=0o700)
    (path / "lock").touch(mode=0o600)
    (path / "endpoint").write_text(f"{server.url}\n")
    token = path / "admin.token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    return path


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """As long as the server runs, it holds the lock."""
    with (home / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_local_server_is_found_with_its_token(mllm: Run, home: Path, server: Double) -> None:
    with locked(home):
        result = mllm("jobs", "list", without=LOCAL)

    assert (result.returncode, result.stderr) == (0, "")
    assert [sent.authorization for sent in server.sent] == [f"Bearer {TOKEN}"]


def test_endpoint_of_a_server_that_died_does_not_count(
    mllm: Run, home: Path, server: Double
) -> None:
    result = mllm("jobs", "list", without=LOCAL)

    assert result.returncode == 1
    assert result.stderr == (
        f"error: no mllm server runs on {home}\n"
        "hint: start one with `make serve` or `mllm-server up`, or name another with --server\n"
    )
    assert server.sent == []


def test_starting_server_has_no_address_yet(mllm: Run, home: Path) -> None:
    (home / "endpoint").unlink()
    with locked(home):
        result = mllm("jobs", "list", without=LOCAL)

    assert result.returncode == 1
    assert "has not told its address yet" in result.stderr


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o400, 0o700])
def test_token_file_that_others_may_read_is_refused(
    mllm: Run, home: Path, server: Double, mode: int
) -> None:
    (home / "admin.token").chmod(mode)
    with locked(home):
        result = mllm("jobs", "list", without=LOCAL)

    assert result.returncode == 1
    assert f"admin.token has mode {mode:04o}" in result.stderr
    assert f"hint: run `chmod 600 {home}/admin.token`" in result.stderr
    assert TOKEN not in result.stderr
    assert server.sent == []


def test_token_file_of_somebody_else_is_refused(mllm: Run, home: Path, server: Double) -> None:
    try:
        os.chown(home / "admin.token", 12345, -1)
    except PermissionError:
        pytest.skip("only root can give files away")
    with locked(home):
        result = mllm("jobs", "list", without=LOCAL)

    assert result.returncode == 1
    assert "admin.token belongs to user 12345, not to you" in result.stderr
    assert server.sent == []


def test_local_token_never_goes_to_a_named_server(mllm: Run, home: Path, server: Double) -> None:
    with locked(home):
        result = mllm("jobs", "list", "--server", server.url, without=LOCAL)

    assert [sent.authorization for sent in server.sent] == [None]
    assert result.returncode == 1
    assert result.stderr == (
        "error: a token is needed\nhint: give a token with --token or MLLM_TOKEN\n"
    )


def test_token_of_the_environment_belongs_to_the_server_of_the_environment(
    mllm: Run, server: Double
) -> None:
    with Double() as other:
        mllm("jobs", "list", "--server", other.url)

        assert [sent.authorization for sent in other.sent] == [None]
        assert server.sent == []


def test_flags_win_over_the_environment(mllm: Run, server: Double) -> None:
    wrong = {"MLLM_SERVER": "http://127.0.0.1:1", "MLLM_TOKEN": "other"}

    result = mllm("--server", server.url, "jobs", "list", "--token", TOKEN, env=wrong)

    assert result.returncode == 0
    assert [sent.authorization for sent in server.sent] == [f"Bearer {TOKEN}"]


def test_token_of_the_environment_speaks_to_the_local_server(
    mllm: Run, home: Path, server: Double
) -> None:
    (home / "admin.token").write_text("not this one")
    with locked(home):
        result = mllm("jobs", "list", without=("MLLM_SERVER",))

    assert result.returncode == 0
    assert [sent.authorization for sent in server.sent] == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("url", ["http://u:p@127.0.0.1", "http://127.0.0.1/?token=x"])
def test_address_with_a_secret_is_refused(mllm: Run, url: str) -> None:
    result = mllm("jobs", "list", "--server", url)

    assert result.returncode == 2
    assert "must not carry a user, password, query or fragment" in result.stderr


@pytest.mark.parametrize("suffix", ["/", "/graphql", "/graphql/"])
def test_address_may_name_the_endpoint(mllm: Run, server: Double, suffix: str) -> None:
    assert mllm("jobs", "list", env={"MLLM_SERVER": server.url + suffix}).returncode == 0


def test_token_that_cannot_stand_in_a_header_is_refused(mllm: Run, server: Double) -> None:
    result = mllm("jobs", "list", "--token", "a\nHost: evil")

    assert result.returncode == 1
    assert server.sent == []
