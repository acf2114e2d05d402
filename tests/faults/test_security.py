"""K11, K15, X3, X5, X9, X10: what others wrote must not lead anywhere, be run, hang, or be believed; and secrets stay where they are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendoff import ConfigError, LedgerError, SourceError, send
from sendoff.ledger import open_ledger
from sendoff.testing import Project, Receiver
from tests.stress import canaries
from tests.stress.promise import Budget
from tests.stress.zygote import Zygote


@given(st.text(alphabet=st.sampled_from("./?#%2fF@:\\ \té€a1\x00"), min_size=1, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_k11_a_record_cannot_lead_its_url_elsewhere(receiver: Receiver, value: str) -> None:
    before = len(receiver.requests)
    report = send([{"id": value}], url=f"{receiver.url}/people/{{id}}/notes")
    assert report.read == 1
    for request in receiver.requests[before:]:
        assert request.path.startswith("/people/")
        inner, _, last = request.path.removeprefix("/people/").rpartition("/")
        assert (last, "/" in inner, "?" in inner, "#" in inner) == ("notes", False, False, False)
        assert unquote(inner) == value
        assert inner not in (".", "..")


@pytest.mark.parametrize(
    "value", ["{{ ''.__class__ }}", "${env:HOME}", "$(id)", "{0.__class__}", "%(x)s", "=cmd|' /C calc'!A0"]
)
def test_x5_an_expression_in_a_record_is_text(receiver: Receiver, value: str) -> None:
    send([{"a": value}], url=receiver.url, batch=10)
    assert receiver.bodies == [[{"a": value}]]


@pytest.mark.parametrize("value", ["{0.__class__}", "{a.__class__}", "{a!r}", "{a:>9}"])
def test_x5_in_configuration_braces_hold_the_name_of_a_field_and_nothing_else(receiver: Receiver, value: str) -> None:
    with pytest.raises((ConfigError, SourceError)):  # noqa: PT012  # it may be refused at once or stop the run
        report = send([{"a": "x"}], url=receiver.url, headers={"X-Said": value})
        raise SourceError(report.stopped_because or "")
    assert not receiver.requests


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_x9_a_pattern_that_would_run_away_is_matched_in_linear_time(receiver: Receiver, pattern: str) -> None:
    rows = [{"a": "a" * 60 + "!"}, {"a": "a" * 60 + "é"}]
    report = send(rows, url=receiver.url, batch=10, schema={"a": {"type": "string", "regex": pattern}})
    assert (report.invalid, receiver.requests) == (2, [])


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON piece BEGIN DELETE FROM delivered; END",
        "CREATE VIEW v AS SELECT value FROM meta WHERE key = 'key_secret'",
    ],
    ids=["x10-trigger", "x10-view"],
)
def test_a_ledger_that_does_more_than_keep_is_refused(tmp_path: Path, sql: str) -> None:
    open_ledger(tmp_path / "s").close()
    with closing(sqlite3.connect(tmp_path / "s/ledger.db")) as db:
        db.execute(sql)
    with pytest.raises(LedgerError, match="not created by sendoff"):
        open_ledger(tmp_path / "s")


def test_k15_a_file_of_secrets_that_others_can_read_is_told_by_doctor(project: Project, tmp_path: Path) -> None:
    project(
        {
            "token": "a-token-of-some-length",
            "connectors.d/c.yaml": 'source: stdin\ndestination: {url: "http://127.0.0.1:1/", headers: {A: "${file:token}"}}\n',
        }
    )
    with Zygote(tmp_path) as zygote:
        told = []
        for mode in (0o644, 0o600):
            (project.home / "token").chmod(mode)
            run = zygote.run("doctor", cwd=project.home)
            told.append((run.wait(30), "token: others can read it" in run.output().replace("        ", "")))
            assert ("other users can read it; chmod 600" in run.output()) == (mode == 0o644)
    assert [code for code, _ in told] == [2, 0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_x3_secrets_of_every_kind_over_every_path_are_nowhere_to_be_found() -> None:
    assert canaries.PROMISE.hold(Budget(canaries.PROMISE.ci))["leaks"] == 0


def test_x3_the_control_a_leak_on_purpose_is_found() -> None:
    figures = canaries.stress(Budget(1), leaking=True)
    assert figures["leaks"] > 0
