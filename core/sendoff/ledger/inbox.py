"""The posts that an inbound webhook receives."""

from __future__ import annotations

from typing import NamedTuple


class Post(NamedTuple):
    """One post: its number, which only grows, its format, and its bytes."""

    id: int
    kind: str
    body: bytes


class InboxFull(Exception):
    """There is no room for the post. The text is shown to the user."""
