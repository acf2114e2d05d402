"""How a run goes, on standard error: a bar on a terminal; a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from sendoff.plugin import (
    Event,
    FailureUnread,
    Observer,
    RetryScheduled,
    RunAborted,
    RunEnded,
    RunInfo,
    RunProgressed,
    RunStarted,
    SendingPaused,
    hookimpl,
)
from sendoff_plugins.observers._progress.folding import Folding
from sendoff_plugins.observers._progress.throughput import Throughput

if TYPE_CHECKING:
    from sendoff_plugins.observers._progress.live import Live, State

#: Seconds between two lines where there is no terminal.
EVERY = 10.0
#: A wait is shown if nothing has come through for so many seconds.
_QUIET = 0.5


class Progress(Observer):
    """Show how a run goes, on standard error."""

    name = "progress"
    default_for = ("terminal",)
    _live: Live | None = None

    def on_event(self, run: RunInfo, event: Event) -> None:
        match event:
            case RunStarted():
                self._start(run, event)
            case RunProgressed():
                self._progressed(event)
            case RetryScheduled():
                self._waits(event.reason, event.seconds)
                if line := self._folding.add(event, time.monotonic(), only_first=self._live is not None):
                    self._say(f"{run.connector}: {line}")
            case FailureUnread():
                self._say(f"{run.connector}: warning: {event.reason}:", *(f"  {line}" for line in event.add))
            case SendingPaused():
                self._paused(run, event)
            case RunEnded() | RunAborted():
                self._end(run)

    def _start(self, run: RunInfo, event: RunStarted) -> None:
        self._run = run
        self._event: RunProgressed | None = None
        self._begun = self._shown = self._moved = time.monotonic()
        self._measured: Throughput | None = None
        self._wait = ("", 0.0)
        self._pauses: dict[str, float] = {}
        utf8 = "utf" in (sys.stderr.encoding or "").lower()
        self._folding = Folding("\N{MULTIPLICATION SIGN}" if utf8 else "x")
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            from sendoff_plugins.observers._progress.live import Live  # noqa: PLC0415  # rich is for terminals

            self._live = Live(self._state)
        if event.resumed:
            self._say(f"{run.connector}: resuming run {run.run}, {event.delivered:,} delivered before{_repeats(event)}")

    def _progressed(self, event: RunProgressed) -> None:
        now, settled = time.monotonic(), _settled(event)
        if self._event is None or settled != _settled(self._event):
            self._moved = now
        self._event = event
        if self._measured is None:
            self._measured = Throughput(now, settled)
        self._measured.note(now, settled)
        if self._live is None and now - self._shown >= EVERY:
            self._shown = now
            self._say(f"{self._run.connector}: {_counted(event)}{self._throughput(event, self._measured, now)}")

    def _throughput(self, event: RunProgressed, measured: Throughput, now: float) -> str:
        left = measured.seconds_left(now, event.read - _settled(event))
        if not measured.rate:
            return ""
        return f", {measured.rate:,.0f} a second" + (f", {left:.0f} s left" if left and event.source_read else "")

    def _paused(self, run: RunInfo, event: SendingPaused) -> None:
        """Say until when nothing is sent; of one reason, once in a while."""
        self._waits(event.reason, event.seconds)
        now, kind = time.monotonic(), event.reason.split(": ", 1)[0]
        if now - self._pauses.get(kind, -EVERY) >= EVERY:
            self._pauses[kind] = now
            until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + event.seconds))
            self._say(f"{run.connector}: {event.reason}; nothing is sent until {until}")

    def _waits(self, reason: str, seconds: float) -> None:
        self._wait = (reason, max(self._wait[1], time.monotonic() + seconds))

    def _end(self, run: RunInfo) -> None:
        event = self._event
        rate = (event.requests - event.retries) / event.seconds if event is not None and event.seconds else 0.0
        for line in self._folding.totals(rate):
            self._say(f"{run.connector}: {line}")
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _say(self, *lines: str) -> None:
        if self._live is not None:
            self._live.say(lines)
        else:
            sys.stderr.write("\n".join(lines) + "\n")
            sys.stderr.flush()

    def _state(self) -> State:
        """What the terminal shows now."""
        from sendoff_plugins.observers._progress.live import State  # noqa: PLC0415

        now, event, measured, state = time.monotonic(), self._event, self._measured, State()
        state.name, elapsed = self._run.connector, _clock(now - self._begun)
        reason, until = self._wait
        waits = until - now if until > now and now - self._moved > _QUIET else 0.0
        if waits >= 1:
            state.trouble = f"waiting {waits:.0f} s, then trying again: {reason}"
        elif folded := self._folding.most_often():
            state.trouble = folded
        if event is None or measured is None:
            state.amount, state.timing = "reading", elapsed
            return state
        settled, total = _settled(event), event.read if event.source_read else event.expected
        if total is not None:
            total = max(total, event.read)
            about = "" if event.source_read else "about "
            state.share = settled / total if total else 1.0
            state.amount = f"{settled:,} of {about}{total:,}"
        else:
            state.amount = f"{settled:,} of {event.read:,} read so far"
        state.counted = _counted(event) if settled else "waiting for the first response"
        left = None if total is None else measured.seconds_left(now, total - settled, waits)
        rate = f"{measured.rate:,.0f}/s, " if measured.rate >= 1 else ""
        state.timing = f"{rate}{elapsed}" + (f", {_clock(left)} left" if left is not None else "")
        return state


def _settled(event: RunProgressed) -> int:
    return event.delivered + event.rejected + event.invalid


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _repeats(event: RunStarted) -> str:
    """What a resumed run sends again."""
    again, uncertain = event.may_be_repeated, event.uncertain
    others = f"; up to {again - uncertain:,} others may have been sent too" if again > uncertain > 0 else ""
    if uncertain:
        times = "once" if event.sends == 1 else f"up to {event.sends:,} times"
        fate = event.maybe_applied_as
        becomes = f"they count as {fate}" if fate else "they are sent again with their keys"
        records = "1 record was" if uncertain == 1 else f"{uncertain:,} records were"
        becomes = becomes.replace("they are", "it is").replace("they count", "it counts") if uncertain == 1 else becomes
        return f"; {records} sent {times} and may have been applied: {becomes}{others}"
    return f"; up to {again:,} records may have been sent before, and are sent again with their keys" if again else ""


def _counted(event: RunProgressed) -> str:
    parts = [f"{event.delivered:,} delivered" + (f" ({event.accepted:,} accepted only)" if event.accepted else "")]
    parts += [f"{count:,} {name}" for name in ("rejected", "invalid") if (count := getattr(event, name))]
    return ", ".join(parts)


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [Progress]
