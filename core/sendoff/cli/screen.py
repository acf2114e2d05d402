"""What a terminal shows: tables that fit its width, and sentences that break between words. Imported only for one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from rich.text import Text

#: A prose column that is narrower than this is hard to read: a list is shown instead of a table.
MIN_PROSE = 24
_GAP = 2
_STATES = {"complete": "green", "incomplete": "yellow", "stopped": "red", "interrupted": "yellow", "running": "cyan"}
_ALARMING = {"rejected": "red", "invalid": "yellow", "pending": "yellow", "failed, not retried": "red"}
#: A command or a name in backticks stays together, so that it can be copied.
_WORD = re.compile(r"(?:`[^`]*`|\S)+")


def width_of(stream: IO[str]) -> int:
    """The columns of the terminal that a stream is."""
    given = os.environ.get("COLUMNS", "")
    try:
        return int(given) if given.isdecimal() and int(given) else os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def wrap(text: str, width: int, hang: int | None = None) -> str:
    """A line broken between words; what follows is indented by `hang`. A word that is too long is left to the terminal."""
    if cell_len(text) <= width:
        return text
    indent = len(text) - len(text.lstrip())
    hang = min(indent + 2 if hang is None else hang, width // 3)
    lines, line, end = list[str](), " " * indent, indent
    for word in _WORD.finditer(text, indent):
        gap = text[end : word.start()]
        if line.strip() and cell_len(line) + len(gap) + cell_len(word[0]) > width:
            lines.append(line)
            line = " " * hang + word[0]
        else:
            line += gap + word[0]
        end = word.end()
    return "\n".join([*lines, line])


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]], optional: Sequence[str]) -> None:
    """Print a table. Where it is too wide, first the `optional` columns are left out, then prose is broken between words.

    If that is not enough, each row becomes a list of its cells by name.
    """
    width = width_of(sys.stdout)
    right = [any(column) and all(map(_is_number, filter(None, column))) for column in zip(*rows, strict=True)]
    right = right or [False] * len(heads)
    shown, left_out = [*range(len(heads))], list[str]()
    for name in optional:
        if _needs(heads, rows, shown) > width and name in heads:
            shown.remove(heads.index(name))
            left_out.append(name)
    fitted = _fit(heads, rows, shown, width)
    if fitted is None:
        _show_lists(heads, rows, right, width)
        return
    from rich.table import Table  # noqa: PLC0415  # with text and console, a tenth of a second

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), collapse_padding=True, header_style="bold")
    for at in shown:
        prose = at in fitted
        table.add_column(
            heads[at], justify="right" if right[at] else "left", no_wrap=not prose, overflow="fold", max_width=fitted.get(at)
        )
    for row in rows:
        table.add_row(*(_styled(heads[at], row[at]) for at in shown))
    _print(table)
    if left_out:
        _print(f"[dim]not shown in {width} columns: {', '.join(left_out)}[/]")


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).isdigit()


def _needs(heads: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[int]) -> int:
    return sum(_widest(heads, rows, at) + _GAP for at in shown) - _GAP


def _widest(heads: Sequence[str], rows: Sequence[Sequence[str]], at: int) -> int:
    return max(cell_len(text) for text in (heads[at], *(row[at] for row in rows)))


def _fit(heads: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[int], width: int) -> dict[int, int] | None:
    """The widths of the columns that must be broken, so that a table fits; None if it cannot."""
    over = _needs(heads, rows, shown) - width
    fitted = dict[int, int]()
    while over > 0:
        widths = {at: fitted.get(at, _widest(heads, rows, at)) for at in shown}
        least = {at: max(MIN_PROSE, _longest_word(heads, rows, at)) for at in shown}
        prose = [at for at in shown if widths[at] > least[at]]
        if not prose:
            return None
        widest = max(prose, key=lambda at: widths[at])
        taken = min(over, widths[widest] - least[widest])
        others = [widths[at] for at in prose if at != widest]
        if others and (level := widths[widest] - max(others)) > 0:
            taken = min(taken, level)
        elif others:
            taken = min(taken, 1)
        fitted[widest] = widths[widest] - taken
        over -= taken
    return fitted


def _longest_word(heads: Sequence[str], rows: Sequence[Sequence[str]], at: int) -> int:
    texts = [heads[at], *(row[at] for row in rows)]
    return max((cell_len(word) for text in texts for word in text.split()), default=0)


def _show_lists(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int) -> None:
    """Each row as a list of its cells, as many beside one another as fit."""
    count = next((count for count in range(len(heads), 1, -1) if _grid_width(heads, rows, count) <= width), 1)
    for number, row in enumerate(rows):
        if number:
            _print("")
        for start in range(0, len(heads), count):
            _print_pairs(heads, rows, row, right, range(start, min(start + count, len(heads))), count, width)


def _grid_width(heads: Sequence[str], rows: Sequence[Sequence[str]], count: int) -> int:
    columns = [range(first, len(heads), count) for first in range(count)]
    return sum(_name_width(heads, inside) + 1 + _value_width(rows, inside) + 3 for inside in columns) - 3


def _name_width(heads: Sequence[str], inside: Sequence[int]) -> int:
    return max(cell_len(heads[at]) for at in inside)


def _value_width(rows: Sequence[Sequence[str]], inside: Sequence[int]) -> int:
    return max((cell_len(row[at]) for at in inside for row in rows), default=0)


def _print_pairs(
    heads: Sequence[str], rows: Sequence[Sequence[str]], row: Sequence[str], right: Sequence[bool], pairs: range, count: int,
    width: int,
) -> None:  # fmt: skip
    """A line of names and values, in columns of which numbers stand to the right."""
    from rich.text import Text  # noqa: PLC0415  # on a terminal only

    line = Text()
    for at in pairs:
        inside = range(at % count, len(heads), count)
        name = _name_width(heads, inside)
        value, numbers = row[at], [each for each in inside if right[each]]
        if right[at]:
            value = " " * (_value_width(rows, numbers) - cell_len(value)) + value
        if at != pairs[-1]:
            value += " " * (_value_width(rows, inside) - cell_len(value))
        elif count == 1:
            value = wrap(" " * (name + 1) + value, width, name + 1)[name + 1 :]
        line.append("   " if at != pairs[0] else "").append(heads[at].ljust(name), "dim").append(" ")
        line.append(_styled(heads[at], value))
    _print(line)


def _styled(head: str, text: str) -> Text:
    from rich.text import Text  # noqa: PLC0415  # on a terminal only

    value = text.strip()
    style = _STATES.get(value, "") if head == "state" else _ALARMING.get(head, "") if value not in ("", "0") else ""
    return Text(text, style)


def _print(what: object) -> None:
    from rich.console import Console  # noqa: PLC0415  # on a terminal only

    sys.stdout.flush()
    console = Console(file=sys.stdout, width=width_of(sys.stdout), highlight=False, emoji=False)
    console.print(what, soft_wrap=not hasattr(what, "columns"))
