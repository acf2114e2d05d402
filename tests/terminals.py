"""A real terminal (a pty) of some width, and what is on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SENDOFF = [sys.executable, "-c", "from sendoff.cli import main; main()"]


class Screen:
    """Lines of characters and a cursor: as much of a terminal as sendoff uses."""

    def __init__(self, width: int) -> None:
        self._width, self._lines, self._y, self._x = width, [""], 0, 0

    def feed(self, text: str) -> None:
        """Show what was written to the terminal."""
        for number, letter, sign in re.findall(r"\x1b\[([?\d;]*)([A-Za-z])|([^\x1b])", text):
            if letter == "A":
                self._y -= int(number or 1)
                assert self._y >= 0
            elif letter == "J":
                self._lines[self._y :] = [self._lines[self._y][: self._x]]
            elif letter:
                assert letter == "m", f"an escape that is not known here: {letter}"
            elif sign == "\r":
                self._x = 0
            elif sign == "\n":
                self._down()
            else:
                if self._x == self._width:
                    self._x = 0
                    self._down()
                line = self._lines[self._y].ljust(self._x)
                self._lines[self._y] = line[: self._x] + sign + line[self._x + 1 :]
                self._x += 1

    def text(self) -> str:
        """All lines, without blanks at their ends."""
        return "\n".join(line.rstrip() for line in self._lines).rstrip("\n")

    def _down(self) -> None:
        self._y += 1
        if self._y == len(self._lines):
            self._lines.append("")


def see(
    command: list[str],
    width: int,
    cwd: Path,
    env: Mapping[str, str] = {},
    *,
    keep: Callable[[str], bool] = lambda screen: False,
    send: Callable[[str], int | None] = lambda screen: None,
) -> tuple[str, list[str], str]:
    """What is on the terminal when a command has ended; the screens meanwhile that were to be kept; and all that was written.

    `send` may say which signal the command gets, by what is on the screen.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**inherited, "TERM": "xterm-256color", "PYTHONUTF8": "1", **env},
    )  # fmt: skip
    os.close(theirs)
    screen, kept, written = Screen(width), list[str](), b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:
            break
        written += data
        screen.feed(data.decode(errors="replace"))
        shown = screen.text()
        if keep(shown):
            kept.append(shown)
        if (number := send(shown)) is not None:
            process.send_signal(number)
    process.wait(10)
    os.close(ours)
    return screen.text(), kept, written.decode(errors="replace")
