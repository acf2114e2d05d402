"""Every row of the fault catalogue's parts on HTTP and on malicious servers has a test with its number in the name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = {
    row
    for file in TESTS.rglob("test_*.py")
    for name in re.findall(r"def test_(\w+)|\"([a-z]\d+-[\w-]+)\"|\(\"(h\d+)\",", file.read_text())
    for row in re.findall(r"(?:^|_)([hm]\d+)(?=[_-]|$)", "_".join(filter(None, name)))
}


@pytest.mark.parametrize("row", [*(f"h{number}" for number in range(1, 25)), *(f"m{number}" for number in range(1, 11))])
def test_the_row_has_a_test(row: str) -> None:
    assert row in NAMED
