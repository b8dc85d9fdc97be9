"""What a request costs on a connection that is kept, through the socket that `up` hands down."""

import http.client
import time

import pytest

from tests.stack import Stack

pytestmark = pytest.mark.e2e

# Linux acknowledges late, after 40 ms at the least (tcp(7), TCP_DELACK_MIN in net/tcp.h)
DELAYED_ACKNOWLEDGEMENT_S = 0.04
QUESTION = b'{"query": "{ __typename }"}'
ANSWER = b'{"data":{"__typename":"Query"}}'


def test_answers_do_not_wait_for_the_clients_acknowledgement():
    """The api took the socket for a unix one, so that TCP_NODELAY was not set: 40 ms more for each
    answer. The fastest of many counts, so that a busy machine does not matter.
    """
    with Stack() as stack:
        connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=10)
        headers = {"Authorization": f"Bearer {stack.token}", "Content-Type": "application/json"}
        took_s = []
        for _ in range(40):
            began_s = time.perf_counter()
            connection.request("POST", "/graphql", QUESTION, headers)
            assert connection.getresponse().read() == ANSWER
            took_s.append(time.perf_counter() - began_s)
        connection.close()
    # The first ones are acknowledged at once
    assert min(took_s[20:]) < DELAYED_ACKNOWLEDGEMENT_S / 2
