"""How much of the core is left to `Any`: it may only become less."""

from __future__ import annotations

import ast

from .pages import ROOT

LIMIT = 150


def test_the_core_says_what_its_values_are() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "core").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "Any"
    ]
    assert len(found) <= LIMIT, found
