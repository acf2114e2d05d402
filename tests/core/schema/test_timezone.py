"""A time that names no zone is in the one that is said, or is no moment.

Kind: a local time taken for UTC. Brothers: text of CSV and JSON, native columns, bounds, defaults, formats, both `as: epoch`.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from sendoff import ConfigError
from sendoff.records import Page, from_mappings
from sendoff.schema import InvalidRule, Schema, declare
from sendoff.testing import Project, Receiver

BERLIN = {"type": "datetime", "timezone": "Europe/Berlin"}


def read(rule: dict[str, Any], page: Page) -> tuple[list[Any], dict[int, str]]:
    typed = Schema([declare("t", rule)], unknown="drop").apply(page)
    return typed.frame["t"].to_list(), typed.invalid


def text(*cells: str) -> Page:
    return Page(pl.DataFrame({"t": cells}), all_text=True)


def test_a_local_time_gets_the_offset_that_its_zone_has_then() -> None:
    cells = ["2026-01-31 08:00", "2026-07-31T08:00:00.5", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00-05:00"]
    expected = [
        "2026-01-31T08:00:00+01:00", "2026-07-31T08:00:00.5+02:00", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00-05:00"
    ]  # fmt: skip
    assert read(BERLIN, text(*cells)) == (expected, {})
    assert read(BERLIN, from_mappings([{"t": cell} for cell in cells])) == (expected, {})
    native = pl.DataFrame({"t": ["2026-01-31T08:00:00"]})
    native = native.select(pl.col("t").str.to_datetime())
    assert read(BERLIN, Page(native))[0] == ["2026-01-31T08:00:00+01:00"]
    assert read({**BERLIN, "format": "%d.%m.%Y %H:%M"}, text("31.07.2026 08:00"))[0] == ["2026-07-31T08:00:00+02:00"]


def test_a_time_that_clocks_skip_is_invalid_and_of_one_that_comes_twice_the_first_is_meant() -> None:
    assert read(BERLIN, text("2026-03-29 02:30", "2026-10-25 02:30")) == (
        [None, "2026-10-25T02:30:00+02:00"],
        {0: "t: does not exist in Europe/Berlin, where clocks were put forward then (got '2026-03-29 02:30')"},
    )


@pytest.mark.parametrize(("form", "moment"), [("epoch", 1769842800), ("epoch_ms", 1769842800000)])
def test_a_moment_needs_a_zone(form: str, moment: int) -> None:
    cells = text("2026-01-31T08:00+01:00", "2026-01-31T08:00")
    assert read({**BERLIN, "as": form}, cells) == ([moment, moment], {})
    values, invalid = read({"type": "datetime", "as": form}, cells)
    assert values == [moment, None]
    assert invalid == {
        1: f"t: names no time zone, which `as: {form}` needs; give the field a `timezone` (got '2026-01-31T08:00')"
    }
    assert read({"type": "date", "as": form}, text("2026-01-31"))[1] == {}


def test_bounds_and_defaults_are_in_the_zone_too() -> None:
    rule = {**BERLIN, "min": "2026-01-31T08:00", "default": "2026-02-01T00:00"}
    values, invalid = read(rule, text("2026-01-31T06:59Z", "2026-01-31T07:00Z", "2026-01-31T07:59", ""))
    assert set(invalid) == {0, 2}
    assert values[3] == "2026-02-01T00:00:00+01:00"


def test_a_zone_that_is_said_of_the_source_is_that_of_all_its_datetimes(project: Project, receiver: Receiver) -> None:
    text_ = (
        "source: {use: jsonl, path: in.jsonl, timezone: Asia/Tokyo}\n"
        "schema: {a: datetime, b: {type: datetime, timezone: Europe/Berlin}, c: {type: datetime, as: epoch}}\n"
        f"destination: {{url: '{receiver.url}'}}\n"
    )
    line = '{"a": "2026-01-31T08:00:00", "b": "2026-01-31T08:00:00", "c": "2026-01-31T08:00:00"}\n'
    project({"in.jsonl": line, "connectors.d/c.yaml": text_})
    assert project.run("c").delivered == 1
    assert receiver.bodies == [[{"a": "2026-01-31T08:00:00+09:00", "b": "2026-01-31T08:00:00+01:00", "c": 1769814000}]]


def test_a_zone_that_is_none_is_refused(project: Project) -> None:
    with pytest.raises(InvalidRule, match="for fields of type datetime"):
        declare("t", {"type": "time", "timezone": "Europe/Berlin"})
    for place in (
        "source: {use: stdin, timezone: Mars}\nschema: {t: datetime}",
        "source: stdin\nschema: {t: {type: datetime, timezone: Mars}}",
    ):
        project({"connectors.d/c.yaml": f"{place}\ndestination: {{url: 'http://localhost/x'}}\n"})
        with pytest.raises(ConfigError, match=r"timezone: no time zone .*Mars|timezone: .*Mars"):
            project.runner().connector("c")


def test_offsets_may_be_of_hours_or_without_a_colon_as_databases_write_them() -> None:
    cells = ["2026-01-31 08:00:00+01", "2026-01-31 08:00:00.5+05:30", "2026-01-31T08:00-05", "2026-01-31T08:00:00+0530"]
    expected = [
        "2026-01-31T08:00:00+01:00", "2026-01-31T08:00:00.5+05:30", "2026-01-31T08:00:00-05:00", "2026-01-31T08:00:00+05:30"
    ]  # fmt: skip
    for page in (text(*cells), from_mappings([{"t": cell} for cell in cells])):
        assert read({"type": "datetime"}, page) == (expected, {})
        assert read(BERLIN, page) == (expected, {})


def test_of_several_formats_the_first_that_fits_is_taken() -> None:
    rule = {"type": "date", "format": ["%d.%m.%Y", "%m/%d/%Y"]}
    values, invalid = read(rule, text("01.02.2026", "01/02/2026", "2026-02-01"))
    assert [str(value) for value in values] == ["2026-02-01", "2026-01-02", "None"]
    assert invalid == {2: "t: must be a date like %d.%m.%Y or %m/%d/%Y (got '2026-02-01')"}
