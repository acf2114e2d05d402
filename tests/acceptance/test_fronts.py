"""nginx and haproxy in front of an API, killed in the middle and started again: what they had in hand is sent again, with its key."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sendoff import Report
from sendoff.sandbox import Sandbox
from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import reasons

RECORDS = 600
# One process each: killed, nothing of them is left.
NGINX = """
pid {home}/nginx.pid; error_log {home}/error.log crit; daemon off; master_process off;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  upstream u {{ server {upstream}; keepalive 16; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
  }} }}
}}
"""
HAPROXY = """
global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen f
  bind 127.0.0.1:{port}
  server s {upstream}
"""


@pytest.mark.parametrize(
    ("front", "transport", "send", "strategy", "rate"),
    [
        ("nginx", "http1", "single", "fail", "300/s"),
        ("nginx", "urllib3", "{use: batch, max_records: 10}", "split", "30/s"),
        ("haproxy", "urllib3", "single", "fail", "300/s"),
        ("haproxy", "http1", "{use: batch, max_records: 10}", "split", "30/s"),
    ],
    ids=["nginx-single", "nginx-batches", "haproxy-single", "haproxy-batches"],
)
def test_a_front_killed_and_started_again_loses_nothing_and_repeats_nothing(
    project: Project, tmp_path: Path, front: str, transport: str, send: str, strategy: str, rate: str
) -> None:
    home, port = tmp_path / "front", free_port()
    home.mkdir()

    def started() -> AbstractContextManager[str]:
        command = [wanted("haproxy"), "-f"] if front == "haproxy" else [wanted("nginx"), "-c"]
        return running([*command, str(home / "front.conf")], port, home, end=signal.SIGKILL)

    with Sandbox(["400 if email ~ @nowhere"]) as api:
        config = HAPROXY if front == "haproxy" else NGINX
        (home / "front.conf").write_text(config.format(home=home, port=port, upstream=api.url.removeprefix("http://")))
        rows = "".join(f"{at},p{at}@{'nowhere' if at == 444 else 'example'}.com\n" for at in range(RECORDS))
        text = (
            "source: {use: csv, path: people.csv}\nschema: {id: integer, email: string}\n"
            f"destination: {{url: 'http://127.0.0.1:{port}/people', transport: {transport}, rate_limit: {rate},"
            f" retry: {{initial_backoff: 0.1, max_backoff: 0.2}}}}\nsend: {send}\non_failure: {strategy}\n"
        )
        project({"people.csv": f"id,email\n{rows}", "connectors.d/people.yaml": text})
        reports: list[Report] = []
        run = threading.Thread(target=lambda: reports.append(project.run("people")), daemon=True)
        with started():
            run.start()
            while len(api.records) < 100:
                time.sleep(0.01)
        assert len(api.records) < RECORDS - 1
        with started():
            run.join(60)
        (report,) = reports
        assert (report.state, report.delivered, report.rejected) == ("incomplete", RECORDS - 1, 1)
        assert reasons(project, report) == {"444": "400: rejected because: email ~ @nowhere"}
        assert sorted(record["id"] for record in api.records) == [at for at in range(RECORDS) if at != 444]
