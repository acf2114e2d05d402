"""H13, R13, K1: any bytes at all, read as a connector, a CSV file, JSON lines, an answer, a header, a response."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec

from tests.fuzz.targets import TARGETS
from tests.stress.cuts import SCRATCH
from tests.stress.promise import Budget, Figures, Promise
from tests.stress.zygote import ROOT

#: Seconds for each target in `make test`, which has 72 for all of them.
SECONDS = 40 // len(TARGETS)


def able() -> str | None:
    """Why nothing can be fuzzed here; None if it can."""
    return None if find_spec("atheris") else "atheris is not installed"


def fuzz(target: str, seconds: float) -> int:
    """Fuzz one target for so long: how many inputs it read. Raises `AssertionError` with what was found."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=SCRATCH) as scratch:
        command = [sys.executable, "-m", "tests.fuzz", target, "--seconds", f"{max(1, seconds):.0f}"]
        done = subprocess.run(
            [*command, "--scratch", f"{scratch}/inputs"], cwd=ROOT, env={**os.environ, "TMPDIR": scratch}, capture_output=True,
            text=True, errors="replace", timeout=seconds + 240,
        )  # fmt: skip
        said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "Instrumenting" not in line)
        assert done.returncode == 0, f"{target}: {said[-4_000:]}"
    found = re.search(r"number_of_executed_units: (\d+)", said)
    assert found, said[-2_000:]
    return int(found[1])


def stress(budget: Budget) -> Figures:
    """Each target for its share."""
    share = min(budget.seconds / len(TARGETS), 3_600.0)
    inputs = sum(fuzz(target, share) for target in TARGETS)
    return {"inputs": inputs, "targets": len(TARGETS), "seconds each": round(share), "uncaught": 0}


PROMISE = Promise(
    name="fuzz",
    says="Bad input gets a sentence, and never a traceback",
    rests_on="one grammar each for YAML, CSV, JSON, answers and HTTP, and errors that are declared",
    stress=stress,
    ci=SECONDS * len(TARGETS),
    full=3_600 * len(TARGETS),
    proof="inputs",
    zero=("uncaught",),
    weight=2,
    needs=able,
)
