"""URLs and headers made from records: ``{field}`` in a URL's path or query, or in a header's value.

Scheme, host and the first segment of the path are the connector's own, never a record's. A value is
percent-encoded (RFC 3986 §2.1), so that it stays one segment or one parameter. A value that is not allowed
in its place (an empty one, ``.`` and ``..``, a line break in a header) makes its record invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote

import polars as pl

from sendoff.records import Route
from sendoff.schema import TypedPage
from sendoff.transport import urls

_FIELD = re.compile(r"\{([^{}]*)\}")


def fields(text: str) -> list[str]:
    """The fields named in a template, in order."""
    return _FIELD.findall(text)


def url_problem(url: str) -> str | None:
    """What is wrong with a destination's URL, in which `{field}` may appear; None if nothing is."""
    if "{" in url or "}" in url:
        found = _fields_problem(url)
        if found:
            return found
        url = re.sub(r"\{[^{}]*\}", "x", url)
    return urls.url_problem(url)


def _fields_problem(url: str) -> str | None:
    """What is wrong with the places of a URL's fields, in a sentence."""
    head, _, tail = url.partition("://")
    authority, slash, rest = tail.partition("/")
    if "{" in head + authority:
        return "scheme, host and port are the connector's own, never a record's"
    if fields(rest.partition("/")[0].partition("?")[0]):
        return "the first segment of the path must be fixed; a record's field may follow"
    leftover = _FIELD.sub("", url)
    if "{" in leftover or "}" in leftover:
        return "a brace starts or ends a field, like {id}; percent-encode others"
    if "{}" in url:
        return "{} has no field name"
    return None if slash or not fields(tail) else "a field appears in the path or the query"


class Router:
    """Makes routes of records, by the templates of a URL and of headers."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, method: str = "", without_body: bool = False, is_delete: bool = False
    ) -> None:
        self.url = url
        self._rest = (method, without_body, is_delete)
        #: The headers whose values are made of records.
        self.headers = {name: value for name, value in headers.items() if fields(value)}
        self.fields = list(dict.fromkeys([*fields(url), *(f for value in self.headers.values() for f in fields(value))]))

    def routes(self, typed: TypedPage) -> tuple[list[Route], dict[int, str]]:
        """A route for every record, and the records that have none, with the reason."""
        if not self.fields:
            return [self._fixed_route] * typed.frame.height, {}
        columns = {name: _to_texts(typed, name) for name in self.fields}
        routes: list[Route] = []
        invalid: dict[int, str] = {}
        unroutable = Route("")
        made: dict[tuple[str | None, ...], Route | str] = {}
        for index, values in enumerate(zip(*columns.values(), strict=True)):
            route = made.get(values)
            if route is None:
                route = made[values] = self._make_route(dict(zip(columns, values, strict=True)))
            if isinstance(route, str):
                invalid[index] = route
            routes.append(unroutable if isinstance(route, str) else route)
        return routes, invalid

    @property
    def _fixed_route(self) -> Route:
        return Route(self.url, (), *self._rest)

    def _make_route(self, record: Mapping[str, str | None]) -> Route | str:
        for name, value in record.items():
            if value is None:
                return f"{name}: the request's address needs it, and it is null"
        known = {name: value for name, value in record.items() if value is not None}
        path, mark, query = self.url.partition("?")
        for name in fields(path):
            if known[name] in ("", ".", ".."):
                return f"{name}: {known[name]!r} cannot be part of a path"
        url = _expand(path, known) + mark + _expand(query, known)
        headers = []
        for name, template in self.headers.items():
            value = _FIELD.sub(lambda match: known[match[1]], template)
            if not value.isprintable() or not fits_header(value):
                return f"{', '.join(fields(template))}: not allowed in the header {name}"
            headers.append((name, value))
        return Route(url, tuple(headers), *self._rest)


def _expand(template: str, record: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda match: _encode(record[match[1]]), template)


@lru_cache(maxsize=65536)
def _encode(value: str) -> str:
    return quote(value, safe="")


def fits_header(value: str) -> bool:
    """Whether a text can be a header's value: one line of Latin-1 (RFC 9110 §5.5)."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return re.search(r"[\r\n\0]", value) is None


def _to_texts(typed: TypedPage, name: str) -> Sequence[str | None]:
    """A column as the texts its values would be in JSON, without quotes."""
    if name not in typed.frame.columns:
        return [None] * typed.frame.height
    cells = typed.frame[name]
    if cells.dtype == pl.String:
        return cells.to_list()
    if cells.dtype == pl.Boolean:
        return [None if value is None else str(value).lower() for value in cells]
    return cells.cast(pl.String, strict=False).to_list()


def all_fields(url: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every field in a URL and in headers, with the key of the connector file that it is under."""
    for name in fields(url):
        yield "url", name
    for header, value in headers.items():
        for name in fields(value):
            yield header, name
