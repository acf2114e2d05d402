"""People: whoever runs sendoff interrupts, restarts, corrects and retries, in any order, and the account holds.

Each life is a connector, an API with habits of its own, and some steps in random order, each with a `Runner` of its own
as a command has. Then the API's fault is mended, and only commands that sendoff names are used: every record must be
settled within a few of them, and none may have been applied twice by an API that knows ids or keys.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

from sendoff import ConfigError, Locked, Runner
from sendoff.ledger import open_history
from sendoff.ledger.claims import RecordKey
from sendoff.ledger.history import FailureRow, RunRow
from tests.stress.promise import Budget, Figures, Promise

#: Commands within which a life must end after its last free step.
MANY = 12


class Api:
    """An API with habits: records that break it, few at once, strict on ids, or forgetting keys."""

    def __init__(self, random: Random, records: int) -> None:
        self.knows = random.choice(("keys", "ids", "nothing"))
        self.most = random.choice((1, 2, 64))
        #: Records that make it answer 500, until it is mended; and values that it refuses, until they are corrected.
        self.poison = {random.randint(1, records) for _ in range(random.choice((0, 0, 1, 2)))} | random.choice(({1}, set()))
        self.applied: Counter[int] = Counter()
        self.at_request: Callable[[], None] = lambda: None
        self._keys: set[str] = set()
        self._busy = 0
        self._lock = threading.Lock()

    def respond(self, key: str, rows: list[dict[str, Any]]) -> tuple[int, object]:
        self.at_request()
        with self._lock:
            self._busy += 1
            busy = self._busy
        try:
            if busy > self.most:
                return 503, {"detail": "too many at once"}
            with self._lock:
                return self._apply(key, rows)
        finally:
            with self._lock:
                self._busy -= 1

    def _apply(self, key: str, rows: list[dict[str, Any]]) -> tuple[int, object]:
        ids = {row["id"] for row in rows}
        if self.knows == "keys" and key in self._keys:
            return 200, {}
        if self.knows == "ids" and ids & self.applied.keys():
            return 409, {"detail": "exists"}
        if any(row["value"] == "bad" for row in rows):
            return 400, {"detail": "bad value"}
        if ids & self.poison:
            return 500, {"detail": "broken"}
        self.applied.update(ids)
        self._keys.add(key)
        return 200, {}


def serve(api: Api) -> ThreadingHTTPServer:
    """The API over HTTP, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, said = api.respond(self.headers.get("Idempotency-Key", ""), body if isinstance(body, list) else [body])
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class Life:
    """A connector, an API, and the people around them."""

    def __init__(self, home: Path, random: Random) -> None:
        self.home, self.random = home, random
        self.records = random.randint(1, 40)
        self.api = Api(random, self.records)
        self.server = serve(self.api)
        self.bad = {at for at in range(1, self.records + 1) if random.random() < 0.1}
        self.name, self.history = "people", [str(self.api.__dict__)]
        (home / "connectors.d").mkdir(parents=True)
        rows = "".join(f"{at},{'bad' if at in self.bad else 'good'}\n" for at in range(1, self.records + 1))
        (home / "people.csv").write_text(f"id,value\n{rows}")
        send, on_failure = random.choice(
            (("single", "fail"), ("{use: batch, max_records: 5}", "fail"), ("{use: batch, max_records: 5}", "split"))
        )
        (home / "connectors.d" / "people.yaml").write_text(
            "source: {use: csv, path: people.csv, once: true}\n"
            "schema: {id: integer, value: string}\n"
            f"destination:\n  url: http://127.0.0.1:{self.server.server_port}/\n  idempotent: true\n"
            f"  concurrency: {random.choice((1, 2, 4))}\n"
            "  retry: {max_attempts: 2, initial_backoff: 0.001, max_backoff: 0.002}\n"
            "  response: {on_repeat: {statuses: {409: delivered}}}\n"
            f"send: {send}\non_failure: {on_failure}\n"
        )

    def runner(self) -> Runner:
        return Runner(self.home / "connectors.d", random=Random(self.random.random()))

    # What people do.

    def run(self) -> None:
        self.runner().run(self.name)

    def run_interrupted(self) -> None:
        runner, left = self.runner(), [self.random.randint(1, 6)]

        def at_request() -> None:
            left[0] -= 1
            if left[0] == 0:
                runner.interrupt("by a person")

        self.api.at_request = at_request
        try:
            runner.run(self.name)
        finally:
            self.api.at_request = lambda: None

    def insist(self) -> None:
        self.runner().run(self.name, early_stop=False)

    def two_at_once(self) -> None:
        other = threading.Thread(target=_quietly, args=(self.run,))
        other.start()
        try:
            self.run()
        finally:
            other.join()

    def retry(self) -> None:
        self.runner().retry(self._any_run())

    def retry_interrupted(self) -> None:
        runner = self.runner()
        self.api.at_request = lambda: runner.interrupt("by a person")
        try:
            runner.retry(self._any_run())
        finally:
            self.api.at_request = lambda: None

    def retry_at_once_interrupted(self) -> None:
        runner = self.runner()
        runner.interrupt("before anything was sent")
        runner.retry(self._any_run())

    def retry_some(self) -> None:
        run = self._any_run()
        some = [failure["name"] for failure in failures(self.home, run) if self.random.random() < 0.5]
        if some:
            self.runner().retry(run, only=some)

    def retry_corrected(self) -> None:
        run = self._any_run()
        rows = [{"_record": failure["name"], "value": "good"} for failure in failures(self.home, run)]
        rows = [row for row in rows if self.random.random() < 0.7]
        if rows:
            self.runner().retry(run, rows)

    def discard_retry(self) -> None:
        """Start over, which discards a retry that was interrupted; what it had claimed is open again."""
        unfinished = [run for run in self._runs() if run["state"] in ("interrupted", "stopped", "running")]
        if unfinished and unfinished[-1]["retry_of"] is not None:
            self.runner().run(self.name, restart=True)

    def rename(self) -> None:
        new = f"people-{len(self.history)}"
        self.runner().rename(self.name, new)
        self.name = new

    def rename_the_file(self) -> None:
        """By hand, and only then is the history adopted."""
        new, files = f"people-{len(self.history)}", self.home / "connectors.d"
        (files / f"{self.name}.yaml").rename(files / f"{new}.yaml")
        old, self.name = self.name, new
        history = open_history(self.home / ".sendoff")
        if history.exists() and history.runs(old):
            self.runner().rename(old, new)

    def _any_run(self) -> int:
        runs = self._runs()
        return int(self.random.choice(runs)["id"]) if runs else 1

    def _runs(self) -> list[RunRow]:
        history = open_history(self.home / ".sendoff")
        return history.runs(self.name) if history.exists() else []

    def step(self) -> None:
        """One of these, whatever comes of it but a fault."""
        deed = self.random.choice(
            (self.run, self.run_interrupted, self.run_interrupted, self.insist, self.two_at_once, self.retry, self.retry_some,
             self.retry_corrected, self.retry_interrupted, self.retry_at_once_interrupted, self.discard_retry, self.rename,
             self.rename_the_file)
        )  # fmt: skip
        self.history.append(deed.__name__)
        _quietly(deed)
        self.check()

    def check(self) -> None:
        """The account of every run holds."""
        for run in self._runs():
            settled = run["delivered"] + run["rejected"] + run["invalid"] + run["pending"]
            assert run["read"] == settled, f"read is not the sum: {run}"

    def finish(self) -> int:
        """Settle every record, by commands that sendoff names: how many it took. Raises where they lead nowhere."""
        commands = 0
        while commands < MANY:
            commands += 1
            report = self.runner().run(self.name)
            self.history.append(f"run: {report.state} {report.stopped_because}")
            self.check()
            if report.state in ("complete", "incomplete"):
                break
            if "--no-early-stop" in (report.stopped_because or ""):
                report = self.runner().run(self.name, early_stop=False)
                self.history.append(f"run --no-early-stop: {report.state} {report.stopped_because}")
                if report.state in ("complete", "incomplete"):
                    break
        else:
            raise AssertionError(f"dead end: {self.history}")
        self.api.poison.clear()
        for _ in range(MANY):
            state = self.home / ".sendoff"
            still_open = [run["id"] for run in self._runs() if open_history(state).open_failures(run["id"]).get(run["id"])]
            if not still_open:
                return commands
            rows = [{"_record": failure["name"], "value": "good"} for failure in failures(self.home, still_open[0])]
            report = self.runner().retry(still_open[0], rows)
            self.history.append(f"retry {still_open[0]}: {report.state} {report.stopped_because}")
            while report.state not in ("complete", "incomplete"):
                commands += 1
                assert commands < 3 * MANY, f"dead end: {self.history}"
                report = self.runner().run(self.name)
        raise AssertionError(f"dead end: {self.history}")


def failures(home: Path, run: int) -> list[FailureRow]:
    """The failed records of a run that are still open there, with the names that a retry knows them by."""
    history = open_history(home / ".sendoff")
    still_open = {key for key, fate in history.fates(run).items() if fate.state == "open" and fate.run == run}
    return [failure for failure in history.failures(run) if RecordKey(run, failure["kind"], failure["position"]) in still_open]


def _quietly(deed: Callable[[], object]) -> None:
    """Do it; a refusal in a sentence is no fault."""
    try:
        deed()
    except (ConfigError, Locked):
        return


def stress(budget: Budget) -> Figures:
    """Life after life."""
    scratch = Path(tempfile.mkdtemp(prefix="people-"))
    random = Random(budget.seed)
    lives = steps = dead_ends = lost = twice = most = 0
    try:
        while budget.left(lives):
            life = Life(scratch / f"life-{lives}", random)
            try:
                for _ in range(random.randint(1, 8)):
                    life.step()
                    steps += 1
                most = max(most, life.finish())
            except AssertionError as error:
                if not str(error).startswith("dead end"):
                    raise
                dead_ends += 1
            else:
                lost += sum(not life.api.applied[at] for at in range(1, life.records + 1))
                if life.api.knows == "keys":
                    twice += sum(count > 1 for count in life.api.applied.values())
                assert not lost, f"lost: {life.history}"
                assert not twice, f"applied twice: {life.history}"
            finally:
                life.server.shutdown()
                life.server.server_close()
                shutil.rmtree(life.home, ignore_errors=True)
            lives += 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {"lives": lives, "steps": steps, "dead ends": dead_ends, "lost": lost, "applied twice": twice, "most commands": most}


PROMISE = Promise(
    name="people",
    says="Whatever people do, some command that sendoff names goes on to the end",
    rests_on="claims that hold only while their retry does; no outage believed for what one request or a person did",
    stress=stress,
    ci=25,
    full=10_000,
    proof="lives",
    zero=("dead ends", "lost", "applied twice"),
)
