"""PostgreSQL's values that Python has no object for, as text, so that one of them does not make all rows unreadable."""

from __future__ import annotations

import re
from typing import Any

from sendoff.plugin import jsonlib

#: Types whose values are sent as the database writes them, as Python's objects for them have no JSON form, or lose a part.
_AS_TEXT = (
    "interval", "timetz", "inet", "cidr", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange",
    "int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange",
)  # fmt: skip
_TYPES = ("date", "time", "timestamp", "timestamptz")


class TimeAsText(str):
    """A date or time that Python's types cannot hold, as the database writes it."""

    __slots__ = ()


def keep_what_cannot_be_read(connection: Any) -> None:
    """Load what Python's types cannot hold (`infinity`, the year 12000, intervals) as text, and JSON with all its digits.

    Intervals are written in ISO 8601 only where the session's `intervalstyle` says so.
    """
    from psycopg import DataError  # noqa: PLC0415  # an extra
    from psycopg.adapt import Loader  # noqa: PLC0415  # of the same extra
    from psycopg.pq import Format  # noqa: PLC0415  # of the same extra
    from psycopg.types.json import set_json_loads  # noqa: PLC0415  # of the same extra
    from psycopg.types.string import TextLoader  # noqa: PLC0415  # of the same extra

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

    class ZonedTime(TextLoader):
        """A time with its offset in hours and minutes, as ISO 8601 has it."""

        def load(self, data: Any) -> Any:
            return re.sub(r"([+-][0-9]{2})\Z", r"\1:00", str(super().load(data)))

    set_json_loads(read_json, connection)
    for name in _AS_TEXT:
        connection.adapters.register_loader(name, ZonedTime if name == "timetz" else TextLoader)
    for name in _TYPES:
        oid = connection.adapters.types[name].oid
        connection.adapters.register_loader(oid, lenient(connection.adapters.get_loader(oid, Format.TEXT)))


def read_json(data: str | bytes) -> Any:
    """The value with all its digits; the text where it is no JSON that a record can hold."""
    text = data if isinstance(data, str) else data.decode()
    try:
        return jsonlib.loads(text)
    except ValueError:  # a key that is there twice, as the type `json` may have it
        return text
