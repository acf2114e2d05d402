"""What monitors are answered while `sendoff serve` runs, when something is wrong, and when it ends."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from sendoff.cli.serve import Counting
from sendoff.runner import Runner
from sendoff.serving import Server
from sendoff.serving.monitoring_app import Monitor, listen
from sendoff.testing import Project, Receiver, Reply

CONNECTOR = """
source: {{use: csv, path: in, once: true}}
destination: {{url: "{url}"}}
send: single
watch: true
schedule: {{cron: "0 7 * * *", timezone: UTC}}
"""


class Served:
    """A server that was looked at once more whenever it is asked."""

    def __init__(self, project: Project, receiver: Receiver) -> None:
        project({"in/a.csv": "id\n1\n2\n3\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
        self.project = project
        self.now = 1_700_000_000.0
        counting = Counting()

        def runner() -> Runner:
            return project.runner(observers=[counting])

        self.server = Server(runner, lambda name, event: None, clock=lambda: self.now)
        self.listener = listen(Monitor(self.server, counting.metrics, project.runner, "1.0"), "127.0.0.1", 0)

    def run(self) -> None:
        for _ in range(3):
            self.server.tick()
            self.now += 3
        while self.server.busy:
            time.sleep(0.01)

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.listener.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, response.headers["Content-Type"], response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def values(self) -> dict[tuple[str, ...], float]:
        families = parse(self.get("/metrics")[2])
        return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


@pytest.fixture
def served(project: Project, receiver: Receiver) -> Iterator[Served]:
    made = Served(project, receiver)
    with closing(made.server), closing(made.listener):
        yield made


def test_metrics_count_what_runs_did_and_say_what_is_open(served: Served, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(400 if b"2" in request.body else 200)
    before = served.values()
    assert before["sendoff_build_info", "1.0"] == 1
    assert before["sendoff_run_active", "c"] == 0
    assert before["sendoff_next_run_timestamp_seconds", "c"] > time.time()
    assert ("sendoff_last_run_duration_seconds", "c") not in before
    served.run()
    found = served.values()
    assert found["sendoff_records_total", "c", "delivered"] == 2
    assert found["sendoff_requests_total", "c", "400"] == 1
    assert found["sendoff_failed_records", "c"] == 1
    assert found["sendoff_pending_records", "c"] == 0
    assert found["sendoff_runs_total", "c", "incomplete"] == 1
    assert ("sendoff_last_success_timestamp_seconds", "c") not in found
    receiver.script = lambda request: Reply(200)
    served.project.runner().retry(1)  # in another process, as it were
    found = served.values()
    assert found["sendoff_failed_records", "c"] == 0
    assert found["sendoff_last_success_timestamp_seconds", "c"] == found["sendoff_last_run_end_timestamp_seconds", "c"]
    assert found["sendoff_records_total", "c", "delivered"] == 2


def test_who_asks_for_openmetrics_gets_them(served: Served) -> None:
    status, kind, text = served.get("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert text.endswith("# EOF\n")
    assert served.get("/metrics")[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_it_is_ready_until_a_connector_or_the_ledger_is_not(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sendoff.serving.monitoring_app.FRESH", 0.0)
    assert served.get("/healthz") == (200, "application/json", '{"ok": true, "scheduler": "ok"}')
    assert json.loads(served.get("/readyz")[2]) == {"ok": True, "scheduler": "ok", "ledger": "ok", "connectors": "ok"}
    served.project({"connectors.d/d.yaml": "sauce: x\n"})
    status, _, text = served.get("/readyz")
    assert status == 503
    assert "connectors.d/d.yaml:1:" in json.loads(text)["connectors"]
    (served.project.home / "connectors.d/d.yaml").unlink()
    ledger = served.project.home / ".sendoff/ledger.db"
    kept = ledger.read_bytes()
    ledger.write_bytes(b"not a ledger" * 1000)
    status, _, text = served.get("/readyz")
    said = json.loads(text)
    assert (status, said["connectors"]) == (503, "ok")
    assert said["ledger"] != "ok"
    ledger.write_bytes(kept)


def test_it_is_not_healthy_when_its_loop_is_stuck_and_not_ready_when_it_ends(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sendoff.serving.monitoring_app.STUCK", 0.0)
    status, _, text = served.get("/healthz")
    assert (status, json.loads(text)["scheduler"]) == (503, "has not looked for 0 s")
    monkeypatch.undo()
    served.server.stop()
    assert served.get("/healthz")[0] == 200
    assert json.loads(served.get("/readyz")[2])["scheduler"] == "is ending"


def test_other_paths_and_methods_are_refused(served: Served) -> None:
    assert served.get("/")[0] == 404
    request = urllib.request.Request(f"http://127.0.0.1:{served.listener.port}/metrics", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="405") as raised:
        urllib.request.urlopen(request)
    raised.value.close()
