"""What people do to a project, for `people`: one method for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from sendoff import ConfigError, Locked, Runner
from sendoff.ledger import open_history
from sendoff.ledger.claims import RecordKey
from sendoff.ledger.history import FailureRow, RunRow
from tests.stress.people_api import Api

#: How many ordering keys there are.
KEYS = 3
BATCH = "{use: batch, max_records: 5}"


class Hasty(Random):
    """Short waits where long ones are allowed: a policy that gives up soon would blame records for an outage at the end."""

    def uniform(self, a: float, b: float) -> float:
        return a + min(b - a, 0.002) * self.random()


class People:
    """A connector, an API, and what people do around them."""

    def __init__(self, home: Path, random: Random) -> None:
        self.home, self.random = home, random
        self.records = random.randint(1, 40)
        self.api = Api(random, self.records)
        self.bad = {at for at in range(1, self.records + 1) if random.random() < 0.1}
        self.name, self.history = "people", [str(self.api.__dict__)]
        self.send, self.on_failure = random.choice((("single", "fail"), (BATCH, "fail"), (BATCH, "split")))
        self.send = BATCH if self.api.by_record else self.send
        self.attempts, self.ordered, self.incremental = random.choice((2, 3)), random.random() < 0.3, random.random() < 0.3
        #: The failures that were looked at, and the ids of their records. The next `incremental` run sends these again, and
        #: so may a retry.
        self.blamed: set[RecordKey] = set()
        self.failed: set[int] = set()
        self.dismissed: set[int] = set()
        self._write()

    def _write(self) -> None:
        (self.home / "connectors.d").mkdir(parents=True)
        rows = (f"{at},{'bad' if at in self.bad else 'good'},{at % KEYS}\n" for at in range(1, self.records + 1))
        (self.home / "people.csv").write_text(f"id,value,room\n{''.join(rows)}")
        by_record = "records: {at: $.results, id: $.id, field: id, status: $.status}, " if self.api.by_record else ""
        self.file.write_text(
            f"source: {{use: csv, path: people.csv{'' if self.incremental else ', once: true'}}}\n"
            "schema: {id: integer, value: string, room: integer}\n"
            f"destination:\n  url: http://127.0.0.1:{self.api.port}/\n  idempotent: true\n"
            f"  concurrency: {self.random.choice((1, 2, 4))}\n"
            f"  retry: {{max_attempts: {self.attempts}, initial_backoff: 2, max_elapsed: 3}}\n"
            f"  response: {{{by_record}on_repeat: {{statuses: {{409: delivered}}}}}}\n"
            f"send: {self.send}\non_failure: {self.on_failure}\n"
            + ("incremental: {key: [id], initial_load: send}\n" if self.incremental else "")
            + ("order_by: room\n" if self.ordered else "")
        )
        self.runner().connector(self.name)
        self.history.append(self.file.read_text())

    @property
    def file(self) -> Path:
        return self.home / "connectors.d" / f"{self.name}.yaml"

    def runner(self) -> Runner:
        return Runner(self.home / "connectors.d", random=Hasty(self.random.random()))

    # What people do.

    def run(self) -> None:
        self.runner().run(self.name)

    @contextmanager
    def at_request(self, number: int, happens: Callable[[], object]) -> Iterator[None]:
        """Something happens when the API gets the number-th request."""
        left = [number]

        def at_request() -> None:
            left[0] -= 1
            if left[0] == 0:
                happens()

        self.api.at_request = at_request
        try:
            yield
        finally:
            self.api.at_request = lambda: None

    def run_interrupted(self) -> None:
        runner = self.runner()
        with self.at_request(self.random.randint(1, 6), lambda: runner.interrupt("by a person")):
            runner.run(self.name)

    def run_with_a_deadline(self) -> None:
        text = self.file.read_text()
        self.file.write_text(f"{text}deadline: {self.random.choice((0.002, 0.02, 0.1))}\n")
        try:
            self.run()
        finally:
            self.file.write_text(text)

    def run_into_an_outage(self) -> None:
        with self.at_request(self.random.randint(1, 6), self.begin_outage):
            self.run()

    def begin_outage(self) -> None:
        """For some requests, which may be those of several steps; or for a while."""
        requests = self.random.randint(1, 30)
        match self.random.choice(("503", "no response", "lost", "refused")):
            case "503":
                self.api.overwhelmed = requests
            case "no response":
                self.api.silent = requests
            case "lost":
                self.api.losing = requests
            case _:
                self.api.close_for(self.random.uniform(0.01, 0.3))

    def insist(self) -> None:
        """Not while the API is down: then it would be the person who blames the records."""
        if not self.api.is_down:
            self.runner().run(self.name, early_stop=False)

    def two_at_once(self) -> None:
        other = threading.Thread(target=quietly, args=(self.run,))
        other.start()
        try:
            self.run()
        finally:
            other.join()

    def retry(self) -> None:
        self.runner().retry(self._any_run())

    def retry_interrupted(self) -> None:
        runner = self.runner()
        with self.at_request(self.random.randint(1, 3), lambda: runner.interrupt("by a person")):
            runner.retry(self._any_run())

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

    def dismiss(self) -> None:
        run = self._any_run()
        dismissed = [int(failure["record"]["id"]) for failure in failures(self.home, run)]
        self.runner().dismiss(run)
        self.dismissed.update(dismissed)

    def reopen(self) -> None:
        run = self._any_run()
        history = open_history(self.home / ".sendoff")
        reopened = [int(failure["record"]["id"]) for failure in history.failures(run) if failure["dismissed"]]
        self.runner().reopen(run)
        self.dismissed.difference_update(reopened)

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


def failures(home: Path, run: int) -> list[FailureRow]:
    """The failed records of a run that are still open there, with the names that a retry knows them by."""
    history = open_history(home / ".sendoff")
    still_open = {key for key, fate in history.fates(run).items() if fate.state == "open" and fate.run == run}
    return [failure for failure in history.failures(run) if RecordKey(run, failure["kind"], failure["position"]) in still_open]


def quietly(deed: Callable[[], object]) -> None:
    """Do it; a refusal in a sentence is no fault."""
    try:
        deed()
    except (ConfigError, Locked):
        return
