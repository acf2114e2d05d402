"""A reference that is not one: what looks like a field inside text is reported with its place, and with what to write."""

from __future__ import annotations

import pytest

from sendoff import ConfigError
from sendoff.config.file_warnings import find_warnings
from sendoff.testing import Project

TEXT = """source: {use: jsonl, path: in.jsonl}
%sdestination: {url: "https://api.example.com/%s", headers: {X-User: "%s"}}
send: {use: batch, record: {url: "%s", "%s": $id}}
"""
IN_TEXT = "inside text is sent as it is; write {id} for the field, or $$id for the text"
BESIDE = (
    "{id} is sent as it is, as another brace touches it or its name cannot stand in text; make the text a field, by `value` in "
    "the schema, where `{{` and `}}` are braces, as in `text: {value: '{{a={b}}}'}`, and write `$text` here; what is meant as it "
    "stands is `{value: …, as: literal}` where JSON is sent"
)
SCHEMA = "schema: {id: integer}\n"


def text(*, schema: str = "", url: str = "v1", header: str = "a", value: str = "x", key: str = "id") -> str:
    return TEXT % (schema, url, header, value, key)


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        (SCHEMA, "/users/$id", f"$id {IN_TEXT}"),
        ("", "/users/$id", f"$id {IN_TEXT}"),
        (SCHEMA, "/{id}/$id", f"$id {IN_TEXT}"),
        (SCHEMA, "/users/{di}", "no field is sent as 'di'; there are id"),
        (SCHEMA, "/users/{{id}}", BESIDE),
        (SCHEMA, "mutation{make{id}}", BESIDE),
    ],
)
def test_a_field_inside_text_is_recognised_or_a_mistake(project: Project, schema: str, value: str, sentence: str) -> None:
    """Kind: a reference that is not recognised is sent as text, and nobody hears of it.

    Brothers looked at: url, headers, envelope, `$key` and `$records` inside text, keys with two signs; GraphQL's variables;
    braces of other templates.
    """
    project({"connectors.d/a.yaml": text(schema=schema, value=value), "in.jsonl": ""})
    with pytest.raises(ConfigError) as raised:
        project.runner().connector("a")
    (problem,) = raised.value.problems
    line = 4 if schema else 3
    assert str(problem).endswith(f"a.yaml:{line}:34: send.record.url: {sentence}")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"url": "u/$id"}, "2:20: destination.url: $id is sent as it is; write {id} for the field, or $$id for the text"),
        (
            {"header": "$id"},
            "2:68: destination.headers.X-User: $id is sent as it is; write {id} for the field, or $$id for the text",
        ),
        (
            {"key": "$$insert_id"},
            "3:54: send.record.$$insert_id: a key is sent as it is, with both signs; write $insert_id for one",
        ),
    ],
)
def test_what_may_be_a_field_is_a_warning_with_its_place(project: Project, changed: dict[str, str], line: str) -> None:
    project({"connectors.d/a.yaml": text(**changed), "in.jsonl": ""})
    (found,) = find_warnings(project.runner().connector("a"))
    assert str(found).partition("a.yaml:")[2] == line


@pytest.mark.parametrize(
    "value",
    [
        "/users/$$id",
        "query($input: X!) { make(input: $input) { id } }",
        "costs 5$",
        "US$ 5",
        "$id",
        "${env:HOME}/x",
        "a{id}",
        "Hi {{name}}",
        "a{b{c}}",
    ],
)
def test_what_is_no_reference_is_no_warning(project: Project, value: str) -> None:
    project({"connectors.d/a.yaml": text(value=value, schema=SCHEMA), "in.jsonl": ""})
    assert find_warnings(project.runner().connector("a")) == []


def test_a_number_of_too_many_digits_is_reported_with_its_place(project: Project) -> None:
    """Kind: an exception nobody declared, from a library's own limit. Brothers: floats (inf, which has its own sentence)."""
    project({"connectors.d/a.yaml": text().replace("headers:", "timeout: " + "9" * 5000 + ", headers:"), "in.jsonl": ""})
    with pytest.raises(ConfigError, match=r"a\.yaml:2:\d+: a number of 5,000 digits is too long; write it as text, in quotes"):
        project.runner().connector("a")


@pytest.mark.parametrize(
    "lines",
    [
        'destination: {url: U}\nsend: {use: batch, envelope: {t: "${env:NOPE}", r: $records}}',
        'destination: {url: U}\nsend: {use: multipart, fields: {t: {value: "${env:NOPE}", as: base64}}}',
        'destination: {url: "https://api.example.com/${env:NOPE}/{id}"}',
        'destination: {url: U, rate_limit: "${env:NOPE}"}',
        'destination: {url: U, rate_limit: ["${env:NOPE}"]}',
        'destination: {url: U, auth: "${env:NOPE}"}',
        'destination: {url: U, auth: {use: oauth2, token_url: U, client_id: x, private_key: k, subject: s, grant: "${env:NOPE}"}}',
        'destination: {url: U}\nincremental: {key: ["${env:NOPE}"], initial_load: send}',
    ],
)
def test_a_variable_that_is_not_set_is_one_problem_and_none_offline(project: Project, lines: str) -> None:
    text = "source: {use: jsonl, path: in.jsonl}\nschema: {id: string}\n" + lines.replace("U,", "'http://127.0.0.1:9/',")
    project({"in.jsonl": "", "connectors.d/c.yaml": text.replace("U}", "'http://127.0.0.1:9/'}") + "\n"})
    with pytest.raises(ConfigError) as caught:
        project.runner().connector("c")
    (problem,) = caught.value.problems
    assert str(problem).endswith("the environment variable NOPE is not set; set it, or use ${env:NOPE:-default}")
    project.runner().check_offline(project.home / "connectors.d/c.yaml")
