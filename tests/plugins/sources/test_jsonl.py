"""JSON Lines: rows R2 to R5 and R13 of the fault catalogue."""

import io
from decimal import Decimal

import pytest

from sendoff import Page, SourceError
from sendoff_plugins.sources import jsonl


def page(data: bytes | str) -> Page:
    (only,) = jsonl.read_lines(io.BytesIO(data if isinstance(data, bytes) else data.encode()), "in.jsonl")
    return next(only.read())


def test_objects_are_records_with_their_own_keys() -> None:
    found = page('{"a": 1}\n\n{"a": 2, "b": null}\n')
    assert found.frame["a"].to_list() == [1, 2]
    assert list(found.lines) == [1, 3]
    assert found.missing_keys["b"].to_list() == [True, False]


@pytest.mark.parametrize("magic", [b"x^2", b"x\x01", b"x\xda\x80", b"\x1f\x8b\x08", b"(\xb5/\xfd"])
def test_a_line_that_begins_like_a_compressed_file_is_rejected_alone(magic: bytes) -> None:
    found = page(magic + b'\n{"a": 2}\n')
    assert list(found.lines) == [1, 2]
    assert list(found.row_errors) == [0]
    assert found.frame["a"].to_list() == [None, 2]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1]", "not a JSON object"),
        ("5", "not a JSON object"),
        ('{"a": 1},', "not JSON at column 9"),
        ('{"a": 1} {"a": 2}', "not JSON at column 10"),
        ('{"a": 1, "a": 2}', "the key 'a' is duplicated"),
        ('{"a": NaN}', "NaN is not a number JSON can hold"),
        ('{"a": -Infinity}', "Infinity is not a number"),
        ('{"a": ' + "[" * 100_000, "nested deeper than 100 levels"),
        ('{"a": ' + "9" * 5_000 + "}", "Exceeds the limit"),
        ("{'a': 1}", "not JSON at column 2"),
    ],
)
def test_r13_a_line_that_is_no_record_is_set_aside_and_the_rest_goes_on(line: str, told: str) -> None:
    found = page(f'{{"a": 1}}\n{line}\n{{"a": 3}}\n')
    assert list(found.row_errors) == [1]
    assert told in found.row_errors[1]
    assert found.frame["a"].to_list() == [1, None, 3]


def test_x6_what_a_bad_line_holds_cannot_forge_a_line_or_paint_a_terminal() -> None:
    reason = page('{"a": 1}\n\x1b[31mRED\r{\n').row_errors[1]
    assert reason.isprintable()


def test_r6_a_line_that_is_no_utf8_is_set_aside() -> None:
    assert "not UTF-8 at byte 8" in page(b'{"a": "\xff"}\n{"a": "x"}\n').row_errors[0]


def test_r2_r3_numbers_keep_their_digits() -> None:
    found = page('{"a": 1.10, "b": 9007199254740993}\n{"a": 0.1, "b": 1}\n')
    assert found.to_python().frame["a"].to_list() == [Decimal("1.10"), Decimal("0.1")]
    assert found.frame["b"].to_list() == [9007199254740993, 1]


def test_r11_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_RECORD", 100)
    with pytest.raises(SourceError, match=r"in\.jsonl:2: a line of more than"):
        list(jsonl.read_lines(io.BytesIO(b'{"a": 1}\n' + b"x" * 5_000_000), "in.jsonl"))


def test_the_last_line_needs_no_newline() -> None:
    assert page('{"a": 1}').frame.height == 1


@pytest.mark.parametrize("line", ['{"id": 2, "\\ud800": 3}', '{"id": 2, "a": {"\\udc00": 3}}', '{"id": 2, "a": "\\ud800x"}'])
def test_half_a_character_in_a_key_or_a_value_makes_its_line_invalid(line: str) -> None:
    found = page(f'{{"id": 1}}\n{line}\n')
    assert list(found.row_errors) == [1]
    assert "lone surrogate" in found.row_errors[1]


def test_a_key_without_a_name_keeps_it() -> None:
    found = page('{"": 1}\n{"b": 2}\n')
    assert found.as_json([0, 1]) == ['{"":1}', '{"b":2}']
