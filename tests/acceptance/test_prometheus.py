"""Prometheus scrapes `sendoff serve`, reads the metrics file's format, and takes our rules."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from sendoff.testing import Project, Received, Receiver, Reply
from tests.servers import free_port, running, wanted

PROGRAM = [sys.executable, "-c", "from sendoff.cli import main; main()"]
CONNECTOR = """
source: {{use: csv, path: in, once: true}}
destination: {{url: "{url}"}}
send: single
watch: true
"""


def query(url: str, expression: str, path: str = "/api/v1/query") -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}{path}?query={urllib.parse.quote(expression)}") as response:
        found: list[dict[str, Any]] = json.loads(response.read())["data"]["result"]
        return found


def eventually(url: str, expression: str, value: str) -> None:
    deadline = time.monotonic() + 30
    while (found := [one["value"][1] for one in query(url, expression)]) != [value]:
        assert time.monotonic() < deadline, (expression, found)
        time.sleep(0.2)


def rejects_2(request: Received) -> Reply:
    return Reply(400 if b'"2"' in request.body else 200)


def test_prometheus_scrapes_the_server_and_answers_with_what_was_delivered(
    project: Project, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.script = rejects_2
    project({"in/a.csv": "id\n1\n2\n3\n", "connectors.d/people.yaml": CONNECTOR.format(url=receiver.url)})
    server = subprocess.Popen([*PROGRAM, "serve", "--metrics-port", "0"], cwd=project.home, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        said = re.search(r"127\.0\.0\.1:\d+", server.stderr.readline())
        assert said is not None
        home, port = tmp_path / "prometheus", free_port()
        home.mkdir()
        targets = f"[{{job_name: sendoff, static_configs: [{{targets: ['{said[0]}']}}]}}]"
        (home / "prometheus.yml").write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs: {targets}\n")
        command = [
            wanted("prometheus"),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(command, port, home) as url:
            eventually(url, 'sendoff_records_total{connector="people",outcome="delivered"}', "2")
            eventually(url, "sum by (connector) (sendoff_requests_total)", "3")
            eventually(url, 'sendoff_failed_records{connector="people"}', "1")
            eventually(url, "histogram_quantile(0.5, sendoff_request_duration_seconds_bucket) > bool 0", "1")
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 0
