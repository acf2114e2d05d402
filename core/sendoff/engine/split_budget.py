"""Limits of splitting: a number of requests, and a share of records that fail."""

from __future__ import annotations

from sendoff.components import FailureStrategy

#: Failed single records before their share is looked at.
MANY = 200


class SplitBudget:
    """Counts what one process splits; checked before every split."""

    def __init__(self, strategy: FailureStrategy) -> None:
        self._requests = strategy.max_requests
        self._ratio = strategy.max_failed_ratio
        self._splits = self._good = self._bad = 0

    def delivered(self, records: int) -> None:
        self._good += records

    def rejected(self, records: int) -> None:
        self._bad += records

    def split(self) -> None:
        """A request is split."""
        self._splits += 1

    def spent(self, planned: int) -> str | None:
        """Why nothing more may be split, in a sentence; None while it may."""
        most = self._requests if self._requests is not None else 2_000 + 40 * (planned // 1_000)
        # A split makes two requests or more; which of them travel is known only later.
        if 2 * (self._splits + 1) > most:
            return f"splitting has cost {2 * self._splits:,} requests, more than on_failure.max_requests allows"
        tried = self._good + self._bad
        if self._bad >= MANY and self._bad > self._ratio * tried:
            return (
                f"{self._bad:,} of {tried:,} records were rejected, more than on_failure.max_failed_ratio allows: "
                "it may not be the records"
            )
        return None
