"""sendoff from Python."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import sendoff
from sendoff import (
    ConfigError,
    Event,
    Incomplete,
    Observer,
    PluginCrash,
    RunInfo,
    Runner,
    Source,
    SourceError,
    Validator,
    hookimpl,
)
from sendoff.ledger import open_history
from sendoff.sandbox import Sandbox
from sendoff.testing import Project, Receiver, Reply

CONNECTOR = 'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "{url}"}}\nsend: {{use: batch, max_records: 100}}\n'


def offering(kind: str, *classes: type) -> object:
    """A plugin that offers these classes."""

    def hook() -> list[type]:
        return list(classes)

    return type("Plugin", (), {f"sendoff_{kind}": staticmethod(hookimpl(hook))})


def test_send_takes_any_rows(receiver: Receiver) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    generator = ({"a": at} for at in range(3))
    for rows, count in ((frame, 2), ([{"a": 1}], 1), (generator, 3), (iter([[{"a": 1}, {"a": 2}], frame]), 4)):
        report = sendoff.send(rows, url=receiver.url, headers={"X-A": "b"}, batch=500)
        assert (report.state, report.delivered) == ("complete", count)
    assert receiver.bodies[0] == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert receiver.requests[0].headers["x-a"] == "b"


def test_send_without_a_batch_sends_one_by_one(receiver: Receiver) -> None:
    assert sendoff.send([{"a": 1}, {"a": 2}], url=receiver.url).requests == 2
    assert sorted(body["a"] for body in receiver.bodies) == [1, 2]


def test_send_says_what_is_wrong_with_its_settings(receiver: Receiver) -> None:
    with pytest.raises(ConfigError, match="must be one of POST"):
        sendoff.send([], url=receiver.url, method="FETCH")
    with pytest.raises(ConfigError, match="unknown key; did you mean 'schema'"):
        sendoff.send([], url=receiver.url, shema={})
    with pytest.raises(ConfigError, match=r"schema.f.schema.x.min: a object cannot be written as JSON; settings hold what"):
        sendoff.send([], url=receiver.url, schema={"f": {"type": "dict", "schema": {"x": {"min": object()}}}})
    with pytest.raises(SourceError, match="a record is a mapping"):
        sendoff.send([["a", 1]], url=receiver.url)


def test_incomplete_is_raised_when_asked_for(receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(400, b'{"message": "no"}')
    report = sendoff.send([{"a": 1}], url=receiver.url)
    with pytest.raises(Incomplete, match="0 of 1 records delivered, 1 rejected") as caught:
        report.raise_if_incomplete()
    assert caught.value.report is report


def test_records_stand_in_for_a_connectors_source(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
    assert project.run("c", records=[{"a": Decimal("1.10")}]).delivered == 1
    assert receiver.requests[0].body == b'[{"a":1.10}]'


def test_given_records_that_were_cut_short_are_resumed_and_others_refused(project: Project) -> None:
    with Sandbox(["401 if header x != y"]) as api:
        project({"connectors.d/c.yaml": CONNECTOR.format(url=api.url)})
        rows = [{"a": at, "b": Decimal("0.1"), "c": [1, {"d": None}]} for at in range(10)]
        assert project.run("c", records=rows).state == "stopped"
        with pytest.raises(ConfigError, match="these are not its records"):
            project.run("c", records=rows[1:])
        api.rules.clear()
        report = project.run("c", records=rows)
        assert (report.run, report.delivered, len(api.records)) == (1, 10, 10)


def test_a_connector_can_be_run_again_and_again_in_one_process(project: Project, receiver: Receiver) -> None:
    text = CONNECTOR.format(url=receiver.url) + "validators: [{use: unique, fields: [a]}]\n"
    runner = project({"in.jsonl": '{"a":1}\n{"a":1}\n', "connectors.d/c.yaml": text}).runner()
    connector = runner.connector("c")
    for number in (1, 2):
        report = runner.run(connector)
        assert (report.run, report.delivered, report.invalid) == (number, 1, 1)


def test_a_condition_sets_records_aside(project: Project, receiver: Receiver) -> None:
    text = (
        CONNECTOR.format(url=receiver.url)
        + "validators: [{use: condition, where: \"a > 1 AND b LIKE '%x'\", reason: too dull}]\n"
    )
    project({"in.jsonl": '{"a":1,"b":"x"}\n{"a":2,"b":"yx"}\n', "connectors.d/c.yaml": text})
    assert project.run("c").delivered == 1
    assert receiver.bodies == [[{"a": 2, "b": "yx"}]]


def test_an_error_inside_a_plugin_source_names_it_and_keeps_what_was_delivered(project: Project, receiver: Receiver) -> None:
    class Flaky(Source):
        """Breaks after a while."""

        name = "flaky"

        def fingerprint(self) -> bytes:
            return b"always the same"

        def read(self, cursor: object) -> Iterator[dict[str, Any]]:
            yield from ({"a": at} for at in range(20_000))
            raise RuntimeError("the tape tore")

    text = CONNECTOR.format(url=receiver.url).replace("{use: jsonl, path: in.jsonl}", "flaky").replace("100", "5000")
    project({"connectors.d/c.yaml": text})
    report = project.run("c", plugins=[offering("sources", Flaky)])
    assert report.state == "stopped"
    assert report.stopped_because is not None
    assert re.fullmatch(
        r"the source 'flaky' \(\S+test_runner.py:\d+\) failed after 20,000 rows: RuntimeError: the tape tore",
        report.stopped_because,
    )
    assert report.exit_code == 70
    assert report.read == 20_000
    assert report.read == report.delivered + report.pending


def test_an_error_inside_a_validator_names_it_with_the_record_and_the_run_is_resumable(
    project: Project, receiver: Receiver
) -> None:
    class Broken(Validator):
        """Always fails."""

        name = "broken"

        def validate(self, frame: pl.DataFrame) -> list[Any]:
            raise ZeroDivisionError("oops")

    project({"in.jsonl": '{"a":1}\n', "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url) + "validators: [broken]\n"})
    report = project.run("c", plugins=[offering("validators", Broken)])
    assert (report.state, report.exit_code) == ("stopped", 70)
    assert isinstance(report.error, PluginCrash)
    assert isinstance(report.error.__cause__, ZeroDivisionError)
    assert "failed at in.jsonl:1: ZeroDivisionError: oops" in str(report.stopped_because)
    assert not receiver.requests


def test_observers_see_the_run(project: Project, receiver: Receiver) -> None:
    seen: list[tuple[Any, ...]] = []

    class Watcher(Observer):
        """Notes everything."""

        name = "watcher"

        def on_event(self, run: RunInfo, event: Event) -> None:
            seen.append((event.name, event.fields().get("delivered")))

    project({"in.jsonl": '{"a":1}\n' * 500, "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
    Runner(project.home / "connectors.d", observers=[Watcher()]).run("c")
    assert seen[0] == ("run_started", 0)
    assert seen[-1] == ("run_ended", 500)
    assert ("run_progressed", 500) in seen


def test_the_log_and_metrics_observers_tell_what_happened(
    project: Project, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    text = CONNECTOR.format(url=receiver.url) + "observers: [log, {use: metrics, file: out.prom}]\n"
    project({"in.jsonl": '{"a":1}\n', "connectors.d/c.yaml": text})
    with caplog.at_level(logging.INFO, "sendoff"):
        project.run("c")
    assert "c: run 1: 1 of 1 records delivered" in caplog.text
    assert 'sendoff_records_total{connector="c",outcome="delivered"} 1' in (project.home / "out.prom").read_text()


def test_a_library_call_prints_nothing(project: Project, receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    project({"in.jsonl": '{"a":1}\n', "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
    project.run("c")
    assert capfd.readouterr() == ("", "")


def test_parquet_and_csv_columns_keep_their_types(project: Project, receiver: Receiver, tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1, 2], "d": pl.Series(["1.10", "2.20"]).str.to_decimal(scale=2), "l": [[1.5], []]})
    frame.write_parquet(tmp_path / "in.parquet")
    text = CONNECTOR.format(url=receiver.url).replace("{use: jsonl, path: in.jsonl}", "{use: parquet, path: in.parquet}")
    project({"connectors.d/c.yaml": text})
    assert project.run("c").delivered == 2
    assert receiver.requests[0].body == b'[{"n":1,"d":1.10,"l":[1.5]},{"n":2,"d":2.20,"l":[]}]'


def test_keys_differ_between_runs_and_can_be_renamed_or_left_out(project: Project, receiver: Receiver) -> None:
    project({"in.jsonl": '{"a":1}\n', "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
    project.run("c")
    project.run("c")
    first, second = (request.headers["idempotency-key"] for request in receiver.requests)
    assert first != second
    for setting, expected in (("idempotency: {name: X-Key}", "x-key"), ("idempotency: false", None)):
        project({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url).replace('"}', f'", {setting}}}')})
        project.run("c")
        keys = {name for name in receiver.requests[-1].headers if "key" in name}
        assert keys == ({expected} if expected else set())


def test_memory_is_flat_however_long_the_input(project: Project, receiver: Receiver) -> None:
    peak = 0

    class Endless(Source):
        """Many records."""

        name = "endless"

        def fingerprint(self) -> bytes:
            return b"x"

        def read(self, cursor: object) -> Iterator[pl.DataFrame]:
            nonlocal peak
            for _ in range(60):
                stock = runner._run._engine.planner.buffer  # type: ignore[union-attr]
                peak = max(peak, sum(len(block.data) for block in stock._blocks))
                yield pl.DataFrame({"text": ["x" * 1_000] * 2_000})

    text = CONNECTOR.format(url=receiver.url).replace("{use: jsonl, path: in.jsonl}", "endless").replace("100", "1000")
    project({"connectors.d/c.yaml": text})
    runner = Runner(project.home / "connectors.d", plugins=[offering("sources", Endless)])
    assert runner.run("c").delivered == 120_000
    assert peak < 40 << 20, "of 120 MB"


def test_a_retry_leaves_none_of_very_many_records_behind(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url).replace("100", "5000")})
    receiver.script = lambda request: Reply(400)
    first = project.run("c", records=pl.DataFrame({"a": range(40_005)}), early_stop=False)
    assert first.rejected == 40_005
    receiver.script = ()
    receiver.requests.clear()
    assert project.runner().retry(first.run).delivered == 40_005
    assert sorted(row["a"] for body in receiver.bodies for row in body) == list(range(40_005))


def test_a_failed_record_has_the_keys_it_had_and_no_others(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
    receiver.script = lambda request: Reply(400)
    rows = [{"a": 1, "b": None}, {"a": 2}, {"c": [Decimal("1.10")]}]
    first = project.run("c", records=rows, early_stop=False)
    assert [failure["record"] for failure in open_history(project.home / ".sendoff").failures(first.run)] == rows
    receiver.script = ()
    receiver.requests.clear()
    project.runner().retry(first.run)
    assert receiver.bodies == [[{"a": 1, "b": None}, {"a": 2}, {"c": [1.10]}]]
