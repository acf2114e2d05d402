"""The schema for editors finds nothing wrong with the connectors that we show."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from sendoff.config import documents
from sendoff.editors.json_schema import connector_schema
from sendoff.registry import Registry

from .pages import ROOT, blocks
from .test_pages import PAGES

#: Mistakes that are on a page to be found, by what is wrong.
DELIBERATE = {"docs/tutorials/file-to-api.md": ["destination"], "docs/tutorials/plugin.md": ["validators[0].length"]}


def shown(page: Path) -> list[tuple[str, str]]:
    """The connector files on a page, and the plugins by their names."""
    return [
        (block.file or "", block.text)
        for block in blocks(page.read_text())
        if (block.language == "yaml" and not (block.file or "").startswith("destinations.d/"))
        or (block.file or "").startswith("plugins.d/")
    ]


@cache
def built_in() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(connector_schema(Registry()))


def schema_of(page: Path) -> jsonschema.Draft7Validator:
    """The schema, with the plugins of a page in it."""
    plugins = [(name, text) for name, text in shown(page) if name.endswith(".py")]
    if not plugins:
        return built_in()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / Path(name).name for name, _ in plugins]
        for file, (_, text) in zip(files, plugins, strict=True):
            file.write_text(text)
        return jsonschema.Draft7Validator(connector_schema(Registry(files=files)))


def wrong(schema: jsonschema.Draft7Validator, name: str, raw: bytes) -> list[str]:
    document = documents.parse(raw, documents.Document(name))
    assert document.problems == []
    return [documents.dotted(list(error.absolute_path)) for error in schema.iter_errors(document.data)]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_an_editor_marks_no_right_connector_of_a_page(page: Path) -> None:
    schema, found = schema_of(page), []
    for name, text in shown(page):
        if not name.endswith(".py"):
            found += wrong(schema, name, text.encode())
    assert found == DELIBERATE.get(str(page.relative_to(ROOT)), [])


@pytest.mark.parametrize("folder", ["connectors.d", "core/sendoff/apis"])
def test_an_editor_marks_no_connector_of_the_samples_and_of_the_cookbook(folder: str) -> None:
    files = [file for file in sorted((ROOT / folder).rglob("*.y*ml")) if not file.name.startswith((".", "_"))]
    assert len(files) >= 4
    assert {file.name: found for file in files if (found := wrong(built_in(), file.name, file.read_bytes()))} == {}
