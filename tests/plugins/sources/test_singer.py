"""Singer taps: real programs, whose every message is read or refused, and whose state is kept only with its records."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sendoff import SourceError, SourceUnavailable
from sendoff.records import pages
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources.singer import Singer

SCHEMA = {"type": "SCHEMA", "stream": "people", "schema": {}, "key_properties": ["id"]}
STATE = {"type": "STATE", "value": {"seen": 2}}


def record(number: int, stream: str = "people") -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": {"id": number}}


def batch(*manifest: str, compression: str | None = "gzip", written: str = "jsonl", stream: str = "people") -> dict[str, Any]:
    encoding = {"format": written, "compression": compression}
    return {"type": "BATCH", "stream": stream, "encoding": encoding, "manifest": [*manifest]}


def tap(home: Path, *messages: object, then: str = "", **options: Any) -> Singer:
    """A tap that writes the messages, and then does something else."""
    lines = "".join(f"print({json.dumps(json.dumps(message))}, flush=True)\n" for message in messages)
    (home / "tap.py").write_text(f"import os, sys\nargv, sys.argv = sys.argv, sys.argv[:1]\n{lines}{then}\n")
    return Singer(home=home, command=[sys.executable, "tap.py"], config={}, **options)


def ids(source: Singer, cursor: Any = None) -> list[int]:
    return [row["id"] for page in pages(source.read(cursor)) for row in page.frame.to_dicts()]


def test_the_files_of_a_batch_are_read_among_the_records_in_their_order(tmp_path: Path) -> None:
    """Kind: a message with data in it that is passed over, while the state moves on past it.

    Brothers looked at: unknown types, other streams' batches, a misspelt stream, messages without a type.
    """
    (tmp_path / "a b.jsonl.gz").write_bytes(gzip.compress(b'{"id": 2}\n{"id": 3}\n'))
    (tmp_path / "plain.jsonl").write_bytes(b'{"id": 4}\n{"id": 5}\n')
    absolute = (tmp_path / "a b.jsonl.gz").as_uri()
    source = tap(
        tmp_path,
        SCHEMA,
        record(1),
        batch(absolute),
        batch("plain.jsonl", "file://plain.jsonl", f"file://localhost{tmp_path}/plain.jsonl", compression=None),
        batch("nowhere.jsonl", stream="other"),
        record(6),
        STATE,
        stream="people",
    )
    assert ids(source) == [1, 2, 3, 4, 5, 4, 5, 4, 5, 6]
    assert source.next_cursor == {"stream": "people", "state": {"seen": 2}}


def test_a_line_of_a_batch_that_is_no_record_is_set_apart_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b'{"id": 1}\nnonsense\n')
    found = pages(tap(tmp_path, SCHEMA, batch("b.jsonl", compression=None)).read(None))
    assert [(page.file, page.line(1), [*page.row_errors]) for page in found] == [("b.jsonl", 2, [1])]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            batch("b.parquet", written="parquet", compression=None),
            "message 2: its files are parquet, none; only jsonl, plain or gzip, is read",
        ),
        (batch("b.zst", compression="zstd"), "its files are jsonl, zstd; only jsonl, plain or gzip, is read"),
        (batch("s3://bucket/b.gz"), "message 2: s3:// is not read; let the tap write its batches to a directory"),
        (batch("missing.gz"), "missing.gz: cannot be read: No such file or directory"),
        (batch("cut.gz"), "cut.gz: broken gzip after"),
        ({"type": "BATCH", "stream": "people"}, "message 2: a BATCH message has an `encoding` and a `manifest`"),
        ({"type": "UPSERT", "stream": "people"}, 'message 2 is of the type "UPSERT"; known are SCHEMA, RECORD, STATE, BATCH'),
        ({"level": "info", "event": "reading"}, "message 2 is of the type null; known are"),
    ],
)
def test_a_message_that_cannot_be_read_is_an_error_and_no_state_is_kept(
    project: Project, receiver: Receiver, message: dict[str, Any], sentence: str
) -> None:
    (project.home / "cut.gz").write_bytes(gzip.compress(b'{"id": 2}\n' * 9_000)[:-6])
    tap(project.home, SCHEMA, message, STATE)
    text = f"source: {{use: singer, command: ['{sys.executable}', tap.py]}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/a.yaml": text})
    with pytest.raises(SourceError) as raised:
        project.run("a")
    assert sentence in str(raised.value)
    assert raised.value.exit_code == 2
    assert not receiver.requests
    tap(project.home, SCHEMA, record(1), then="assert '--state' not in argv, argv")
    assert project.run("a").delivered == 1


def test_a_stream_that_the_tap_has_not_is_an_error_that_lists_those_there_are(project: Project, receiver: Receiver) -> None:
    """Kind: a selector that matches nothing, silently, while the state moves on."""
    tap(project.home, SCHEMA, {**SCHEMA, "stream": "orders"}, record(1), STATE)
    text = (
        f"source: {{use: singer, command: ['{sys.executable}', tap.py], stream: %s}}\ndestination: {{url: '{receiver.url}'}}\n"
    )
    for name in ("peeple", "People"):
        project({"connectors.d/a.yaml": text % name})
        with pytest.raises(SourceError, match=f"there is no stream '{name}'; there are: orders, people"):
            project.run("a")
    tap(project.home, SCHEMA, record(1), STATE, then="assert '--state' not in argv, argv")
    project({"connectors.d/a.yaml": text % "people"})
    assert project.run("a").delivered == 1


def test_a_tap_that_writes_of_no_stream_is_an_error_at_first_and_nothing_new_later(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no stream 'people'; it writes of none; does the catalog select it?"):
        ids(tap(tmp_path, STATE, stream="people"))
    assert ids(tap(tmp_path, STATE, stream="people"), {"stream": "people", "state": {}}) == []


def test_a_state_is_not_given_to_the_tap_for_another_stream(tmp_path: Path) -> None:
    source = tap(tmp_path, SCHEMA, record(1), STATE)
    assert ids(source) == [1]
    with pytest.raises(SourceError, match="is from reading 'people', and may pass over what 'orders' has"):
        ids(tap(tmp_path, stream="orders"), source.next_cursor)
    assert ids(tap(tmp_path, SCHEMA, record(2), then="assert '--state' in argv"), {"seen": 1}) == [2], "as it was kept before"


@pytest.mark.parametrize(
    ("end", "error"),
    [("os.kill(os.getpid(), 9)", SourceUnavailable), ("raise SystemExit(1)", SourceError)],
    ids=["killed", "failed"],
)
def test_the_state_of_a_tap_that_did_not_end_well_is_not_kept(
    project: Project, receiver: Receiver, end: str, error: type[SourceError]
) -> None:
    """The tap has written a state for two records when it is ended: neither is sent, and both are read again."""
    text = f"source: {{use: singer, command: ['{sys.executable}', tap.py]}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/a.yaml": text})
    tap(project.home, SCHEMA, record(1), record(2), STATE, record(3), then=end)
    with pytest.raises(error):
        project.run("a")
    assert not receiver.requests
    tap(project.home, SCHEMA, record(1), record(2), record(3), STATE, then="assert '--state' not in argv, argv")
    assert project.run("a").delivered == 3


def test_an_interrupted_run_delivers_what_its_state_covers_before_the_tap_is_asked_again(
    project: Project, receiver: Receiver
) -> None:
    text = f"source: {{use: singer, command: ['{sys.executable}', tap.py]}}\ndestination: {{url: '{receiver.url}'}}\n"
    project({"connectors.d/a.yaml": text})
    tap(project.home, SCHEMA, record(1), record(2), STATE)
    receiver.script = [Reply(401)]
    assert project.run("a").state == "stopped"
    (project.home / "tap.py").write_text("raise SystemExit('the tap was run again')")
    assert project.run("a").delivered == 2
    tap(project.home, SCHEMA, record(3), then="assert '--state' in argv, argv")
    assert project.run("a").delivered == 1
    assert receiver.bodies[1:] == [[{"id": 1}, {"id": 2}], [{"id": 3}]]
