"""Two values of one record are never sent under one name, and a default is for what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from sendoff import SourceError
from sendoff.testing import Project, Receiver

KEEP = "unknown: keep\n"


def deliver(
    project: Project, schema: str, lines: Sequence[Mapping[str, object]], more: str = ""
) -> tuple[list[object], list[str]]:
    """What arrives of some JSON lines, and why the others are invalid."""
    with Receiver() as api:
        project(
            {
                "in.jsonl": "".join(f"{json.dumps(line)}\n" for line in lines),
                "connectors.d/a.yaml": "source: {use: jsonl, path: in.jsonl}\n"
                f'schema: {schema}\ndestination: {{url: "{api.url}"}}\nsend: {{use: batch}}\n{more}',
            }
        )
        project.runner().run("a")
        return [record for one in api.requests for record in json.loads(one.body)], [
            failure["reason"] for failure in project.runner().history.failures(1)
        ]


def test_a_record_with_an_undeclared_field_of_a_name_that_is_taken_is_invalid(project: Project) -> None:
    """Kind: one value written over another. Brothers: inside a value, a column of a table, a default under that name."""
    schema = "{a: {type: integer, rename: b}}"
    sent, reasons = deliver(project, schema, [{"a": 1, "b": 2}, {"a": 3}, {"a": 4, "b": None}], KEEP)
    assert sent == [{"b": 3}]
    assert reasons == ["b: not declared, and the field 'a' is sent under this name"] * 2


@pytest.mark.parametrize(
    "rules", ["a: {type: integer, rename: b}", "a: {type: integer, rename: b, required: false, default: 5}"]
)
def test_an_object_with_two_members_of_one_name_is_invalid(project: Project, rules: str) -> None:
    sent, reasons = deliver(
        project, f"{{x: {{type: dict, schema: {{{rules}}}}}}}", [{"x": {"b": 2, "a": 1}}, {"x": {"a": 3}}], KEEP
    )
    assert sent == [{"x": {"b": 3}}]
    assert reasons == ["x: two members would be sent under the name 'b'"]


def test_a_table_with_a_column_of_a_name_that_is_taken_cannot_be_sent(project: Project) -> None:
    project(
        {
            "in.csv": "a,b\n1,2\n",
            "connectors.d/a.yaml": "source: {use: csv, path: in.csv}\nschema: {a: {type: integer, rename: b}}\n"
            'destination: {url: "http://127.0.0.1:1"}\nunknown: keep\n',
        }
    )
    with pytest.raises(SourceError, match="b: not declared, and the field 'a' is sent under this name; declare the column"):
        project.runner().run("a")


@pytest.mark.parametrize("beside", [{"a": 2}, {"a": 2, "b": 3}, {"a": 2, "b": None}, {"a": 2, "b": "x"}])
def test_a_default_stands_in_for_a_missing_key_whatever_other_records_have(
    project: Project, beside: Mapping[str, object]
) -> None:
    """Kind: what becomes of a record depends on those beside it. A null stays null where the field is nullable."""
    schema = "{a: {type: integer}, b: {type: integer, nullable: true, default: 7}}"
    sent, reasons = deliver(project, schema, [{"a": 1}, beside])
    assert sent[0] == {"a": 1, "b": 7}
    if "b" not in beside:
        assert sent[1] == {"a": 2, "b": 7}
    elif beside["b"] == "x":
        assert reasons == ["b: must be of integer type (got 'x')"]
    else:
        assert sent[1] == beside
