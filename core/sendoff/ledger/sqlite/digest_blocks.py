"""The digests of a connector's delivered rows, sorted and in blocks, so that ten million are read in a moment.

They are those of `remembered.state`, kept once more: a change of both is one transaction.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator

DIGEST_BYTES = 16
#: A block of more digests than twice these is cut.
_BLOCK = 4096


class DigestChanges:
    """Digests to add and to drop, kept as a few long strings, as they may be those of all rows.

    The last word on each counts. The shorter digests of versions before 10 are none of them.
    """

    def __init__(self) -> None:
        self._words = [bytearray() for _ in range(256)]

    def add(self, digest: bytes) -> None:
        if len(digest) == DIGEST_BYTES:
            self._words[digest[0]] += digest + b"+"

    def drop(self, digest: bytes) -> None:
        if len(digest) == DIGEST_BYTES:
            self._words[digest[0]] += digest + b"-"

    def sets(self) -> Iterator[tuple[set[bytes], set[bytes]]]:
        """Those to add and those to drop, some at a time, in order."""
        step = DIGEST_BYTES + 1
        for words in self._words:
            last = {bytes(words[at : at + DIGEST_BYTES]): words[at + DIGEST_BYTES] for at in range(0, len(words), step)}
            added = {digest for digest, word in last.items() if word == ord("+")}
            yield added, last.keys() - added


def read_blocks(db: sqlite3.Connection, memory_id: int) -> Iterator[bytes]:
    """The blocks, in order."""
    for row in db.execute("SELECT digests FROM digest_block WHERE memory = ? ORDER BY first", (memory_id,)):
        yield row[0]


def update_blocks(db: sqlite3.Connection, memory_id: int, changes: DigestChanges) -> None:
    """Add and drop digests: only the blocks they are in are written. Called within a transaction."""
    for added, removed in changes.sets():
        changed = sorted(added | removed)
        at = 0
        while at < len(changed):
            first, digests = _block_of(db, memory_id, changed[at])
            after = db.execute(
                "SELECT min(first) FROM digest_block WHERE memory = ? AND first > ?", (memory_id, first)
            ).fetchone()[0]
            end = len(changed) if after is None else bisect_left(changed, after, at)
            kept = sorted((_split(digests) - removed) | added.intersection(changed[at:end]))
            db.execute("DELETE FROM digest_block WHERE memory = ? AND first = ?", (memory_id, first))
            step = _BLOCK if len(kept) > 2 * _BLOCK else 2 * _BLOCK
            # The first keeps its name, as what is smaller than its digests may be added to it too.
            db.executemany(
                "INSERT INTO digest_block(memory, first, digests) VALUES (?, ?, ?)",
                ((memory_id, kept[lo] if lo else first, b"".join(kept[lo : lo + step])) for lo in range(0, len(kept), step)),
            )
            at = end


def _block_of(db: sqlite3.Connection, memory_id: int, digest: bytes) -> tuple[bytes, bytes]:
    """The block that a digest belongs to: the name of the block, and what is in it."""
    query = "SELECT first, digests FROM digest_block WHERE memory = ? AND first <= ? ORDER BY first DESC LIMIT 1"
    row = db.execute(query, (memory_id, digest)).fetchone()
    return (row[0], row[1]) if row else (b"", b"")


def _split(joined: bytes) -> set[bytes]:
    return {joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES)}
