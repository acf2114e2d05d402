"""Faults of YAML in words: the line that is at fault, which is often not the one where the parser noticed, and what to write.

The parser says what it expected; what was meant is read from the lines themselves. No value is quoted: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

import yaml

from sendoff.errors.codes import Code

_SCANNER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C where built
_KEY = re.compile(r"\s*(?:- +)*(?:\"[^\"]*\"|'[^']*'|[\w.$-]+):(?:\s|$)")
_CONTENT = re.compile(r"\s*(?:#.*)?$")
#: What YAML 1.2 refuses, and what the parser takes for the end of a line and editors do not.
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}


class _Mark(Protocol):
    """A place in a text, from 0."""

    line: int
    column: int


class Fault(NamedTuple):
    """A place, from 1, and a sentence."""

    line: int
    column: int
    sentence: str
    code: Code = Code.YAML


def decoding_fault(error: UnicodeDecodeError) -> Fault:
    """What is wrong with bytes that are not UTF-8."""
    raw = error.object  # without the mark that some editors begin a file with
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _UTF16
    before = _Lines(raw[: error.start].decode())
    byte = raw[error.start : error.start + 1]
    sign = byte.decode("cp1252", "replace")
    likely = f", which is {sign} in Windows-1252" if sign.isprintable() and sign != "\ufffd" else ""
    return Fault(
        len(before),
        len(before[-1]) + 1,
        f"is not UTF-8: there is the byte 0x{byte.hex().upper()}{likely}; save the file as UTF-8",
        Code.ENCODING,
    )


def control_fault(text: str) -> Fault | None:
    """The first sign of a text that a connector file may not have, if there is one."""
    if (found := _CONTROL.search(text)) is None:
        return None
    sign, at = found[0], found.start()
    if sign == "\0" and text.count("\0") * 3 > len(text):
        return _UTF16
    before = _Lines(text[:at])
    what = f"the control character U+{ord(sign):04X}; delete it"
    if sign in _BREAKS:
        what = f"the line separator U+{ord(sign):04X}; delete it, or write {_BREAKS[sign]} in double quotes"
    return Fault(len(before), len(before[-1]) + 1, f"has {what}")


def fault(error: yaml.YAMLError, text: str) -> Fault:
    """The fault that a parser's error comes from."""
    if not isinstance(error, yaml.MarkedYAMLError) or (mark := error.problem_mark or error.context_mark) is None:
        return Fault(1, 1, f"is not YAML: {' '.join(str(error).split())}")
    try:
        found = next(_faults(error, mark, _Lines(text)), None)
    except Exception:  # the parser's own words are better than a fault of those here
        found = None
    return found or Fault(mark.line + 1, mark.column + 1, f"is not YAML: {error.problem or error.context}")


_UTF16 = Fault(1, 1, "is UTF-16; save the file as UTF-8", Code.ENCODING)


class _Lines(list[str]):
    """The lines of a text; one that is not there is empty."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(re.split(r"\r\n|\r|\n", text))

    def at(self, number: int) -> str:
        return self[number] if 0 <= number < len(self) else ""

    def sign(self, line: int, column: int) -> str:
        return self.at(line)[column : column + 1]

    def before(self, number: int) -> int:
        """The line before that has something in it; -1 if there is none."""
        return next((at for at in range(min(number, len(self)) - 1, -1, -1) if not _CONTENT.match(self[at])), -1)


def _faults(error: yaml.MarkedYAMLError, mark: _Mark, lines: _Lines) -> Iterator[Fault]:
    """The readings of an error that fit, the likeliest first."""
    problem, start = error.problem or "", error.context_mark or mark
    line, at = lines.at(mark.line), mark.column
    if "\t" in (tabbed := _indent(line)):
        yield Fault(mark.line + 1, tabbed.index("\t") + 1, "a tab indents this line; YAML takes only spaces: replace it by two")
    if "unexpected end of stream" in problem and "quoted" in (error.context or ""):
        yield _unclosed_quote(lines, start.line, start.column)
    if "unknown escape character" in problem:
        sentence = "this sign after \\ makes no escape; write \\\\ for one \\, or put the text in single quotes"
        yield Fault(mark.line + 1, at + 1, sentence)
    if "',' or" in problem:
        yield _in_brackets(lines, start, mark)
    if "mapping values are not allowed" in problem:
        yield from _unexpected_colon(lines, mark)
    if "expected ':'" in problem:
        yield _without_colon(lines, start.line)
    if "expected key" in problem or "<document start>" in problem:
        yield _not_a_key(lines, mark)
    if "'-' indicator" in problem:
        yield Fault(
            mark.line + 1, at + 1,
            f"is not an item of the list that begins in line {start.line + 1}; begin it with `- `, or indent it otherwise",
        )  # fmt: skip
    if "block sequence entries" in problem:
        yield Fault(mark.line + 1, at + 1, "a list begins on a line of its own; put it on the next one")
    if line[at : at + 1] in tuple("%@`&!|>") or "an alias" in (error.context or ""):
        begin = start if "an alias" in (error.context or "") else mark
        yield _needs_quotes(lines, begin.line, begin.column)
    if "another document" in problem:
        yield Fault(mark.line + 1, at + 1, "a second document begins here; a connector is one file, and one document")
    if "node content" in problem:
        yield from () if line[at:].strip() else _open_bracket(lines)
        yield Fault(mark.line + 1, at + 1, "a value is missing before this sign")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _spaces(indent: str) -> str:
    return f"{len(indent) or 'no'} space{'s' * (len(indent) != 1)}"


def _unclosed_quote(lines: _Lines, line: int, column: int) -> Fault:
    sign = lines.sign(line, column) or '"'
    return Fault(line + 1, column + 1, f"the quote {sign} that opens here is never closed; put {sign} where the text ends")


def _in_brackets(lines: _Lines, start: _Mark, mark: _Mark) -> Fault:
    """Between brackets something else than a comma or the end: a bracket or a quote is not closed, or a comma is missing."""
    opening = lines.sign(start.line, start.column)
    closing = "}" if opening == "{" else "]"
    line, at = lines.at(mark.line), mark.column
    if long_quote := _long_quote(lines, mark):
        return long_quote
    if mark.line > start.line and (not line[at:].strip() or _KEY.match(line)) and len(_indent(line)) <= len(
        _indent(lines.at(start.line))
    ):  # fmt: skip
        return _unclosed_bracket(lines, start)
    before = line[:at].rstrip()
    if line[at : at + 1] == "{" or before.endswith(("}", "$")):
        value = re.search(r"[^\s,:{\[]*$", before[: before.rfind("{")] if before.endswith("}") else before)
        begin = value.start() if value else at
        return Fault(mark.line + 1, begin + 1, 'text with { or } in it needs quotes here, like "${env:NAME}"')
    return Fault(
        mark.line + 1, at + 1, f"a comma is missing before this, or the {closing} of the {opening} in line {start.line + 1}"
    )


def _open_bracket(lines: _Lines) -> Iterator[Fault]:
    """The last bracket that is still open where the text ends."""
    opened: list[_Mark] = []
    with suppress(yaml.YAMLError):
        for token in yaml.scan(lines.text, _SCANNER):
            if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
                opened.append(token.start_mark)
            elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken) and opened:
                opened.pop()
    for mark in opened[-1:]:
        yield _unclosed_bracket(lines, mark)


def _unclosed_bracket(lines: _Lines, mark: _Mark) -> Fault:
    opening = lines.sign(mark.line, mark.column)
    closing = "}" if opening == "{" else "]"
    return Fault(mark.line + 1, mark.column + 1, f"the {opening} that opens here is never closed; put {closing} where it ends")


def _long_quote(lines: _Lines, mark: _Mark) -> Fault | None:
    """The quoted text that ends before the place and runs over lines: the quote that opens the next one closed it."""
    with suppress(yaml.YAMLError):
        for token in yaml.scan(lines.text, _SCANNER):
            if (token.end_mark.line, token.end_mark.column) == (mark.line, len(lines.at(mark.line)[: mark.column].rstrip())):
                is_long = isinstance(token, yaml.ScalarToken) and token.style in ('"', "'")
                begin = token.start_mark
                return _unclosed_quote(lines, begin.line, begin.column) if is_long and begin.line < mark.line else None
    return None


def _unexpected_colon(lines: _Lines, mark: _Mark) -> Iterator[Fault]:
    line, at = lines.at(mark.line), mark.column
    key = _KEY.match(line)
    if key and key.end() <= at:
        yield Fault(mark.line + 1, key.end() + 1, "a value with a colon and a space in it needs quotes around it")
        return
    before = lines.before(mark.line)
    above = lines.at(before)
    if _KEY.match(above):
        sentence = (
            f"is indented by {_spaces(_indent(line))}, deeper than line {before + 1}, which has a value already; "
            f"indent it by {_spaces(_indent(above))}, like that line"
        )
        yield Fault(mark.line + 1, len(_indent(line)) + 1, sentence)
    elif before >= 0:
        yield _without_colon(lines, before)


def _without_colon(lines: _Lines, number: int) -> Fault:
    line = lines.at(number)
    lacks = "no space after its colon" if re.match(r"\s*[\w.$-]+:", line) else "no colon"
    return Fault(number + 1, len(_indent(line)) + 1, f"a key has {lacks} here; write `key: value`")


def _not_a_key(lines: _Lines, mark: _Mark) -> Fault:
    """Something where only a key may be: a line that is indented unlike those around it, or text after a value."""
    line, at = lines.at(mark.line), mark.column
    before = line[:at].rstrip()
    if not before:
        if line[at:].startswith("- "):
            return Fault(
                mark.line + 1,
                at + 1,
                "a list's item among keys; write `key: value`, or give the list a key of its own above it",
            )
        above = lines.before(mark.line)
        own, other = _indent(line), _indent(lines.at(above))
        if own == other:
            return Fault(mark.line + 1, at + 1, "a key is expected here: `key: value`")
        return Fault(
            mark.line + 1, at + 1,
            f"is indented by {_spaces(own)}, unlike any line that it could belong to; line {above + 1} has {_spaces(other)}",
        )  # fmt: skip
    if (sign := line[at : at + 1]) in ("}", "]"):
        return Fault(mark.line + 1, at + 1, f"there is one {sign} too many")
    key = _KEY.match(line)
    begin = key.end() if key and key.end() < at else len(_indent(line))
    if before.endswith(('"', "'")):
        return _long_quote(lines, mark) or Fault(
            mark.line + 1, at + 1, "text follows the closing quote; put all of it inside the quotes"
        )
    return _needs_quotes(lines, mark.line, begin)


def _needs_quotes(lines: _Lines, line: int, column: int) -> Fault:
    return Fault(line + 1, column + 1, f"text that begins with {lines.sign(line, column)} needs quotes around it")
