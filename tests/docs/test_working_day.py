"""A working day goes as it is written, with nothing but the wheel in a fresh environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT, follow


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_working_day_goes_as_written_with_nothing_but_the_wheel(tmp_path: Path) -> None:
    dist, env, home = tmp_path / "dist", tmp_path / "env", tmp_path / "project"
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(ROOT))
    run(sys.executable, "-m", "venv", "--without-pip", str(env))
    (wheel,) = dist.glob("*.whl")
    python = str(env / "bin/python")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", f"{wheel}[serve]")
    assert str(env) in run(python, "-c", "import sendoff; print(sendoff.__file__)")
    home.mkdir()
    follow(ROOT / "docs/tutorials/a-working-day.md", home, python)


def run(*command: str) -> str:
    done = subprocess.run(command, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout
