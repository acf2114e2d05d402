"""One status line on a terminal; a plain line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any

from sendoff.plugin import Observer, Report, hookimpl


class Progress(Observer):
    """Show how a run goes, on standard error."""

    name = "progress"
    default_for = ("terminal",)

    def started(self, connector: str, run: int, facts: Mapping[str, Any]) -> None:
        self._begun = self._shown = time.monotonic()
        self._live = sys.stderr.isatty()
        self._rates: list[tuple[float, int]] = []
        if facts.get("resumed"):
            self._line(f"{connector}: resuming run {run}, {facts['delivered']:,} delivered before{_repeats(facts)}")

    def progressed(self, connector: str, counts: Mapping[str, int], seconds: float) -> None:
        now = time.monotonic()
        if now - self._shown < (0.1 if self._live else 10):
            return
        self._shown = now
        self._rates = [*self._rates[-20:], (now, counts["delivered"])]
        text = f"{connector}: {_counted(counts)}{self._throughput(counts)}"
        if self._live:
            sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()
        else:
            self._line(text)

    def event(self, connector: str, name: str, facts: Mapping[str, Any]) -> None:
        if name == "retry":
            self._line(f"{connector}: {facts['reason']}; trying again in {facts['seconds']:.1f} s")
        elif name == "unread_failure":
            self._line("\n  ".join([f"{connector}: warning: {facts['reason']}:", *facts["add"]]))
        elif name == "waiting":
            until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() + facts["seconds"]))
            self._line(f"{connector}: {facts['reason']}; nothing is sent until {until}")

    def ended(self, connector: str, report: Report) -> None:
        if getattr(self, "_live", False):
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _throughput(self, counts: Mapping[str, int]) -> str:
        (then, before), (now, delivered) = self._rates[0], self._rates[-1]
        rate = (delivered - before) / (now - then) if now > then else 0
        left = counts["read"] - counts["delivered"] - counts["invalid"] - counts["rejected"]
        if not rate:
            return ""
        return f", {rate:,.0f} a second" + (f", {left / rate:.0f} s left" if left and counts.get("whole") else "")

    def _line(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}\n" if getattr(self, "_live", False) else f"{text}\n")
        sys.stderr.flush()


def _repeats(facts: Mapping[str, Any]) -> str:
    """What a resumed run sends again."""
    again, uncertain = facts.get("may_be_repeated", 0), facts.get("uncertain", 0)
    others = f"; up to {again - uncertain:,} others may have been sent too" if again > uncertain > 0 else ""
    if uncertain:
        times = "once" if facts["sends"] == 1 else f"up to {facts['sends']:,} times"
        fate = facts["maybe_applied_as"]
        becomes = f"they count as {fate}" if fate else "they are sent again with their keys"
        records = "1 record was" if uncertain == 1 else f"{uncertain:,} records were"
        becomes = becomes.replace("they are", "it is").replace("they count", "it counts") if uncertain == 1 else becomes
        return f"; {records} sent {times} and may have been applied: {becomes}{others}"
    return f"; up to {again:,} records may have been sent before, and are sent again with their keys" if again else ""


def _counted(counts: Mapping[str, int]) -> str:
    parts = [f"{counts['delivered']:,} delivered" + (f" ({only:,} accepted only)" if (only := counts.get("accepted")) else "")]
    parts += [f"{counts[name]:,} {name}" for name in ("rejected", "invalid") if counts[name]]
    return ", ".join(parts)


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [Progress]
