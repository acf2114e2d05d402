"""Many records a request, one a line, by a text template."""

from collections.abc import Callable, Iterator, Mapping
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
    record_problem,
    split_text,
)


def check_line(field: str, value: Any, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for a line's template."""
    if value in (WHOLE_RECORD, KEY):
        error(field, f"{value} is for JSON bodies; a line is text with fields in it, like `{{city}} {{temp}}`")
    elif isinstance(value, str) and (problem := record_problem(value)):
        error(field, problem)


ESCAPES = {
    "type": "dict",
    "keysrules": {"type": "string", "minlength": 1, "maxlength": 1},
    "valuesrules": {"type": "string"},
    "default": {},
}


class Lines(Sender):
    r"""Send records together as lines of text: InfluxDB's line protocol, Graphite, Prometheus.

    A value with a line break makes its record invalid, unless it is escaped, and so does a null. Inside double quotes of the
    template `escape_quoted` holds, and elsewhere `escape`; there a `"` must be escaped, or makes its record invalid.
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
        "escape_quoted": option("The same inside double quotes: `{'\"': '\\\"'}`.", **ESCAPES),
    }  # fmt: skip

    escape: Mapping[str, str]
    escape_quoted: Mapping[str, str]

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
        frame = pl.DataFrame(values) if values else pl.DataFrame({"0": [""] * page.frame.height})
        return self.block(frame.with_columns(pl.concat_str(line).fill_null("").alias("line"))["line"], unwritable)


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


@hookimpl
def sendoff_senders() -> list[type[Sender]]:
    return [Lines]
