# ruff: noqa: E501  # a row of the options reads best as a row
"""Read a JSON API page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from sendoff.plugin import (
    MAX_RESPONSE,
    MISSING,
    ErrorResponse,
    HttpClient,
    Page,
    Source,
    SourceError,
    check_url,
    hookimpl,
    jsonlib,
    jsonpath,
    pages_of_mappings,
)

_TOO_LARGE = (
    "let `paging` ask for fewer records at a time, let `max_bytes` of the source allow it, or read it as a file: `use: json` "
    "takes a URL as its `path`"
)
#: A link and its parameters, in a Link header (RFC 8288). What is between two links, or was begun and has no end, is passed over.
_LINK = re.compile(r"<([^<>]*)>\s*((?:;\s*[^;,]+)*)")


def _check_path(field: str, value: Any, error: Any) -> None:
    try:
        jsonpath.parse(value)
    except (ValueError, TypeError) as wrong:
        error(field, str(wrong))


_WORD = {"type": "string", "required": False}
_PATH = {**_WORD, "check_with": _check_path}
_COUNT = {"type": "integer", "required": False, "min": 0}

PAGING = {
    "by": {"type": "string", "allowed": ["page", "offset", "cursor", "link"], "meta": {"help": "How the next page is asked for: by its number, by how many records came before, by a cursor that the last page names, or by its `Link: …; rel=next` header (RFC 8288)."}},
    "parameter": {**_WORD, "meta": {"help": "The query parameter that says which page. Default: page, offset or cursor."}},
    "first": {**_COUNT, "meta": {"help": "The first page's number. Default: 1."}},
    "size": {**_COUNT, "min": 1, "meta": {"help": "How many records a page has at most; for `offset`, how many it asks for."}},
    "size_parameter": {**_WORD, "meta": {"help": "The parameter that says how many, like limit."}},
    "end": {"type": "list", "schema": {"anyof": [{"type": "integer", "min": 400, "max": 499}, {"type": "string", "allowed": ["repeat"]}]}, "required": False, "meta": {"help": "How the pages end, besides with an empty one: `[404]` if that is the response to a page beyond the last, `[repeat]` if the last page comes once more."}},
    "next": {**_PATH, "meta": {"help": "For `cursor`: where in a page the next one's cursor, or its whole URL, is."}},
}  # fmt: skip


class Http(Source):
    """Read records from a JSON API with GET, page by page. Rate-limited and failed requests are retried."""

    name = "http"
    options = {
        "url": {"type": "string", "check_with": check_url, "meta": {"help": "Where the records are."}},
        "headers": {"type": "dict", "keysrules": {"type": "string"}, "valuesrules": {"type": "string"}, "default": {}, "meta": {"help": "Headers of every request; a credential goes here."}},
        "records": {"type": "string", "check_with": _check_path, "default": "$", "meta": {"help": "Where in a response the list of records is, like `$.data`."}},
        "paging": {"type": "dict", "schema": PAGING, "required": False, "meta": {"help": "How there is more: `by` page, offset, cursor or link. Default: one response is all."}},
        "timeout": {"type": "number", "min": 1, "default": 60, "meta": {"help": "Seconds one response may take."}},
        "max_bytes": {"type": "integer", "min": 1, "default": MAX_RESPONSE, "meta": {"help": "Maximum bytes of one response, decompressed; it is held in memory, several times over."}},
        "most_pages": {"type": "integer", "min": 1, "default": 100_000, "meta": {"help": "Maximum pages; with more, something is wrong and nothing is sent."}},
    }  # fmt: skip
    url: str
    headers: dict[str, str]
    records: str
    paging: dict[str, Any] | None = None
    timeout: float
    max_bytes: int
    most_pages: int

    def read(self, cursor: Any) -> Iterator[Page]:
        before = 0
        with HttpClient(
            self.url, self.egress, seconds=self.timeout, max_bytes=self.max_bytes, redact=self.redact, too_large=_TOO_LARGE
        ) as web:
            for response, url, is_exact in self._responses(web):
                rows = jsonpath.parse(self.records).find(response)
                if not isinstance(rows, list):
                    raise SourceError(f"{_shown(url)}: there is no list of records at {self.records}")
                faults = {at: problem for at, row in enumerate(rows) if (problem := _problem(row, looked_at=is_exact))}
                yield from pages_of_mappings(
                    [{} if at in faults else row for at, row in enumerate(rows)],
                    file=_shown(url), lines=range(before + 1, before + 1 + len(rows)), row_errors=faults,
                    max_columns=self.max_columns,
                )  # fmt: skip
                before += len(rows)

    def _responses(self, web: HttpClient) -> Iterator[tuple[Any, str, bool]]:
        """Each response, its URL, and whether nothing in it has to be refused."""
        how = self.paging or {}
        url: str | None = (
            self._with({self._parameter: how.get("first", 1) if how["by"] == "page" else 0})
            if how.get("by") in ("page", "offset")
            else self._with({})
        )
        page, seen = how.get("first", 1), 0
        requested: set[str] = set()
        last: object = None
        while url is not None:
            if url in requested or len(requested) >= self.most_pages:
                raise SourceError(
                    f"{_shown(url)}: the pages have no end: "
                    + ("one names itself as the next" if url in requested else f"more than {self.most_pages:,}")
                )
            requested.add(url)
            try:
                body, headers = web.get(url, headers={"Accept": "application/json", **self.headers})
                response, is_exact = self._parsed(body.decode())
            except ErrorResponse as error:
                if len(requested) > 1 and error.status in how.get("end", ()):
                    return
                raise error.as_source_error() from None
            except ValueError as error:
                raise SourceError(f"{_shown(url)}: the response is not JSON: {error}") from None
            found = jsonpath.parse(self.records).find(response)
            if found and found == last and how.get("by") in ("page", "offset"):
                if "repeat" in how.get("end", ()):
                    return
                raise SourceError(
                    f"{_shown(url)}: response {len(requested)} has the records of the one before; either the API has another "
                    "name for `parameter`, or it gives its last page again: then say `end: [repeat]`"
                )
            last = found
            yield response, url, is_exact
            count = len(found) if isinstance(found, list) else 0
            page, seen = page + 1, seen + count
            url = self._next(response, headers, url, count, page, seen)

    def _parsed(self, text: str) -> tuple[Any, bool]:
        """A response; and whether it was read exactly, or has records that are to be refused. Raises ValueError if it is none."""
        try:
            return jsonlib.loads(text), True
        except ValueError:
            response = jsonlib.loads_leniently(text)
            rows = jsonpath.parse(self.records).find(response)
            if not isinstance(rows, list):
                raise
            records = [*rows]
            rows.clear()
            if jsonlib.find_unfit(response):  # it is not a record that is wrong
                raise
            rows += records
            return response, False

    def _next(self, response: Any, headers: Mapping[str, str], url: str, count: int, page: int, seen: int) -> str | None:
        how = self.paging or {}
        ended = count == 0 or ("size" in how and count < how["size"])
        match how.get("by"):
            case "page":
                return None if ended else self._with({self._parameter: page})
            case "offset":
                return None if ended else self._with({self._parameter: seen})
            case "cursor":
                value = jsonpath.parse(how.get("next", "$.next")).find(response)
                if value in (MISSING, None, "", False):
                    return None
                text = str(value)
                return (
                    self._same_origin(urljoin(url, text))
                    if text.startswith(("http://", "https://", "/"))
                    else self._with({self._parameter: text})
                )
            case "link":
                found = _linked(headers.get("Link", ""))
                return None if found is None else self._same_origin(urljoin(url, found))
        return None

    def _same_origin(self, url: str) -> str:
        """A URL that a response gives, which must be on the same server: credentials are sent with it."""
        mine, other = urlsplit(self.url), urlsplit(url)
        if (mine.scheme, mine.netloc) != (other.scheme, other.netloc):
            raise SourceError(
                f"{_shown(self.url)}: the response gives the next page at {other.scheme}://{other.netloc}, which is another server"
            )
        return url

    @property
    def _parameter(self) -> str:
        how = self.paging or {}
        return str(how.get("parameter", how.get("by")))

    def _with(self, parameters: Mapping[str, Any]) -> str:
        """The URL with some of its parameters set."""
        how = self.paging or {}
        if "size_parameter" in how and "size" in how:
            parameters = {**parameters, how["size_parameter"]: how["size"]}
        parts = urlsplit(self.url)
        kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in parameters]
        return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))


def _linked(header: str) -> str | None:
    """The target of the link with rel=next (RFC 8288)."""
    for target, parameters in _LINK.findall(header):
        relations = re.findall(r";\s*rel\s*=\s*\"?([^\";]*)\"?", parameters)
        if any("next" in relation.split() for relation in relations):
            return str(target)
    return None


def _shown(url: str) -> str:
    return url.partition("?")[0]


def _problem(row: object, *, looked_at: bool) -> str | None:
    """Why a row is no record, in a sentence. Of a response that was read exactly, only whether it is an object is not known."""
    unfit = None if looked_at else jsonlib.find_unfit(row)
    return unfit or (None if isinstance(row, dict) else f"not an object: {jsonlib.dumps(row)[:80]}")


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Http]
