"""Runs a page of documentation as its reader would, block by block, in a fresh project.

* A block whose fence names a ``file=`` is written there.
* In a ``console`` block each line after ``$`` is run by bash, and what follows it is what it prints.
  A command that ends in ``&`` runs until the page ends.
* A ``python`` block is run.
* A ``yaml`` block without a file is a connector, and is loaded.
* An ``sh`` block holds `make` targets, which must exist.

``SENDOFF_DOCS=write`` writes what was really printed into the page, to be read before it is committed.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PORTS = ("8824", "8787", "9464")
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: What differs from run to run, and what it is replaced by before comparing.
VOLATILE = [
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "2026-01-01 07:00:00"),
    (re.compile(r"(?<=\s)\d+\.\d(?:\d\d)?(?=\s)"), "0.1"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "0" * 32),
    (re.compile(r'("seconds": )[\d.]+'), r"\g<1>0.1"),
    (re.compile(r"\bCES?T\b"), "CET"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"-{3,}"), "---"),
]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its file if it names one, its text and where it stands."""

    language: str
    file: str | None
    text: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(page):
        file = re.search(r"file=(\S+)", match[2])
        found.append(Block(match[1], file[1] if file else None, match[3], match.start(3), match.end(3)))
    return found


class Reader:
    """Follows a page in a directory of its own."""

    def __init__(self, home: Path, python: str = sys.executable) -> None:
        self.home = home
        with ExitStack() as stack:
            free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
            #: For each port that pages name, the one that is used here.
            self.ports = {port: str(one.getsockname()[1]) for port, one in zip(PORTS, free, strict=True)}
        shims = home / ".bin"
        shims.mkdir()
        (shims / "sendoff").write_text(f"#!{python}\nfrom sendoff.cli import main\n\nmain()\n")
        (shims / "sendoff").chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{shims}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "100"}
        self.running: list[subprocess.Popen[str]] = []

    def follow(self, block: Block) -> str | None:
        """Do what a block says; answers with a console block's text as it really went."""
        if block.file is not None:
            file = self.home / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._here(block.text))
        elif block.language == "console":
            return "".join(self._command(*step) for step in steps(block.text))
        elif block.language == "python":
            self._python(block.text)
        elif block.language == "yaml":
            self._connector(block.text)
        elif block.language == "sh":
            targets = set(re.findall(r"^(\S+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
            for line in block.text.splitlines():
                if line.startswith("make "):
                    assert set(line.partition("#")[0].split()[1:]) <= targets, line
        return None

    def close(self) -> None:
        for process in self.running:
            process.terminate()
            process.wait(10)
            if process.stderr is not None:
                process.stderr.close()

    def _here(self, text: str) -> str:
        for port, here in self.ports.items():
            text = text.replace(port, here)
        return text

    def _there(self, text: str) -> str:
        for port, here in self.ports.items():
            text = text.replace(here, port)
        return text.replace(f"{self.home}/.bin", "/opt/sendoff/bin").replace(str(self.home), "/srv/deliveries")

    def _command(self, command: str, _: str) -> str:
        line = self._here(command)
        if line.endswith("&"):
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line[:-1]}"], cwd=self.home, env=self.environment, text=True, stderr=subprocess.PIPE
            )
            self.running.append(process)
            assert process.stderr is not None
            return f"$ {command}\n" + self._there(process.stderr.readline())
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.home,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return f"$ {command}\n" + self._there(done.stdout)

    def _python(self, text: str) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", self._here(text)],
            cwd=self.home,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    def _connector(self, text: str) -> None:
        from sendoff import Runner

        file = self.home / "page.yaml"
        file.write_text(text)
        (self.home / "connectors.d").mkdir(exist_ok=True)
        Runner(self.home / "connectors.d", env={**os.environ, **variables(text)}).load(file)


def variables(text: str) -> dict[str, str]:
    """A value for each environment variable that a connector file names."""
    found = {name: f"the-{name.lower().replace('_', '-')}" for name in re.findall(r"\$\{env:(\w+)\}", text)}
    if "WEBHOOK_SECRET" in found:
        found["WEBHOOK_SECRET"] = "whsec_bm90LXNldA=="
    if "GOOGLE_PRIVATE_KEY" in found:
        found["GOOGLE_PRIVATE_KEY"] = private_key()
    return found


@cache
def private_key() -> str:
    """A key made on the spot, as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.private_bytes(*form).decode()


def steps(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it prints."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def settled(text: str) -> str:
    """A transcript without what differs from run to run."""
    for pattern, instead in VOLATILE:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def follow(page: Path, home: Path, python: str = sys.executable) -> None:
    """Follow a page to its end, with the sendoff of a Python; raises AssertionError where it does not go as written."""
    text = page.read_text()
    reader = Reader(home, python)
    written = text
    try:
        for block in blocks(text):
            went = reader.follow(block)
            if went is None:
                continue
            if os.environ.get("SENDOFF_DOCS") == "write":
                written = written.replace(block.text, went)
            else:
                assert settled(went) == settled(block.text), f"{page.name}: it went:\n{went}"
    finally:
        reader.close()
    if written != text:
        page.write_text(written)
