"""How much longer an input of 1 MB takes than one of half of it, where it is made to ask for much."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

from sendoff.testing import Project, Received, Receiver, Reply
from tests import oversized
from tests.bench.report import Bar

SIZES = 500_000, 1_000_000
#: With columns allowed beyond what any of the inputs has, so that all of each is read.
ALLOWED = ", max_columns: 1000000}"


def bars(home: Path, rounds: int) -> list[Bar]:
    """The case that grows most, as sources are, and where all of it may be read."""
    made = []
    for what, ending, cases in (
        ("", "}", oversized.CASES),
        (", max_columns raised", ALLOWED, {name: oversized.CASES[name] for name in ("jsonl keys", "csv header", "csv ragged")}),
    ):
        found = {name: _growth(home, case, ending, rounds) for name, case in cases.items()}
        worst = max(found, key=lambda name: found[name])
        made.append(
            Bar(f"time of 1 MB / of 0.5 MB of what asks for much, at worst ({worst}{what})", found[worst], 2.5, least=False)
        )
    return made


def _growth(home: Path, case: oversized.Case, ending: str, rounds: int) -> float:
    """The seconds of the larger input for each of the smaller one."""
    seconds = []
    for size in SIZES:
        reply = case.reply(size) if case.reply else Reply()
        with Receiver(partial(_respond, reply)) as api:
            source = case.source.replace("{url}", api.url).removesuffix("}") + ending
            text = f"source: {source}\ndestination: {{url: {api.url}/v1}}\n{case.rest}"
            project = Project(home / "growth")({**case.files(size), "connectors.d/c.yaml": text})
            seconds.append(median(oversized.run(project.home, "run", "--restart").seconds for _ in range(rounds)))
    return seconds[1] / seconds[0]


def _respond(reply: Reply, request: Received) -> Reply:
    return reply if request.method == "GET" else Reply()
