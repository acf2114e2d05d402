"""The JSON Schema of connector files says what `sendoff check` says, and no more."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from sendoff.components import Source
from sendoff.config import documents
from sendoff.editors.json_schema import connector_schema
from sendoff.errors import ConfigError
from sendoff.hookspecs import hookimpl
from sendoff.options import option, optional
from sendoff.registry import Registry
from sendoff.testing import Project

START = "source: {use: csv, path: a.csv}\ndestination: {url: https://api.example.com/a}\n"


class Bound(Source):
    """A source with every kind of rule."""

    name = "bound"
    options = {
        "word": option("A word.", type="string", regex="[a-z]+", default="a"),
        "python": option("A word in any case.", type="string", regex="(?i)[a-z]+", default="a"),
        "few": optional("A few.", type="list", schema={"type": "integer"}, minlength=1, maxlength=2),
        "not": optional("Not this.", type="string", forbidden=["this"]),
        "one": optional("One of two.", type="string", excludes="other"),
        "other": optional("The other.", type="string", dependencies=["few", "word"]),
        "third": optional("One of three.", type="string", excludes=["one", "other"], dependencies="few"),
        "short": optional("A few letters of any language.", type="string", regex=r"\w+", maxlength=4),
        "any": optional("A number or a word.", anyof=[{"type": "integer"}, {"type": "string", "allowed": ["all"]}]),
        "text": optional("A number is a text.", type="string", coerce=str),
        "inner": optional(
            "Named numbers.", type="dict", valuesrules={"type": "number"}, keysrules={"type": "string", "regex": "[a-z]"}
        ),
    }

    def read(self, cursor: Any) -> Any:
        yield {"id": 1}


@hookimpl
def sendoff_sources() -> list[type[Source]]:
    return [Bound]


class _Plugin:
    sendoff_sources = staticmethod(sendoff_sources)


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft7Validator:
    made = connector_schema(Registry(plugins=[_Plugin]))
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def mistakes(schema: jsonschema.Draft7Validator, text: str) -> list[str]:
    """The paths of what the schema finds wrong."""
    data = documents.parse(text.encode(), documents.Document("a.yaml")).data
    return sorted({documents.dotted(list(error.absolute_path)) for error in schema.iter_errors(data)})


def bound(options: str) -> str:
    return START.replace("{use: csv, path: a.csv}", f"{{use: bound, {options}}}")


WRONG = [
    START + "sources: csv\n",
    START.replace(", path: a.csv", ""),
    START.replace("csv, path", "cvs, path"),
    START.replace("{use: csv, path: a.csv}", "csv"),
    START.replace("{url: https://api.example.com/a}", "{}"),
    START.replace("destination", "destinations"),
    START + "send: btch\n",
    START + "send: [batch]\n",
    START + "send: {max_records: none}\n",
    START + "send: {use: multipart, file: {use: csv, dilimiter: x}}\n",
    START + "schema: {email: strin}\n",
    START + "schema: {email: [string]}\n",
    START + "schema: {email: {type: [string, integr]}}\n",
    START + "schema: {email: {minlength: -1}}\n",
    START + "schema: {email: {coerce: int}}\n",
    START + "schema: {a: {type: dict, schema: {b: {typ: string}}}}\n",
    START + "schema: {a: {type: list, schema: {typ: string}}}\n",
    START + "schema: {a: {anyof: {type: string}}}\n",
    START + "schema: {a: {type: list, schema: string}}\n",
    START + "schema: {a: {valuesrules: {typ: string}}}\n",
    START + "unknown: dorp\n",
    START + "unknown:\n",
    START + "watch: 'yes'\n",
    START + "notify: {use: webhook, url: https://x.example.com}\n",
    START + "schedule: {cron: 0 7 * * *}\n",
    START.replace("/a}", "/a, timeout: 0}"),
    START.replace("/a}", "/a, rate_limit: 10}"),
    START.replace("/a}", "/a, rate_limit: [10]}"),
    START.replace("/a}", "/a, rate_limit: {request: 10/s}}"),
    START.replace("/a}", "/a, idempotency: key}"),
    START.replace("/a}", "/a, headers: {X-A: 1}}"),
    START.replace("/a}", "/a, response: {statuses: {404: ok}}}"),
    START.replace("/a}", "/a, response: {stop_when: {status: true}}}"),
    START.replace("/a}", "/a, response: {reason: {haeder: X}}}"),
    START.replace("/a}", "/a, auth: bearer, transport: http2}"),
    bound("word: A"),
    bound("few: []"),
    bound("few: [1, 2, 3]"),
    bound("few: [a]"),
    bound("not: this"),
    bound("one: a, other: b, few: [1]"),
    bound("third: a, one: b, few: [1]"),
    bound("third: a, other: b, few: [1]"),
    bound("third: a"),
    bound("short: abcde"),
    bound("other: b"),
    bound("any: none"),
    bound("inner: {a: b}"),
    bound("inner: {AA: 1}"),
]

RIGHT = [
    START + "send: batch\nunknown: ${env:UNKNOWN:-drop}\nschema:\nvalidators:\n",
    START + "send: {max_records: 5}\non_failure: split\nobservers: [log, {use: progress}]\n",
    START + "send: {use: multipart, file: csv}\n",
    START + "schema: {email: string, name: , id: {type: [string, integer]}, x: {type: dict, schema: {y: string}}}\n",
    START + "schema: {a: {type: list, schema: {type: string}}}\n",
    START + "schema: {a: {type: dict, allow_unknown: true}, b: {type: dict, allow_unknown: {type: string}}}\n",
    START.replace("/a}", "/a, rate_limit: [10/s, 500/day], idempotency: false, headers: , compress: }"),
    START.replace("/a}", "/a, response: {stop_when: [{status: 400}, {status: 4xx}], reason: {header: X}}}"),
    START.replace("/a}", "/a, method: '${env:METHOD:-PUT}', concurrency: 5}"),
    bound("python: ABC"),
    bound("word: abc, few: [1, 2], not: that, one: a, any: all, text: 5, inner: {a: 1.5}"),
    bound("other: b, few: [1], any: 1"),
    bound("third: a, few: [1], short: \u00e4\u00f6\u00fc"),
    bound("short: '${env:SHORT}'"),
]


@pytest.mark.parametrize("text", WRONG)
def test_what_the_schema_refuses_check_refuses_too(schema: jsonschema.Draft7Validator, text: str, project: Project) -> None:
    assert mistakes(schema, text)
    file = project.home / "connectors.d/a.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        project.runner(plugins=[_Plugin]).check_offline(file)


@pytest.mark.parametrize("text", RIGHT)
def test_what_check_lets_pass_the_schema_lets_pass_too(schema: jsonschema.Draft7Validator, text: str, project: Project) -> None:
    file = project.home / "connectors.d/a.yaml"
    file.write_text(text)
    project.runner(plugins=[_Plugin]).check_offline(file)
    assert mistakes(schema, text) == []


def test_a_destination_that_extends_another_needs_no_url_and_any_other_does(schema: jsonschema.Draft7Validator) -> None:
    assert mistakes(schema, START.replace("url: https://api.example.com/a", "extends: crm")) == []
    assert mistakes(schema, START.replace("url: https://api.example.com/a", "method: PUT")) == ["destination"]


def test_each_option_of_each_component_is_there_with_its_help(schema: jsonschema.Draft7Validator) -> None:
    registry = Registry()
    definitions = schema.schema["definitions"]
    for kind in (
        "sources",
        "validators",
        "senders",
        "failure_strategies",
        "transports",
        "authenticators",
        "observers",
        "notifiers",
    ):
        for name, offer in registry.offers(kind).items():
            shown = definitions[f"{kind}.{name}"]
            assert shown["description"] == offer.summary
            for key, rule in offer.component.options.items():
                said = shown["properties"][key]
                assert rule["meta"]["help"] in (said["description"], said.get("markdownDescription"))
