"""The double comes and goes without a trace, and serves sync and async tests alike."""

import asyncio
import http.client
import socket
import threading

import pytest

from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.faults import Stall
from tests.fakes.hub.wire import fetch

REPOSITORY = Repository(id="acme/x", files={"config.json": b"{}"})


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_it_leaves_no_thread_and_no_socket_behind():
    with HubDouble([REPOSITORY]) as hub:
        assert "hub-double" in threads()
        origins = [hub.endpoint, hub.cdn]
        assert [fetch(f"{origin}/__ctl").status for origin in origins] == [200, 200]
    assert "hub-double" not in threads()
    for origin in origins:
        with pytest.raises(ConnectionRefusedError):
            fetch(f"{origin}/__ctl")


def test_it_ends_while_clients_still_hold_connections():
    with HubDouble([REPOSITORY]) as hub:
        port = int(hub.endpoint.rpartition(":")[2])
        held = socket.create_connection(("127.0.0.1", port), timeout=5)
        held.sendall(b"GET /api/models HTTP/1.1\r\nHost: hub\r\n\r\n")
        assert held.recv(12) == b"HTTP/1.1 200"
    with held:
        while held.recv(65536):
            pass
    assert "hub-double" not in threads()


def test_it_ends_while_a_body_is_stalled():
    with HubDouble([REPOSITORY]) as hub:
        hub.faults.hub.set(Stall(after_bytes=1))
        port = int(hub.endpoint.rpartition(":")[2])
        held = socket.create_connection(("127.0.0.1", port), timeout=5)
        held.sendall(b"GET /acme/x/resolve/main/config.json HTTP/1.1\r\nHost: hub\r\n\r\n")
        received = b""
        while not received.endswith(b"\r\n\r\n{"):
            received += held.recv(65536)
    with held:
        assert held.recv(65536) == b""
    assert "hub-double" not in threads()


def test_the_two_origins_are_foreign_to_each_other():
    with HubDouble() as hub:
        assert hub.endpoint.startswith("http://127.0.0.1:")
        assert hub.cdn.startswith("http://localhost:")
        assert hub.endpoint.rpartition(":")[2] != hub.cdn.rpartition(":")[2]


@pytest.mark.parametrize("taken", ["port", "cdn_port"])
def test_a_taken_port_is_an_error_and_leaves_nothing(taken):
    with socket.create_server(("127.0.0.1", 0)) as other:
        double = HubDouble(**{taken: other.getsockname()[1]})
        with pytest.raises(OSError, match="address already in use"):
            double.__enter__()
    assert "hub-double" not in threads()


def test_connections_are_counted_once_each():
    with HubDouble([REPOSITORY]) as hub:
        kept = http.client.HTTPConnection(hub.endpoint.removeprefix("http://"), timeout=5)
        for _ in range(2):
            kept.request("GET", "/api/models")
            kept.getresponse().read()
        fetch(f"{hub.endpoint}/api/models")
        kept.close()
        counters = hub.counters.hub
        assert (counters.connections, counters.requests) == (2, {"GET models": 3})


async def test_it_serves_the_loop_of_an_async_test():
    with HubDouble([REPOSITORY]) as hub:
        reply = await asyncio.to_thread(fetch, f"{hub.endpoint}/acme/x/resolve/main/config.json")
        assert reply.body == b"{}"
        assert hub.counters.hub.connections == 1


@pytest.mark.parametrize("repository_id", ["acme", "acme/", "/x", "acme/x/y"])
def test_a_repository_needs_a_namespace_and_a_name(repository_id):
    with pytest.raises(ValueError, match="namespace/name"):
        Repository(id=repository_id, files={})


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", ""])
def test_a_path_must_stay_inside_the_repository(path):
    with HubDouble() as hub, pytest.raises(ValueError, match="not a path inside"):
        hub.add(Repository(id="acme/x", files={path: b""}))
