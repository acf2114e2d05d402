"""What msgspec reads for us is what the exact reader reads, or is left to that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sendoff import jsonlib
from sendoff.jsonlib.quick import loads_bytes, loads_each

VALUES: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=4), st.just(":")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=8,
)
#: What is put into a text, or in the place of a part of it.
ODD = [
    '"',
    "\\",
    "{",
    "}",
    ":",
    " : ",
    ",",
    "0",
    "1e400",
    "e-99999999999999999999",
    "\\ud800",
    "\\u003a",
    '"a":1,',
    '"a":{"a":1,"a":2},',
    "\ufeff",
]


def exactly(text: bytes) -> Any:
    try:
        return jsonlib.loads(text.decode())
    except ValueError as error:
        return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


@given(st.lists(st.tuples(VALUES, st.integers(0, 40), st.sampled_from(["", "", *ODD]), st.integers(0, 2)), max_size=6))
def test_what_is_read_quickly_is_what_is_read_exactly(made: list[tuple[Any, int, str, int]]) -> None:
    texts = [json.dumps(value) for value, *_ in made]
    lines = [(t[:at] + odd + t[at + cut :]).encode() for t, (_, at, odd, cut) in zip(texts, made, strict=True)]
    for line, found in zip(lines, loads_each(lines), strict=True):
        expected = exactly(line)
        if isinstance(found, ValueError):
            assert str(found) == expected
        else:
            assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [b'{"a":1,"a":2}', b'{"a" :1,"a" :2}', b'{"a":1,"\\u0061":":"}', b'{"a":"\\u003a","a":1}', b'{"b":{"a":"\\u003A","a":1}}'],
)
def test_the_last_of_two_equal_keys_does_not_win(text: bytes) -> None:
    with pytest.raises(ValueError, match="the key 'a' is duplicated"):
        loads_bytes(text)
    (found,) = loads_each([text])
    assert "the key 'a' is duplicated" in str(found)
