"""The schema for editors finds nothing wrong with the connectors that we show."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jsonschema
import pytest

from sendoff.config import connector as connectors
from sendoff.config import documents
from sendoff.editors.json_schema import connector_schema
from sendoff.errors import ConfigError
from sendoff.registry import Registry

from .pages import ROOT, blocks
from .test_pages import PAGES


def shown(page: Path) -> list[tuple[str, str]]:
    """The connector files on a page, and the plugins by their names."""
    return [
        (block.file or "", block.text)
        for block in blocks(page.read_text())
        if (block.language == "yaml" and (block.file or "connectors.d/").startswith("connectors.d/"))
        or (block.file or "").startswith("plugins.d/")
    ]


@cache
def built_in() -> tuple[Registry, jsonschema.Draft7Validator]:
    registry = Registry()
    return registry, jsonschema.Draft7Validator(connector_schema(registry))


def with_plugins(page: Path, folder: Path) -> tuple[Registry, jsonschema.Draft7Validator]:
    """The schema, with the plugins of a page in it."""
    plugins = [(name, text) for name, text in shown(page) if name.endswith(".py")]
    if not plugins:
        return built_in()
    files = [folder / Path(name).name for name, _ in plugins]
    for file, (_, text) in zip(files, plugins, strict=True):
        file.write_text(text)
    registry = Registry(files=files)
    return registry, jsonschema.Draft7Validator(connector_schema(registry))


def wrong(schema: jsonschema.Draft7Validator, name: str, raw: bytes) -> list[str]:
    document = documents.parse(raw, documents.Document(name))
    assert document.problems == []
    return [documents.dotted(list(error.absolute_path)) for error in schema.iter_errors(document.data)]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_an_editor_marks_no_connector_of_a_page_that_check_lets_pass(page: Path, tmp_path: Path) -> None:
    """Mistakes are on a page to be found."""
    registry, schema = with_plugins(page, tmp_path)
    for name, text in shown(page):
        if not name.endswith(".py") and wrong(schema, name, text.encode()):
            file = tmp_path / "page.yaml"
            file.write_text(text)
            with pytest.raises(ConfigError):
                connectors.check_offline(file, registry, home=tmp_path)


@pytest.mark.parametrize("folder", ["connectors.d", "core/sendoff/apis"])
def test_an_editor_marks_no_connector_of_the_samples_and_of_the_cookbook(folder: str) -> None:
    files = [file for file in sorted((ROOT / folder).rglob("*.y*ml")) if not file.name.startswith((".", "_"))]
    assert len(files) >= 4
    assert {file.name: found for file in files if (found := wrong(built_in()[1], file.name, file.read_bytes()))} == {}
