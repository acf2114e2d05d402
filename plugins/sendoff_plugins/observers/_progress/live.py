"""The lines at the bottom of a terminal that show how a run goes.

The cursor rests at the start of the first of them. Whoever else writes to the terminal clears from there; what was written
stays above, and the lines are painted again below it, whatever the width is by then.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

CLEAR = "\r\x1b[J"
#: Seconds between two paintings.
_EVERY = 0.1
#: With fewer columns, the bar has a line of its own.
_ROOMY = 64


class State:
    """What is shown: how much of what total, and sentences about it."""

    name: str = ""
    share: float | None = None
    amount: str = ""
    counted: str = ""
    timing: str = ""
    trouble: str = ""


class Live:
    """Paints a state again and again, in a thread, until it is stopped; then nothing of it is left."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        self._state = state
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._paint_on, name="sendoff-progress", daemon=True)
        self._paint()
        self._thread.start()

    def say(self, lines: Sequence[str]) -> None:
        """Print lines above; all but the first are to be copied, and are not broken."""
        with self._lock, self._console.capture() as said:
            self._console.print(Text(lines[0]))
            for line in lines[1:]:
                self._console.print(Text(line), soft_wrap=True)
        self._write(CLEAR + said.get())
        self._paint()

    def stop(self) -> None:
        """Take it away."""
        self._stopped.set()
        self._thread.join()
        self._write(CLEAR)

    def _paint_on(self) -> None:
        while not self._stopped.wait(_EVERY):
            self._paint()

    def _paint(self) -> None:
        with self._lock:
            width = max(20, self._console.width - 1)
            with self._console.capture() as painted:
                for line in _lines(self._state(), width):
                    self._console.print(line, width=width, no_wrap=True, overflow="ellipsis", crop=True)
            text = painted.get().removesuffix("\n")
            up = text.count("\n")
            self._write(f"{CLEAR}{text}\r" + (f"\x1b[{up}A" if up else ""))

    def _write(self, text: str) -> None:
        with self._lock:
            sys.stderr.write(text)
            sys.stderr.flush()


def _lines(state: State, width: int) -> list[Text | Table]:
    share = "" if state.share is None else f"{state.share:4.0%}"
    if width < _ROOMY:
        first = Text(" ").append(state.name, "bold").append("  " + f"{share}  {state.amount}".strip())
        bar = [] if state.share is None else [_grid(ProgressBar(total=1, completed=state.share))]
        rest = [state.counted, state.timing]
        lines: list[Text | Table] = [first, *bar, *(Text(f" {text}") for text in rest if text)]
    else:
        grid = Table.grid(padding=(0, 2, 0, 0), expand=state.share is not None)
        grid.add_column(no_wrap=True)
        if state.share is not None:
            grid.add_column(ratio=1)
        grid.add_column(no_wrap=True, justify="right")
        name = Text(" ").append(state.name, "bold")
        bar_cell = [] if state.share is None else [ProgressBar(total=1, completed=state.share)]
        grid.add_row(name, *bar_cell, f"{share}  {state.amount}".strip())
        lines = [grid]
        second = ", ".join(text for text in (state.counted, state.timing) if text)
        if second:
            lines.append(Text(f" {second}"))
    return [*lines, Text(f" {state.trouble}", "yellow")] if state.trouble else lines


def _grid(bar: ProgressBar) -> Table:
    grid = Table.grid(padding=(0, 0, 0, 1), expand=True)
    grid.add_column(ratio=1)
    grid.add_row(bar)
    return grid
