"""Events of one kind that come again and again, counted instead of shown one by one."""

from __future__ import annotations

from dataclasses import dataclass

from sendoff.plugin import RetryScheduled

#: Seconds within which events of one kind are shown once.
EVERY = 10.0


@dataclass
class _Kind:
    shown_at: float
    total: int = 1
    seconds: float = 0.0
    #: Those since the last line.
    unshown: int = 0
    unshown_seconds: float = 0.0


class Folding:
    """Says which retries are shown, and counts the others by kind: the status, or what failed."""

    def __init__(self, times: str = "x") -> None:
        self._times = times
        self._kinds: dict[str, _Kind] = {}

    def add(self, event: RetryScheduled, now: float, *, only_first: bool) -> str | None:
        """The line that is to be shown for a retry, or None. Later ones are shown from time to time, if at all."""
        name = event.reason.split(": ", 1)[0]
        kind = self._kinds.get(name)
        if kind is None:
            self._kinds[name] = _Kind(now, seconds=event.seconds)
            return event.sentence()
        kind.total, kind.seconds = kind.total + 1, kind.seconds + event.seconds
        kind.unshown, kind.unshown_seconds = kind.unshown + 1, kind.unshown_seconds + event.seconds
        if only_first or now - kind.shown_at < EVERY:
            return None
        count, seconds = kind.unshown, kind.unshown_seconds
        kind.shown_at, kind.unshown, kind.unshown_seconds = now, 0, 0.0
        return event.sentence() if count == 1 else self._line(name, count, seconds, " more")

    def most_often(self) -> str | None:
        """The kind that came most often, in a few words; None if nothing came twice."""
        name = max(self._kinds, key=lambda name: self._kinds[name].total, default=None)
        if name is None or self._kinds[name].total < 2:
            return None
        return self._line(name, self._kinds[name].total, self._kinds[name].seconds)

    def totals(self, requests_a_second: float) -> list[str]:
        """A line for each kind of which not all were shown, with what avoids it if that is known."""
        lines = []
        for name, kind in self._kinds.items():
            if kind.unshown:
                limit = _rate_limit(requests_a_second) if name == "429" and kind.total > 2 else ""
                hint = f"; `rate_limit: {limit}` under `destination` would avoid it" if limit else ""
                lines.append(self._line(name, kind.total, kind.seconds) + hint)
        return lines

    def _line(self, name: str, count: int, seconds: float, more: str = "") -> str:
        each = seconds / count
        wait = f", waiting {each:.1f} s each" if each >= 0.05 else ""
        return f"{name} {self._times} {count:,}{more}{wait}"


def _rate_limit(requests_a_second: float) -> str:
    """What the API has taken, as a connector file says it; empty if too little was sent to know."""
    if requests_a_second >= 1:
        return f"{int(requests_a_second)}/s"
    a_minute = int(requests_a_second * 60)
    return f"{a_minute}/m" if a_minute else ""
