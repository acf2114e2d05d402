"""Events through Python's `logging`."""

import logging

from sendoff.plugin import Event, Observer, RequestCompleted, RunInfo, RunProgressed, hookimpl

_log = logging.getLogger("sendoff")


class Log(Observer):
    """Log what happens under the name `sendoff`; where it goes is left to the application."""

    name = "log"

    def on_event(self, run: RunInfo, event: Event) -> None:
        level = logging.getLevelName(event.level.upper())
        if not isinstance(event, RunProgressed | RequestCompleted):
            _log.log(level, "%s: %s", run.connector, event.sentence())


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [Log]
