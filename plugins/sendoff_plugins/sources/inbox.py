# ruff: noqa: E501  # a row of the options reads best as a row
"""Read what partners post."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from sendoff.plugin import (
    ColumnLimit,
    Inboxes,
    InboxSource,
    Page,
    Post,
    Source,
    SourceError,
    hookimpl,
    last_post_id,
    open_inboxes,
    pages,
)
from sendoff_plugins.sources._csv.dialect import Dialect
from sendoff_plugins.sources._csv.table import read_table
from sendoff_plugins.sources.json import read_array
from sendoff_plugins.sources.jsonl import read_lines

#: What a body is written in, by its content type.
KINDS = {
    "application/json": "json", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl", "application/x-jsonlines": "jsonl",
    "text/csv": "csv",
}  # fmt: skip


class Inbox(InboxSource):
    """Take records that partners post to `sendoff serve`, at `/inbox/NAME`: a JSON object or an array, JSON Lines, or CSV.

    A post is on disk before the response, a 202, and stays there until a run has taken it over. With `watch: true` a run
    begins as soon as something has come; with a `schedule`, when that is due.
    """

    name = "inbox"
    options = {
        "token": {"type": "string", "minlength": 16, "meta": {"help": "Who may post: `Authorization: Bearer TOKEN`. At least 16 characters, best as `${env:…}`.", "secret": True}},
        "max_body": {"type": "integer", "min": 1, "max": 1 << 30, "default": 10_000_000, "meta": {"help": "Maximum bytes of one post; larger ones get a 413."}},
        "max_waiting": {"type": "integer", "min": 1, "default": 1_000_000_000, "meta": {"help": "Maximum bytes that may wait for a run; more get a 503."}},
    }  # fmt: skip
    token: str
    max_body: int
    max_waiting: int
    _inboxes: Inboxes | None = None

    def accept(self, content_type: str, body: bytes, key: str | None) -> bool:
        kind = KINDS.get(content_type.partition(";")[0].strip().lower())
        if kind is None:
            raise LookupError(f"a post is {', '.join(KINDS)}; this is {content_type or 'of no type'}")
        try:
            faults = self._faults(kind, body)
        except SourceError as error:
            raise ValueError(str(error)) from None
        if faults:
            raise ValueError(f"record {faults[0][0]}: {faults[0][1]}")
        return self._opened().put(self.connector, kind, body, key=key, most_bytes=self.max_waiting)

    def _faults(self, kind: str, body: bytes) -> list[tuple[int, str]]:
        """The faulty records of a post, by their number. Raises `SourceError` for a post that cannot be read at all."""
        limit, before, faults = ColumnLimit(self.max_columns), 0, list[tuple[int, str]]()
        for page in _pages(kind, body, "the post", self.max_columns):
            limit.add("the post", page.line(0), page.frame.columns)
            faults += [(before + at + 1, fault) for at, fault in page.row_errors.items()]
            before += page.frame.height
        return faults

    def close(self) -> None:
        if self._inboxes is not None:
            self._inboxes.close()
            self._inboxes = None

    def read(self, cursor: Any) -> Iterator[Page]:
        before = int(cursor or 0)
        with closing(open_inboxes(self._directory)) as inboxes:
            if before:
                # The last run has read these posts, so they need not be kept here.
                inboxes.acknowledge(self.connector, before)
            self.next_cursor = before or None
            for post in inboxes.waiting(self.connector, before):
                yield from self._post(post)
                self.next_cursor = post.id

    def peek(self) -> Iterator[Page] | None:
        """Without a cursor no post counts as taken."""
        return self.read(None) if self.change_token() else None

    def _post(self, post: Post) -> Iterator[Page]:
        name = f"post {post.id}"
        for page in _pages(post.kind, post.body, name, self.max_columns):
            yield replace(page, file=name, uniform=False)

    def change_token(self) -> Any:
        return last_post_id(self._directory, self.connector)

    @property
    def _directory(self) -> Path:
        return self.state or self.home / ".sendoff"

    def _opened(self) -> Inboxes:
        if self._inboxes is None:
            self._inboxes = open_inboxes(self._directory)
        return self._inboxes


def _pages(kind: str, body: bytes, name: str, max_columns: int) -> Iterator[Page]:
    stream = io.BytesIO(body)
    if kind == "csv":
        return read_table(stream, name, Dialect(), max_columns=max_columns)
    if kind == "jsonl":
        return pages(read_lines(stream, name, max_columns), max_columns=max_columns)
    if body.lstrip()[:1] == b"{":
        return read_array(io.BytesIO(b"[" + body + b"]"), name, [], max_columns)
    return read_array(stream, name, [], max_columns)


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Inbox]
