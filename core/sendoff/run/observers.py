"""The observers of a run, as one: an observer that raises is removed, and the run continues."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping

from sendoff.cleaning import clean
from sendoff.components import Observer
from sendoff.errors import PluginCrash

_log = logging.getLogger("sendoff")


class ObserverGroup:
    """Calls every observer, in order. One that raises is logged and not called again."""

    def __init__(self, connector: str, observers: Iterable[Observer], redact: Callable[[str], str] = str) -> None:
        self._connector, self._redact = connector, redact
        self._observers = list(observers)

    def started(self, run: int, facts: Mapping[str, object]) -> None:
        self._notify(lambda observer: observer.started(self._connector, run, facts))

    def progressed(self, counts: Mapping[str, int], seconds: float) -> None:
        self._notify(lambda observer: observer.progressed(self._connector, counts, seconds))

    def event(self, name: str, facts: Mapping[str, object]) -> None:
        facts = {key: clean(self._redact(value)) if isinstance(value, str) else value for key, value in facts.items()}
        self._notify(lambda observer: observer.event(self._connector, name, facts))

    def ended(self, report: object) -> None:
        self._notify(lambda observer: observer.ended(self._connector, report))

    def _notify(self, call: Callable[[Observer], None]) -> None:
        for observer in list(self._observers):
            try:
                call(observer)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                sentence = self._redact(str(PluginCrash.of(error, observer)))
                _log.warning("%s: %s; it is left out", self._connector, sentence)
                _log.debug(self._redact("".join(traceback.format_exception(error)).rstrip()))
                self._observers.remove(observer)
