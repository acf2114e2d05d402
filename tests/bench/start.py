"""How long commands take to start and end, beside Python importing the libraries that they need."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import samples
from tests.bench.measure import Server, run
from tests.bench.report import Bar

LIBRARIES = "import click, yaml, cerberus, pluggy"
COLUMNS = LIBRARIES + ", polars, urllib3"


def bars(home: Path, rounds: int) -> list[Bar]:
    """CPU seconds of a check and of a run of ten records, as multiples of those of the imports; in turn, medians."""
    project = home / "start"
    (project / "connectors.d").mkdir(parents=True, exist_ok=True)
    file = samples.csv(home, 10)
    with Server(home) as server:
        (project / "connectors.d/start.yaml").write_text(
            f"source: {{use: csv, path: {file}}}\nschema:\n{samples.SCHEMA}destination: {{url: '{server.url}'}}\n"
        )
        go: list[str | Path] = [sys.executable, "-c", "from sendoff.cli import main; main()", "-d", project]
        commands: dict[str, Sequence[str | Path]] = {
            "check": [*go, "check", "--offline"],
            "libraries": [sys.executable, "-c", LIBRARIES],
            "run": [*go, "run", "--quiet"],
            "columns": [sys.executable, "-c", COLUMNS],
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        for at in range(rounds + 1):
            for name, command in commands.items():
                seconds = run(command, project).cpu
                took[name] += [seconds] if at else []
    cost = {name: statistics.median(seconds) for name, seconds in took.items()}
    return [
        Bar("`check --offline`: CPU / that of importing its libraries", cost["check"] / cost["libraries"], 3.5, least=False),
        Bar("a run of ten records: CPU / that of importing its libraries", cost["run"] / cost["columns"], 2.5, least=False),
    ]
