"""Finds secrets in a text, in any of the forms in which APIs and programs write what they were sent.

A text is unescaped step by step, as it may be escaped more than once (a URL in HTML in JSON); each secret is looked for after
each step, and what is found is taken out of the text as it came.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from sendoff.cleaning import UNSAFE

#: Shorter values would redact ordinary words out of every message.
MIN_LENGTH = 6
#: So much of a secret is known as its beginning, where somebody has cut a text off: shorter ones end ordinary texts too.
CUT_OFF_LENGTH = 8
#: How often a text is unescaped.
_STEPS = 3

_ESCAPED = re.compile(
    r"(?P<percent>(?:%[0-9A-Fa-f]{2})+)"
    r"|\\u(?P<pair>[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2})|\\u(?P<unicode>[0-9A-Fa-f]{4})"
    r"|\\x(?P<hex>[0-9A-Fa-f]{2})|\\(?P<letter>[\\\"'/bfnrt])"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8}\d{0,2});)"
    rf"|(?P<space>[\s+{UNSAFE}]{{2,}}|[^\S ]|[+{UNSAFE}])"
)
#: What stands behind a text that was cut off, and the beginning of an escape.
_AFTER = "….\"' \t\r\n"
_CUT = re.compile(r"…|\.\.\.")
_BEGUN = re.compile(r"(?:%[0-9A-Fa-f]?|\\(?:[ux][0-9A-Fa-f]{0,3})?|&[#0-9A-Za-z]{0,8})\Z")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Redactor:
    """Secrets, and the names that stand for them.

    Of those in `cut_off`, also a beginning is known: at the end of a text, or before dots.
    """

    def __init__(self, names: Mapping[str, str], cut_off: Collection[str]) -> None:
        self._names: dict[str, str] = {}
        beginnings: dict[str, list[str]] = {}
        for value, shown in names.items():
            for form in _forms(value):
                self._names.setdefault(form, shown)
                if value in cut_off and len(form) > CUT_OFF_LENGTH:
                    beginnings.setdefault(form[:CUT_OFF_LENGTH], []).append(form)
        self._pattern = _any_of(self._names)
        self._beginnings, self._beginning = beginnings, _any_of(beginnings)
        self._longest = max(map(len, self._names))

    def redact(self, text: str) -> str:
        """The text with every secret replaced by its name."""
        parts, done = [], 0
        for lo, hi, name in _joined(sorted(self._find(text))):
            parts += [text[done:lo], name]
            done = hi
        return "".join([*parts, text[done:]]) if parts else text

    def _find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where secrets are in the text, and their names."""
        seen, places = text, None
        for _ in range(_STEPS + 1):
            for lo, hi, name in self._spans(seen):
                yield (lo, hi, name) if places is None else (places.origin(lo), places.origin(hi), name)
            plain, steps = _unescape(seen)
            if plain == seen:
                return
            seen, places = plain, _Places(steps, places)

    def _spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        for match in self._pattern.finditer(text):
            yield match.start(), match.end(), self._names[match[0]]
        for end in (*(match.start() for match in _CUT.finditer(text)), len(text.rstrip(_AFTER))):
            yield from self._begun(text, end)

    def _begun(self, text: str, end: int) -> Iterator[tuple[int, int, str]]:
        """Where the beginning of a secret is that ends here, perhaps within an escape."""
        for _ in range(_STEPS):  # an escape that was itself escaped
            if (begun := _BEGUN.search(text, max(0, end - 10), end)) is not None:
                end = begun.start()
        found = self._beginning.search(text, max(0, end - self._longest), end)
        while found is not None:
            for form in self._beginnings[found[0]]:
                if form.startswith(text[found.start() : end]):
                    yield found.start(), end, self._names[form]
                    return
            found = self._beginning.search(text, found.start() + 1, end)


def _any_of(words: Collection[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))) or r"(?!)")


def _joined(spans: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Spans that overlap, as one: a secret holds another, or is found in two forms. The widest gives its name."""
    last: tuple[int, int, str] | None = None
    widest = 0
    for lo, hi, name in spans:
        if last is None or lo >= last[1]:
            if last is not None:
                yield last
            last, widest = (lo, hi, name), hi - lo
        else:
            last = (last[0], max(hi, last[1]), name if hi - lo > widest else last[2])
            widest = max(widest, hi - lo)
    if last is not None:
        yield last


class _Places:
    """Where a place of an unescaped text is in the text as it came."""

    def __init__(self, steps: list[tuple[int, int]], before: _Places | None) -> None:
        self._after, self._steps, self._before = [step[0] for step in steps], steps, before

    def origin(self, place: int) -> int:
        at = bisect_right(self._after, place) - 1
        after, origin = self._steps[at]
        found = origin + place - after
        if at + 1 < len(self._steps):
            found = min(found, self._steps[at + 1][1])
        return found if self._before is None else self._before.origin(found)


def _unescape(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with one level of escapes read, and pairs of places: from this one of it on, it is the text from that one on."""
    parts: list[str] = []
    steps, length, done = [(0, 0)], 0, 0
    for match in _ESCAPED.finditer(text):
        parts.append(text[done : match.start()])
        length += match.start() - done
        done = match.end()
        for char, place in _read(match):
            steps.append((length, place))
            parts.append(char)
            length += len(char)
        steps.append((length, done))
    return "".join([*parts, text[done:]]), steps


def _read(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    """The characters that one escape, or one run of blanks, stands for, with their places in the text."""
    at, kind, raw = match.start(), match.lastgroup, match[0]
    if kind == "percent":
        place = at
        for char in bytes.fromhex(raw.replace("%", "")).decode("utf-8", "surrogateescape"):
            yield char, place
            place += 3 * len(char.encode("utf-8", "surrogateescape"))
    elif kind == "pair":
        yield json.loads(f'"{raw}"'), at
    elif kind in ("unicode", "hex"):
        yield chr(int(match[kind], 16)), at
    elif kind == "letter":
        yield _LETTERS.get(match[kind], match[kind]), at
    elif kind == "entity":
        yield html.unescape(raw), at
    else:
        yield " ", at


def _forms(value: str) -> set[str]:
    """A secret as it is, as it is after each step of reading escapes, and each spelling of it in base64 at three offsets."""
    forms, plain = {value}, value
    for _ in range(_STEPS):
        plain = _unescape(plain)[0].strip()
        if len(plain) >= MIN_LENGTH:
            forms.add(plain)
    # The last but one is how a URL is normalised on its way (RFC 3986 §3.4: what a query may hold as it is).
    texts = {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        quote(value, safe="!$&'()*+,;=:@/?~"),
        json.dumps(value)[1:-1],
    }
    for text in texts:
        for pad in range(3):
            encoded = base64.b64encode(b"\0" * pad + text.encode("utf-8", "surrogateescape")).decode().rstrip("=")
            # The first and last characters also hold bits of the bytes beside them, which are unknown.
            stable = encoded[(0, 2, 3)[pad] : len(encoded) - 1]
            if len(stable) >= MIN_LENGTH:
                forms |= {stable, stable.translate(str.maketrans("+/", "-_")), _unescape(stable)[0].strip()}
    return forms
