"""What is imported only when first used: names that a module offers (PEP 562), whole libraries, and the libraries of extras."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from types import ModuleType
from typing import Any

_ONE_IMPORT = RLock()


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


class _Postponed(ModuleType):
    """A library that is not imported yet; the first name asked of it imports it."""

    def __getattr__(self, name: str) -> object:
        with _ONE_IMPORT:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
                try:
                    self.__dict__.update(vars(import_module(self.__name__)))
                except BaseException:
                    sys.modules[self.__name__] = self  # the next use has the same error
                    raise
        found: object = getattr(sys.modules[self.__name__], name)
        return found


def postpone_import(library: str) -> None:
    """Let every ``import library`` of this process take effect when the library is first used.

    `importlib.util.LazyLoader` does the same from Python 3.12 on; in 3.11 a second import statement ends its waiting.
    Does nothing if the library is imported already, or not installed.
    """
    if library not in sys.modules and (spec := find_spec(library)) is not None:
        sys.modules[library] = _Postponed(library)
        sys.modules[library].__spec__ = spec


def import_postponed() -> None:
    """Import what was postponed: before threads begin, two of which could wait for each other's half of an import."""
    for library in [module for module in sys.modules.values() if type(module) is _Postponed]:
        library.__file__  # noqa: B018  # any name imports it


def install_command(extra: str) -> str:
    """The command that installs the libraries of an extra, as sendoff's own metadata lists them.

    They are named themselves: the name `sendoff` on PyPI is another project's, which `sendoff[excel]` would lead to.
    """
    condition = re.compile(rf"extra == ['\"]{extra}['\"]")
    metadata = import_module("importlib.metadata")
    wanted = [each.partition(";")[0].strip() for each in metadata.requires("sendoff") or () if condition.search(each)]
    return " ".join(["pip install", *(f"'{library}'" for library in wanted)])
