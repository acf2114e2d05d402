"""The sandbox behaves as told."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sendoff.sandbox import Sandbox, rules


def post(url: str, body: Any, **headers: str) -> tuple[int, Any, dict[str, str]]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, json.dumps(body).encode(), names, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def test_it_takes_objects_and_arrays_and_shows_what_it_took() -> None:
    with Sandbox() as api:
        assert post(f"{api.url}/a/b", {"x": 1})[:2] == (200, {"ok": True, "taken": 1})
        assert post(f"{api.url}/a/b?q=1", [{"x": 2}, {"x": 3}])[:2] == (200, {"ok": True, "taken": 2})
        assert get(f"{api.url}/_records/a/b") == [{"x": 1}, {"x": 2}, {"x": 3}]
        assert get(f"{api.url}/_records/other") == []
        assert get(f"{api.url}/_counts")["requests"] == 2


def test_a_repeat_is_answered_again_and_not_taken_again() -> None:
    with Sandbox() as api:
        for _ in range(2):
            assert post(api.url, [1], Idempotency_Key="k")[0] == 200
        assert api.records == [1]
        assert api.counts["replays"] == 1
        assert post(api.url, [2], Idempotency_Key="k")[0] == 422
        assert api.counts["conflicts"] == 1


@pytest.mark.parametrize(
    ("rule", "refused", "taken"),
    [
        ("400 if email ~ ^bad", [{"email": "good"}, {"email": "bad@x"}], [{"email": "not bad"}]),
        ("422 if age < 0", {"age": -1}, {"age": 0}),
        ("422 if age > 100", {"age": 101}, {"age": "101"}),
        ("400 if name = Ann", {"name": "Ann"}, {"name": "Anna"}),
        ("413 if records > 2", [1, 2, 3], [1, 2]),
        ("413 if bytes > 10", "a long enough body", "x"),
        ("401 if header x-a != b", {}, None),
        ("503 if always", {}, None),
    ],
)
def test_it_refuses_what_a_rule_says(rule: str, refused: Any, taken: Any) -> None:
    with Sandbox([rule]) as api:
        status, body, headers = post(api.url, refused)
        assert status == int(rule[:3])
        assert body["detail"] == f"rejected because: {rule.partition(' if ')[2]}"
        assert headers["Content-Type"] == "application/problem+json"
        assert not api.records
        if taken is not None:
            assert post(api.url, taken)[0] == 200


def test_counting_rules_count_and_a_429_says_when() -> None:
    with Sandbox(["429 after 2 if first 2", "500 if every 3"]) as api:
        answers = [post(api.url, {}) for _ in range(8)]
        assert [status for status, _, _ in answers] == [429, 429, 200, 200, 500, 200, 200, 500]
        assert answers[0][2]["Retry-After"] == "2"


def test_a_rule_for_a_path_is_for_that_path() -> None:
    with Sandbox(["/picky 400 if always"]) as api:
        assert post(f"{api.url}/picky/x", {})[0] == 400
        assert post(f"{api.url}/other", {})[0] == 200


def test_it_is_slow_when_told() -> None:
    with Sandbox(["slow 0.2 if always"]) as api:
        began = time.monotonic()
        post(api.url, {})
        assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(("outcome", "taken"), [("cut", 1), ("drop", 0)])
def test_it_cuts_connections_after_or_before_taking(outcome: str, taken: int) -> None:
    with Sandbox([f"{outcome} if first 1"]) as api:
        with pytest.raises(OSError):  # noqa: PT011  # cut or dropped, and by whom, decides which one
            post(api.url, {})
        assert len(api.records) == taken


def test_it_takes_records_for_a_job() -> None:
    with Sandbox(["/jobs job if always"]) as api:
        assert post(f"{api.url}/jobs", [{"id": 1}, {"id": 2}])[:2] == (202, {"job": "job-1"})
        assert post(f"{api.url}/jobs", [{"id": 3}])[1] == {"job": "job-2"}
        assert post(f"{api.url}/people", [{"id": 4}])[0] == 200
        assert [record["id"] for record in api.received["/jobs"]] == [1, 2, 3]


@pytest.mark.parametrize("text", ["400 if email ~ +@x", "400 if email ~ (", "400 if first ²"])
def test_a_rule_that_cannot_be_read_is_a_value_error(text: str) -> None:
    """Found by fuzzing. The kind: an error of the library that reads a part of a text."""
    with pytest.raises(ValueError, match="not a"):
        rules.parse(text)


@pytest.mark.parametrize(
    "text", ["", "400", "if always", "400 if", "4000 if always", "400 if first x", "burn if always", "400 if every 0"]
)
def test_what_is_no_rule_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="use for example"):
        rules.parse(text)


def test_it_stands_in_for_a_source_that_has_a_stand_in(tmp_path: Path) -> None:
    """For whatever a stand-in answers; the rest are records as ever."""

    def respond(method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes, Mapping[str, str]] | None:
        return (200, f"{method} {headers['x-who']}".encode(), {}) if path == "/mine" else None

    with Sandbox(stand_ins=[respond]) as api:
        request = urllib.request.Request(f"{api.url}/mine", headers={"X-Who": "me"})
        with urllib.request.urlopen(request) as reply:
            assert reply.read() == b"GET me"
        assert post(f"{api.url}/other", {})[0] == 200
        assert api.received == {"/other": [{}]}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("google_sheets", "'google_sheets' is not SOURCE=FILE"),
        ("csv=x.csv", "no source named 'csv' has a stand-in; there are google_sheets"),
        ("nothing=x.csv", "no source named 'nothing' has a stand-in; there are google_sheets"),
        ("google_sheets=x.csv", "x.csv is not a file"),
    ],
)
def test_a_stand_in_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path, given: str, sentence: str) -> None:
    command = [sys.executable, "-m", "sendoff", "sandbox", "--port", "0", "--stand-in", given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"--stand-in: {sentence}\n")


def test_a_source_that_only_says_it_has_a_stand_in_is_named_in_a_sentence(tmp_path: Path) -> None:
    """Kind: an optional method that is left out. Brothers: all others return what does nothing, such as None or ()."""
    plugin = 'from sendoff.plugin import Source, hookimpl\n\n\nclass Half(Source):\n    """Half."""\n\n    name = \'half\'\n'
    plugin += "    stand_in_options = ('root',)\n\n    def read(self, cursor):\n        return []\n\n\n"
    plugin += "@hookimpl\ndef sendoff_sources():\n    return [Half]\n"
    (tmp_path / "plugins.d").mkdir()
    (tmp_path / "plugins.d/half.py").write_text(plugin)
    (tmp_path / "s.csv").write_text("id\n1\n")
    command = [sys.executable, "-m", "sendoff", "sandbox", "--port", "0", "--stand-in", "half=s.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "--stand-in: the source 'half' names options for a stand-in, but has none\n")


def test_it_says_what_it_stands_in_for_and_how_a_connector_finds_it(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("id\n1\n")
    command = [sys.executable, "-m", "sendoff", "sandbox", "--port", "0", "--stand-in", "google_sheets=s.csv", "--", "true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert "sandbox: it stands in for google_sheets; set docs_root and api_root to http://127.0.0.1:" in done.stderr
