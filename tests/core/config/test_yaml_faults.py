"""Faults of YAML: the line that is at fault, and what to write."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sendoff.config import yaml_faults
from sendoff.config.documents import Document, parse

#: What people write, and what they are told, by what is wrong.
CASES: dict[str, tuple[str | bytes, str]] = {
    "a tab": ("source:\n\tuse: csv\n", "2:1: a tab indents this line; YAML takes only spaces: replace it by two [yaml]"),
    "a tab after spaces": (
        "source:\n  use: csv\n  \tpath: a\n",
        "3:3: a tab indents this line; YAML takes only spaces: replace it by two [yaml]",
    ),
    "deeper": (
        "source:\n  use: csv\n    path: a\n",
        "3:5: is indented by 4 spaces, deeper than line 2, which has a value already; indent it by 2 spaces, like that line [yaml]",
    ),
    "less deep": (
        "destination:\n    url: u\n  method: POST\n",
        "3:3: is indented by 2 spaces, unlike any line that it could belong to; line 2 has 4 spaces [yaml]",
    ),
    "no colon": ("source:\n  use csv\n  path: a\n", "2:3: a key has no colon here; write `key: value` [yaml]"),
    "no colon at the end": ("source:\n  path: a\n  use csv\n", "3:3: a key has no colon here; write `key: value` [yaml]"),
    "no colon at the top": ("source\n  use: csv\n", "1:1: a key has no colon here; write `key: value` [yaml]"),
    "no space": ("a: b\nsend:batch\nc: d\n", "2:1: a key has no space after its colon here; write `key: value` [yaml]"),
    "a colon in a value": ("a:\n  note: b: c\n", "2:9: a value with a colon and a space in it needs quotes around it [yaml]"),
    "a quote": (
        'a: b\nsend: "batch\nc: d\n',
        '2:7: the quote " that opens here is never closed; put " where the text ends [yaml]',
    ),
    "a quote that another one closes": (
        'send: "batch\nto:\n  url: "http://x"\n',
        '1:7: the quote " that opens here is never closed; put " where the text ends [yaml]',
    ),
    "a quote in brackets": (
        'h: {A: "b}\nto:\n  url: "http://x"\n',
        '1:8: the quote " that opens here is never closed; put " where the text ends [yaml]',
    ),
    "a brace": (
        "source: {use: csv, path: a\nschema:\n  id: integer\n",
        "1:9: the { that opens here is never closed; put } where it ends [yaml]",
    ),
    "a bracket at the end": ("key: [a, b\n", "1:6: the [ that opens here is never closed; put ] where it ends [yaml]"),
    "a brace too many": ("a: {b: c}}\n", "1:10: there is one } too many [yaml]"),
    "no comma": ('a: {b: "c" d: e}\n', "1:12: a comma is missing before this, or the } of the { in line 1 [yaml]"),
    "a reference in braces": (
        "h: {A: Bearer ${env:X}}\n",
        '1:15: text with { or } in it needs quotes here, like "${env:NAME}" [yaml]',
    ),
    "a field first": ("a: {id}/x\n", "1:4: text that begins with { needs quotes around it [yaml]"),
    "a pattern": ("path: *.csv\n", "1:7: text that begins with * needs quotes around it [yaml]"),
    "a percent sign": ("a: %b\n", "1:4: text that begins with % needs quotes around it [yaml]"),
    "an escape": (
        'a: "C:\\data"\n',
        "1:7: this sign after \\ makes no escape; write \\\\ for one \\, or put the text in single quotes [yaml]",
    ),
    "an item": (
        "a:\n  b: c\n  - d\n",
        "3:3: a list's item among keys; write `key: value`, or give the list a key of its own above it [yaml]",
    ),
    "a list in a line": ("a: - b\n", "1:4: a list begins on a line of its own; put it on the next one [yaml]"),
    "two documents": (
        "a: b\n---\nc: d\n",
        "2:1: a second document begins here; a connector is one file, and one document [yaml]",
    ),
    "a control character": ("a: b\nc: d\x01\n", "2:5: has the control character U+0001; delete it [yaml]"),
    "a control character after signs of more bytes": (
        "# \u00e4\u00f6\u00fc\U0001f600\r\na: \u00df\x01\n",
        "2:5: has the control character U+0001; delete it [yaml]",
    ),
    "a line separator": (
        "# a\u2028# b\nsource: {use: csv, path: x\n",
        "1:4: has the line separator U+2028; delete it, or write \\L in double quotes [yaml]",
    ),
    "a tag": ("a: !!int x\n", "1:4: a tag is not supported; text that begins with ! needs quotes [yaml]"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "3:1: a: is duplicated; the first is in line 1; keep one of them [duplicate-key]"),
    "Windows-1252": (
        "a: b\nc: caf\u00e9".encode("cp1252"),
        "2:7: is not UTF-8: there is the byte 0xE9, which is \u00e9 in Windows-1252; save the file as UTF-8 [encoding]",
    ),
    "Windows-1252 after UTF-8 with its mark": (
        b"\xef\xbb\xbfa: \xc3\xa4\r\nb: \xc3\xa4\xe9",
        "2:5: is not UTF-8: there is the byte 0xE9, which is \u00e9 in Windows-1252; save the file as UTF-8 [encoding]",
    ),
    "UTF-16": ("a: b".encode("utf-16"), "1:1: is UTF-16; save the file as UTF-8 [encoding]"),
    "UTF-16 without its mark": ("a: b".encode("utf-16-le"), "1:1: is UTF-16; save the file as UTF-8 [encoding]"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_of_yaml_is_told_in_words_at_the_line_that_is_at_fault(case: str) -> None:
    text, told = CASES[case]
    document = parse(text if isinstance(text, bytes) else text.encode(), Document("f"))
    assert [f"{problem} [{problem.code}]" for problem in document.problems] == [f"f:{told}"]


@pytest.mark.parametrize("case", [case for case, (text, _) in CASES.items() if isinstance(text, str)])
def test_no_value_of_a_line_that_is_at_fault_is_shown(case: str) -> None:
    """It may be a secret. The kind: a sentence that quotes the file before it is known what in it is secret."""
    text = str(CASES[case][0]).replace("csv", "hunter2").replace("batch", "hunter2")
    assert not any("hunter2" in str(problem) for problem in parse(text.encode(), Document("f")).problems)


_PIECES = st.sampled_from([
    *"\n\r\t\x01\0\x85\u2028\u2029\ufeff\ufffe[]{}'\"&*!|>%@`?:-,#\\~", "\r\n", "  ", "? ", ": ", "- ", "a", "\u00e4", "<<: ", "key: ",
    "!!int x", "!<x> ", "2024-13-45", "--- ", "...\n", "%TAG ! x:\n", "%YAML 9.9\n", "${env:X}", "[" * 40, "1" * 5000, "\U0001f600",
])  # fmt: skip


@given(st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=25).map("".join))
@example("[" * 10_000)
@example("a: [\n" + "b: c\n" * 10_000)
@example("# a\u2028# b\nsource: {use: csv, path: x\n")
@example("a: !!float x\n")
@example("a: <<\n")
def test_any_text_is_a_document_or_has_problems_at_places_that_it_has(text: str) -> None:
    """A place may be one sign, or one line, past the end: where something is missing."""
    document = parse(text.encode("utf-8", "surrogatepass"), Document("f"))
    lines = re.split(r"\r\n|\r|\n", text)
    for problem in document.problems:
        assert 1 <= problem.line <= len(lines) + 1, problem
        assert 1 <= problem.column <= len([*lines, ""][problem.line - 1]) + 1, problem


def test_what_cannot_be_explained_is_told_in_the_words_of_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml_faults, "_in_brackets")
    (problem,) = parse(b"key: [a, b\n", Document("f")).problems
    assert str(problem).startswith("f:2:1: is not YAML: ")
