"""In the page of comparisons: how fast sendoff is beside others, from the figures on the page on performance."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .page import DOCS, table

PAGE = DOCS / "comparison.md"
CASES = {"one record per request, 64 at once": "One by one, 64 at once", "batches of 1,000": "Batches of 1,000"}
BEGIN, END = "<!-- speeds: made by `make docs` -->\n", "<!-- end of speeds -->"


def text() -> str:
    """The page, with the speeds as they were measured last."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + "\n".join(_speeds()) + "\n" + END + rest.partition(END)[2]


def _speeds() -> Iterator[str]:
    measured = {case: _case(heading) for case, heading in CASES.items()}
    programs = dict.fromkeys(program for found in measured.values() for program in found)
    rows = ([program, *(found.get(program, "") for found in measured.values())] for program in programs)
    yield ""
    yield from table(["sendoff, compared with", *measured], rows)
    yield ""


def _case(heading: str) -> dict[str, str]:
    """How many times as fast sendoff was as each other program."""
    page = (DOCS / "performance.md").read_text().partition(f"### {heading}\n")[2].partition("\n### ")[0]
    rows = re.findall("^\\| ([^|]+) \\| [\\d,]+ \\| ([\\d.]+) \N{MULTIPLICATION SIGN} \\|", page, re.MULTILINE)
    return {program: f"{ratio}" for program, ratio in rows if program != "wrk" and not program.startswith("sendoff")}
