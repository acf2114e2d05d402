"""Servers and processes: started, waited for, and measured."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Result:
    """One process: seconds from its start to its end, its CPU seconds and its peak memory in MiB."""

    seconds: float
    cpu: float
    peak: float


class Server:
    """The C server: it costs next to nothing, and counts requests and records."""

    _process: subprocess.Popen[str]

    def __init__(self, home: Path, *, delay: float = 0, tls: bool = False) -> None:
        program = home / "server"
        if not program.exists():
            source = Path(__file__).with_name("server.c")
            subprocess.run(["gcc", "-O3", "-o", program, source, "-lssl", "-lcrypto"], check=True)
        certificate, key = home / "cert.pem", home / "key.pem"
        if tls and not certificate.exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                 "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                check=True, capture_output=True,
            )  # fmt: skip
        self._command: list[str | Path] = [program, str(delay * 1000), *([certificate, key] if tls else [])]
        self._scheme = "https" if tls else "http"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self.url = f"{self._scheme}://127.0.0.1:{self._line()}/x"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def taken(self) -> tuple[int, int, float]:
        """Requests and records so far, and the seconds from the first answer to the last."""
        self._process.send_signal(signal.SIGUSR1)
        requests, records, seconds = self._line().split()
        return int(requests), int(records), float(seconds)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def run(
    command: Sequence[str | Path], home: Path, *, until: Callable[[], bool] | None = None, env: dict[str, str] | None = None
) -> Result:
    """A process from its start to its end; or, with `until`, to the moment that it is so.

    It may keep byte code, as what users install has it: else each run would compile sendoff anew.
    """
    around = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    log = home / "peer.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=home, stdout=out, stderr=out, env={**around, **(env or {})})
    seconds = 0.0
    if until is not None:
        while not until() and process.poll() is None and time.perf_counter() - began < 120:
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if until is None:
        seconds = time.perf_counter() - began
        if process.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}: {log.read_text()[-600:]}")
    return Result(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
