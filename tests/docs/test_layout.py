"""The folders hold what the pages say they hold."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from .pages import ROOT

CORE, PLUGINS = ROOT / "core/sendoff", ROOT / "plugins/sendoff_plugins"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: Words that are also the name of a component, and mean something else here, by file and for all of the core.
ALSO = {
    "": {
        "http": "a URL's scheme",
        "cron": "the key of a schedule",
        "condition": "a group of a pattern, a check",
        "failed": "a state, and what it is called",
    },
    "cli/check.py": {"json": "a format of output", "github": "another", "form": "the parameter"},
    "cli/check_formats.py": {"json": "a format of output", "github": "another"},
    "cli/doctor.py": {"python": "the interpreter", "urllib3": "the library"},
    "cli/failed.py": {"csv": "a format of output", "jsonl": "another", "json": "another", "form": "the parameter"},
    "cli/results.py": {"csv": "a format of output", "jsonl": "another", "form": "the parameter"},
    "cli/preview.py": {"json": "a format of output", "form": "the parameter"},
    "config/connector.py": {"form": "the form of an idempotency key"},
    "config/spec.py": {"form": "the form of an idempotency key"},
    "editors/project.py": {"command": "the key of a task of VS Code"},
    "encode/encoder.py": {"json": "the form of a value"},
    "encode/templates.py": {"json": "the form of a value"},
    "ledger/spool.py": {"lines": "those of a page, in a file"},
    "records/page.py": {"lines": "those of a page"},
    "engine/states.py": {"split": "a state"},
    "jsonlib/jsonpath.py": {"single": "a group of a pattern: single quotes"},
    "cli/logs.py": {"json": "a format of the log"},
    "cli/run.py": {"log": "what standard error is"},
    "cli/serve.py": {"inbox": "the URLs under /inbox"},
    "sending.py": {"batch": "the parameter"},
    "serving/inbox_app.py": {"bearer": "the scheme of HTTP's Authorization"},
}
LONG = [
    path
    for room in ("core", "plugins")
    for path in sorted((ROOT / room).rglob("*.py"))
    if len(path.read_text().splitlines()) > 300
]


def test_the_top_of_the_core_has_at_most_twelve_modules() -> None:
    modules = {path.stem for path in CORE.glob("*.py")} - {"__init__", "__main__"}
    assert len(modules) <= 12, sorted(modules)


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


def test_the_core_names_no_component() -> None:
    """No string of it is a component's name, nor says ``use: NAME``: what is a default, a component declares of itself."""
    names = {name for group in PROJECT["project"]["entry-points"].values() for name in group}
    used = re.compile(rf"use: ({'|'.join(names)})\b|`({'|'.join(names)})`")
    found: set[tuple[str, str]] = set()
    needed: set[tuple[str, str]] = set()
    for path in CORE.rglob("*.py"):
        file, tree = str(path.relative_to(CORE)), ast.parse(path.read_text())
        for text in {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}:
            for word in {text} & names | {one or other for one, other in used.findall(text)}:
                where = next((where for where in (file, "") if word in ALSO.get(where, {})), None)
                (found if where is None else needed).add((file if where is None else where, word))
    assert not found, sorted(found)
    assert needed == {(where, word) for where, words in ALSO.items() for word in words}, "a reason that is not needed"


def test_a_kind_s_folder_has_only_components_in_it() -> None:
    """What components share is in an underscored package beside them."""
    groups = PROJECT["project"]["entry-points"]
    declared = {module for group in groups.values() for module in group.values()}
    assert all(name == module.rpartition(".")[2] for group in groups.values() for name, module in group.items())
    found = {f"sendoff_plugins.{path.parent.name}.{path.stem}" for path in PLUGINS.glob("*/*.py") if path.stem != "__init__"}
    assert found == declared
