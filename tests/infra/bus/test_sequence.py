"""Whatever order signals come in, they leave in that of the log."""

from hypothesis import given
from hypothesis import strategies as st

from infra.bus.sequence import Sequence
from infra.bus.signal import Signal


def signal(seq):
    return Signal("x", None, seq=seq)


def admit_all(sequence, seqs):
    return [ready.seq for seq in seqs for ready in sequence.admit(seq, signal(seq))]


@given(st.permutations(range(1, 30)), st.lists(st.integers(1, 29)))
def test_any_order_with_duplicates_leaves_in_order_and_once(order, duplicates):
    sequence = Sequence(0)
    assert admit_all(sequence, [*order, *duplicates]) == list(range(1, 30))
    assert (sequence.last, sequence.broken) == (29, False)


@given(st.sets(st.integers(1, 40)), st.integers(0, 40))
def test_skipping_a_hole_continues_right_after_it(seen, skipped):
    sequence = Sequence(0)
    before = admit_all(sequence, sorted(seen, reverse=True))
    assert before == list(range(1, sequence.last + 1))
    to_seq = max(skipped, sequence.last)
    after = [ready.seq for ready in sequence.skip_to(to_seq)]
    assert after == list(range(to_seq + 1, sequence.last + 1))
    assert set(after) <= seen
    assert sequence.last + 1 not in seen


def test_what_waits_behind_a_hole_is_bounded():
    sequence = Sequence(0)
    assert admit_all(sequence, range(2, 1002)) == []
    assert sequence.broken
    assert admit_all(sequence, [1]) == list(range(1, 258))


def test_forgotten_signals_do_not_come_back():
    sequence = Sequence(0)
    assert admit_all(sequence, [3]) == []
    sequence.forget_early()
    assert not sequence.broken
    assert admit_all(sequence, [1, 2]) == [1, 2]
