"""A warm process that forks: the real tool, begun in milliseconds and not in a second, so that it can be killed thousands of times.

It has imported everything and done nothing: no thread, no file, no connection is carried over into a child.
Each child is a process of its own, with the signals, locks and files of one; what is killed is what users run.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
ENDINGS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Child:
    """One process: signal it, and wait for it."""

    def __init__(self, pid: int) -> None:
        self.pid, self.out = pid, Path()
        self._ended = threading.Event()
        #: Its exit status as a shell would tell it; negative for the signal that ended it.
        self.code: int | None = None

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Its exit status, or None if it is still running after so long."""
        self._ended.wait(seconds)
        return self.code

    def output(self) -> str:
        """What it printed."""
        return self.out.read_text(errors="replace")

    def over(self, code: int) -> None:
        self.code = code
        self._ended.set()


class Zygote:
    """Starts processes that run ``module:function`` of the arguments, in a directory."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._children: dict[int, Child] = {}
        self._started: list[Child] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(self, call: str, *args: Any, cwd: Path) -> Child:
        """Fork, and let the child call."""
        self._number += 1
        out = self._scratch / f"out-{self._number}"
        with self._news:
            print(
                json.dumps({"call": call, "args": args, "cwd": str(cwd), "out": str(out)}), file=self._process.stdin, flush=True
            )
            assert self._news.wait_for(lambda: self._started, 30), "the zygote does not answer"
            child = self._started.pop()
            child.out = out
            return child

    def run(self, *words: str, cwd: Path) -> Child:
        """Start ``sendoff`` with these words."""
        return self.start("tests.stress.zygote:sendoff", list(words), cwd=cwd)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            what, pid, *rest = line.split()
            with self._news:
                if what == "started":
                    self._started.append(self._children.setdefault(int(pid), Child(int(pid))))
                    self._news.notify_all()
                else:
                    self._children.pop(int(pid)).over(int(rest[0]))


def sendoff(words: list[str]) -> None:
    """The command line, as a user's shell would start it."""
    from sendoff.cli import main  # the zygote imports it before it forks

    sys.argv = ["sendoff", *words]
    main()


def serve() -> None:
    """Fork for every line on stdin; tell of every child that began and that ended."""
    importlib.import_module("sendoff.cli.run")
    importlib.import_module("sendoff.registry").Registry()
    importlib.import_module("tests.stress.planted").plant()
    wake, awake = os.pipe()
    os.set_blocking(awake, False)
    signal.set_wakeup_fd(awake)
    signal.signal(signal.SIGCHLD, _noted)
    for line in _lines(wake):
        order = json.loads(line)
        sys.stdout.flush()
        # A signal that comes while Python itself is forking would be lost: it waits until the child is one.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _be(order)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
        print("started", pid, flush=True)


def _noted(number: int, frame: FrameType | None) -> None:
    """The wakeup pipe says it all."""


def _lines(wake: int) -> Iterator[str]:
    rest = b""
    while True:
        for ready in select.select([0, wake], [], [])[0]:
            if ready == wake:
                os.read(wake, 4096)
                _buried()
                continue
            data = os.read(0, 65536)
            if not data:
                return
            rest += data
            while b"\n" in rest:
                line, _, rest = rest.partition(b"\n")
                yield line.decode()


def _buried() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            print("ended", pid, os.waitstatus_to_exitcode(status), flush=True)


def _be(order: dict[str, Any]) -> None:
    """In the child: never to return."""
    code = 130  # what a signal leaves while Python is getting up or going down
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
        os.chdir(order["cwd"])
        out = os.open(order["out"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        module, _, name = order["call"].partition(":")
        getattr(importlib.import_module(module), name)(*order["args"])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        code = 70
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
