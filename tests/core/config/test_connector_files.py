"""A connector file's mistakes: all told at once, each with its place and what to do."""

from __future__ import annotations

from copy import deepcopy

import cerberus
import pytest

from sendoff import ConfigError
from sendoff.config.spec import CONNECTOR, DESTINATION
from sendoff.config.validator import ConnectorValidator
from sendoff.errors import Problem
from sendoff.registry import Registry
from sendoff.testing import Project

GOOD = """\
source: {use: csv, path: in.csv}
schema:
  id: {type: integer}
destination:
  url: https://api.example.com:8824/v1/things
"""


def mistakes(project: Project, text: str) -> list[str]:
    """The problems of a connector file, as `sendoff check` prints them, without the file's name."""
    project({"connectors.d/c.yaml": text})
    with pytest.raises(ConfigError) as caught:
        project.runner().connector("c")
    assert caught.value.exit_code == 2
    return [str(problem).partition("c.yaml:")[2] for problem in caught.value.problems]


@pytest.mark.parametrize("declared", [CONNECTOR, DESTINATION], ids=["connector", "destination"])
def test_our_own_rules_are_a_cerberus_schema(declared: dict[str, object]) -> None:
    ConnectorValidator(deepcopy(declared), registry=Registry())  # raises SchemaError otherwise
    with pytest.raises(cerberus.SchemaError):
        ConnectorValidator({**deepcopy(declared), "x": {"no_such_rule": True}}, registry=Registry())


def test_a_good_file_has_its_defaults_filled_in(project: Project) -> None:
    connector = project({"connectors.d/c.yaml": GOOD}).runner().connector("c")
    assert connector.destination.method == "POST"
    assert connector.destination.concurrency == "auto"
    assert connector.sender.name == "batch"
    assert connector.sender.max_records == 250_000
    assert connector.strategy.name == "fail"
    assert connector.transport.name == "http1"


def test_eight_mistakes_are_eight_lines_with_their_places(project: Project) -> None:
    text = """\
source: {use: cvs, path: in.csv}
schema:
  id: {type: integr}
  email: {type: string, nulable: true}
destination:
  url: http://example.com/api/v2:8824
  metod: PUT
  headers: {Host: example.com}
send: {use: batch, max_records: 250001}
on_failure: {use: split, ways: two}
"""
    assert mistakes(project, text) == [
        "1:15: source.use: no source is named 'cvs'; did you mean 'csv'?",
        "3:14: schema.id.type: 'integr' is not a valid type; did you mean 'integer'?",
        "4:25: schema.email.nulable: unknown key; did you mean 'nullable'?",
        "6:8: destination.url: the port belongs after the host: http://example.com:8824/api/v2",
        "7:3: destination.metod: unknown key; did you mean 'method'?",
        "8:13: destination.headers.Host: Host is set by the transport; leave it out",
        "9:33: send.max_records: max value is 250000 (got 250001)",
        "10:32: on_failure.ways: must be of integer type (got 'two')",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("url: ftp://x/", "a URL starts with http:// or https://"),
        ("url: http://", "a URL starts with http:// or https://"),
        ("url: http://user:pw@x/", "no user name or password"),
        ("url: http://x/#a", "no fragment"),
        ("url: http://x:0/", "port 0"),
        ("url: http://x:99999/", "not a URL"),
        ('url: "http://x/a b"', "no spaces"),
        ('url: "http://x/a\\nb"', "no spaces"),
        ("url: 5", "must be of string type"),
        ("url: http://x/api:80", "http://x:80/api"),
        ("{url: http://x/, method: FETCH}", "must be one of POST, PUT, PATCH, DELETE, GET"),
        ('{url: http://x/, headers: {"a b": c}}', "cannot be a header's name"),
        ('{url: http://x/, headers: {A: "b\\r\\nC: d"}}', "one line of Latin-1"),
        ('{url: http://x/, headers: {A: "☃"}}', "one line of Latin-1"),
        ("{url: http://x/, headers: {Content-Length: '5'}}", "is set by the transport"),
        ("{url: http://x/, headers: {transfer-encoding: x}}", "is set by the transport"),
        ("{url: http://x/, timeout: -1}", "min value"),
        ("{url: http://x/, concurrency: 0}", "a number from 1 to 1000"),
        ("{url: http://x/, concurrency: true}", "must be of integer or string type"),
    ],
)
def test_k9_k10_k12_what_a_destination_may_not_be(project: Project, line: str, told: str) -> None:
    place = f"destination: {line}" if line.startswith("{") else f"destination:\n  {line}"
    (problem,) = mistakes(project, f"source: {{use: csv, path: x}}\n{place}\n")
    assert told in problem


def test_k2_a_key_written_twice_is_refused(project: Project) -> None:
    assert mistakes(project, GOOD + "schema: {}\n") == ["6:1: schema: is duplicated; the first is in line 2; keep one of them"]


def test_k3_aliases_are_refused_before_anything_is_built_of_them(project: Project) -> None:
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\n" + "".join(f"c{i}: &c{i} [*b,*b]\n" for i in range(30))
    sentence = "aliases are not supported; text that begins with * needs quotes, other values are written out"
    assert mistakes(project, bomb) == [f"2:8: {sentence}"]


def test_k4_deep_nesting_is_refused(project: Project) -> None:
    """Some versions of PyYAML have a bound of their own, of 1,000 levels, and words of their own for it."""
    assert mistakes(project, "[" * 40) == ["1:33: nested deeper than 32 levels"]
    (problem,) = mistakes(project, "[" * 5_000)
    assert "nest" in problem


def test_k5_yaml_surprises_stay_text(project: Project) -> None:
    text = GOOD.replace("id: {type: integer}", "id: {type: string, allowed: [no, 012, 1:30, 1_000, 2026-01-01, on]}")
    connector = project({"connectors.d/c.yaml": text}).runner().connector("c")
    assert connector.schema.fields[0].rules["allowed"] == ["no", "012", "1:30", "1_000", "2026-01-01", "on"]


@pytest.mark.parametrize("tag", ["!!python/object:os.system x", "!!binary aGk=", "!mine x"])
def test_k6_tags_are_refused(project: Project, tag: str) -> None:
    assert any("is not supported" in problem for problem in mistakes(project, GOOD + f"unknown: {tag}\n"))


def test_what_is_no_yaml_is_told_with_its_place(project: Project) -> None:
    (problem,) = mistakes(project, "source: [\nschema: }\n")
    assert problem == "2:9: a value is missing before this sign"


@pytest.mark.parametrize("text", ["[]", "just text", "5"])
def test_a_file_that_is_no_mapping_is_refused(project: Project, text: str) -> None:
    project({"connectors.d/c.yaml": text})
    with pytest.raises(ConfigError, match="is not a mapping"):
        project.runner().connector("c")


def test_a_list_where_a_mapping_belongs_is_told(project: Project) -> None:
    # Found by fuzzing: Cerberus took the options of a field for rules, and fell over `rename`.
    text = 'source: {use: csv, path: in.csv}\nschema:\n  id: [integer]\ndestination: {url: "http://x.example/"}\n'
    assert mistakes(project, text) == ["3:7: schema.id: must be of dict type (got ['integer'])"]


def test_a_key_in_the_wrong_place_is_told_its_right_one(project: Project) -> None:
    assert mistakes(project, GOOD + "concurrency: 5\n") == ["6:1: concurrency: unknown key; it belongs under `destination`"]


def test_missing_parts_are_named(project: Project) -> None:
    assert mistakes(project, "schema: {}\n") == ["1:1: destination: is missing", "1:1: source: is missing"]


def test_split_needs_batches(project: Project) -> None:
    (problem,) = mistakes(project, GOOD + "send: single\non_failure: split\n")
    assert problem.startswith("7:13: on_failure: there is nothing to split")


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("{type: date, min: soon}", "schema.id.min: 'soon' is not of date type"),
        ("{type: integer, allowed: [a]}", "schema.id.allowed: 'a' is not of integer type"),
        ("{type: string, regex: '('}", "schema.id.regex: '(' is not a regular expression"),
        ("{type: integer, format: '%d'}", "schema.id.format: is for fields of type date"),
        ("{type: integer, default: x}", "schema.id.default: 'x' is not of integer type"),
        ("{type: string, minlength: -1}", "schema.id.minlength: min value is 0"),
        ("{anyof: 5}", "schema.id"),
    ],
)
def test_rules_that_do_not_fit_their_field(project: Project, rules: str, told: str) -> None:
    problems = mistakes(project, GOOD.replace("{type: integer}", rules))
    assert any(told in problem for problem in problems), problems


def test_two_fields_sent_under_one_name_are_refused(project: Project) -> None:
    (problem,) = mistakes(project, GOOD.replace("  id:", "  a: {rename: id}\n  id:"))
    assert "is sent as 'id', and so is 'a'" in problem


def test_where_there_is_a_default_component_its_options_suffice(project: Project) -> None:
    connector = project({"connectors.d/c.yaml": GOOD + "send: {max_records: 7}\n"}).runner().connector("c")
    assert (connector.sender.name, connector.sender.max_records) == ("batch", 7)


def test_bare_words_are_spelt_out(project: Project) -> None:
    text = GOOD.replace("{type: integer}", "integer") + "send: single\n"
    connector = project({"connectors.d/c.yaml": text}).runner().connector("c")
    assert connector.sender.name == "single"
    assert connector.schema.fields[0].type is not None
    assert connector.schema.fields[0].type.name == "integer"


@pytest.mark.parametrize("url", ["http://[p:@:]:80", "http://[::1", "http://a:99999", "http://a:b", "http://a:0"])
def test_a_proxy_that_is_no_url_is_a_mistake_with_its_place(project: Project, url: str) -> None:
    """Found by fuzzing."""
    text = f'source: stdin\ndestination: {{url: "https://example.com/x", proxy: "{url}"}}\n'
    project({"connectors.d/c.yaml": text})
    with pytest.raises(ConfigError) as raised:
        project.runner().connector("c")
    (problem,) = raised.value.problems
    assert isinstance(problem, Problem)
    assert problem.path == "destination.proxy"


@pytest.mark.parametrize("name", ["_row", "_records"])
def test_what_is_captured_has_no_name_that_results_have_already(project: Project, name: str) -> None:
    told = mistakes(project, GOOD + f"  response: {{capture: {{id: $.id, {name}: $.row}}}}\n")
    assert told == [
        f"6:34: destination.response.capture.{name}: {name} is a column of `sendoff results` already; choose another name"
    ]


def test_a_rate_that_is_a_number_is_told_what_it_lacks(project: Project) -> None:
    (told,) = mistakes(project, GOOD + "  rate_limit: 10\n")
    assert told.endswith("'10' is not a valid rate; use 10/s, 100/10s, 250000/day or 5MB/s")
