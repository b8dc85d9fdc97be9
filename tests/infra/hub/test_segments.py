"""Every byte of a file is claimed once, whatever happens to the claims."""

from hypothesis import given
from hypothesis import strategies as st

from infra.hub.transfer.segments import Claim, Segments, Spans

SIZE = 120
offsets = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE))


@given(st.lists(st.tuples(st.booleans(), offsets)))
def test_spans_are_the_set_of_their_offsets(steps):
    spans, expected = Spans(), set()
    for added, (start, end) in steps:
        (spans.add if added else spans.discard)(start, end)
        offsets = set(range(start, end))
        expected = expected | offsets if added else expected - offsets
        listed = list(spans)
        assert {offset for start, end in listed for offset in range(start, end)} == expected
        assert spans.total_bytes == len(expected)
        # In order, and neither empty nor touching.
        flat = [edge for span in listed for edge in span]
        assert flat == sorted(set(flat))
        missing = sorted(set(range(SIZE)) - expected)
        gap = spans.first_gap(SIZE)
        if not missing:
            assert gap is None
        else:
            start, end = gap
            assert start == missing[0] == spans.prefix_bytes
            assert all(offset in missing for offset in range(start, end))
            assert end == SIZE or end in expected


@given(
    size_bytes=st.integers(0, 200),
    written=st.lists(offsets, max_size=4),
    choices=st.lists(
        st.tuples(st.integers(1, 50), st.integers(0, 60), st.booleans(), st.booleans())
    ),
)
def test_workers_that_give_up_or_go_on_write_each_byte_exactly_once(size_bytes, written, choices):
    there = [(start, min(end, size_bytes)) for start, end in written if start < end]
    there = [(start, end) for start, end in there if start < end]
    segments = Segments(size_bytes, there)
    known = {offset for start, end in there for offset in range(start, end)}
    fetched: list[int] = []
    at_work: list[Claim] = []

    def fetch(claim: Claim, count: int) -> None:
        count = min(count, claim.left_bytes)
        fetched.extend(range(claim.position, claim.position + count))
        segments.advance(claim, count)

    for wanted, count, gives_up, splits in choices:
        if splits and at_work and at_work[0].left_bytes > 1:
            at_work.append(segments.split(at_work[0]))
        claim = segments.claim(wanted)
        if claim is not None:
            assert 0 < claim.left_bytes <= wanted + wanted // 2
            at_work.append(claim)
        if at_work:
            fetch(at_work[0], count)
            if gives_up or at_work[0].left_bytes == 0:
                segments.release(at_work.pop(0))
        assert set(segments.claims) == set(at_work)
    for claim in at_work:
        segments.release(claim)
    while claim := segments.claim(7):
        fetch(claim, claim.left_bytes)
        segments.release(claim)
    assert sorted(fetched) == sorted(set(range(size_bytes)) - known)
    assert segments.complete
    assert segments.prefix_bytes == segments.written_bytes == size_bytes
    assert segments.unclaimed_bytes == 0


def test_claims_come_in_order_and_leave_no_crumbs():
    segments = Segments(100)
    claims = [segments.claim(30) for _ in range(4)]
    assert [(c.start, c.end) for c in claims if c] == [(0, 30), (30, 60), (60, 100)]
    assert claims[3] is None
