"""What comes from outside is taken in bounded parts, and refused with a sentence beyond them."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sendoff import SourceError
from sendoff.bounds import DECOMPRESSED_RATIO, MAX_COLUMNS, PAGE_CELLS, ColumnLimit, is_bomb, listed, rows_per_page
from sendoff.components import Source
from sendoff.intake.reading import read_source
from sendoff.records import PAGE_ROWS, Page, pages, pages_of_mappings
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._csv.table import read_table
from sendoff_plugins.sources.json import read_array
from sendoff_plugins.sources.jsonl import read_lines

PAGE = Path(__file__).parents[2] / "SECURITY.md"


class Rows(Source):
    """Yields what it is given."""

    name = "rows"

    def __init__(self, items: object, **options: Any) -> None:
        super().__init__(**options)
        self.items = items

    def read(self, cursor: Any) -> Any:
        return self.items


def differing(rows: int, keys: int = 10) -> list[dict[str, int]]:
    return [{f"k{row * keys + at}": row for at in range(keys)} for row in range(rows)]


def records(page: Page) -> list[Mapping[str, object]]:
    return [
        {name: value for name, value in row.items() if name not in page.missing_keys or not page.missing_keys[name][at]}
        for at, row in enumerate(page.frame.to_dicts())
    ]


def test_rows_whose_keys_all_differ_are_cut_into_pages_of_a_bounded_number_of_cells() -> None:
    rows = differing(999)
    found = list(pages_of_mappings(rows))
    assert len(found) > 2
    assert all(page.frame.height * page.frame.width <= PAGE_CELLS for page in found)
    assert [row for page in found for row in records(page)] == rows


def test_rows_of_the_same_keys_are_one_page() -> None:
    assert [page.frame.height for page in pages([{"a": 1, "b": 2}] * (PAGE_ROWS + 5))] == [PAGE_ROWS, 5]


def test_a_page_is_cut_with_its_lines_and_reasons() -> None:
    frame = pl.DataFrame({"n" * 16 * (PAGE_CELLS // 2): [1, 2, 3]})
    page = Page(frame, "f", [7, 8, 9], {2: "bad"})
    assert rows_per_page(frame.columns) == 1
    cut = list(page.cut())
    assert [list(each.lines) for each in cut] == [[7], [8], [9]]
    assert [dict(each.row_errors) for each in cut] == [{}, {}, {0: "bad"}]


def test_a_row_with_too_many_fields_is_its_own_fault() -> None:
    wide = dict.fromkeys(map(str, range(11)), 1)
    for items in ([{"a": 1}, wide, {"a": 2}], pages_of_mappings([{"a": 1}, wide, {"a": 2}], max_columns=10)):
        (page,) = read_source(Rows(items, max_columns=10))
        assert page.frame["a"].to_list() == [1, None, 2]
        assert dict(page.row_errors) == {
            1: "has 11 fields, more than 10; if that is right, let `max_columns` of the source allow it"
        }


def test_fields_are_counted_over_all_rows_of_a_file_and_anew_in_the_next_one() -> None:
    limit = ColumnLimit(3)
    limit.add("a", 1, ["x", "y"])
    limit.add("b", 1, ["z", "w", "v"])
    with pytest.raises(
        SourceError, match=r"^b:9: the rows from here on bring the number of different fields to 4, more than 3"
    ):
        limit.add("b", 9, ["x"])


def test_a_source_whose_keys_all_differ_ends_with_a_sentence() -> None:
    lines = b"".join(b'{"%d":1}\n' % at for at in range(MAX_COLUMNS + 1))
    with pytest.raises(SourceError, match=r"f\.jsonl:\d+: .* more than 10,000; where keys all differ"):
        list(read_source(Rows(read_lines(io.BytesIO(lines), "f.jsonl"))))
    assert sum(page.frame.height for page in read_source(Rows(read_lines(io.BytesIO(lines), "f"), max_columns=10**6)))


@pytest.mark.parametrize("reader", ["jsonl", "json"])
def test_an_object_with_too_many_keys_is_its_rows_fault_in_a_file_of_json(reader: str) -> None:
    wide = "{" + ",".join(f'"{at}":1' for at in range(11)) + "}"
    if reader == "jsonl":
        found = pages(read_lines(io.BytesIO(f'{wide}\n{{"a":1}}\n'.encode()), "f", 10))
    else:
        found = read_array(io.BytesIO(f'[{wide},{{"a":1}}]'.encode()), "f", [], 10)
    (page,) = found
    assert list(page.row_errors) == [0]
    assert page.frame["a"].to_list() == [None, 1]


def test_a_header_with_too_many_names_is_the_files_fault() -> None:
    with pytest.raises(SourceError, match=r"^f:1: has 10,001 columns, more than 10,000; if that is right, let `max_columns`"):
        list(read_table(io.BytesIO(",".join(map(str, range(10_001))).encode() + b"\n"), "f", Dialect()))


def test_ragged_records_below_a_wide_header_are_not_filled_up() -> None:
    header = ",".join(f"c{at}" for at in range(5_000))
    full = ",".join(["1"] * 5_000)
    text = f"{header}\n" + "x\n" * 300 + f"{full}\n" + "y,z\n" * 300
    found = list(read_table(io.BytesIO(text.encode()), "f", Dialect()))
    assert sum(page.frame.height * page.frame.width for page in found) < 10_000
    faults = {int(page.lines[at]): page.as_json([at])[0] for page in found for at in page.row_errors}
    assert faults == {**dict.fromkeys(range(2, 302), '{"c0":"x"}'), **dict.fromkeys(range(303, 603), '{"c0":"y","c1":"z"}')}
    assert [int(page.lines[at]) for page in found for at in range(page.frame.height) if at not in page.row_errors] == [302]


def test_a_sentence_lists_only_some_of_many_names() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([str(at) for at in range(30)], str).endswith("18, 19 and 10 more")


def test_a_bomb_is_what_grows_more_than_records_do() -> None:
    assert not is_bomb(1, 200 << 20)
    assert is_bomb(1 << 20, DECOMPRESSED_RATIO + 1 << 20)
    assert not is_bomb(1 << 20, DECOMPRESSED_RATIO << 20)


def test_security_md_lists_each_bound_with_its_figure() -> None:
    rows = re.findall(
        r"^\| .+? \| (.+?) \| `([\w.]+)`.*? \| .+? \|$", PAGE.read_text().partition("\n## Bounds\n")[2], re.MULTILINE
    )
    assert len(rows) >= 4
    for figure, constant in rows:
        if constant.startswith("sendoff"):
            module, _, name = constant.rpartition(".")
            value = getattr(importlib.import_module(module), name)
            assert any(re.match(rf"{re.escape(form)}(?![\d,])", figure) for form in written_forms(value)), constant


def written_forms(value: float) -> set[str]:
    """The ways a figure may be written."""
    if not isinstance(value, int):
        return {f"{value:g} s"}
    return {f"{value:,}"} | {
        f"{value >> shift} {unit}" for shift, unit in ((10, "KiB"), (20, "MiB"), (30, "GiB")) if value % (1 << shift) == 0
    }
