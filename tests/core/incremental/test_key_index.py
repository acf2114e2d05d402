"""Sets of sorted numbers answer as Python's would."""

from __future__ import annotations

import os

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sendoff.incremental.key_index import KeyIndex, frame
from sendoff.incremental.known_digests import KnownDigests

# Few first halves, so that keys meet in them; some at the very end.
HALVES = st.integers(0, 5) | st.integers(2**64 - 3, 2**64 - 1)
KEYS = st.tuples(HALVES, st.integers(0, 200)).map(lambda pair: pair[0].to_bytes(8) + pair[1].to_bytes(8))
BATCHES = st.lists(st.sets(KEYS, max_size=12), max_size=12)
STRANGERS = [bytes(7) + bytes([at]) + (at * 7).to_bytes(8) for at in range(30)] + [bytes([255]) * 16, bytes(16)]


@given(BATCHES)
def test_a_growing_set_finds_what_was_put_in_and_nothing_else(added: list[set[bytes]]) -> None:
    mirror, known = set[bytes](), KeyIndex()
    for some in added:
        new = [key for key in some if key not in mirror]
        known.add(frame(new))
        mirror |= some
    asked = [*mirror, *STRANGERS]
    assert known.has(frame(asked)).to_list() == [key in mirror for key in asked]
    assert len(known) == len(mirror)


def test_many_small_additions_stay_few_levels() -> None:
    known = KeyIndex()
    for _ in range(300):
        known.add(frame([os.urandom(16) for _ in range(10)]))
    assert len(known) == 3_000
    assert len(known._levels) <= 12


@given(st.sets(KEYS, max_size=60) | st.sets(st.binary(min_size=16, max_size=16), max_size=60), st.data())
def test_a_fixed_set_finds_the_place_of_each_and_knows_which_were_seen(digests: set[bytes], data: st.DataObject) -> None:
    ordered = sorted(digests)
    cut = data.draw(st.integers(0, len(ordered)))
    known = KnownDigests([b"".join(ordered[:cut]), b"".join(ordered[cut:])])
    asked = [*data.draw(st.permutations(ordered)), *STRANGERS]
    places = known.find(frame(asked))
    assert places.to_list() == [ordered.index(key) if key in digests else None for key in asked]
    seen = data.draw(st.sets(st.sampled_from(asked)))
    known.see(places.filter(pl.Series([key in seen for key in asked], dtype=pl.Boolean)))
    assert known.was_seen(places).to_list() == [key in digests and key in seen for key in asked]
    assert list(known.unseen()) == [key for key in ordered if key not in seen]
