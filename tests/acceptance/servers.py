"""Where the acceptance servers and suites are, and how they are spoken to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendoff import Report
from sendoff.cli import cookbook
from sendoff.ledger import open_history
from sendoff.testing import Project
from tests.oracle import account

_SERVERS = Path(__file__).parent / ".servers"
JSON_SERVER = _SERVERS / "node_modules/.bin/json-server"
DATASETTE = _SERVERS / "datasette/bin/datasette"
KINTO = _SERVERS / "kinto/bin/kinto"
POUCHDB = _SERVERS / "node_modules/.bin/pouchdb-server"
TYPESENSE = _SERVERS / "typesense/typesense-server"
YAML_LANGUAGE_SERVER = _SERVERS / "node_modules/yaml-language-server/bin/yaml-language-server"
DOCKERFILE_UTILS = _SERVERS / "node_modules/dockerfile-utils/bin/dockerfile-utils"
GRAPHQL = _SERVERS / "node_modules/graphql-yoga"
WIREMOCK = _SERVERS / "node_modules/wiremock/build/wiremock-standalone-3.13.2.jar"


#: What the servers of the tests take for a credential.
SECRETS = {
    "CLICKHOUSE_USER": "crm",
    "COUCHDB_USER": "crm",
    "COUCHDB_PASSWORD": "couch-password",
    "KEA_USER": "crm",
    "KINTO_PASSWORD": "s3cret",
    "METRICS_USER": "crm",
    "RABBITMQ_USER": "guest",
    "RABBITMQ_PASSWORD": "guest",
    "TYPESENSE_KEY": "search-key",
}


def get(url: str, *, method: str = "GET", body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    with urllib.request.urlopen(urllib.request.Request(url, data, sent, method=method)) as answer:
        said = answer.read()
        return json.loads(said) if said else None


def connector(name: str, here: str, **changes: str) -> dict[str, str]:
    """The cookbook's connector file for an API, for the server that runs `here`; of its variables the values are `SECRETS`."""
    text = cookbook.recipe(name).connector
    text = re.sub(r"https?://(localhost|127\.0\.0\.1):\d+", here, text)
    text = re.sub(r"\$\{env:(\w+)\}", lambda match: SECRETS.get(match[1], match[0]), text)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return {f"connectors.d/{name}.yaml": text}


def suite(name: str) -> Path:
    """Where a test suite that we did not write was unpacked; without it the test is skipped, but never in CI."""
    found = _SERVERS / "suites" / name
    if not found.is_dir():
        assert not os.environ.get("CI"), f"{name} is missing; run `make servers`"
        pytest.skip(f"{name} is not there; `make servers` fetches it")
    return found


def kill_when(project: Project, name: str, held: Callable[[], int], count: int, rate: str) -> None:
    """Run a connector as a user does, and end the process with SIGKILL as soon as the server has `count` records.

    So long it sends at a `rate`, like 5/s: on a machine however busy, much is left to do then.
    """
    file = project.home / f"connectors.d/{name}.yaml"
    text = file.read_text()
    file.write_text(text.replace("\ndestination:\n", f"\ndestination:\n  rate_limit: {rate}\n"))
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run", name, "--quiet"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, cwd=project.home, stdout=said, stderr=subprocess.STDOUT) as run,
    ):
        try:
            while held() < count:
                if run.poll() is not None:
                    said.seek(0)
                    raise AssertionError(f"it ended before it could be killed: {said.read().decode()}")
                time.sleep(0.05)
            assert run.poll() is None
        finally:
            run.kill()
    file.write_text(text)


def settled(project: Project) -> int:
    """How many records the ledger calls delivered, where a server cannot say how many it has."""
    held = account(project.home / ".sendoff")
    return len(held.delivered) if held else 0


def reasons(project: Project, report: Report) -> dict[str, str]:
    """Why each record was rejected, by its `id`."""
    failures = open_history(project.home / ".sendoff").failures(report.run)
    return {str(row["record"]["id"]): row["reason"] for row in failures}


def readers() -> Path:
    """Where other readers of workbooks are installed, which are no part of the project."""
    found = _SERVERS / "readers"
    if not found.is_dir():
        assert not os.environ.get("CI"), "openpyxl and xlrd are missing; run `make servers`"
        pytest.skip("openpyxl and xlrd are not there; `make servers` fetches them")
    return found
