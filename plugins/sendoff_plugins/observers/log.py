"""Events through Python's `logging`."""

import logging
from collections.abc import Mapping
from typing import Any

from sendoff.plugin import Observer, Report, hookimpl

_log = logging.getLogger("sendoff")
#: Events that a person should see.
_WARNINGS = ("retry", "stop", "waiting", "unverified", "unread_failure")


class Log(Observer):
    """Log what happens under the name `sendoff`; where it goes is left to the application."""

    name = "log"

    def started(self, connector: str, run: int, facts: Mapping[str, Any]) -> None:
        _log.info("%s: run %d %s", connector, run, "is resumed" if facts.get("resumed") else "begins")

    def event(self, connector: str, name: str, facts: Mapping[str, Any]) -> None:
        text = ", ".join(f"{key} {value}" for key, value in facts.items())
        _log.log(logging.WARNING if name in _WARNINGS else logging.DEBUG, "%s: %s: %s", connector, name, text)

    def ended(self, connector: str, report: Report) -> None:
        _log.info("%s: %s", connector, report.sentence())


@hookimpl
def sendoff_observers() -> list[type[Observer]]:
    return [Log]
