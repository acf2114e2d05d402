"""The folders hold what the pages say they hold."""

import ast
import tomllib
from pathlib import Path

import pytest

from .pages import ROOT

CORE, PLUGINS = ROOT / "core/sendoff", ROOT / "plugins/sendoff_plugins"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LONG = [
    path
    for room in ("core", "plugins")
    for path in sorted((ROOT / room).rglob("*.py"))
    if len(path.read_text().splitlines()) > 300
]


def test_the_top_of_the_core_has_at_most_eleven_modules() -> None:
    modules = {path.stem for path in CORE.glob("*.py")} - {"__init__", "__main__"}
    assert len(modules) <= 11, sorted(modules)


def test_every_layer_of_the_contract_exists() -> None:
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [room.strip() for layer in layers for room in layer.split("|")]
    missing = [room for room in rooms if not (CORE / f"{room}.py").exists() and not (CORE / room / "__init__.py").exists()]
    assert rooms
    assert not missing


@pytest.mark.parametrize("path", LONG, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_of_over_300_lines_gives_its_reason(path: Path) -> None:
    head = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "long" in head.split(), "write in the docstring at its head why the file is long, or divide it"


def test_a_kind_s_folder_has_only_components_in_it() -> None:
    """What components share is in an underscored package beside them."""
    groups = PROJECT["project"]["entry-points"]
    declared = {module for group in groups.values() for module in group.values()}
    assert all(name == module.rpartition(".")[2] for group in groups.values() for name, module in group.items())
    found = {f"sendoff_plugins.{path.parent.name}.{path.stem}" for path in PLUGINS.glob("*/*.py") if path.stem != "__init__"}
    assert found == declared
