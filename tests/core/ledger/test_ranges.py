"""A set of ordinals, however it is put together, is the same set."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sendoff.ledger import Ranges
from sendoff.records import Span

spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 8)).map(lambda pair: Span(pair[0], pair[0] + pair[1])), max_size=25
)


@given(spans)
def test_it_holds_what_was_added_merged_and_in_order(added: list[Span]) -> None:
    ranges = Ranges(added)
    want = {at for span in added for at in range(*span)}
    assert {at for at in range(80) if at in ranges} == want
    assert ranges.total == len(want)
    found = list(ranges)
    assert all(a.hi < b.lo for a, b in pairwise(found)), "neighbours are merged"


@given(spans, st.integers(0, 70), st.integers(0, 70))
def test_the_gaps_are_what_is_missing(added: list[Span], lo: int, hi: int) -> None:
    ranges = Ranges(added)
    gaps = list(ranges.gaps(lo, hi))
    assert all(gap.lo < gap.hi for gap in gaps), "a gap of nothing is none"
    assert all(a.hi < b.lo for a, b in pairwise(gaps))
    missing = [at for gap in gaps for at in range(*gap)]
    assert missing == [at for at in range(lo, hi) if at not in ranges]


@given(spans)
def test_adding_tells_what_it_swallowed(added: list[Span]) -> None:
    ranges = Ranges()
    mirror: dict[int, int] = {}
    for span in added:
        swallowed, merged = ranges.add(*span)
        for lo in swallowed:
            del mirror[lo]
        mirror[merged.lo] = merged.hi
        assert mirror == dict(ranges)
