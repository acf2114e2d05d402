"""Conditions: every part that is written counts, and what means nothing is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sendoff import ConfigError, Response
from sendoff.errors import Problem
from sendoff.response import Policy, VerdictKind, classify
from sendoff.response.condition import Condition
from sendoff.testing import Project

BODY: dict[str, Any] = {"ok": True, "n": 0, "rate": 0.1, "no": None, "list": [], "text": "over quota", "result": {"id": 7}}


def holds(rules: dict[str, Any], status: int = 200, body: Any = BODY) -> bool | None:
    condition = Condition.of(rules)
    assert condition is not None
    return condition.holds(status, body, json.dumps(body))


@pytest.mark.parametrize("path", ["$.ok", "$.n", "$.no", "$.list", "$.text", "$.result.id"])
def test_what_is_there_exists_whatever_it_is(path: str) -> None:
    """Kind: a condition that means truth where existence was meant. Brothers: 0, null, an empty list, text, a nested value."""
    assert holds({"path": path, "exists": True}) is True
    assert holds({"path": path, "exists": False}) is False


def test_what_is_not_there_does_not_exist() -> None:
    assert holds({"path": "$.list[0]", "exists": True}) is False
    assert holds({"path": "$.nowhere.id", "exists": False}) is True


@pytest.mark.parametrize(
    ("rules", "held"),
    [
        ({"status": "200", "path": "$.ok", "equals": True}, True),
        ({"status": "400", "path": "$.ok", "equals": True}, False),
        ({"path": "$.text", "equals": "over quota", "text": "quota"}, True),
        ({"path": "$.text", "equals": "other", "text": "quota"}, False),
        ({"path": "$.text", "one_of": ["over quota"], "text": "space"}, False),
        ({"path": "$.text", "exists": True, "text": "space"}, False),
        ({"path": "$.text", "exists": True, "equals": "over quota"}, True),
        ({"status": "400", "text": "quota"}, False),
        ({"path": "$.ok", "equals": 1}, False),
        ({"path": "$.n", "equals": False}, False),
        ({"path": "$.no", "equals": None}, True),
    ],
)
def test_every_part_of_a_condition_must_hold(rules: dict[str, Any], held: bool) -> None:
    """Kind: a part that is written and not looked at. Brothers: each pair of parts; a boolean is no number."""
    assert holds(rules) is held


def test_a_fraction_equals_the_same_fraction() -> None:
    """Kind: a comparison that never holds. The body's numbers are exact, and those of the connector file are not."""
    given = Response(200, {"content-type": "application/json"}, b'{"rate": 0.1}')
    assert classify(given, Policy.of({"rejected_when": {"path": "$.rate", "equals": 0.1}})).kind is VerdictKind.REJECTED


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("{}", "is empty"),
        ("{equals: true}", "`equals` needs `path`"),
        ("{status: 200, one_of: [1]}", "`one_of` needs `path`"),
        ("{exists: true}", "`exists` needs `path`"),
        ("{text: quota, exists: true}", "`exists` needs `path`"),
        ("{path: $.ok}", "add `equals`, `one_of`, `text`, or `exists: true`"),
        ("{path: $.ok, status: 200}", "add `equals`, `one_of`, `text`, or `exists: true`"),
        ("{path: $.ok, equals: 1, one_of: [2]}", "`equals` or `one_of`, not both"),
        ("{path: $.ok, exists: false, equals: 1}", "`exists: false` goes with no other part"),
        ("{path: $.ok, one_of: []}", "min length is 1"),
        ("{path: $.ok, text: ''}", "empty values not allowed"),
    ],
)
def test_a_condition_that_means_nothing_is_refused_with_its_place(project: Project, condition: str, sentence: str) -> None:
    """Kind: a condition that always or never holds. Brothers: every kind of condition, of a response and of a result."""
    places = [f"{kind}_when" for kind in ("stop", "too_large", "retry", "rejected", "delivered")]
    of_result = [f"{kind}_when" for kind in ("not_attempted", "retry", "rejected", "delivered")]
    rows = [f"    {place}: {condition}" for place in places]
    rows += ["    records:", "      status: $.s", *(f"      {place}: {condition}" for place in of_result)]
    text = "source: {use: csv, path: in.csv}\ndestination:\n  url: http://127.0.0.1:1/x\n  response:\n" + "\n".join(rows)
    project({"connectors.d/c.yaml": text})
    with pytest.raises(ConfigError) as caught:
        project.run("c")
    found = [
        (problem.line, problem.path)
        for problem in caught.value.problems
        if isinstance(problem, Problem) and sentence in problem.sentence
    ]
    assert {line for line, _ in found} == {*range(5, 10), *range(12, 16)}, str(caught.value)
