"""The sandbox: an API that accepts objects and arrays, keeps them, and recognises a repeat by its idempotency key."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from sendoff.components import StandIn
from sendoff.sandbox.rules import Rule, parse
from sendoff.sandbox.server import LocalServer, Received, Reply

#: The log holds so many requests at most.
_LOGGED = 1_000


class Sandbox(LocalServer):
    """A local API that behaves as `rules` say (see `sendoff.sandbox.rules`).

    Any path accepts records; a path's records are listed by ``GET /_records/PATH``, the counts by
    ``GET /_counts``. A request whose Idempotency-Key came before gets the first response again
    and its records are not kept twice; the same key with another body gets a 422. ``GET /_log`` shows every request in a line.
    A request that one of `stand_ins` responds to has no records (see `sendoff.components.Source.stand_in`).
    """

    def __init__(
        self, rules: Iterable[str] = (), *, port: int = 0, host: str = "127.0.0.1", stand_ins: Iterable[StandIn] = ()
    ) -> None:
        self.rules: list[Rule] = [parse(text) for text in rules]
        #: The records received, by path, in order.
        self.received: dict[str, list[Any]] = {}
        #: ``requests``, ``replays``, ``conflicts`` and each status.
        self.counts: Counter[str] = Counter()
        self._responses: dict[str, tuple[bytes, Reply]] = {}
        self._stand_ins = tuple(stand_ins)
        self._log: list[str] = []
        self._met: Counter[str] = Counter()
        self._lock = threading.Lock()
        super().__init__(self._respond, port=port, host=host)

    @property
    def records(self) -> list[Any]:
        """Every record received, whatever the path."""
        return [record for records in self.received.values() for record in records]

    def _respond(self, request: Received) -> Reply:  # noqa: PLR0912  # one branch for each path and outcome
        path = request.path.partition("?")[0]
        if request.method == "GET" and path == "/_counts":
            return _json(200, dict(self.counts))
        if request.method == "GET" and path.startswith("/_records"):
            return _json(200, self.received.get(path.removeprefix("/_records") or "/", []))
        if request.method == "GET" and path == "/_log":
            return Reply(200, "".join(self._log).encode(), {"Content-Type": "text/plain; charset=utf-8"})
        for respond in self._stand_ins:
            if (response := respond(request.method, request.path, request.headers, request.body)) is not None:
                return Reply(*response)
        try:
            records = _records(request)
        except ValueError as error:
            return self._counted(_json(400, {"title": "Bad Request", "detail": f"not what its content type says: {error}"}))
        key = request.headers.get("idempotency-key")
        digest = hashlib.sha256(request.body).digest()
        with self._lock:
            self.counts["requests"] += 1
            if len(self._log) < _LOGGED:
                start = request.body[:300].decode("utf-8", "replace")
                self._log.append(f"{request.method} {request.path} {start}".rstrip() + "\n")
            if key in self._responses:
                return self._replayed(key, digest)
            delay = 0.0
            for rule in self.rules:
                if not path.startswith(rule.path):
                    continue
                if rule.outcome == "each":
                    return self._counted(self._receive_each(rule, request, path, records, key, digest, delay))
                self._met[rule.condition] += 1
                if not rule.applies(request, records, self._met[rule.condition]):
                    continue
                if rule.outcome == "slow":
                    delay += rule.seconds
                elif rule.outcome == "cut":
                    self._receive(path, records, key, digest)
                    return self._counted(Reply(cut=True), "cut")
                elif rule.outcome == "no":
                    return self._counted(_json(200, {"ok": False, "error": f"rejected because: {rule.condition}"}, delay))
                elif rule.outcome == "job":
                    return self._counted(self._receive(path, records, key, digest, delay, job=f"job-{self.counts['requests']}"))
                elif rule.outcome == "drop":
                    return self._counted(Reply(cut=True), "drop")
                else:
                    return self._counted(_refusal(rule, delay))
            return self._counted(self._receive(path, records, key, digest, delay))

    def _receive(
        self, path: str, records: list[object], key: str | None, digest: bytes, delay: float = 0.0, job: str | None = None
    ) -> Reply:
        self.received.setdefault(path, []).extend(records)
        reply = _json(200, {"ok": True, "taken": len(records)}, delay)
        if job is not None:
            reply = _json(202, {"job": job}, delay)
        return self._kept(reply, key, digest)

    def _receive_each(
        self, rule: Rule, request: Received, path: str, records: list[object], key: str | None, digest: bytes, delay: float
    ) -> Reply:
        """Keep the good records, and respond with a result for each."""
        taken = self.received.setdefault(path, [])
        results = []
        for record in records:
            if rule.applies(request, [record], 0):
                results.append({"status": 400, "error": f"rejected because: {rule.condition}"})
            else:
                taken.append(record)
                results.append({"status": 201, "id": f"{path.strip('/')}-{len(taken)}"})
        return self._kept(_json(200, {"ok": True, "results": results}, delay), key, digest)

    def _kept(self, reply: Reply, key: str | None, digest: bytes) -> Reply:
        if key is not None:
            self._responses[key] = (digest, replace(reply, delay=0.0))
        return reply

    def _replayed(self, key: str, digest: bytes) -> Reply:
        before, reply = self._responses[key]
        if before != digest:
            self.counts["conflicts"] += 1
            return self._counted(
                _json(422, {"title": "Unprocessable Content", "detail": "this Idempotency-Key came with another body before"})
            )
        self.counts["replays"] += 1
        return self._counted(reply)

    def _counted(self, reply: Reply, name: str = "") -> Reply:
        self.counts[name or str(reply.status)] += 1
        return reply


def _records(request: Received) -> list[Any]:
    """The records of a request: a form, lines, an object, an array, or the first array in an envelope."""
    body, kind = request.body, request.headers.get("content-type", "")
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if kind.startswith("application/x-www-form-urlencoded") and body[:1] not in b"[{":
        return [dict(parse_qsl(body.decode(), keep_blank_values=True))]
    if kind.startswith("application/x-ndjson"):
        return [json.loads(line) for line in body.splitlines()]
    sent = json.loads(body) if body else []
    if isinstance(sent, dict):
        sent = next((value for value in sent.values() if isinstance(value, list) and value), [sent])
    return sent if isinstance(sent, list) else [sent]


def _json(status: int, body: object, delay: float = 0.0) -> Reply:
    return Reply(status, json.dumps(body).encode(), delay=delay)


def _refusal(rule: Rule, delay: float) -> Reply:
    status = int(rule.outcome)
    body = {"status": status, "detail": f"rejected because: {rule.condition}"}
    headers = {"Content-Type": "application/problem+json"}
    if rule.seconds:
        headers["Retry-After"] = f"{rule.seconds:g}"
    return Reply(status, json.dumps(body).encode(), headers, delay=delay)
