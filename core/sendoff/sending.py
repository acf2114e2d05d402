"""`sendoff.send`: deliver rows without a connector file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sendoff import jsonlib
from sendoff.components import Source
from sendoff.config import connector as connectors
from sendoff.config.documents import Document
from sendoff.errors import SourceError
from sendoff.errors.codes import Code
from sendoff.hookspecs import hookimpl
from sendoff.monitoring.report import Report
from sendoff.runner import Runner
from sendoff.transport.file_access import FileAccess


def send(
    rows: object,
    *,
    url: str,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    batch: int | None = None,
    name: str = "send",
    state: str | Path | None = None,
    **settings: Any,
) -> Report:
    """Send rows to a URL, one per request or `batch` together, and return the report.

    `rows` is any iterable of mappings, or anything Arrow. `settings` are the other keys of a
    connector file (``schema``, ``on_failure`` and so on). Without a `state` directory the ledger
    lives only as long as the call; with one, an interrupted call is resumed by the next call
    with the same rows. Raises `ConfigError` for settings that are not valid.
    """
    destination = {"url": url, "method": method, "headers": dict(headers or {}), **settings.pop("destination", {})}
    with tempfile.TemporaryDirectory(prefix="sendoff-") as temporary:
        runner = Runner(state=state or temporary, plugins=[_Plugin])
        sender = runner.registry.default("senders", "many" if batch else "one")
        how = {"send": {"use": sender.name, **({"max_records": batch} if batch else {})}} if sender else {}
        document = Document("send()", {"source": "rows", **how, **settings, "destination": destination})
        document.problems += [document.problem(path, sentence, Code.TYPE) for path, sentence in _unwritable(document.data)]
        return runner.run(connectors.build(document, name, runner.registry, access=FileAccess(runner.home)), records=rows)


def _unwritable(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The places of values that no connector file could have, each with a sentence."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unwritable(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _unwritable(inner, (*path, at))
    else:
        try:
            jsonlib.dumps(value)
        except ValueError as error:
            yield path, f"{error}; settings hold what a connector file can"


class _Rows(Source):
    """Records given from Python."""

    name = "rows"

    def read(self, cursor: object) -> Iterable[object]:
        raise SourceError("these records are given from Python, and only there")


class _Plugin:
    @staticmethod
    @hookimpl
    def sendoff_sources() -> list[type[Source]]:
        return [_Rows]
