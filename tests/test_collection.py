"""The tests themselves: every worker of a parallel run must collect the same ones."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.docs.pages import ROOT


def collected(seed: str) -> list[str]:
    """The ids of all tests, as a process of its own collects them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "tests"],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_tests_are_collected_alike_at_another_time_and_with_another_hash_seed() -> None:
    first = collected("1")
    assert len(first) > 2_000
    assert collected("2") == first
