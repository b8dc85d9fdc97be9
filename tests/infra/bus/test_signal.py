"""Signals survive the wire, and what is no signal is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bus.signal import Signal

details = st.none() | st.dictionaries(st.text(), st.integers(0, 2**53) | st.text() | st.booleans())


@given(
    st.builds(
        Signal,
        st.text(),
        st.none() | st.text(),
        seq=st.none() | st.integers(0, 2**53),
        event_id=st.none() | st.text(),
        detail=details,
    )
)
def test_decoding_is_the_inverse_of_encoding(signal):
    assert Signal.decode(signal.encode()) == signal
    assert Signal.decode(signal.encode().decode()) == signal


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"garbage",
        b"[]",
        b"{}",
        b'{"type":"x"}',
        b'{"type":1,"subject":null}',
        b'{"type":"x","subject":null,"seq":"1"}',
        b'{"type":"x","subject":null,"seq":1.5}',
        b'{"type":"x","subject":null,"detail":[]}',
        b'{"type":"\xff","subject":null}',
    ],
)
def test_malformed_message_is_a_value_error(message):
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the decoder's
        Signal.decode(message)


def test_keys_of_a_newer_version_are_ignored():
    assert Signal.decode('{"type":"x","subject":"job_a","shard":3}') == Signal("x", "job_a")


def test_surrogate_is_refused_when_it_is_sent():
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the encoder's
        Signal("x", "\ud800").encode()
