"""What Parquet and Arrow files hold that JSON has no form for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sendoff.testing import Project, Receiver
from sendoff_plugins.sources.arrow import Arrow
from sendoff_plugins.sources.parquet import Parquet

DAY, HOUR = timedelta(days=1, hours=2), timedelta(hours=-1, minutes=-30)
WRITERS: dict[str, Any] = {
    "parquet": (Parquet, pl.DataFrame.write_parquet), "arrow": (Arrow, pl.DataFrame.write_ipc),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_duration_is_iso_8601_at_any_depth(tmp_path: Path, kind: str, unit: Any) -> None:
    source, write = WRITERS[kind]
    length = pl.Duration(unit)
    rows = [
        {"d": DAY, "s": {"d": HOUR, "n": 1}, "l": [DAY, None], "deep": [{"d": HOUR}], "a": [DAY, HOUR]},
        {"d": None, "s": None, "l": None, "deep": [None], "a": None},
    ]
    schema = {
        "d": length, "s": pl.Struct({"d": length, "n": pl.Int64}), "l": pl.List(length),
        "deep": pl.List(pl.Struct({"d": length})), "a": pl.Array(length, 2),
    }  # fmt: skip
    write(pl.DataFrame(rows, schema=schema), tmp_path / f"in.{kind}")
    (page,) = source(home=tmp_path, path=f"in.{kind}").read(None)
    assert page.frame.to_dicts() == [
        {
            "d": "P1DT2H", "s": {"d": "-PT1H30M", "n": 1}, "l": ["P1DT2H", None], "deep": [{"d": "-PT1H30M"}],
            "a": ["P1DT2H", "-PT1H30M"],
        },
        {"d": None, "s": None, "l": None, "deep": [None], "a": None},
    ]  # fmt: skip


@pytest.mark.parametrize("schema", ["", "schema: {d: duration}\n"])
def test_a_duration_is_delivered_with_a_schema_and_without(project: Project, schema: str) -> None:
    pl.DataFrame({"d": [DAY]}).write_parquet(project.home / "in.parquet")
    with Receiver() as api:
        project(
            {"connectors.d/c.yaml": f"source: {{use: parquet, path: in.parquet}}\n{schema}destination: {{url: '{api.url}'}}\n"}
        )
        assert project.run("c").delivered == 1
        assert api.requests[0].body == b'[{"d":"P1DT2H"}]'


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_column_of_durations_from_python_ends_no_run(project: Project, unit: str) -> None:
    (project.home / "rows.py").write_text(
        "import polars as pl\n\n"
        f"def some():\n    yield pl.DataFrame({{'d': pl.Series([1, 2**63 - 1]).cast(pl.Duration('{unit}'))}})\n"
    )
    with Receiver() as api:
        project({"connectors.d/c.yaml": f"source: {{use: python, call: 'rows.py:some'}}\ndestination: {{url: '{api.url}'}}\n"})
        assert project.run("c").read == 2
