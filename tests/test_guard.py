"""No test talks to another machine: the guard of this folder sees to it."""

import socket

import pytest

from tests import conftest


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("2001:db8::1", 9)])
def test_connection_to_another_machine_is_refused_and_fails_the_test(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as outside, pytest.raises(PermissionError, match="not this machine"):
        outside.connect(address)
    assert conftest._outside == [repr(address)]
    conftest._outside.clear()


def test_this_machine_may_be_called(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
