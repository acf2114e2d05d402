"""Tables and sentences on terminals of different widths."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sendoff.cli.screen import wrap
from tests.terminals import SENDOFF, see

TABLE = """
from sendoff.cli.output import table
table(
    ["row", "count", "reason", "seconds", "state"],
    [["people.csv:3", 1234, "email: the value does not match what is asked for here", "1.5", "complete"],
     ["people.csv:14", 7, None, "12.0", "stopped"]],
    optional=["seconds"],
)
"""

WIDE = """\
row            count  reason                                                  seconds  state
people.csv:3   1,234  email: the value does not match what is asked for here      1.5  complete
people.csv:14      7                                                             12.0  stopped"""

MEDIUM = """\
row            count  reason                              state
people.csv:3   1,234  email: the value does not match     complete
                      what is asked for here
people.csv:14      7                                      stopped
not shown in 66 columns: seconds"""

NARROW = """\
row     people.csv:3
count   1,234
reason  email: the value does not match
        what is asked for here
seconds   1.5
state   complete

row     people.csv:14
count       7
reason
seconds  12.0
state   stopped"""


@pytest.mark.parametrize(("width", "shown"), [(200, WIDE), (66, MEDIUM), (40, NARROW)])
def test_a_table_fits_its_terminal(tmp_path: Path, width: int, shown: str) -> None:
    screen, _, _ = see([sys.executable, "-c", TABLE], width, tmp_path)
    assert screen == shown


def test_a_sentence_breaks_between_words_and_never_within_a_command() -> None:
    text = "people: it is sent again; `sendoff retry 1` sends only what failed"
    assert wrap(text, 40).split("\n") == ["people: it is sent again;", "  `sendoff retry 1` sends only what", "  failed"]
    assert wrap("x" * 50, 40) == "x" * 50
    assert wrap("七八九十 " * 4, 20).split("\n")[0] == "七八九十 七八九十"


def test_commands_to_paste_are_one_line_each_on_a_narrow_terminal(tmp_path: Path) -> None:
    program = "from sendoff.cli.account import show_steps; show_steps([('sendoff failed 1 --csv > fix.csv', 'the records to correct')])"
    narrow, _, _ = see([sys.executable, "-c", program], 40, tmp_path)
    wide, _, _ = see([sys.executable, "-c", program], 80, tmp_path)
    assert narrow == "\nNext:\n  # the records to correct\n  sendoff failed 1 --csv > fix.csv"
    assert wide == "\nNext:\n  sendoff failed 1 --csv > fix.csv  # the records to correct"


def test_commands_to_paste_name_the_project_that_was_given(tmp_path: Path) -> None:
    for name in ("connectors.d", "data"):
        (tmp_path / "there" / name).mkdir(parents=True)
    (tmp_path / "there/data/in.csv").write_text("id\n1\n")
    (tmp_path / "there/connectors.d/c.yaml").write_text(
        'source: {use: csv, path: data/in.csv}\nschema: {id: integer}\ndestination: {url: "http://127.0.0.1:9/x", retry: {max_attempts: 1}}\n'
    )
    screen, _, _ = see([*SENDOFF, "-d", "there", "run", "-q"], 200, tmp_path)
    assert " -d there run c  # resume it" in screen


def test_help_and_lists_import_no_rich_without_a_terminal(tmp_path: Path) -> None:
    import subprocess

    program = "import atexit, sys; atexit.register(lambda: print('rich' in sys.modules)); from sendoff.cli import main; main()"
    for words in (["--help"], ["plugins"], ["status"]):
        done = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.stdout.endswith("False\n"), words
