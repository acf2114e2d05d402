"""Conditions: every part that is written counts, and what means nothing is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendoff import ConfigError, Response, jsonlib
from sendoff.config.connector import load
from sendoff.errors import Problem
from sendoff.jsonlib.jsonpath import MISSING
from sendoff.registry import Registry
from sendoff.response import Policy, VerdictKind, classify
from sendoff.response.condition import PARTS, Condition, condition_problem
from sendoff.response.location import Result
from sendoff.testing import Project

BODY: dict[str, Any] = {"ok": True, "n": 0, "rate": 0.1, "no": None, "list": [], "text": "over quota", "result": {"id": 7}}


class Page(Result):
    """A body that is not JSON."""

    def text(self) -> str:
        return "a page"


def holds(
    rules: Any, status: int = 200, body: Any = BODY, headers: dict[str, str] | None = None, count: int = 3
) -> bool | None:
    condition = Condition.of(rules)
    assert condition is not None
    return condition.holds((Page if body is MISSING else Result)(body, status, count, headers or {}))


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
    response = Response(200, {"content-type": "application/json"}, b'{"rate": 0.1}')
    assert classify(response, Policy.of({"rejected_when": {"path": "$.rate", "equals": 0.1}})).kind is VerdictKind.REJECTED


HEADERS = {"x-error-code": "241", "x-amzn-errortype": "ThrottlingException:http://internal/", "x-empty": ""}


@pytest.mark.parametrize(
    ("rules", "held"),
    [
        ({"header": "X-Error-Code", "exists": True}, True),
        ({"header": "X-Error-Code", "exists": False}, False),
        ({"header": "X-Empty", "exists": True}, True),
        ({"header": "X-Other", "exists": True}, False),
        ({"header": "X-Other", "exists": False}, True),
        ({"header": "X-Other", "equals": "241"}, None),
        ({"header": "x-error-code", "equals": 241}, True),
        ({"header": "X-Error-Code", "equals": "241"}, True),
        ({"header": "X-Error-Code", "one_of": [7, 241]}, True),
        ({"header": "X-Error-Code", "equals": 24}, False),
        ({"header": "X-Amzn-ErrorType", "text": "Throttling"}, True),
        ({"header": "X-Amzn-ErrorType", "text": "throttling"}, False),
        ({"header": "X-Error-Code", "equals": 241, "status": "500"}, False),
    ],
)
def test_a_condition_may_be_on_a_header(rules: dict[str, Any], held: bool | None) -> None:
    """Kind: a sign that stands in no body. Brothers: there, not there, empty, a number, a part of it; names in any case."""
    assert holds(rules, headers=HEADERS) is held
    assert holds(rules, headers=HEADERS, body=MISSING) is held, "a header is read whatever the body is"


@pytest.mark.parametrize("received", [3, "3", 3.0])
def test_count_is_the_number_of_records_in_the_request(received: Any) -> None:
    """Brothers: a number, a text, a fraction that is none; in a header."""
    body = jsonlib.loads(json.dumps({"received": received}))
    assert holds({"path": "$.received", "equals": "$count"}, body=body) is True
    assert holds({"path": "$.received", "one_of": [0, "$count"]}, body=body) is True
    assert holds({"path": "$.received", "equals": "$count"}, body=body, count=2) is False
    assert holds({"header": "X-Received", "equals": "$count"}, headers={"x-received": " 3 "}) is True


def test_count_is_no_truth_and_its_name_can_still_be_compared_with() -> None:
    assert holds({"path": "$.ok", "equals": "$count"}, count=1) is False
    assert holds({"path": "$.text", "equals": "$$count"}, body={"text": "$count"}) is True


@pytest.mark.parametrize(
    ("rules", "held"),
    [
        ([{"path": "$.n", "equals": 1}, {"path": "$.ok", "equals": True}], True),
        ([{"path": "$.n", "equals": 1}, {"path": "$.ok", "equals": False}], False),
        ([{"path": "$.n", "equals": 1}, {"path": "$.nowhere", "equals": 1}], None),
        ([{"path": "$.nowhere", "equals": 1}, {"path": "$.n", "equals": 0}], True),
        ([{"path": "$.nowhere", "equals": 1}, {"status": "200"}], True),
        ([{"text": "over quota"}, {"status": "503"}], True),
    ],
)
def test_of_a_list_of_conditions_one_must_hold(rules: list[dict[str, Any]], held: bool | None) -> None:
    """Kind: two signs at two places. Brothers: one is unknown and the other holds, or does not."""
    assert holds(rules) is held


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from(["", "a", "ab", "3", "$count", "$$count", "$x"])
)
DRAWN_PARTS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["200", "4xx", "200-299, 503"]),
        "path": st.sampled_from(["$", "$.a", "$.b[0]", "$.*"]),
        "header": st.sampled_from(["X-A", "x-b"]),
        "equals": VALUES,
        "one_of": st.lists(VALUES, min_size=1, max_size=3),
        "exists": st.booleans(),
        "text": st.sampled_from(["a", "3"]),
    },
)
BODIES = st.one_of(
    VALUES,
    st.dictionaries(st.sampled_from("abc"), st.one_of(VALUES, st.lists(VALUES, max_size=2)), max_size=2),
    st.just(MISSING),
)
RESPONSES = st.tuples(
    st.sampled_from([200, 204, 404, 503]),
    BODIES,
    st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["", "a", "3"])),
)


#: Conditions without a mistake, made so, as few that are drawn at random have none.
OF_HEADERS = st.one_of(st.integers(-2, 3), st.sampled_from(["", "a", "ab", "3", "$count", "$$count"]))
SOUND_VALUES = VALUES.filter(lambda value: value != "$x")


def of_value(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """What a condition says of a value: at least one part, and nothing else of what is not there."""
    compared = st.one_of(
        st.fixed_dictionaries({"equals": values}), st.fixed_dictionaries({"one_of": st.lists(values, min_size=1, max_size=3)})
    )
    also = st.fixed_dictionaries({}, optional={"exists": st.just(True), "text": st.sampled_from(["a", "3"])})
    return st.one_of(
        st.builds(lambda one, other: {**one, **other}, compared, also),
        st.fixed_dictionaries({"text": st.sampled_from(["a", "3"])}),
        st.fixed_dictionaries({"exists": st.booleans()}),
    )


PATHS, NAMES = st.sampled_from(["$", "$.a", "$.b[0]", "$.*"]), st.sampled_from(["X-A", "x-b"])
STATUS = st.fixed_dictionaries({}, optional={"status": st.sampled_from(["200", "4xx", "200-299, 503"])})
OF_BODIES = st.builds(lambda path, parts: {"path": path, **parts}, PATHS, of_value(SOUND_VALUES))
SOUND = st.one_of(
    st.builds(lambda status, parts: {**status, **parts}, STATUS, OF_BODIES),
    st.builds(lambda status, name, parts: {**status, "header": name, **parts}, STATUS, NAMES, of_value(OF_HEADERS)),
    st.builds(lambda status: {**status, "text": "a"}, STATUS),
    st.just({"status": "200"}),
)


def sound(rules: dict[str, Any]) -> bool:
    return condition_problem(rules) is None


def kleene(found: list[bool | None], decisive: bool) -> bool | None:
    """Any of them (`decisive` is true), or all: what decides counts before what is unknown."""
    return decisive if decisive in found else None if None in found else not decisive


@given(st.lists(SOUND, min_size=1, max_size=3), RESPONSES)
def test_a_list_holds_as_any_of_its_conditions_and_never_raises(rules: list[dict[str, Any]], response: Any) -> None:
    status, body, headers = response
    each = [holds(parts, status, body, headers) for parts in rules]
    assert holds(rules, status, body, headers) is kleene(each, decisive=True)
    assert holds(rules[0], status, body, headers) is each[0], "a mapping is a list of one"


@given(SOUND, RESPONSES)
def test_a_condition_holds_as_all_of_its_parts_do_by_themselves(rules: dict[str, Any], response: Any) -> None:
    """That there is a value is not asked of each part again, but of all of them."""
    status, body, headers = response
    place = {name: rules[name] for name in ("path", "header") if name in rules}
    parts = [{name: value, **(place if name != "status" else {})} for name, value in rules.items() if name not in place]
    found = [holds(part, status, body, headers) for part in parts]
    if rules.get("exists") is True and False in found and None in found:
        return  # a value that must be there and is not: it is known that it is not there
    assert holds(rules, status, body, headers) is kleene(found, decisive=False)


@settings(max_examples=60)
@given(
    condition=st.one_of(DRAWN_PARTS, st.lists(DRAWN_PARTS, max_size=2), VALUES),
    typo=st.sampled_from(["", "equal", "hedaer", "one_off"]),
)
def test_whatever_stands_for_a_condition_is_taken_or_refused_at_its_place(
    condition: Any, typo: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every mistake has the line of the condition, and a key that is misspelt is told with the one that is meant."""
    if typo and isinstance(condition, list) and condition:
        condition = [*condition[:-1], {**condition[-1], typo: 1}]
    elif typo and isinstance(condition, dict):
        condition = {**condition, typo: 1}
    else:
        typo = ""
    text = (
        "source: {use: csv, path: in.csv}\ndestination:\n  url: http://127.0.0.1:1/x\n  response:\n"
        f"    retry_when: {json.dumps(condition)}\n"
    )
    file = tmp_path_factory.getbasetemp() / "c.yaml"
    file.write_text(text)
    problems: list[Problem | str] = []
    try:
        load(file, Registry(), home=file.parent)
    except ConfigError as error:
        problems = [*error.problems]
    listed = condition if isinstance(condition, list) else [condition]
    is_sound = bool(listed) and all(isinstance(parts, dict) and not typo and sound(parts) for parts in listed)
    assert bool(problems) is not is_sound
    assert {problem.line for problem in problems if isinstance(problem, Problem)} == ({5} if problems else set())
    assert not typo or any("did you mean" in str(problem) for problem in problems)


ANY_OF = st.one_of(OF_BODIES, st.lists(OF_BODIES, min_size=1, max_size=2))
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        **{f"{kind}_when": ANY_OF for kind in ("stop", "retry", "rejected", "delivered", "accepted")},
        "retry_after": st.sampled_from(["$.a", {"header": "X-A"}]),
        "capture": st.just({"a": "$.a", "b": {"header": "X-A"}}),
        "records": st.fixed_dictionaries(
            {"at": st.sampled_from(["$.b", "$"])},
            optional={
                **{f"{kind}_when": ANY_OF for kind in ("not_attempted", "retry", "rejected", "delivered", "accepted")},
                "index": st.just("$.a"),
                "unlisted": st.sampled_from(["delivered", "retry", "rejected", "stop"]),
            },
        ),
    },
)


@given(POLICIES, st.sampled_from([200, 202, 207, 400, 429]), BODIES, st.integers(1, 3))
def test_whatever_is_declared_the_records_of_a_response_add_up(
    rules: dict[str, Any], status: int, body: Any, count: int
) -> None:
    """Of those that are delivered some are accepted only, and never others."""
    raw = b"a page" if body is MISSING else json.dumps(body).encode()
    found = classify(Response(status, {"x-a": "3"}, raw), Policy.of(rules), count=count)
    delivered = {VerdictKind.DELIVERED: count, VerdictKind.PARTIAL: count - len(found.per_record)}.get(found.kind, 0)
    assert 0 <= found.accepted <= delivered
    assert set(found.captured) <= {-1, *range(count)} - set(found.per_record)


@given(POLICIES, st.sampled_from([b"a page", b'{"a": 1', b"", b"\xff"]), st.sampled_from([200, 201, 207]), st.booleans())
def test_a_success_that_cannot_be_read_blames_no_record(
    rules: dict[str, Any], raw: bytes, status: int, truncated: bool
) -> None:
    """Kind: a response that nobody can read, taken for a rejection. Whatever of its body is declared."""
    given_ = Response(status, {"x-a": "3"}, raw, truncated=truncated)
    found = classify(given_, Policy.of(rules), count=3)
    assert found.kind in (VerdictKind.STOP, VerdictKind.DELIVERED)
    if rules.keys() & {"delivered_when", "records"}:
        assert found.kind is VerdictKind.STOP


@given(SOUND)
def test_what_is_made_without_a_mistake_has_none(rules: dict[str, Any]) -> None:
    assert sound(rules)


def test_the_parts_are_those_that_are_tried_here() -> None:
    assert set(PARTS) == {"status", "path", "header", "equals", "one_of", "exists", "text"}


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("{}", "is empty"),
        ("[]", "min length is 1"),
        ("[{}]", "is empty"),
        ("$.ok", "must be of dict or list type"),
        ("[$.ok]", "must be of dict type"),
        ("{equals: true}", "`equals` needs `path` or `header`"),
        ("{status: 200, one_of: [1]}", "`one_of` needs `path` or `header`"),
        ("{exists: true}", "`exists` needs `path` or `header`"),
        ("{text: quota, exists: true}", "`exists` needs `path` or `header`"),
        ("[{status: 200}, {exists: true}]", "`exists` needs `path` or `header`"),
        ("{header: X-A}", "what the value at `header` must be"),
        ("{header: X-A, path: $.a, exists: true}", "`path` or `header`, not both"),
        ("{header: X A, exists: true}", "cannot be a header's name"),
        ("{header: X-A, equals: true}", "a header's value is text"),
        ("{header: X-A, one_of: [a, null]}", "a header's value is text"),
        ("{path: $.n, equals: $counts}", "`$count` does"),
        ("{path: $.n, one_of: [1, $records]}", "`$count` does"),
        ("{path: $.ok, equal: 1}", "did you mean 'equals'?"),
        ("[{status: 200}, {path: $.ok, exsits: true}]", "did you mean 'exists'?"),
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
    places = [f"{kind}_when" for kind in ("stop", "too_large", "retry", "rejected", "delivered", "accepted")]
    of_result = [f"{kind}_when" for kind in ("not_attempted", "retry", "rejected", "delivered", "accepted")]
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
    assert {line for line, _ in found} == {*range(5, 11), *range(13, 18)}, str(caught.value)


@pytest.mark.parametrize("status", [401, 403, 407, 408, 425, 429, 502, 503, 504])
def test_a_rejection_must_name_a_status_that_is_about_credentials_limits_or_outages(status: int) -> None:
    """Kind: a record blamed for what a destination did. Brothers: a list of conditions, a text, a header."""
    headers = {"content-type": "application/json"}
    response = Response(status, headers, b'{"error": "no"}')
    part: dict[str, object] = {"path": "$.error", "exists": True}
    for declared in (part, [part], {"text": "no"}, {"header": "Content-Type", "exists": True}):
        assert classify(response, Policy.of({"rejected_when": declared})).kind is not VerdictKind.REJECTED
        assert (
            classify(Response(500, headers, response.body), Policy.of({"rejected_when": declared})).kind is VerdictKind.REJECTED
        )
    named = Policy.of({"rejected_when": {**part, "status": f"{status}"}})
    assert classify(response, named).kind is VerdictKind.REJECTED
