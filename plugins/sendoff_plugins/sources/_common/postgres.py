"""PostgreSQL's values that Python has no object for, as text, so that one of them does not make all rows unreadable."""

from __future__ import annotations

from typing import Any

from sendoff.plugin import jsonlib

_TYPES = ("date", "time", "timetz", "timestamp", "timestamptz")


class TimeAsText(str):
    """A date or time that Python's types cannot hold, as the database writes it."""

    __slots__ = ()


def keep_what_cannot_be_read(connection: Any) -> None:
    """Load dates and times beyond Python's (`infinity`, `24:00:00`, the year 12000) as text, and JSON with all its digits."""
    from psycopg import DataError  # noqa: PLC0415  # an extra
    from psycopg.adapt import Loader  # noqa: PLC0415  # of the same extra
    from psycopg.pq import Format  # noqa: PLC0415  # of the same extra
    from psycopg.types.json import set_json_loads  # noqa: PLC0415  # of the same extra

    def lenient(usual: Any) -> type[Loader]:
        class Lenient(Loader):
            """psycopg's own loader, with the text where it fails."""

            def __init__(self, oid: int, context: Any = None) -> None:
                super().__init__(oid, context)
                self._usual = usual(oid, context)

            def load(self, data: Any) -> Any:
                try:
                    return self._usual.load(data)
                except DataError:
                    return TimeAsText(bytes(data).decode())

        return Lenient

    set_json_loads(_json, connection)
    for name in _TYPES:
        oid = connection.adapters.types[name].oid
        connection.adapters.register_loader(oid, lenient(connection.adapters.get_loader(oid, Format.TEXT)))


def _json(data: str | bytes) -> Any:
    text = data if isinstance(data, str) else data.decode()
    try:
        return jsonlib.loads(text)
    except ValueError:  # a key that is there twice, as the type `json` may have it
        return text
