"""An API with habits, for `people`: it is poisoned, limited, strict on ids, forgets keys, and is down for a while."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

#: What a record is answered, and the whole request where results are not by record: the first of these that one got.
CONFLICT, BAD, BROKEN, APPLIED, KNOWN = 409, 400, 500, 201, 200


class Api:
    """Records that break it, few at once, strict on ids, or forgetting keys; over HTTP, on a port of its own."""

    def __init__(self, random: Random, records: int) -> None:
        self.knows = random.choice(("keys", "ids", "nothing"))
        self.most, self.too_many = random.choice((1, 2, 64)), random.choice((429, 503))
        self.by_record = random.random() < 0.3
        #: Records that make it answer 500, until it is corrected.
        self.poison = {random.randint(1, records) for _ in range(random.choice((0, 0, 1, 2)))} | random.choice(({1}, set()))
        #: How often each record was applied; and in which order first, since this was last cleared.
        self.applied: Counter[int] = Counter()
        self.order: list[int] = []
        #: How often each record was answered what, since this was last cleared.
        self.answers: defaultdict[int, Counter[int]] = defaultdict(Counter)
        #: How often each record was sent, likewise.
        self.sent: Counter[int] = Counter()
        #: Called at each request, before anything becomes of it.
        self.at_request: Callable[[], None] = lambda: None
        #: So many requests are answered 503; or not at all; or are applied, and the response is lost.
        self.overwhelmed = self.silent = self.losing = 0
        #: Connections are refused.
        self.gone = False
        self._keys: set[tuple[str, int]] = set()
        self._busy = 0
        self._lock = threading.Lock()
        self._opening: threading.Timer | None = None
        self.port = 0
        self.open()

    @property
    def is_down(self) -> bool:
        return self.gone or self.overwhelmed + self.silent + self.losing > 0

    def open(self) -> None:
        """Accept connections."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        self.port, self.gone = self._server.server_port, False
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and answer nothing on those that there are."""
        self.gone = True
        self._server.shutdown()
        self._server.server_close()

    def close_for(self, seconds: float) -> None:
        """Do so for a while, if it is not so already."""
        if not self.gone:
            self.close()
            self._opening = threading.Timer(seconds, self.open)
            self._opening.start()

    def recover(self) -> None:
        """Wait for the end of an outage, or end it."""
        self.overwhelmed = self.silent = self.losing = 0
        if self._opening is not None:
            self._opening.join()

    def forget_answers(self) -> None:
        """Clear what is counted since it was last cleared."""
        for counted in (self.answers, self.sent, self.order):
            counted.clear()

    def respond(self, key: str, rows: list[dict[str, Any]]) -> tuple[int, object] | None:
        """The status and the body; None for no response."""
        self.at_request()
        with self._lock:
            self.sent.update(row["id"] for row in rows)
            self._busy += 1
            busy = self._busy
        try:
            with self._lock:
                if self.gone or self.silent:
                    self.silent = max(0, self.silent - 1)
                    return None
                if self.overwhelmed:
                    self.overwhelmed -= 1
                    return 503, {"detail": "down"}
                if busy > self.most:
                    return self.too_many, {"detail": "too many at once"}
                answer = self._apply(key, rows)
                self.losing -= bool(lost := self.losing)
                return None if lost else answer
        finally:
            with self._lock:
                self._busy -= 1

    def _apply(self, key: str, rows: list[dict[str, Any]]) -> tuple[int, object]:
        own = {row["id"]: self._status(key, row) for row in rows}
        if not self.by_record:
            worst = next(status for status in (CONFLICT, BAD, BROKEN, APPLIED, KNOWN) if status in own.values())
            if worst is not APPLIED:
                own = dict.fromkeys(own, worst)
        for at, status in own.items():
            self.answers[at][status] += 1
            if status == APPLIED:
                self.applied[at] += 1
                if self.applied[at] == 1:
                    self.order.append(at)
                self._keys.add((key, at))
        results = [{"id": at, "status": status} for at, status in own.items()]
        return (207, {"results": results}) if self.by_record else (max(own.values()), {"detail": "as the status says"})

    def _status(self, key: str, row: dict[str, Any]) -> int:
        if self.knows == "keys" and (key, row["id"]) in self._keys:
            return KNOWN
        if self.knows == "ids" and self.applied[row["id"]]:
            return CONFLICT
        return BAD if row["value"] == "bad" else BROKEN if row["id"] in self.poison else APPLIED


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = api.respond(self.headers.get("Idempotency-Key", ""), body if isinstance(body, list) else [body])
            if answer is None:
                self.close_connection = True
                return
            data = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    return Handler
