"""``python -m tests.mutants [AREA]``: change the code in small ways, and see whether the tests notice.

The areas are those on which the promises rest. A mutant is killed if a test fails; one that survives shows what no test holds.
mutmut wants sources in ``src/``, so the tree is laid out anew in a scratch directory; what survived is listed there by
``mutmut results`` and shown by ``mutmut show NAME``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What is changed, and the tests that are asked.
AREAS: dict[str, tuple[list[str], list[str]]] = {
    "redaction": (["sendoff/config/secrets.py"], ["core/config/test_secrets.py", "core/config/test_redaction.py"]),
    "classifier": (["sendoff/answers/judge.py", "sendoff/answers/results.py", "sendoff/answers/hints.py"], ["core/answers"]),
    "splitting": (
        ["sendoff_plugins/failure_strategies/split.py", "sendoff/delivery/outcomes.py", "sendoff/delivery/budget.py"],
        ["core/delivery"],
    ),
    "ledger": (
        [
            "sendoff/ledger/sqlite/ledger.py",
            "sendoff/ledger/sqlite/opening.py",
            "sendoff/ledger/sqlite/locks.py",
            "sendoff/ledger/ranges.py",
        ],
        ["faults/test_ledger.py", "core/ledger"],
    ),
}
#: mutmut's codes for a mutant that no test failed on, and for one that no test runs.
SURVIVED = {0, 33}
_SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|PRAGMA|CASE|ORDER BY|VALUES|WHERE|ROLLBACK|COMMIT|BEGIN|ELSE|AND|excluded)\b"
)


def main(chosen: list[str]) -> int:
    """Mutate each area, and tell its score; ends 1 if one is below 90 %."""
    low = False
    for area in chosen or AREAS:
        killed, survived = score(area)
        share = killed / max(1, killed + survived)
        low = low or share < 0.9
        print(f"{area:12} {killed + survived:>6,} mutants  {killed:>6,} killed  {share:.1%}", flush=True)
    return int(low)


def score(area: str) -> tuple[int, int]:
    """How many mutants of an area were killed, and how many survived (those that no test runs among them)."""
    files, tests = AREAS[area]
    scratch = Path(tempfile.mkdtemp(prefix=f"mutants-{area}-"))
    (scratch / "src").mkdir()
    for tree in ("core/sendoff", "plugins/sendoff_plugins"):
        shutil.copytree(ROOT / tree, scratch / "src" / Path(tree).name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", scratch / "tests", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    for name in ("docs", "connectors.d"):
        shutil.copytree(ROOT / name, scratch / name)
    pytest = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    lines = [f"{name} = {json.dumps(value)}" for name, value in pytest.items()]
    (scratch / "pyproject.toml").write_text(
        "\n".join(
            [
                "[tool.pytest.ini_options]", *lines, "[tool.mutmut]", 'source_paths = ["src"]', 'process_isolation = "forkserver"',
                f"only_mutate = {json.dumps([f'src/{file}' for file in files])}", 'also_copy = ["connectors.d", "docs"]',
                f"pytest_add_cli_args_test_selection = {json.dumps([f'tests/{test}' for test in tests])}",
            ]
        )
    )  # fmt: skip
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run([mutmut, "run", "--max-children", str(os.cpu_count())], cwd=scratch, stdout=subprocess.DEVNULL, check=True)
    killed = survived = 0
    for file in (scratch / "mutants").rglob("*.meta"):
        for name, code in json.loads(file.read_text())["exit_code_by_key"].items():
            if code not in SURVIVED:
                killed += 1
            elif not _the_same_sql(subprocess.check_output([mutmut, "show", name], cwd=scratch, text=True)):
                survived += 1
    return killed, survived


def _the_same_sql(shown: str) -> bool:
    """Whether a mutant only writes words of SQL in other letters, which SQLite reads alike: no test can tell it."""
    lines = [line for line in shown.splitlines() if line[:1] in "-+" and line[:3] not in ("---", "+++")]
    before, after = ("".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")
    literals = [re.findall("'[^']*'", line) for line in (before, after)]
    return before.casefold() == after.casefold() and literals[0] == literals[1] and bool(_SQL.search(before))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
