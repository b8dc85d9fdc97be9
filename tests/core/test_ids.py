"""Ids: one spelling is stored, what people type is understood, anything else is refused."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import ids
from core.errors import BadId
from core.ids import Prefix

prefixes = st.sampled_from(list(Prefix))
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ulids = st.builds(
    str.__add__, st.sampled_from("01234567"), st.text(ALPHABET, min_size=25, max_size=25)
)


@given(prefixes)
def test_new_id_is_its_own_canonical_spelling(prefix: Prefix):
    made = ids.new(prefix)
    assert re.fullmatch(rf"{prefix}_[0-7][{ALPHABET}]{{25}}", made)
    assert ids.canonical(made) == ids.parse(made, prefix) == made
    assert ids.prefix_of(made) is prefix


def test_ids_sort_by_the_millisecond_of_their_creation():
    first = ids.new(Prefix.JOB)
    began_ms = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == began_ms:
        pass
    assert first < ids.new(Prefix.JOB)


def test_ids_of_one_millisecond_differ():
    made = [ids.new(Prefix.EVENT) for _ in range(10_000)]
    assert len(set(made)) == 10_000


def test_time_of_creation_is_in_the_first_ten_characters():
    before_ms = time.time_ns() // 1_000_000
    text = ids.new(Prefix.JOB).partition("_")[2][:10]
    value = 0
    for character in text:
        value = value * 32 + ALPHABET.index(character)
    assert before_ms <= value <= time.time_ns() // 1_000_000


@given(prefixes, ulids, st.data())
def test_what_people_type_is_understood(prefix: Prefix, ulid: str, data: st.DataObject):
    confusable = {"1": "1iIlL", "0": "0oO"}
    typed = "".join(data.draw(st.sampled_from(confusable.get(c, c + c.upper()))) for c in ulid)
    head = data.draw(st.sampled_from([prefix.value, prefix.upper(), prefix.title()]))
    blanks = data.draw(st.sampled_from(["", " ", "\n"]))
    assert ids.parse(f"{blanks}{head}_{typed}{blanks}", prefix) == f"{prefix}_{ulid}"


@given(st.text(max_size=40))
def test_anything_is_an_id_or_refused(text: str):
    try:
        parsed = ids.canonical(text)
    except BadId:
        return
    assert ids.canonical(parsed) == parsed


GOOD = "01k3v8m2f0c9xq7z5r4t6w8y0b"


@pytest.mark.parametrize(
    "text",
    [
        "", "job", "job_", GOOD, f"job-{GOOD}", f"job_{GOOD}0", f"job_{GOOD[:-1]}",
        f"job_8{GOOD[1:]}",  # more than 128 bits
        f"job_{GOOD[:-1]}u", f"job_{GOOD[:-1]}é", f"job_{GOOD[:-1]}\x00", f"job__{GOOD[1:]}",
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str):
    with pytest.raises(BadId):
        ids.parse(text, Prefix.JOB)


def test_id_of_another_kind_says_what_was_expected():
    with pytest.raises(BadId, match=r"of another kind: expected job_…, got wts_…") as e:
        ids.parse(f"wts_{GOOD}", Prefix.JOB)
    assert e.value.code == "BAD_ID"


def test_unknown_prefix_lists_the_known_ones():
    with pytest.raises(BadId) as e:
        ids.prefix_of(f"xyz_{GOOD}")
    assert e.value.hint == "known: job_, wts_, evt_, tok_"
