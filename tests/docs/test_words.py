"""One thing has one name: the words in `banned-words.txt` are used nowhere."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from sendoff.cli.group import COMMANDS, Commands
from sendoff.components import KINDS
from sendoff.config.spec import CONNECTOR
from sendoff.registry import Registry

from .pages import ROOT

SCOPES = ("code", "help", "docs")
GENERATED = {
    "CHANGELOG.md",
    "docs/faults.md",
    *(f"docs/reference/{page.name}" for page in (ROOT / "docs/reference").glob("*.md")),
}


@cache
def entries() -> list[tuple[str, list[str]]]:
    """Each word or phrase, and where it is banned."""
    found = []
    for line in Path(__file__).with_name("banned-words.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            phrase, _, scopes = line.partition("|")
            found.append((phrase.strip(), scopes.split()))
    return found


@cache
def banned(scope: str) -> list[str]:
    return [phrase for phrase, scopes in entries() if scope in scopes]


def phrases(text: str, scope: str) -> list[str]:
    """The banned phrases in a text, as whole words, however they are wrapped and capitalised."""
    plain = " ".join(text.split()).lower()
    return [phrase for phrase in banned(scope) if re.search(rf"(?<![\w]){re.escape(phrase.lower())}(?![\w])", plain)]


def pages() -> list[Path]:
    every = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in every if str(page.relative_to(ROOT)) not in GENERATED)


def help_texts(rules: Any) -> Iterator[str]:
    """Every `meta.help` in Cerberus rules, however deep."""
    if isinstance(rules, Mapping):
        meta = rules.get("meta")
        if isinstance(meta, Mapping) and isinstance(meta.get("help"), str):
            yield meta["help"]
        for value in rules.values():
            yield from help_texts(value)
    elif isinstance(rules, list):
        for value in rules:
            yield from help_texts(value)


def identifiers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield from (alias and [alias]) or name.split(".")


def test_every_entry_is_looked_for_somewhere() -> None:
    assert banned("code")
    assert banned("help")
    assert banned("docs")
    assert all(scopes and set(scopes) <= set(SCOPES) for _, scopes in entries())
    assert len({phrase for phrase, _ in entries()}) == len(entries()), "an entry is there twice"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_says_a_banned_word(page: Path) -> None:
    assert not phrases(page.read_text(), "docs")


def test_the_help_of_sendoff_says_no_banned_word() -> None:
    group = Commands("sendoff")
    assert not phrases(group.get_help(click.Context(group, info_name="sendoff")), "help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_no_banned_word(name: str) -> None:
    group = Commands("sendoff")
    context = click.Context(group, info_name="sendoff")
    command = group.get_command(context, name)
    assert command
    found = [phrases(text, "help") for text in _helps(command, click.Context(command, context, info_name=name))]
    assert not any(found), found


def _helps(command: click.Command, context: click.Context) -> Iterator[str]:
    """The help of a command and of its own commands."""
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner
            yield from _helps(inner, click.Context(inner, context, info_name=name))


def test_the_options_of_a_connector_file_say_no_banned_word() -> None:
    found = {text: words for text in help_texts(CONNECTOR) if (words := phrases(text, "help"))}
    assert not found


@pytest.mark.parametrize("kind", KINDS)
def test_the_options_of_components_say_no_banned_word(kind: str) -> None:
    texts = [text for offer in Registry().offers(kind).values() for text in help_texts(offer.component.options)]
    found = {text: words for text in texts if (words := phrases(text, "help"))}
    assert not found


def test_no_identifier_is_a_banned_word() -> None:
    """Compared exactly, but for leading underscores."""
    words, found = set(banned("code")), set()
    for room in ("core/sendoff", "plugins/sendoff_plugins"):
        for path in (ROOT / room).rglob("*.py"):
            names = {path.stem, path.parent.name, *identifiers(ast.parse(path.read_text()))}
            found |= {f"{path.relative_to(ROOT)}: {name}" for name in names if name.lstrip("_") in words}
    assert not found, sorted(found)
