"""Transports: how requests are sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from sendoff.components.component import Component
from sendoff.transport.protocol import ConnectionSettings, Request, RequestQueue, Response, SingleRequest


class Transport(Component, ABC):
    """How requests are sent: it pulls requests from a queue and returns their responses to it."""

    kind = "transports"

    @abstractmethod
    def run(self, queue: RequestQueue, settings: ConnectionSettings) -> None:
        """Send requests, at most ``settings.concurrency`` at once, until the queue says ``"done"``.

        Every request pulled must be completed, whatever happens to it. Redirects are not followed;
        nothing is retried; no cookie is kept; the request's deadline is total; no more of a response is
        read than the request says; no connection is made to an address that ``settings.address_filter`` forbids.
        """

    def send_one(self, request: Request, settings: ConnectionSettings) -> Response:
        """Send one request by itself; authenticators fetch tokens with it."""
        exchange = SingleRequest(request)
        self.run(exchange, replace(settings, url=request.url, concurrency=1))
        return exchange.response
