"""Many records a request, one a line, by a text template."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from sendoff.plugin import (
    KEY,
    MAX_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORDS,
    WHOLE_RECORD,
    Block,
    Sender,
    TypedPage,
    encode_texts,
    hookimpl,
    is_reference,
    option,
    placeholders,
    record_problem,
    split_text,
)


def check_line(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for a line's template."""
    if value in (WHOLE_RECORD, KEY):
        error(field, f"{value} is for JSON bodies; a line is text with fields in it, like `{{city}} {{temp}}`")
    elif isinstance(value, str):
        problem = record_problem(value)
        if problem is None and not any(placeholders(value)):
            problem = "has no field in it, and would be the same line for each record; name one, like `{city}`"
        if problem:
            error(field, problem)


def check_escapes(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for the escapes of values between quotes."""
    if isinstance(value, Mapping) and str(value.get('"', "")).startswith("\\") and "\\" not in value:
        error(field, r"escapes a quote by a backslash, so a value that ends in one would end the text; add `'\': '\\'`")


def check_replacement(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for what is written for a character."""
    if isinstance(value, str) and not set(value).isdisjoint("\r\n"):
        error(field, "has a line break in it, which ends the line; write it as text, like `'\\n'` in single quotes")


ESCAPES = {
    "type": "dict",
    "keysrules": {"type": "string", "minlength": 1, "maxlength": 1},
    "valuesrules": {"type": "string", "check_with": check_replacement},
    "default": {},
}


class Lines(Sender):
    r"""Send records together as lines of text: InfluxDB's line protocol, Graphite, Prometheus.

    Inside double quotes of the template `escape_quoted` holds, and elsewhere `escape`; nothing else is escaped. A null makes
    its record invalid, as do, where no escape is given for them: a line break, a quote between quotes, and a backslash at the
    end of a value that stands between quotes, or where `escape` writes backslashes. So does a line without anything in it.
    """

    name = "lines"
    separator, suffix = b"\n", b"\n"
    content_type = "text/plain; charset=utf-8"
    options = {
        "max_records": MAX_RECORDS,
        "max_bytes": MAX_BYTES,
        "max_record_bytes": MAX_RECORD_BYTES,
        "record": option(
            "The line of a record: `weather,city={city} temp={temp} {time}`.", type="string", empty=False, check_with=check_line
        ),
        "escape": option("What is written for a character of a value: `{' ': '\\ ', ',': '\\,'}`.", **ESCAPES),
        "escape_quoted": option(
            "The same inside double quotes: `{'\"': '\\\"', '\\': '\\\\'}`.", check_with=check_escapes, **ESCAPES
        ),
    }  # fmt: skip

    escape: Mapping[str, str]
    escape_quoted: Mapping[str, str]

    def start(self, fields: Sequence[str]) -> None:
        """See whether the template itself has several lines."""
        self.multiline = "\n" in self.record

    def write(self, page: TypedPage) -> Block:
        """Write a line for each record."""
        line: list[pl.Expr] = []
        values: list[pl.Series] = []
        unwritable: dict[int, str] = {}
        in_quotes = False
        for text, field in [("", self.record[1:])] if is_reference(self.record) else split_text(self.record):
            in_quotes ^= text.replace('\\"', "").count('"') % 2 == 1
            if not field:
                line.append(pl.lit(text))
                continue
            escapes = self.escape_quoted if in_quotes else self.escape
            found = encode_texts(page, f"${field}").alias(str(len(values)))
            for at, reason in _problems(found, escapes, in_quotes=in_quotes):
                unwritable.setdefault(at, f"{field}: {reason}")
            line.append(pl.col(found.name).str.replace_many(dict(escapes)) if escapes else pl.col(found.name))
            values.append(found)
        frame = pl.DataFrame(values)
        lines = frame.select(pl.concat_str(line).fill_null(""))[:, 0]
        for at in (lines.str.strip_chars() == "").arg_true():
            unwritable.setdefault(at, "its line is empty")
        return self.block(lines, unwritable)


def _problems(values: pl.Series, escapes: Mapping[str, str], *, in_quotes: bool) -> Iterator[tuple[int, str]]:
    """Which values cannot stand in a line, and why."""
    yield from ((at, "the line needs it, and it is null") for at in values.is_null().arg_true())
    where = "escape_quoted" if in_quotes else "escape"
    ends = {"\n": "a line break ends the line", "\r": "a line break ends the line"}
    if in_quotes:
        ends['"'] = "a quote ends the text that it is in"
    for character, what in ends.items():
        if character not in escapes:
            found = values.str.contains(character, literal=True).fill_null(False)
            yield from ((at, f"{what}; say in `{where}` what to write for it") for at in found.arg_true())
    if "\\" not in escapes and (in_quotes or any(text.startswith("\\") for text in escapes.values())):
        found = values.str.ends_with("\\").fill_null(False)
        yield from (
            (at, f"a backslash at its end escapes what follows; say in `{where}` what to write for it")
            for at in found.arg_true()
        )


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Lines]
