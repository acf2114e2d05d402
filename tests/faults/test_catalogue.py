"""Every row of the fault catalogue's parts on HTTP, on malicious servers and on records and sources has a test with its number in the name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = {
    row
    for file in TESTS.rglob("test_*.py")
    if not any(part.startswith(".") for part in file.relative_to(TESTS).parts)
    for name in re.findall(r"def test_(\w+)|\"([a-z]\d+-[\w-]+)\"|\(\"(h\d+)\",", file.read_text())
    for row in re.findall(r"(?:^|_)([hmr]\d+)(?=[_-]|$)", "_".join(filter(None, name)))
}


@pytest.mark.parametrize(
    "row",
    [
        *(f"h{number}" for number in range(1, 25)),
        *(f"m{number}" for number in range(1, 11)),
        *(f"r{number}" for number in range(1, 24)),
    ],
)
def test_the_row_has_a_test(row: str) -> None:
    assert row in NAMED
