"""A local stand-in for Google Sheets, which serves a CSV file as Google serves a spreadsheet.

It serves what the source asks for: the sheet shared by link as CSV, the list of sheets, ranges of values, access tokens for
a service account's signed assertion, and 429 where the quota is used up. The file is read again for every request, so that an
edit of it is seen.
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote

#: A response: its status, body and headers.
Response = tuple[int, bytes, Mapping[str, str]]

_EXPORT = re.compile(r"/spreadsheets/d/(?:e/)?[^/]+/(?:export|pub)")
_VALUES = re.compile(r"/v4/spreadsheets/[^/]+/values/(.+)")
_BOOK = re.compile(r"/v4/spreadsheets/[^/]+")
_RANGE = re.compile(r"(?:'((?:[^']|'')+)'|([^!']+))(?:!([A-Z]+)(\d+)?(?::([A-Z]+)(\d+)?)?)?")


class Spreadsheet:
    """One spreadsheet with one sheet, which is a CSV file; tokens last for `uses` requests."""

    def __init__(self, file: Path, *, title: str = "Sheet1", gid: int = 0, uses: int = 1_000_000) -> None:
        self.file, self.title, self.gid, self.uses = file, title, gid, uses
        #: How many requests first get a 429, as if the quota were used up.
        self.busy = 0
        self._tokens: dict[str, int] = {}
        self._lock = threading.Lock()

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response | None:
        """The response to a request for Google's API; None for any other."""
        path = unquote(path.partition("?")[0])
        if method == "POST" and path == "/token":
            return self._token(body)
        if method != "GET" or not path.startswith(("/spreadsheets/", "/v4/spreadsheets/")):
            return None
        if _EXPORT.fullmatch(path):
            return 200, self.file.read_bytes(), {"Content-Type": "text/csv"}
        rejection = self._rejection(headers)
        if rejection is not None:
            return rejection
        values = _VALUES.fullmatch(path)
        if values is not None:
            return self._values(values[1])
        if _BOOK.fullmatch(path):
            return _json(200, {"sheets": [{"properties": {"sheetId": self.gid, "title": self.title}}]})
        return _error(404, "Requested entity was not found.")

    def _token(self, body: bytes) -> Response:
        form = parse_qs(body.decode())
        if form.get("grant_type") != ["urn:ietf:params:oauth:grant-type:jwt-bearer"] or not form.get("assertion"):
            return _json(400, {"error": "invalid_grant"})
        with self._lock:
            token = f"token-{len(self._tokens)}"
            self._tokens[token] = self.uses
        return _json(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def _rejection(self, headers: Mapping[str, str]) -> Response | None:
        """A 429 or 401 if the quota or the token is used up."""
        with self._lock:
            if self.busy > 0:
                self.busy -= 1
                return _error(429, "Quota exceeded for quota metric 'Read requests'", {"Retry-After": "1"})
            token = headers.get("authorization", "").removeprefix("Bearer ")
            if self._tokens.get(token, 0) <= 0:
                return _error(401, "Request had invalid authentication credentials.")
            self._tokens[token] -= 1
        return None

    def _values(self, wanted: str) -> Response:
        match = _RANGE.fullmatch(wanted)
        if match is None:
            return _error(400, f"Unable to parse range: {wanted}")
        title = (match[1] or "").replace("''", "'") or match[2]
        if title != self.title:
            return _error(400, f"Unable to parse range: {wanted}")
        rows = [[_value(cell) for cell in row] for row in csv.reader(io.StringIO(self.file.read_text("utf-8-sig"), newline=""))]
        height = max(1_000, len(rows))
        top, bottom = int(match[4] or 1), int(match[6] or height)
        if top > height:
            return _error(400, f"Range ({wanted}) exceeds grid limits. Max rows: {height}, max columns: 26")
        left, right = _number(match[3] or "A") - 1, _number(match[5] or match[3] or "ZZZ")
        cells = [_trimmed(row[left:right]) for row in rows[top - 1 : bottom]]
        while cells and not cells[-1]:
            cells.pop()
        return _json(200, {"range": wanted, "majorDimension": "ROWS", **({"values": cells} if cells else {})})


def _value(cell: str) -> object:
    """The value of a cell's text: a number or a boolean, as when it is typed into a sheet."""
    if re.fullmatch(r"-?(?:0|[1-9]\d{0,14})", cell):
        return int(cell)
    if re.fullmatch(r"-?(?:0|[1-9]\d*)\.\d+", cell):
        return float(cell)
    return cell == "TRUE" if cell in ("TRUE", "FALSE") else cell


def _trimmed(row: list[object]) -> list[object]:
    """A row without the empty cells at its end, as Google leaves them out."""
    while row and row[-1] == "":
        row = row[:-1]
    return row


def _number(letters: str) -> int:
    """The number of a column, from 1, by its letters."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json(status, {"error": {"code": status, "message": message}}, headers)
