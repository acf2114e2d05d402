"""Starts programs that we did not write, on 127.0.0.1, for as long as a test needs them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest


def wanted(program: str | Path, places: Sequence[str] = ("/usr/sbin",)) -> str:
    """The path of a program, or of a file by its path; without it the test is skipped, but never where CI says it runs."""
    mode = os.F_OK if isinstance(program, Path) else os.F_OK | os.X_OK
    found = shutil.which(str(program), mode, os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        assert not os.environ.get("CI"), f"{program} is missing; run `make servers`"
        pytest.skip(f"{program} is not installed; `make servers` installs it")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    home: Path,
    *,
    asked: Callable[[], Any] = lambda: None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[str]:
    """A server's URL, once it answers what it is `asked`: its port may be open while it is still starting."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(Exception):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    asked()
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(log.read().decode())
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(end)
            process.wait(60)
