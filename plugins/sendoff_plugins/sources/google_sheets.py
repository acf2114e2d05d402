# ruff: noqa: E501  # a row of the options reads best as a row
"""Google Sheets: shared by link, or read with a service account.

The file is long because the two ways share nothing but the header and the spreadsheet's address.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import polars as pl

from sendoff.plugin import (
    ErrorResponse,
    HttpClient,
    Page,
    Source,
    SourceChanged,
    SourceError,
    SourceUnavailable,
    StandIn,
    column,
    egress,
    hookimpl,
)
from sendoff_plugins.sources._common.header import checked_header
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._csv.table import read_table
from sendoff_plugins.sources._files.locations import import_extra
from sendoff_plugins.sources._google_sheets.stand_in import Spreadsheet

_ID = re.compile(r"/spreadsheets/d/(?:e/)?([A-Za-z0-9_-]{10,})|^([A-Za-z0-9_-]{10,})$")
_GID = re.compile(r"[?#&]gid=(\d+)")
_SCOPES = ["https://www.googleapis.com/auth/spreadsheets.readonly"]

_TOO_LARGE = "let `range` name fewer columns"

#: Rows and cells requested at a time: a response of a few megabytes.
ROWS, CELLS = 20_000, 400_000


def _check_spreadsheet(field: str, value: Any, error: Any) -> None:
    if isinstance(value, str) and not _ID.search(value):
        error(field, f"{value!r} is not a valid spreadsheet; paste its address from the browser")


class GoogleSheets(Source):
    """Read a Google Sheet. The first row names the columns, which may be in any order; an empty cell is a null.

    Without credentials the sheet must be readable by everyone who has the link. With them it is shared with the service
    account's e-mail address; `ambient` takes the account of the machine. Numbers are numbers; dates are text as shown.
    """

    name = "google_sheets"
    stand_in_options = ("docs_root", "api_root")
    options = {
        "spreadsheet": {"type": "string", "check_with": _check_spreadsheet, "meta": {"help": "Its address in the browser, or its id."}},
        "range": {"type": "string", "required": False, "meta": {"help": "Which cells, with the row of names: `Signups!A:F`. Default: the whole sheet that the address shows. Needs credentials."}},
        "credentials": {"type": "string", "required": False, "meta": {"help": "A service account's key, as JSON, best as `${file:…}`; or `ambient`. Default: none.", "secret": True}},
        "api_root": {"type": "string", "default": "https://sheets.googleapis.com", "meta": {"help": "Where Google's API is."}},
        "docs_root": {"type": "string", "default": "https://docs.google.com", "meta": {"help": "Where sheets shared by link are."}},
    }  # fmt: skip
    spreadsheet: str
    range: str | None = None
    credentials: str | None = None
    api_root: str
    docs_root: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.credentials == "ambient":
            self.privileged = "uses the account of the machine (`credentials: ambient`)"  # type: ignore[misc]  # of this one alone

    def read(self, cursor: Any) -> Iterator[Page]:
        if self.credentials == "ambient" and not egress.may_lend_account(self.api_root, ("googleapis.com",)):
            raise SourceError(
                f"google_sheets: the account of the machine is for Google alone, and api_root is {self.api_root}; who runs sendoff "
                f"may allow it by {egress.AMBIENT_ORIGINS}={self.api_root}"
            )
        if self.credentials is None:
            yield from self._shared()
        else:
            yield from self._by_account()

    @classmethod
    def stand_in(cls, file: Path) -> StandIn:
        """Serve a CSV file as a spreadsheet, whatever its id."""
        return Spreadsheet(file).respond

    @property
    def _id(self) -> str:
        match = _ID.search(self.spreadsheet)
        assert match is not None
        return match[1] or match[2]

    @property
    def _gid(self) -> str:
        match = _GID.search(self.spreadsheet)
        return match[1] if match else "0"

    def _shared(self) -> Iterator[Page]:
        """A sheet that is public by link, or that was published, as CSV."""
        if self.range is not None:
            raise SourceError("google_sheets: a range needs credentials; a sheet shared by link is read as a whole")
        published = "/spreadsheets/d/e/" in self.spreadsheet
        way = f"d/e/{self._id}/pub?output=csv&" if published else f"d/{self._id}/export?format=csv&"
        url = f"{self.docs_root}/spreadsheets/{way}gid={self._gid}"
        with tempfile.TemporaryFile(prefix="sendoff-") as copy:
            try:
                with HttpClient(url, self.egress, redact=self.redact) as web:
                    web.fetch(url, copy)
            except ErrorResponse as error:
                raise error.as_source_error(f"google_sheets: {error}; is it shared with everyone who has the link?") from None
            copy.seek(0)
            if copy.read(15).lstrip().lower().startswith((b"<!doctype", b"<html")):
                raise SourceError(
                    "google_sheets: a page came instead of the sheet; share it with everyone who has the link, or give credentials"
                )
            copy.seek(0)
            yield from read_table(copy, "sheet", Dialect(), max_columns=self.max_columns)

    def _by_account(self) -> Iterator[Page]:
        with HttpClient(self.api_root, self.egress, redact=self.redact, too_large=_TOO_LARGE) as web:
            account = _Account(self.credentials or "", web, self.excerpt)
            range_ = self.range or self._sheet(web, account)
            sheet, _, cells = range_.rpartition("!") if "!" in range_ else (range_, "", "")
            left, top, right, bottom = _corners(cells)
            columns = checked_header(
                [str(cell) for cell in self._head(web, account, f"{sheet}!{left}{top}:{right}{top}", range_)],
                range_,
                self.max_columns,
            )
            step = min(ROWS, max(1, CELLS // len(columns)))
            # Each response begins with the last row of the one before, so that a row that moves meanwhile is noticed.
            at, before = top, None
            while bottom is None or at < bottom:
                until = at + step if bottom is None else min(at + step, bottom)
                rows = self._values(web, account, f"{sheet}!{left}{at}:{right}{until}")
                if before is not None and (rows[0] if rows else []) != before:
                    raise SourceChanged("google_sheets: rows moved while it was read; nothing was sent, run it again")
                page = _page(columns, rows[1:], sheet, at + 1)
                if page is not None:
                    yield page
                if len(rows) <= 1 and not (bottom is None and self._values(web, account, f"{sheet}!{left}{until + 1}:{right}")):
                    return  # the sheet has no more rows
                before = rows[-1] if len(rows) == until - at + 1 else []
                at = until

    def _head(self, web: HttpClient, account: _Account, cells: str, range_: str) -> list[Any]:
        rows = self._values(web, account, cells)
        if not rows:
            raise SourceError(f"google_sheets: {range_} is empty; its first row names the columns")
        return rows[0]

    def _sheet(self, web: HttpClient, account: _Account) -> str:
        """The name of the sheet that the address shows."""
        fields = urlencode({"fields": "sheets.properties(sheetId,title)"})
        found = _get_json(web, f"{self.api_root}/v4/spreadsheets/{self._id}?{fields}", account)
        sheets = {str(sheet["properties"].get("sheetId", 0)): sheet["properties"]["title"] for sheet in found.get("sheets", [])}
        if self._gid not in sheets:
            raise SourceError(f"google_sheets: there is no sheet with gid={self._gid}; there are {', '.join(sheets.values())}")
        title = str(sheets[self._gid]).replace("'", "''")
        return f"'{title}'"

    def _values(self, web: HttpClient, account: _Account, cells: str) -> list[list[Any]]:
        how = urlencode(
            {"valueRenderOption": "UNFORMATTED_VALUE", "dateTimeRenderOption": "FORMATTED_STRING", "majorDimension": "ROWS"}
        )
        url = f"{self.api_root}/v4/spreadsheets/{self._id}/values/{quote(cells, safe='')}?{how}"
        try:
            found: list[list[Any]] = _get_json(web, url, account).get("values", [])
        except _PastEnd:
            return []
        return found


class _PastEnd(Exception):
    """A range that begins behind the sheet's last row."""


class _Account:
    """The account that reads: a service account, or the machine's own."""

    def __init__(self, credentials: str, web: HttpClient, quote: Callable[[str], str]) -> None:
        import_extra("google.auth", "sheets")
        import_extra("google.oauth2.service_account", "sheets")
        from google.auth import default  # noqa: PLC0415  # an extra
        from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415  # of the same extra
        from google.oauth2.service_account import Credentials  # noqa: PLC0415  # of the same extra

        self._web, self._quote = web, quote
        try:
            self._credentials: Any
            if credentials == "ambient":
                self._credentials, _ = default(scopes=_SCOPES)
            else:
                made: Any = Credentials
                self._credentials = made.from_service_account_info(json.loads(credentials), scopes=_SCOPES)
        except (ValueError, KeyError, DefaultCredentialsError) as error:
            raise SourceError(f"google_sheets: no credentials that can be used: {self._quote(_first(error))}") from None

    def headers(self) -> Mapping[str, str]:
        """The headers that authenticate a request; an expired token is fetched again."""
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415  # an extra

        if not self._credentials.valid:
            try:
                self._credentials.refresh(self._transport)
            except GoogleAuthError as error:
                kind = SourceUnavailable if error.retryable else SourceError
                raise kind(f"google_sheets: no token was given: {self._quote(_first(error))}") from None
        return {"Authorization": f"Bearer {self._credentials.token}"}

    def renew(self) -> None:
        self._credentials.expiry = self._credentials.token = None

    def _transport(self, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        raw = body.encode() if isinstance(body, str) else body
        try:
            data, found = self._web.request(method, url, headers=headers, body=raw)
            return _HttpResponse(200, found, data)
        except ErrorResponse as error:
            return _HttpResponse(error.status, {}, str(error).encode())


class _HttpResponse:
    """A response with the attributes that google-auth reads."""

    def __init__(self, status: int, headers: Any, data: bytes) -> None:
        self.status, self.headers, self.data = status, headers, data


def _get_json(web: HttpClient, url: str, account: _Account) -> Any:
    for again in (True, False):
        try:
            body, _ = web.get(url, headers=account.headers())
            return json.loads(body)
        except ErrorResponse as error:
            if error.status == 401 and again:
                account.renew()
                continue
            if error.status == 400 and "exceeds grid limits" in str(error):
                raise _PastEnd from None
            hint = {403: "; is the sheet shared with the service account's e-mail address?", 404: "; is the address right?"}
            raise error.as_source_error(f"google_sheets: {error}{hint.get(error.status, '')}") from None
        except ValueError:
            raise SourceError("google_sheets: the response is not JSON") from None
    raise AssertionError("the second attempt returns or raises")


def _corners(cells: str) -> tuple[str, int, str, int | None]:
    """The corners of a range in A1 notation: left, top, right, bottom."""
    match = re.fullmatch(r"([A-Z]{0,3})([0-9]*)(?::([A-Z]{0,3})([0-9]*))?", cells.replace("$", ""))
    if match is None:
        raise SourceError(f"google_sheets: {cells!r} is not a valid range; use for example Signups!A:F")
    left, top, right, bottom = match.groups()
    return (
        left or "A",
        int(top or 1),
        right or ("ZZZ" if not left or match[3] is None else left),
        int(bottom) if bottom else None,
    )


def _page(columns: Sequence[str], rows: Sequence[Sequence[Any]], name: str, first: int) -> Page | None:
    """The rows as a page. Google leaves out the empty cells at a row's end, and empty rows at a range's end."""
    kept = [(first + at, row) for at, row in enumerate(rows) if any(cell != "" for cell in row)]
    if not kept:
        return None
    width = len(columns)
    faults = {
        at: f"ragged: {len(row)} cells where the header has {width}"
        for at, (_, row) in enumerate(kept)
        if any(cell != "" for cell in row[width:])
    }
    cells = [[None if at >= len(row) or row[at] == "" else row[at] for _, row in kept] for at in range(width)]
    frame = pl.DataFrame([column(each, values) for each, values in zip(columns, cells, strict=True)])
    return Page(frame, name, [line for line, _ in kept], faults)


def _first(error: Exception) -> str:
    return str(error.args[0] if error.args else error)


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [GoogleSheets]
