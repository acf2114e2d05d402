"""``python -m tests.fuzz TARGET --seconds 60``: fuzz one target with atheris, from its kept corpus on.

Ends 0 if nothing was found; else the input is in ``found-*`` of the scratch directory, and the traceback is shown.
``--grow`` takes into the corpus what reached something new, if it is small.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sendoff", "sendoff_plugins"]):
    from tests.fuzz.targets import TARGETS
from tests.stress.planted import plant  # after what is instrumented, as it imports that

CORPUS = Path(__file__).with_name("corpus")
#: Bytes of an input that is kept.
LARGEST = 400


def main() -> None:
    """Lay the corpus out, and let the fuzzer go."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--scratch", type=Path, help="where inputs are, and what was found")
    parser.add_argument("--grow", action="store_true", help="grow the corpus by what is new")
    given = parser.parse_args()
    scratch = given.scratch or Path(tempfile.mkdtemp(prefix=f"fuzz-{given.target}-"))
    plant()
    target, seeds = TARGETS[given.target]
    _laid_out(scratch, [*seeds, *kept(given.target)])
    if given.grow:
        _grown(given.target, scratch, given.seconds)
        return
    # An input that takes seconds is a finding too, and so is one that takes much memory.
    bounds = [f"-max_total_time={given.seconds}", "-timeout=10", "-rss_limit_mb=4096", "-max_len=4096", "-print_final_stats=1"]
    _fuzz(target, [*bounds, f"-artifact_prefix={scratch}/found-", str(scratch)])


def kept(name: str) -> list[bytes]:
    """The corpus of a target: an input a line."""
    file = CORPUS / f"{name}.base64"
    return [base64.b64decode(line) for line in file.read_text().splitlines()] if file.exists() else []


def _laid_out(directory: Path, inputs: list[bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(inputs):
        (directory / f"kept-{number}").write_bytes(each)


def _grown(name: str, scratch: Path, seconds: int) -> None:
    """Fuzz in a process of its own, then keep the inputs that reached something new and are small."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--scratch", str(scratch), "--seconds", str(seconds)]
    subprocess.run(command, check=True)
    inputs = {file.read_bytes() for file in scratch.iterdir() if file.stat().st_size <= LARGEST}
    CORPUS.mkdir(exist_ok=True)
    lines = (f"{base64.b64encode(data).decode()}\n" for data in sorted(inputs, key=lambda data: (len(data), data)))
    (CORPUS / f"{name}.base64").write_text("".join(lines))


def _fuzz(target: object, options: list[str]) -> None:
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    atheris.Setup([sys.argv[0], *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
