"""What monitors ask `sendoff serve`: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for supervisors.

All are GET, without credentials: the port is for monitors, not for the outside. Errors name no secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sendoff.cleaning import clean
from sendoff.config import cron
from sendoff.errors import SendoffError
from sendoff.ledger import open_ledger
from sendoff.ledger.claims import UNFINISHED
from sendoff.ledger.history import is_void
from sendoff.monitoring import metrics
from sendoff.monitoring.metrics import Metrics
from sendoff.runner import Runner
from sendoff.serving.server import Server
from sendoff.serving.web import Handler, Listener

#: Seconds after which a loop that has not come round is stuck.
STUCK = 60.0
#: Seconds for which what was found out about connectors and the ledger is answered again.
FRESH = 5.0


class Monitor:
    """What is known of a server and its runs."""

    def __init__(self, server: Server, counted: Metrics, runner: Callable[[], Runner], version: str) -> None:
        self._server, self._metrics, self._runner = server, counted, runner
        self._checked: tuple[float, dict[str, str]] = (float("-inf"), {})
        counted.set(metrics.BUILD, (version,), 1)

    def health(self) -> tuple[bool, dict[str, str]]:
        """Whether the loop that begins runs moves, and why not."""
        idle = self._server.idle_seconds
        return idle < STUCK, {"scheduler": "ok" if idle < STUCK else f"has not looked for {idle:.0f} s"}

    def readiness(self) -> tuple[bool, dict[str, str]]:
        """Whether runs can begin and be recorded, and of each part why not."""
        found = {**self.health()[1], **self._parts()}
        if self._server.is_stopping:
            found["scheduler"] = "is ending"
        return all(said == "ok" for said in found.values()), found

    def _parts(self) -> dict[str, str]:
        at, known = self._checked
        if time.monotonic() - at >= FRESH:
            runner = self._runner()
            known = {"ledger": _problem(lambda: _write_nothing(runner)), "connectors": _problem(lambda: _load_all(runner))}
            self._checked = (time.monotonic(), known)
        return known

    def text(self, *, openmetrics: bool) -> str:
        """The metrics, with what the ledger and the schedules say now."""
        runner = self._runner()
        if runner.history.exists():
            runs, still_open = runner.history.runs(), runner.history.open_failures()
            for name in self._server.connectors:
                own = [run for run in runs if run["connector"] == name]
                self._metrics.set(metrics.FAILED, (name,), sum(still_open.get(run["id"], 0) for run in own))
                unfinished = bool(own) and own[0]["state"] in UNFINISHED and not is_void(own[0])
                self._metrics.set(metrics.PENDING, (name,), own[0]["pending"] if unfinished else 0)
                ended = next((run for run in own if run["ended_at"] is not None), None)
                if ended is not None and ended["ended_at"] is not None:
                    counts = {outcome: ended[outcome] for outcome in metrics.OUTCOMES}  # type: ignore[literal-required]  # outcomes are columns of a run
                    self._metrics.set_last_run(name, counts, ended["seconds"], ended["ended_at"], ended["accepted"])
                success = next((run["ended_at"] for run in own if run["state"] == "complete" and run["ended_at"]), None)
                if success is not None:
                    self._metrics.set(metrics.LAST_SUCCESS, (name,), success)
        under_way = self._server.under_way
        for name, chosen in self._server.connectors.items():
            self._metrics.set(metrics.ACTIVE, (name,), int(name in under_way))
            if chosen.schedule:
                due = cron.next_due(chosen.schedule.cron, chosen.schedule.timezone, time.time())
                self._metrics.set(metrics.NEXT, (name,), due)
        return self._metrics.text(openmetrics=openmetrics)


def listen(monitor: Monitor, host: str, port: int) -> Listener:
    """Answer monitors at an address until closed. Raises `OSError` for an address that cannot be had."""
    return Listener([(r".*", MonitoringHandler, {"monitor": monitor})], host, port)


class MonitoringHandler(Handler):
    """Answers monitors."""

    def initialize(self, monitor: Monitor) -> None:
        self._monitor = monitor

    async def get(self) -> None:
        match self.request.path:
            case "/metrics":
                openmetrics = "application/openmetrics-text" in self.request.headers.get("Accept", "")
                text = await self.run_in_thread(lambda: self._monitor.text(openmetrics=openmetrics))
                self.set_header("Content-Type", metrics.OPENMETRICS if openmetrics else metrics.TEXT)
                await self.finish(text)
            case "/healthz":
                self._answer(*self._monitor.health())
            case "/readyz":
                self._answer(*await self.run_in_thread(self._monitor.readiness))
            case _:
                self.respond(404, {"error": "there are /metrics, /healthz and /readyz"})

    head = get

    def _answer(self, well: bool, parts: Mapping[str, str]) -> None:
        self.respond(200 if well else 503, {"ok": well, **parts})


def _problem(step: Callable[[], None]) -> str:
    try:
        step()
    except SendoffError as error:
        return clean(str(error))
    except OSError as error:
        return f"{type(error).__name__}: {clean(error.strerror or '')}"
    return "ok"


def _write_nothing(runner: Runner) -> None:
    """Have the ledger write, what changes nothing."""
    ledger = open_ledger(runner.state)
    try:
        ledger.forget_outage("")
    finally:
        ledger.close()


def _load_all(runner: Runner) -> None:
    for file in runner.found().files.values():
        runner.load(file)
