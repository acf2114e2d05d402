"""The observers of a run, as one: an observer that raises is removed, and the run continues."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from sendoff.cleaning import clean
from sendoff.components import Observer
from sendoff.errors import PluginCrash
from sendoff.monitoring.events import Event, RequestCompleted, RunInfo
from sendoff.response import Verdict, VerdictKind
from sendoff.transport.protocol import Completion, Request, RequestBurst, Response

_log = logging.getLogger("sendoff")


class ObserverGroup:
    """Passes events to every observer, in order, without secrets. One that raises is logged and left out from then on."""

    def __init__(self, run: RunInfo, observers: Iterable[Observer], redact: Callable[[str], str] = str) -> None:
        self._observers: list[Observer] = []
        for observer in observers:  # one that the command line adds, and the connector names too, is one
            if observer.options or type(observer) not in map(type, self._observers):
                self._observers.append(observer)
        self._redact = redact
        self._safe = lru_cache(1024)(lambda text: clean(redact(text)))
        self._run = msgspec.structs.replace(run, url=self._safe(run.url))
        #: Those that want an event of every request.
        self._of_requests = [observer for observer in self._observers if observer.per_request]

    @property
    def per_request(self) -> bool:
        """Whether any of them wants an event of every request."""
        return bool(self._of_requests)

    def notify(self, events: Iterable[Event]) -> None:
        """Pass these events on, one after the other."""
        for event in events:
            safe = self._without_secrets(event)
            for observer in [*(self._of_requests if isinstance(event, RequestCompleted) else self._observers)]:
                try:
                    observer.on_event(self._run, safe)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    sentence = self._redact(str(PluginCrash.of(error, observer)))
                    _log.warning("%s: %s; it is left out", self._run.connector, sentence)
                    _log.debug(self._redact("".join(traceback.format_exception(error)).rstrip()))
                    self._observers.remove(observer)
                    self._of_requests = [each for each in self._of_requests if each is not observer]

    def _without_secrets(self, event: Event) -> Event:
        if isinstance(event, RequestCompleted) and not event.reason and self._safe(event.url) == event.url:
            return event  # most of what comes, and nothing else in it is a text from outside
        changed: dict[str, object] = {}
        for name in event.__struct_fields__:
            value = getattr(event, name)
            if isinstance(value, str) and (safe := self._safe(value)) != value:
                changed[name] = safe
            elif isinstance(value, list):
                changed[name] = [self._safe(text) for text in value]
        return msgspec.structs.replace(event, **changed) if changed else event


def request_event(request: Request, response: Response, verdict: Verdict) -> RequestCompleted:
    """The event of a request that came to its end."""
    return RequestCompleted(
        method=request.method, url=request.url, status=response.status, verdict=verdict.kind.value, reason=verdict.reason,
        seconds=response.seconds, bytes=request.body_length, records=request.record_count, attempt=request.attempt,
        ended_at=time.time(),
    )  # fmt: skip


def burst_events(burst: RequestBurst, delivered: Sequence[Completion]) -> Iterator[RequestCompleted]:
    """The events of the requests of a burst that were delivered."""
    overhead, now = len(burst.prefix) + len(burst.suffix) - 1, time.time()
    for at, response, seconds in delivered:
        yield RequestCompleted(
            method=burst.method, url=burst.url, status=response.status, verdict=VerdictKind.DELIVERED.value, reason="",
            seconds=seconds, bytes=burst.block.size(at, at + 1) + overhead, records=1, attempt=1, ended_at=now,
        )  # fmt: skip
