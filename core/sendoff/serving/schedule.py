"""Which connectors are due, and whether what lies before a source has come to rest."""

from __future__ import annotations

from collections.abc import Mapping

from sendoff.config.schedule import Due, ScheduleRule, due

#: Seconds that what has landed must stay as it is before it is taken to be whole.
QUIET = 2.0


class Debouncer:
    """Whether what lies before a source has changed and come to rest."""

    def __init__(self) -> None:
        self._taken: object = None
        self._seen: object = None
        self._since = 0.0

    def settled(self, token: object, now: float) -> bool:
        """Whether there is something new that has not changed for a while. Once True was returned, it counts as taken."""
        if token != self._seen:
            self._seen, self._since = token, now
        if not token or token == self._taken or now - self._since < QUIET:
            return False
        self._taken = token
        return True


class Schedule:
    """The schedules of some connectors."""

    def __init__(self, schedules: Mapping[str, ScheduleRule], fired: Mapping[str, float]) -> None:
        self._schedules = schedules
        self._fired = dict(fired)

    def due(self, now: float) -> dict[str, Due]:
        """What is due now, by connector."""
        found = {name: due(schedule, self._fired[name], now) for name, schedule in self._schedules.items()}
        return {name: one for name, one in found.items() if one is not None}

    def mark_obeyed(self, name: str, fired: float) -> float:
        """Take a connector's schedule for obeyed up to a time; returns up to when it was before."""
        before, self._fired[name] = self._fired[name], fired
        return before
