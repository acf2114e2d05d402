"""A sample says what its columns hold, and what to look at twice."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from sendoff.cleaning import clean
from sendoff.cli.schema import as_yaml
from sendoff.config.documents import Document, parse
from sendoff.records import Page, from_mappings
from sendoff.schema.infer import Inferred, infer


def test_it_says_what_it_saw() -> None:
    page = Page(
        pl.DataFrame(
            {
                "id": ["1", "2"],
                "zip": ["01067", "80331"],
                "phone": ["0170 1", "030"],
                "big": ["9007199254740993", "1"],
                "bigger": ["123456789012345678901234567890", ""],
                "none": ["", ""],
                "took": ["PT1H", "P1D"],
            }
        ),
        all_text=True,
    )
    assert as_yaml(infer([page])) == (
        "schema:   # inferred from 2 rows\n"
        "  id:     {type: integer}\n"
        "  zip:    {type: string}   # text, as a number would lose the leading zeros\n"
        "  phone:  {type: string}\n"
        "  big:    {type: integer}   # beyond 2^53, which JavaScript rounds; `as: text` sends text\n"
        "  bigger: {type: decimal, nullable: true}   # beyond 2^53, which JavaScript rounds; `as: text` sends text\n"
        "  none:   {type: string, nullable: true}   # always empty in this sample\n"
        "  took:   {type: duration}\n"
    )


def test_a_column_that_is_empty_on_the_first_page_is_judged_by_the_others() -> None:
    pages = [from_mappings([{"a": None}]), from_mappings([{"a": 5}])]
    assert infer(pages).fields == {"a": {"type": "integer", "nullable": True}}
    texts = [Page(pl.DataFrame({"a": [cell]}), all_text=True) for cell in ("", "5")]
    assert infer(texts).fields == {"a": {"type": "integer", "nullable": True}}


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5, unique=True))
@example(["a: b", '"', "\\", "\x1b[2J", "\u202e", "\U000e0041", "\ufffe", "true", "Null", "", "1", "-", "-1", "~", "=", "a\nb"])
@example(["n" * 2000, "#", "a #b", "{}", "é", "'", "<<", "yes", "?", "a:"])
def test_any_name_of_a_column_is_read_back_from_the_schema_that_is_written(names: list[str]) -> None:
    written = as_yaml(Inferred({name: {"type": "string"} for name in names}))
    assert "\n".join(map(clean, written.split("\n"))) == written
    document = parse(written.encode(), Document("c.yaml"))
    assert not document.problems
    assert document.data == {"schema": {name: {"type": "string"} for name in names}}
