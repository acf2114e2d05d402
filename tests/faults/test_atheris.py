"""H13, R13, K1: a coverage-guided fuzzer on everything that reads what others wrote."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from sendoff import Response
from sendoff.response import VerdictKind, classify
from sendoff.testing import Project, Receiver
from tests.fuzz.targets import TARGETS
from tests.stress import fuzz

SECONDS = int(os.environ.get("SENDOFF_FUZZ", fuzz.SECONDS))


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.skipif(fuzz.able() is not None, reason=str(fuzz.able()))
@pytest.mark.parametrize(
    "target",
    [
        "k1-yaml",
        "r8-csv",
        "r13-jsonl",
        "h13-responses",
        "h14-retry_after",
        "h4-http1",
        "r13-json",
        "r13-singer",
        "r13-posts",
        "k1-words",
        "h13-links",
        "h16-tokens",
        "h4-head",
        "r13-corrections",
    ],
)
def test_any_bytes_are_read_or_refused_with_a_sentence(target: str) -> None:
    name = target.partition("-")[2]
    assert fuzz.fuzz(name, SECONDS) > len(TARGETS[name][1])  # more than its seeds


@pytest.mark.parametrize("name", TARGETS)
def test_each_kept_input_is_read_or_refused_with_a_sentence(name: str) -> None:
    target, seeds = TARGETS[name]
    for data in [*seeds, *(base64.b64decode(line) for line in _kept(name))]:
        target(data)


def _kept(name: str) -> list[str]:
    file = Path(__file__).parents[1] / "fuzz" / "corpus" / f"{name}.base64"
    return file.read_text().splitlines() if file.exists() else []


def test_a_file_of_json_lines_without_one_good_line_is_counted(project: Project) -> None:
    # Found by fuzzing: the page had no rows, and the run ended with a traceback.
    text = 'source: {use: jsonl, path: in.jsonl}\ndestination: {url: "http://127.0.0.1:1/x"}\n'
    report = project({"in.jsonl": 'no\n[1]\n{"a":NaN}\n', "connectors.d/c.yaml": text}).run("c")
    assert (report.read, report.invalid, report.state) == (3, 3, "incomplete")


def test_a_number_with_an_exponent_beyond_all_bounds_is_one_bad_line_and_no_end_of_the_run(
    project: Project, receiver: Receiver
) -> None:
    # Found by fuzzing: Python's decimals have bounds of their own, and their error is no ValueError.
    text = f'source: {{use: jsonl, path: in.jsonl}}\nsend: {{use: batch}}\ndestination: {{url: "{receiver.url}"}}\n'
    lines = '{"a":1}\n{"a":[1e99999999999999999999, null]}\n'
    report = project({"in.jsonl": lines, "connectors.d/c.yaml": text}).run("c")
    assert (report.delivered, report.invalid, receiver.bodies) == (1, 1, [[{"a": 1}]])
    assert (
        classify(Response(400, {"content-type": "application/json"}, b'{"a":1e99999999999999999999}')).kind
        is VerdictKind.REJECTED
    )
