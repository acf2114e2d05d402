"""Run a program and read its standard output; if it fails, its output is not used."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sendoff.plugin import ENV_HINT, Source, SourceError, SourceUnavailable, program_environment

#: What a program ends with when it may succeed later (sysexits.h).
_TEMPFAIL = 75
#: So much of the end of a program's standard error is looked at.
_LAST_BYTES = 65536


#: Waits until this process is gone, however it ended, and then ends a process group.
_WATCHER = 'read -r line; kill -s KILL -- "-$1" 2>/dev/null'


class ProgramSource(Source):
    """Base of the sources that read what a program writes. The program and all that it started end with the run."""

    privileged = "runs programs"
    command: list[str]
    env: dict[str, str]
    _process: subprocess.Popen[bytes] | None = None
    _is_cancelled = False

    @contextmanager
    def output_of(self, command: Sequence[str]) -> Iterator[IO[bytes]]:
        """The program's output, as `run_program` returns it."""

        def note(process: subprocess.Popen[bytes]) -> None:
            # In this order, as `cancel` has the other: one of the two sees both, also when it comes while the program starts.
            self._process = process
            if self._is_cancelled:
                _end(process)

        try:
            with run_program(command, self.home, self.env, on_start=note, quote=self.excerpt) as output:
                yield output
        finally:
            self._process = None

    def peek(self) -> None:
        """The program is not run, as what it reads may be gone then; but whether there is one is seen."""
        program, *_ = self.command
        path = program_environment(self.env).get("PATH")
        if shutil.which(str(self.home / program) if "/" in program else program, path=path) is None:
            raise SourceError(f"{program}: there is no such program, or it may not be run")

    def cancel(self) -> None:
        self._is_cancelled = True
        process = self._process
        if process is not None:
            _end(process)


@contextmanager
def run_program(
    command: Sequence[str],
    home: Path,
    env: Mapping[str, str],
    *,
    on_start: Callable[[subprocess.Popen[bytes]], None] = lambda process: None,
    quote: Callable[[str], str],
) -> Iterator[IO[bytes]]:
    """Run a program in the project's directory, and return its standard output. `env` is what it gets besides the usual.

    Raises `SourceError` if it cannot be started or ends with anything but 0, with the last line of its standard error, as
    `quote` makes it fit to be shown; and `SourceUnavailable` if it ends with 75 (EX_TEMPFAIL) or by a signal. A reader that
    stops before the end ends the program.
    """
    with tempfile.TemporaryFile(prefix="sendoff-") as errors:
        try:
            process = subprocess.Popen(  # noqa: S603  # the connector file names the program; no shell is involved
                [*command], cwd=home, env=program_environment(env), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SourceError(f"{command[0]}: cannot be started: {error.strerror}") from None
        assert process.stdout is not None
        on_start(process)
        watcher = subprocess.Popen(  # noqa: S603  # its arguments are constants above
            ["/bin/sh", "-c", _WATCHER, "sh", str(process.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        finished = False
        try:
            yield process.stdout
            finished = True
        finally:
            process.stdout.close()
            if not finished:
                _end(process)
            process.wait()
            watcher.kill()
            watcher.communicate()
        if process.returncode:
            last = quote(_last_line(errors))
            kind = SourceUnavailable if process.returncode < 0 or process.returncode == _TEMPFAIL else SourceError
            hint = f" ({ENV_HINT})" if process.returncode > 0 else ""
            raise kind(f"{command[0]}: {_how_ended(process.returncode)}" + (f": {last}" if last else "") + hint)


def _last_line(written: IO[bytes]) -> str:
    """The last line of what was written; nothing of one that is too long, as half a secret may be at the edge."""
    size = written.seek(0, os.SEEK_END)
    written.seek(max(0, size - _LAST_BYTES))
    _, newline, last = written.read().decode("utf-8", "replace").strip().rpartition("\n")
    return last if newline or size <= _LAST_BYTES else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program with its whole process group, which it leads."""
    with suppress(ProcessLookupError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


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
