"""nginx and haproxy, which let only so much through: nothing is rejected, and little is sent in vain.

Kind: a destination's limit that ends as a record's fault. Brothers: connections at once, requests a second refused by 503,
and by 429 with those that were refused counted too; one by one and in batches; both transports.
"""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

RECORDS = 300


class _Upstream(BaseHTTPRequestHandler):
    """An API that takes 10 ms for everything."""

    protocol_version = "HTTP/1.1"
    taken: list[bytes]

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


@pytest.fixture
def upstream() -> Iterator[tuple[int, list[bytes]]]:
    taken: list[bytes] = []
    with _Server(("127.0.0.1", 0), type("Upstream", (_Upstream,), {"taken": taken})) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1], taken
        server.shutdown()


NGINX = """
pid {home}/nginx.pid; error_log {home}/error.log crit; worker_processes 1; daemon off;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  limit_conn_zone $server_port zone=c:1m; limit_req_zone $server_port zone=r:1m rate=50r/s;
  upstream u {{ server 127.0.0.1:{upstream}; keepalive 16; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    {limit}; proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection "";
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
frontend f
  bind 127.0.0.1:{port}
  stick-table type ip size 1k expire 10s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 50 }}
  default_backend b
backend b
  server s 127.0.0.1:{upstream}
"""


@pytest.fixture(params=["limit_conn c 2", "limit_req zone=r", "stick-table"])
def limited(request: pytest.FixtureRequest, tmp_path: Path, upstream: tuple[int, list[bytes]]) -> Iterator[str]:
    home, port = tmp_path / "front", free_port()
    home.mkdir()
    stick = request.param == "stick-table"
    config = (HAPROXY if stick else NGINX).format(home=home, upstream=upstream[0], port=port, limit=request.param)
    (home / "front.conf").write_text(config)
    command = [wanted("haproxy"), "-f"] if stick else [wanted("nginx"), "-c"]
    with running([*command, str(home / "front.conf")], port, home) as url:
        yield url


@pytest.mark.parametrize("transport", ["http1", "urllib3"])
@pytest.mark.parametrize("send", ["single", "{use: batch, max_records: 2}"])
def test_a_front_that_lets_only_so_much_through_rejects_no_record(
    project: Project, limited: str, upstream: tuple[int, list[bytes]], transport: str, send: str
) -> None:
    project(
        {
            "in.csv": "id\n" + "".join(f"{at}\n" for at in range(RECORDS)),
            "connectors.d/c.yaml": "source: {use: csv, path: in.csv}\n"
            f"destination: {{url: '{limited}/', method: POST, transport: {transport}}}\nsend: {send}\n",
        }
    )
    report = project.run("c")
    requests = RECORDS if send == "single" else RECORDS // 2
    assert (report.state, report.delivered, report.rejected) == ("complete", RECORDS, 0)
    assert len(upstream[1]) == len(set(upstream[1])) == requests
    assert report.requests <= 1.5 * requests
