"""A set of sorted numbers answers as a dict would."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from sendoff.incremental.key_index import KeyIndex, frame

# Few first halves, so that keys meet in them.
KEYS = st.tuples(st.integers(0, 5), st.integers(0, 200)).map(lambda pair: pair[0].to_bytes(8) + pair[1].to_bytes(8))
BATCHES = st.lists(st.dictionaries(KEYS, st.binary(min_size=8, max_size=8), max_size=12), max_size=12)


@given(BATCHES, BATCHES)
def test_it_finds_what_was_put_in_and_nothing_else(begun: list[dict[bytes, bytes]], added: list[dict[bytes, bytes]]) -> None:
    mirror: dict[bytes, bytes] = {}
    for some in begun:
        mirror |= some
    known = KeyIndex([sorted(mirror.items())] if mirror else [])
    for some in added:
        new = {key: state for key, state in some.items() if key not in mirror}
        known.add(frame([*new], [*new.values()]))
        mirror |= new
    asked = [*mirror, *(bytes(7) + bytes([at]) + (at * 7).to_bytes(8) for at in range(30))]
    found = known.find(frame(asked, [bytes(8)] * len(asked)))
    want = [int.from_bytes(mirror[key]) if key in mirror else None for key in asked]
    assert found.to_list() == want
    assert len(known) == len(mirror)


def test_many_small_additions_stay_few_levels() -> None:
    known = KeyIndex()
    for _ in range(300):
        keys = [os.urandom(16) for _ in range(10)]
        known.add(frame(keys, [bytes(8)] * 10))
    assert len(known) == 3_000
    assert len(known._levels) <= 12
