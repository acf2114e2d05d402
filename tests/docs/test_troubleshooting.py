"""Every message on the page of troubleshooting is one that the code says."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from .pages import ROOT

MESSAGES = re.findall(r"^### `(.+)`$", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
#: What Cerberus says, with the name of a type in it.
OTHERS = {"must be of integer type": "must be of {constraint} type"}


@cache
def sentences() -> tuple[tuple[str, ...], ...]:
    """Every text in the code, file by file; what is put into it is an ellipsis."""
    every = []
    for room in ("core", "plugins"):
        for path in (ROOT / room).rglob("*.py"):
            found: list[str] = []
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
            every.append(tuple(found))
    return tuple(every)


def test_the_page_has_messages() -> None:
    assert len(MESSAGES) > 25


@pytest.mark.parametrize("message", MESSAGES)
def test_the_message_is_said_by_the_code(message: str) -> None:
    if message in OTHERS:
        from cerberus.errors import BasicErrorHandler

        assert OTHERS[message] in BasicErrorHandler.messages.values()
        return
    parts = [part.strip() for part in message.split("…") if len(part.strip()) > 3]
    assert parts
    assert any(all(any(part in text for text in texts) for part in parts) for texts in sentences()), message
