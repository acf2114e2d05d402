"""``python docs/pictures.py``: a picture of a terminal, made of what this version really prints in one.

The commands run in a pseudo-terminal, in a fresh project against the sandbox. The picture holds its text, too, so that a test
can compare it with what is printed now.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from sendoff.sandbox import Sandbox

PICTURE = Path(__file__).with_name("assets") / "session.svg"
COLUMNS = 98
URL = "http://127.0.0.1:8824"
FILES = {
    "people.csv": "id,email\n1,ann@example.com\n2,bob@nowhere.test\n3,cee@example.com\n4,dan\n",
    "connectors.d/people.yaml": f"""\
source: {{use: csv, path: people.csv}}
schema:
  id: {{type: integer}}
  email: {{type: string, regex: "[^@]+@[^@]+"}}
destination: {{url: {URL}/v1/people, metod: POST}}
on_failure: split
""",
}
SESSION = [
    "sendoff check",
    "sed -i 's/metod/method/' connectors.d/people.yaml",
    "sendoff run --quiet",
    "sendoff failed people",
]
THEME = TerminalTheme(
    (30, 34, 45),
    (222, 226, 236),
    [
        (60, 66, 82),
        (240, 113, 120),
        (137, 209, 133),
        (240, 198, 116),
        (110, 168, 254),
        (199, 146, 234),
        (94, 206, 219),
        (222, 226, 236),
    ],
)


def session() -> str:
    """What the session shows, with the escapes by which a terminal colours it."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(rules=["400 if email ~ @nowhere"], port=0) as sandbox:
        home = Path(folder)
        for name, text in FILES.items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(text.replace(URL, sandbox.url))
        shim = home / "sendoff"
        shim.write_text(f"#!{sys.executable}\nfrom sendoff.cli import main\n\nmain()\n")
        shim.chmod(0o755)
        shown = "".join(f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m\n{_printed(command, home)}" for command in SESSION)
    shown = shown.replace(sandbox.url, URL)
    return re.sub(r"(?<= )\d\.\d(?= )", "0.1", shown)  # seconds


def _printed(command: str, home: Path) -> str:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment = {**kept, "PATH": f"{home}:{os.environ['PATH']}", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen(  # noqa: S603  # the session above
        ["/bin/bash", "-c", command], cwd=home, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    process.wait(60)
    return b"".join(chunks).decode().replace("\r\n", "\n")


def plain(shown: str) -> str:
    """The text of a session, without colours."""
    return "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines())


def svg(shown: str) -> str:
    """A session as a picture that loads nothing, with its text as the description."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor", legacy_windows=False
    )
    console.print(Text.from_ansi(shown), soft_wrap=False, end="")
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code, ", "")
    form = re.sub(r"font-family: [^;{}]*;", "font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace;", form)
    made = console.export_svg(title="sendoff", theme=THEME, code_format=form, unique_id="session")
    head, mark, rest = made.partition(">")
    return f"{head}{mark}\n<desc>\n{escape(plain(shown))}\n</desc>{rest}"


def described(picture: str) -> str:
    """The text that a picture holds."""
    from html import unescape  # noqa: PLC0415

    return unescape(picture.partition("<desc>\n")[2].partition("\n</desc>")[0])


if __name__ == "__main__":
    PICTURE.write_text(svg(session()))
