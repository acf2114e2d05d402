"""Kea's control agent: a command a request, and always a 200; how it went is a number in the only item of a list."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.testing import Project
from tests.servers import free_port, running, wanted

from .servers import connector, get, kill_when, reasons

LOGIN = "Basic " + b64encode(b"crm:kea-password").decode()


def dhcp(home: Path) -> dict[str, Any]:
    (hook,) = Path("/usr/lib").glob("*/kea/hooks/libdhcp_lease_cmds.so")
    return {
        "interfaces-config": {"interfaces": []},
        "control-socket": {"socket-type": "unix", "socket-name": str(home / "dhcp4")},
        "lease-database": {"type": "memfile", "persist": False},
        "hooks-libraries": [{"library": str(hook)}],
        "subnet4": [{"id": 1, "subnet": "10.0.0.0/16"}],
        "loggers": [{"name": "kea-dhcp4", "severity": "FATAL", "output_options": [{"output": "stdout"}]}],
    }


def agent(home: Path, port: int) -> dict[str, Any]:
    return {
        "http-host": "127.0.0.1",
        "http-port": port,
        "control-sockets": {"dhcp4": {"socket-type": "unix", "socket-name": str(home / "dhcp4")}},
        "authentication": {"type": "basic", "realm": "kea", "clients": [{"user": "crm", "password": "kea-password"}]},
        "loggers": [{"name": "kea-ctrl-agent", "severity": "FATAL", "output_options": [{"output": "stdout"}]}],
    }


def command(url: str, name: str) -> Any:
    return get(url, method="POST", body={"command": name, "service": ["dhcp4"]}, Authorization=LOGIN)[0]


@pytest.fixture
def kea(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The path of a Unix socket may have 107 bytes.
    home, port = tmp_path_factory.mktemp("kea"), free_port()
    (home / "dhcp4.json").write_text(json.dumps({"Dhcp4": dhcp(home)}))
    (home / "agent.json").write_text(json.dumps({"Control-agent": agent(home, port)}))
    for name in ("KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("KEA_PASSWORD", "kea-password")
    url = f"http://127.0.0.1:{port}/"
    up = lambda: command(url, "status-get")["arguments"]  # noqa: E731
    with (
        running([wanted("kea-ctrl-agent"), "-c", "agent.json"], port, home) as here,
        running([wanted("kea-dhcp4"), "-c", "dhcp4.json", "-p", str(free_port())], port, home, asked=up),
    ):
        yield here


def leases(url: str) -> dict[str, tuple[str, str]]:
    found = command(f"{url}/", "lease4-get-all").get("arguments", {"leases": []})["leases"]
    return {lease["hostname"]: (lease["ip-address"], lease["hw-address"]) for lease in found}


def hosts(count: int, bad: int = -1) -> dict[str, tuple[str, str]]:
    """Names, with an address and a MAC each; that of the bad one is in no subnet."""
    addresses = ["192.0.2.7" if at == bad else f"10.0.{at // 250}.{at % 250 + 1}" for at in range(count)]
    return {f"host{at}": (address, f"02:00:00:00:{at // 256:02x}:{at % 256:02x}") for at, address in enumerate(addresses)}


def as_csv(rows: dict[str, tuple[str, str]]) -> str:
    return "id,address,mac\n" + "".join(f"{name},{address},{mac}\n" for name, (address, mac) in rows.items())


def test_killed_and_resumed_it_has_every_lease_once_and_says_which_is_in_no_subnet(project: Project, kea: str) -> None:
    rows = hosts(300, bad=166)
    # Somebody else has this address already: a conflict in a first attempt is one.
    taken = {"ip-address": rows["host3"][0], "hw-address": "02:ff:ff:ff:ff:ff", "hostname": "older"}
    get(kea, method="POST", body={"command": "lease4-add", "service": ["dhcp4"], "arguments": taken}, Authorization=LOGIN)
    project({"leases.csv": as_csv(rows), **connector("kea", kea)})
    kill_when(project, "kea", lambda: len(leases(kea)), 40, "60/s")
    assert len(leases(kea)) < 299
    report = project.run("kea")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 298, 2)
    assert reasons(project, report) == {
        "host3": "200: IPv4 lease already exists.",
        "host166": f"200: subnet-id not specified and failed to find a subnet for address {rows['host166'][0]}",
    }
    del rows["host3"], rows["host166"]
    assert leases(kea) == rows | {"older": (taken["ip-address"], taken["hw-address"])}


def test_a_password_it_does_not_know_stops_the_run_after_one_request(
    project: Project, kea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEA_PASSWORD", "another")
    project({"leases.csv": as_csv(hosts(500)), **connector("kea", kea)})
    report = project.run("kea")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 500)
    assert leases(kea) == {}
