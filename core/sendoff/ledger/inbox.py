"""Received posts of the inbound webhook: durable before they are acknowledged, kept until a run has spooled them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple


class Post(NamedTuple):
    """One post: its number, which only grows, its format, and its bytes."""

    id: int
    kind: str
    body: bytes


class InboxFull(Exception):
    """There is no room for the post. The text is shown to the user."""


class KeyReused(Exception):
    """Another post with the same key came before. The text is shown to the user."""


class Inboxes(ABC):
    """The posts of all inboxes of a state directory. Thread-safe, and used by several processes at once."""

    @abstractmethod
    def close(self) -> None:
        """Close them; nothing else may be called then."""

    @abstractmethod
    def put(self, inbox: str, kind: str, body: bytes, *, key: str | None, most_bytes: int) -> bool:
        """Store a post; when this returns it survives a power cut. False if the same post with its key came before.

        Raises `KeyReused` if another post with its key came before, `InboxFull` if more than `most_bytes` would wait in the
        inbox, keys included, and `LedgerError`.
        """

    @abstractmethod
    def waiting(self, inbox: str, after: int) -> Iterator[Post]:
        """The waiting posts with a number above `after`, in order."""

    @abstractmethod
    def last_post_id(self, inbox: str) -> int:
        """The number of the last post that waits; 0 if none does."""

    @abstractmethod
    def acknowledge(self, inbox: str, upto: int) -> None:
        """Delete the bodies of posts that a run has spooled; their keys are kept for a month, to recognise repeats."""
