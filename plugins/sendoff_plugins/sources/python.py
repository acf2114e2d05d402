"""A Python function that yields records."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from typing import Any

from sendoff.plugin import Source, SourceError, hookimpl


class Python(Source):
    """Call a Python function that yields records."""

    name = "python"
    privileged = "runs code"
    options = {
        "call": {
            "type": "string", "regex": r"[^:]+:[A-Za-z_][A-Za-z0-9_]*",
            "meta": {"help": "The function: `rows.py:signups` in a file, or `package.module:function`."},
        },
        "arguments": {"type": "dict", "default": {}, "meta": {"help": "What it is called with, by name."}},
    }  # fmt: skip
    call: str
    arguments: dict[str, Any]

    def read(self, cursor: Any) -> Iterable[Any]:
        return self._function()(**self.arguments)  # type: ignore[no-any-return]  # what it yields is checked where it is read

    def peek(self) -> None:
        """The function is not called, as what it reads may be gone then; but whether there is one is seen."""
        self._function()

    def _function(self) -> Callable[..., Any]:
        where, _, name = self.call.rpartition(":")
        try:
            if where.endswith(".py"):
                spec = importlib.util.spec_from_file_location(f"sendoff_source_{name}", self.home / where)
                assert spec is not None
                assert spec.loader is not None
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
            else:
                module = importlib.import_module(where)
        except Exception as error:
            raise SourceError(f"{where}: cannot be loaded: {type(error).__name__}: {error}") from error
        function = getattr(module, name, None)
        if not callable(function):
            raise SourceError(f"{where}: there is no function {name}")
        return function  # type: ignore[no-any-return]  # it was checked above to be callable


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Python]
