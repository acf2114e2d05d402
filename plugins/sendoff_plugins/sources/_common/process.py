"""Run a program and read its standard output; its exit code decides whether the output counts."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sendoff.plugin import SourceError, SourceUnavailable

#: What a program ends with when it may succeed later (sysexits.h).
_TEMPFAIL = 75


@contextmanager
def run_program(command: Sequence[str], home: Path, env: Mapping[str, str] | None = None) -> Iterator[IO[bytes]]:
    """Run a program in the project's directory, and return its standard output.

    Raises `SourceError` if it cannot be started or ends with anything but 0, with the last line of its standard error; and
    `SourceUnavailable` if it ends with 75 (EX_TEMPFAIL) or by a signal. A reader that stops before the end ends the program.
    """
    with tempfile.TemporaryFile(prefix="sendoff-") as errors:
        try:
            process = subprocess.Popen(  # noqa: S603  # the program is what the connector file says; no shell reads it
                [*command], cwd=home, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SourceError(f"{command[0]}: cannot be started: {error.strerror}") from None
        assert process.stdout is not None
        finished = False
        try:
            yield process.stdout
            finished = True
        finally:
            process.stdout.close()
            if not finished:
                process.kill()
            process.wait()
        if process.returncode:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
            last = errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
            kind = SourceUnavailable if process.returncode < 0 or process.returncode == _TEMPFAIL else SourceError
            raise kind(f"{command[0]}: {_how_ended(process.returncode)}" + (f": {last[:300]}" if last else ""))


def _how_ended(code: int) -> str:
    if code >= 0:
        return f"ended with {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


COMMAND: dict[str, Any] = {
    "type": "list", "schema": {"type": "string"}, "minlength": 1,
    "meta": {"help": "The program and its arguments, as a list; no shell looks at them. It runs in the project's directory."},
}  # fmt: skip
