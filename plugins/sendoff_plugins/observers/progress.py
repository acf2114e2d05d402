"""One status line on a terminal; a plain line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

from sendoff.plugin import (
    Event,
    FailureUnread,
    Observer,
    RetryScheduled,
    RunEnded,
    RunInfo,
    RunProgressed,
    RunStarted,
    SendingPaused,
    hookimpl,
)


class Progress(Observer):
    """Show how a run goes, on standard error."""

    name = "progress"
    default_for = ("terminal",)
    _live = False

    def on_event(self, run: RunInfo, event: Event) -> None:
        match event:
            case RunStarted():
                self._started(run, event)
            case RunProgressed():
                self._progressed(run.connector, event)
            case RetryScheduled():
                self._line(f"{run.connector}: {event.sentence()}")
            case FailureUnread():
                self._line("\n  ".join([f"{run.connector}: warning: {event.reason}:", *event.add]))
            case SendingPaused():
                until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + event.seconds))
                self._line(f"{run.connector}: {event.reason}; nothing is sent until {until}")
            case RunEnded() if self._live:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()

    def _started(self, run: RunInfo, event: RunStarted) -> None:
        self._shown = time.monotonic()
        self._live = sys.stderr.isatty()
        self._rates: list[tuple[float, int]] = []
        if event.resumed:
            self._line(f"{run.connector}: resuming run {run.run}, {event.delivered:,} delivered before{_repeats(event)}")

    def _progressed(self, connector: str, event: RunProgressed) -> None:
        now = time.monotonic()
        if now - self._shown < (0.1 if self._live else 10):
            return
        self._shown = now
        self._rates = [*self._rates[-20:], (now, event.delivered)]
        text = f"{connector}: {_counted(event)}{self._throughput(event)}"
        if self._live:
            sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()
        else:
            self._line(text)

    def _throughput(self, event: RunProgressed) -> str:
        (then, before), (now, delivered) = self._rates[0], self._rates[-1]
        rate = (delivered - before) / (now - then) if now > then else 0
        left = event.read - event.delivered - event.invalid - event.rejected
        if not rate:
            return ""
        return f", {rate:,.0f} a second" + (f", {left / rate:.0f} s left" if left and event.source_read else "")

    def _line(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}\n" if self._live else f"{text}\n")
        sys.stderr.flush()


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
