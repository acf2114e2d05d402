"""Events through Python's `logging`."""

import logging

from sendoff.plugin import Event, Observer, RunInfo, RunProgressed, RunStarted, hookimpl

_log = logging.getLogger("sendoff")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
#: Seconds of a run after which its progress is of level INFO once more.
PROGRESS_SECONDS = 60.0


class Log(Observer):
    """Log what happens under the name `sendoff`; where it goes is left to the application.

    Each log record has `event`, `connector`, `run` and `fields` besides its sentence. Requests, and progress more often than
    once a minute, are of level DEBUG.
    """

    name = "log"
    default_for = ("log",)

    @property
    def per_request(self) -> bool:
        return _log.isEnabledFor(logging.DEBUG)

    def on_event(self, run: RunInfo, event: Event) -> None:
        level = _LEVELS[event.severity()]
        if isinstance(event, RunStarted):
            self._progress_due = PROGRESS_SECONDS
        elif isinstance(event, RunProgressed) and event.seconds >= self._progress_due:
            level, self._progress_due = logging.INFO, event.seconds + PROGRESS_SECONDS
        if _log.isEnabledFor(level):
            facts = {"event": event.name, "connector": run.connector, "run": run.run, "fields": event.fields()}
            _log.log(level, "%s: %s", run.connector, event.sentence(), extra=facts)


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [Log]
