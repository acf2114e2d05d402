"""aria2's JSON-RPC 2.0: a batch is an array, its 200 has a result or an error for each by id; the token is in the body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import get, kill_when, reasons

CONNECTOR = """
source: {{use: csv, path: downloads.csv}}
schema:
  id:    {{type: integer}}
  gid:   {{type: string}}
  url:   {{type: string}}
  split: {{type: string}}
destination:
  url: {url}/jsonrpc
  response:
    stop_when: {{path: "$[0].error.message", equals: Unauthorized}}
    records: {{id: $.id, field: id, delivered_when: {{path: $.result, exists: true}}, reason: $.error.message}}
    on_repeat: {{delivered_when: {{path: $.error.message, equals: No URI to download.}}}}    # its words for a gid it has
send:
  use: batch
  max_records: 25
  record:
    jsonrpc: "2.0"
    id: $id
    method: aria2.addUri
    params: ["token:${{env:ARIA2_TOKEN}}", [$url], {{pause: "true", gid: $gid, split: $split}}]
"""


@pytest.fixture
def aria2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    home, port = tmp_path / "aria2", free_port()
    home.mkdir()
    monkeypatch.setenv("ARIA2_TOKEN", "downloads-token")
    options = ["--no-conf", "--enable-rpc", f"--rpc-listen-port={port}", "--rpc-secret=downloads-token", "--dir", str(home)]
    with running([wanted("aria2c"), *options, "--quiet"], port, home) as url:
        yield url


def ask(url: str, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": f"aria2.{method}", "params": ["token:downloads-token", *params]}
    return get(f"{url}/jsonrpc", method="POST", body=body)["result"]


def downloads(count: int, bad: int = -1) -> str:
    # Port 9 of this machine: they stay paused, and nothing is fetched.
    rows = (f"{at},{at + 1:016x},http://127.0.0.1:9/{at},{'many' if at == bad else 1}\n" for at in range(count))
    return "id,gid,url,split\n" + "".join(rows)


def test_killed_and_resumed_it_has_every_download_once_and_says_which_option_is_wrong(project: Project, aria2: str) -> None:
    project({"downloads.csv": downloads(600, bad=555), "connectors.d/downloads.yaml": CONNECTOR.format(url=aria2)})
    kill_when(project, "downloads", lambda: int(ask(aria2, "getGlobalStat")["numWaiting"]), 100, "4/s")
    assert int(ask(aria2, "getGlobalStat")["numWaiting"]) < 599
    report = project.run("downloads")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 599, 1)
    assert reasons(project, report) == {"555": "200: We encountered a problem while processing the option '--split'."}
    waiting = ask(aria2, "tellWaiting", 0, 2_000, ["gid", "files"])
    there = {download["gid"]: download["files"][0]["uris"][0]["uri"] for download in waiting}
    assert len(waiting) == 599
    assert there == {f"{at + 1:016x}": f"http://127.0.0.1:9/{at}" for at in range(600) if at != 555}


def test_a_token_it_does_not_know_is_a_200_that_stops_the_run_after_one_request(
    project: Project, aria2: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARIA2_TOKEN", "another-token")
    project({"downloads.csv": downloads(500), "connectors.d/downloads.yaml": CONNECTOR.format(url=aria2)})
    report = project.run("downloads")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 500)
    assert "Unauthorized" in (report.stopped_because or "")
    assert "another-token" not in str(report)
    assert ask(aria2, "getGlobalStat")["numWaiting"] == "0"
