"""Every row of the fault catalogue has a test with its number in the name, or a reason; and docs/faults.md says which."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import catalogue

HELD = catalogue.tests()


@pytest.mark.parametrize("row", catalogue.ROWS)
def test_the_row_has_a_test_or_a_reason(row: str) -> None:
    assert bool(HELD[row]) != (row in catalogue.REASONS)


def test_there_are_135_rows() -> None:
    assert len(catalogue.ROWS) == 135


def test_the_page_is_as_generated() -> None:
    page = Path(__file__).parents[2] / "docs" / "faults.md"
    assert page.read_text() == catalogue.page(), "run `make docs`"
