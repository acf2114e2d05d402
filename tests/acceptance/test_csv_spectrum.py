"""csv-spectrum: each of its files arrives as the JSON beside it. An empty cell is a null in sendoff, also a quoted one."""

from __future__ import annotations

import json

import pytest

from sendoff.testing import Project, Receiver

from .servers import suite

FILES = (
    "comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "location_coordinates", "newlines", "newlines_crlf",
    "quotes_and_newlines", "simple", "simple_crlf", "utf8",
)  # fmt: skip
#: What its author meant, where sendoff asks: quotes inside a cell without quotes around it.
MEANT = {"location_coordinates": ", quote: none"}


def test_these_are_all_its_files() -> None:
    assert {file.stem for file in (suite("csv-spectrum") / "csvs").iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_its_file_arrives_as_its_json(project: Project, receiver: Receiver, name: str) -> None:
    home = suite("csv-spectrum")
    text = f"source: {{use: csv, path: in.csv{MEANT.get(name, '')}}}\nunknown: keep\ndestination: {{url: '{receiver.url}'}}\nsend: batch\n"
    project({"in.csv": (home / "csvs" / f"{name}.csv").read_bytes(), "connectors.d/c.yaml": text})
    report = project.run("c")
    expected = json.loads((home / "json" / f"{name}.json").read_text())
    rows = [row for body in receiver.bodies for row in body]
    if name == "location_coordinates":  # its JSON is one object, and has another telephone number than its CSV
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    assert report.state == "complete"
    assert rows == [{key: value or None for key, value in row.items()} for row in expected]


def test_quotes_inside_a_cell_are_asked_about(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: csv, path: in.csv}}\nunknown: keep\ndestination: {{url: '{receiver.url}'}}\n"
    content = (suite("csv-spectrum") / "csvs/location_coordinates.csv").read_bytes()
    project({"in.csv": content, "connectors.d/c.yaml": text})
    assert project.run("c").state != "complete"
    assert receiver.requests == []
