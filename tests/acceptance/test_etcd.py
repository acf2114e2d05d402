"""etcd's JSON gateway: keys and values in Base64, and a transaction a record, which says whether the key was there."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, get, kill_when, reasons

CONNECTOR = """
source: {{use: csv, path: settings.csv}}
schema:
  id:    {{type: string}}
  value: {{type: string}}
  lease: {{type: string}}
destination:
  url: {url}/v3/kv/txn
  response:
    statuses: {{404: rejected}}  # a lease that it does not know
    delivered_when: {{path: $.succeeded, exists: true}}    # it leaves out what is false
    on_repeat: {{delivered_when: {{path: $.header.revision, exists: true}}}}   # the key is there, as it is after a first attempt
    reason: $.message
send:
  use: single
  record:
    compare: [{{key: {{as: base64, value: $id}}, target: CREATE, create_revision: "0"}}]
    success:
      - requestPut: {{key: {{as: base64, value: $id}}, value: {{as: base64, value: $value}}, lease: $lease}}
"""


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    home, port = tmp_path / "etcd", free_port()
    home.mkdir()
    here, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    options = {
        "data-dir": home / "data",
        "listen-client-urls": here,
        "advertise-client-urls": here,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
    command = [wanted("etcd"), *(f"--{name}={value}" for name, value in options.items()), "--unsafe-no-fsync"]
    with running(command, port, home, asked=lambda: stored(here)) as url:
        yield url


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def stored(url: str) -> dict[str, tuple[str, int]]:
    """Each key's value, and how often it was written."""
    found: dict[str, Any] = get(f"{url}/v3/kv/range", method="POST", body={"key": encoded("\0"), "range_end": encoded("\0")})
    return {b64decode(kv["key"]).decode(): (b64decode(kv["value"]).decode(), int(kv["version"])) for kv in found.get("kvs", [])}


def test_killed_and_resumed_it_has_every_key_once_and_says_which_were_there_and_which_it_refused(
    project: Project, etcd: str
) -> None:
    get(f"{etcd}/v3/kv/put", method="POST", body={"key": encoded("app/7"), "value": encoded("older")})
    rows = "".join(f"app/{at},grün {at},{4711 if at == 222 else 0}\n" for at in range(300))
    project({"settings.csv": f"id,value,lease\n{rows}", "connectors.d/settings.yaml": CONNECTOR.format(url=etcd)})
    kill_when(project, "settings", lambda: len(stored(etcd)), 40, "60/s")
    assert len(stored(etcd)) < 298
    report = project.run("settings")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 298, 2)
    said = reasons(project, report)
    assert said.keys() == {"app/7", "app/222"}
    assert "requested lease not found" in said["app/222"]
    there = {f"app/{at}": (f"grün {at}", 1) for at in range(300) if at != 222}
    assert stored(etcd) == there | {"app/7": ("older", 1)}


def test_killed_and_resumed_the_cookbook_s_connector_has_put_every_key(project: Project, etcd: str) -> None:
    get(f"{etcd}/v3/kv/put", method="POST", body={"key": encoded("app/7"), "value": encoded("older")})
    project({"settings.csv": "id,value\n" + "".join(f"app/{at},grün {at}\n" for at in range(300)), **connector("etcd", etcd)})
    kill_when(project, "etcd", lambda: len(stored(etcd)), 40, "60/s")
    assert len(stored(etcd)) < 300
    report = project.run("etcd")
    assert (report.state, report.delivered, report.rejected) == ("complete", 300, 0)
    there = stored(etcd)
    assert {key: value for key, (value, _) in there.items()} == {f"app/{at}": f"grün {at}" for at in range(300)}
    assert max(version for _, version in there.values()) <= 2
