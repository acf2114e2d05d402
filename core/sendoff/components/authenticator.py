"""Authenticators: how requests are authenticated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from sendoff.components.component import Component
from sendoff.transport.protocol import Request, SendOne


class Authenticator(Component, ABC):
    """How requests are authenticated. Its methods are called from several threads at once."""

    kind = "authenticators"
    #: The headers it adds, for `sendoff preview`.
    headers: ClassVar[Sequence[str]] = ("Authorization",)

    def start(self, send: SendOne) -> None:
        """A run begins; `send` sends a request of the authenticator's own, by the destination's transport and filter."""

    @abstractmethod
    def sign(self, request: Request) -> Mapping[str, str]:
        """The headers to add to a request that is about to leave. Raises `AuthError` if there are no credentials."""

    def fetch(self) -> str:
        """Get what it signs with, where that has to be fetched or read, and say so in a sentence; "" if nothing has to be.

        Raises `AuthError`. `sendoff check --connect` calls it.
        """
        return ""

    def renew(self, request: Request) -> bool:
        """The API responded 401 to this request: whether to try again with what `sign` returns now."""
        return False

    def secrets(self) -> Iterable[str]:
        """The secrets known so far, which must never be shown."""
        return ()
