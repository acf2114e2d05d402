"""Names that a module offers, and imports only when they are first asked for (PEP 562)."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any


def offer_lazily(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make a module's `__getattr__`, `__dir__` and `__all__` from what it imports under ``if TYPE_CHECKING:``.

    Type checkers and editors read those imports, so each name is listed once. They are written ``import X as X``,
    which is how a module says that it offers `X` (PEP 484).
    """
    home_of = dict(_offered(inspect.getsource(sys.modules[module])))

    def find(name: str) -> Any:
        """A name, from where it lives."""
        if name not in home_of:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home = import_module(home_of[name])
        value = getattr(home, name) if hasattr(home, name) else import_module(f"{home.__name__}.{name}")
        setattr(sys.modules[module], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[module]), *home_of})

    return find, names, sorted(home_of)


def _offered(source: str) -> Iterator[tuple[str, str]]:
    """Each name that is imported as itself for type checkers, and the module it is imported from."""
    for block in ast.parse(source).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for statement in block.body:
                if isinstance(statement, ast.ImportFrom) and statement.module:
                    yield from ((each.name, statement.module) for each in statement.names if each.asname == each.name)
