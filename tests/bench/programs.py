"""What is measured: sendoff and its peers, each with what it does of the job."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from tests.bench import samples

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
_RUNS = count()


@dataclass(frozen=True)
class Job:
    """A file's records to a URL: so many a request, so many requests at once."""

    home: Path
    url: str
    records: int
    size: int
    concurrency: int
    kind: str = "jsonl"

    @property
    def file(self) -> Path:
        return {"jsonl": samples.jsonl, "nested": samples.nested, "csv": samples.csv, "sqlite": samples.sqlite}[self.kind](
            self.home, self.records
        )


@dataclass(frozen=True)
class Program:
    """One that is measured. `share` is how much of a case's records it gets: the slow ones need not take for ever."""

    name: str
    does: str
    command: Callable[[Job], Sequence[str | Path]]
    share: float = 1.0
    #: What must be there for it to run.
    needs: Path | None = None
    #: Whether it reads on for ever, and is ended when all has arrived.
    endless: bool = False
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def available(self) -> bool:
        return self.needs is None or self.needs.exists()


def sendoff(job: Job, transport: str = "") -> Sequence[str | Path]:
    send = f"{{use: batch, max_records: {job.size}}}" if job.size > 1 else "single"
    secure = f", tls: {{ca: {job.home / 'cert.pem'}}}" if job.url.startswith("https") else ""
    chosen = f", transport: {transport}" if transport else ""
    directory = job.home / f"sendoff-{next(_RUNS)}"
    (directory / "connectors.d").mkdir(parents=True)
    (directory / "connectors.d/bench.yaml").write_text(
        f"source: {{use: {'jsonl' if job.kind == 'nested' else job.kind}, path: {job.file}}}\n"
        f"schema:\n{samples.NESTED_SCHEMA if job.kind == 'nested' else samples.SCHEMA}"
        f'destination: {{url: "{job.url}", concurrency: {job.concurrency}{secure}{chosen}}}\nsend: {send}\n'
    )
    go = "from sendoff.cli import main; main()"
    return [sys.executable, "-c", go, "-d", directory / "connectors.d", "run", "--quiet"]


def script(interpreter: Path | str, name: str) -> Callable[[Job], Sequence[str | Path]]:
    return lambda job: [interpreter, HERE / "peers" / name, job.url, job.file, str(job.size), str(job.concurrency)]


def wrk(job: Job) -> Sequence[str | Path]:
    lua = job.home / "post.lua"
    body = "{" + ",".join(f'"{name}":{value}' for name, value in zip(samples.NAMES, samples.row(12345), strict=True)) + "}"
    lua.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.headers["Idempotency-Key"] = "{"0" * 32}"\nwrk.body = [[{body}]]\n'
    )
    return ["wrk", "-t1", f"-c{job.concurrency}", "-d3s", "-s", lua, job.url]


def drt(job: Job) -> Sequence[str | Path]:
    home = job.home / "drt"
    (home / "syncs").mkdir(parents=True, exist_ok=True)
    (home / ".drt").mkdir(exist_ok=True)
    (home / "drt_project.yml").write_text('name: bench\nversion: "0.1"\nprofile: local\n')
    database = samples.sqlite(job.home, job.records)
    (home / ".drt/profiles.yml").write_text(f"local:\n  type: sqlite\n  database: {database}\n")
    body = (
        'body_template: "{{ row | tojson }}"'
        if job.size == 1
        else f'body_mode: batch\n  batch_template: "{{{{ rows | tojson }}}}"\n  max_records_per_request: {job.size}'
    )
    (home / "syncs/s.yml").write_text(
        f'name: s\nmodel: "SELECT * FROM records"\ndestination:\n  type: rest_api\n  url: "{job.url}"\n  method: POST\n'
        f"  headers: {{Content-Type: application/json}}\n  {body}\n"
        f"sync:\n  mode: full\n  batch_size: {max(1000, job.size)}\n  rate_limit: {{requests_per_second: 1000000}}\n  on_error: skip\n"
    )
    return ["env", "-C", home, f"HOME={home}", PEERS / "drt/bin/drt", "run", "--select", "s"]


def syslog_ng(job: Job) -> Sequence[str | Path]:
    config, state = job.home / "syslog-ng.conf", job.home / f"syslog-ng-{next(_RUNS)}"
    batch = (
        f'batch-lines({job.size}) batch-timeout(200) body-prefix("[") delimiter(",") body-suffix("]") ' if job.size > 1 else ""
    )
    config.write_text(
        "@version: 3.38\noptions { stats-freq(0); use-dns(no); };\n"
        f'source s {{ file("{job.file}" flags(no-parse) follow-freq(0.1) log-fetch-limit(10000) log-iw-size(200000)); }};\n'
        f'destination d {{ http(url("{job.url}") method("POST") headers("Content-Type: application/json") body("${{MSG}}") '
        f"{batch}workers({min(16, job.concurrency)}) log-fifo-size(1200000)); }};\nlog {{ source(s); destination(d); flags(flow-control); }};\n"
    )
    return ["syslog-ng", "-F", "-f", config, "-R", f"{state}.persist", "-c", f"{state}.ctl", "-p", f"{state}.pid", "--no-caps"]


BRIDGE, NODE = PEERS / "bridge/bin/python", Path(shutil.which("node") or "/nonexistent")

SENDOFF = Program("sendoff", "parses, checks a schema, keeps a durable account, a key for each request", sendoff)
URLLIB3 = Program("sendoff, urllib3", "the same over the other transport", lambda job: sendoff(job, "urllib3"))
URLLIB3_ONE = replace(URLLIB3, share=0.02)
WRK = Program("wrk", "no records: one request over and over, the limit of one core", wrk, needs=Path("/usr/bin/wrk"))
PLAIN = Program(
    "urllib3 script", "passes lines through; no schema, no account, no retry", script(sys.executable, "plain.py"), share=0.04
)
MQ_BRIDGE = Program(
    "mq-bridge", "passes lines through; no schema, no account", script(BRIDGE, "mq_bridge_route.py"), needs=BRIDGE
)
REDPANDA = Program(
    "Redpanda Connect", "no schema; no account of records", script(BRIDGE, "redpanda_connect.py"), share=0.2, needs=BRIDGE
)
UNDICI = Program(
    "node undici", "passes lines through; no schema, no account, no retry",
    lambda job: [NODE, _beside(HERE / "peers/undici.mjs"), job.url, job.file, str(job.size), str(job.concurrency)],
    share=0.25, needs=PEERS / "node_modules/undici",
)  # fmt: skip
SYSLOG_NG = Program(
    "syslog-ng", "passes lines through; no schema, no account of records", syslog_ng, share=0.25, needs=Path("/usr/sbin/syslog-ng"),
    endless=True,
)  # fmt: skip
DRT = Program("drt", "rows of SQLite by a template; dead letters; sequential", drt, share=0.01, needs=PEERS / "drt/bin/drt")
DLT = Program(
    "dlt", "loads through files, with resumable state; a schema it infers", script(PEERS / "drt/bin/python", "dlt_destination.py"),
    share=0.006, needs=PEERS / "drt/bin/python",
)  # fmt: skip


def _beside(file: Path) -> Path:
    """Node looks for packages beside the script."""
    copy = PEERS / file.name
    copy.write_text(file.read_text())
    return copy
