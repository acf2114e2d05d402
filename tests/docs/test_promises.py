"""What the pages say of the code is so."""

from __future__ import annotations

import inspect
import re
import tomllib

import sendoff
from docs import generator
from docs.generator.page import REFERENCE
from sendoff import errors, hookspecs
from sendoff.components import KINDS
from sendoff.registry import Registry

from .pages import ROOT


def test_generated_pages_are_what_the_code_says() -> None:
    assert [file.name for file, text in generator.pages().items() if file.read_text() != text] == [], "run `make docs`"
    assert generator.stale() == [], "run `make docs`"


def test_the_layers_on_the_page_are_the_layers_that_lint_holds() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    page = (ROOT / "docs/architecture.md").read_text()
    drawn = re.findall(r"^(sendoff\.\w+(?: \| sendoff\.\w+)*) {2,}", page, re.MULTILINE)
    assert drawn == [" | ".join(f"sendoff.{room}" for room in layer.split(" | ")) for layer in contract["layers"]]


def test_every_public_name_and_hook_and_error_is_in_the_reference() -> None:
    page = (REFERENCE / "python.md").read_text()
    for name in sendoff.__all__:
        thing = getattr(sendoff, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert f"## sendoff.{name}\n" in page
    hooks = (REFERENCE / "hooks.md").read_text()
    for kind in KINDS:
        assert f"`sendoff_{kind}{inspect.signature(getattr(hookspecs, f'sendoff_{kind}'))}`" in hooks
    for name in errors.__all__:
        if name != "Problem":
            assert name in (REFERENCE / "errors.md").read_text()


def test_every_public_name_has_a_docstring_that_is_its_own() -> None:
    for name in sendoff.__all__:
        thing = getattr(sendoff, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, name


def test_the_error_tree_is_the_tree_of_the_classes() -> None:
    tree = (errors.__doc__ or "").partition("::")[2]
    drawn = re.findall(r"^([ │├└─]*)(\w+)", tree, re.MULTILINE)
    parents: dict[int, str] = {}
    for indent, name in drawn:
        if name[0].isupper() and hasattr(errors, name):
            depth = len(indent) // 4
            parents[depth] = name
            if depth > 1:
                assert issubclass(getattr(errors, name), getattr(errors, parents[depth - 1])), name
    assert set(parents.values()) <= set(errors.__all__)


def test_examples_that_ship_are_right() -> None:
    runner = sendoff.Runner(ROOT / "connectors.d")
    assert sorted(runner.found().files) == ["import-contacts", "morning-signups", "notify-signups", "update-prices"]
    for name in runner.found().files:
        connector = runner.connector(name)
        for file, columns in connector.source.columns():
            connector.schema.check_columns(file, columns)


def test_every_source_has_a_page_with_an_example() -> None:
    for name in Registry().offers("sources"):
        assert f"use: {name}" in (ROOT / f"docs/sources/{name}.md").read_text()
