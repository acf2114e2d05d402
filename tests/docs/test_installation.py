"""Nothing that we write makes a reader install another project's package: the name `sendoff` on PyPI is not ours."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from sendoff.components import ScheduledJob, Scheduler
from sendoff.lazy import install_command
from sendoff.registry import Registry

from .pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: An installer, and after it sendoff's bare name, with or without extras, and not as `sendoff @ git+…`.
FOREIGN = re.compile(
    r"\b(?:pip3?|pipx|uvx?|poetry|conda|pdm)\b[^\n`]*?\b(?:install|add|run|download|uvx|wheel)\b[^\n`]*?"
    r"[\s'\"]sendoff(?:\[[\w,]+\])?(?:[=<>~!][^\s'\"`]*)?(?=['\"`\s]|$)(?! @)"
    r"|\buvx (?:sendoff)\b"
    r"|\b[Nn]eeds `?sendoff\["
)


def written() -> list[str]:
    files = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "core").rglob("*.py"),
        *(ROOT / "core").rglob("*.yaml"),
        *(ROOT / "plugins").rglob("*.py"),
        *(ROOT / "connectors.d").rglob("*.yaml"),
    ]
    return [f"{file.relative_to(ROOT)}: {line}" for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    "line",
    [
        "pip install sendoff", "pip install 'sendoff[excel]'", "pip install sendoff==0.1", "uv tool install sendoff",
        "`pipx install sendoff`", "uv add 'sendoff[sql]>=0.1'", "uvx sendoff run", "      - run: pip install -U sendoff", "uv pip install sendoff",
    ],
)  # fmt: skip
def test_what_installs_the_bare_name_is_recognised(line: str) -> None:
    assert FOREIGN.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "pip install ./sendoff", "pip install './sendoff[excel]'", "uv tool install ./sendoff", "pipx inject sendoff python-calamine",
        "pip install 'sendoff[postgres] @ git+https://git.example.com/you/sendoff@main'", "pip install dist/sendoff-0.1.0-py3-none-any.whl",
    ],
)  # fmt: skip
def test_what_installs_ours_is_not(line: str) -> None:
    assert not FOREIGN.search(line)


def test_no_page_and_no_message_installs_the_bare_name() -> None:
    assert [line for line in written() if FOREIGN.search(line)] == []


def test_no_exported_schedule_installs_the_bare_name() -> None:
    registry = Registry()
    for name in registry.names("schedulers"):
        component = registry.find("schedulers", name)
        assert component is not None
        exporter = component()
        assert isinstance(exporter, Scheduler)
        text = "\n".join(exporter.export(job()).values())
        assert text
        assert not FOREIGN.search(text)


def normal(requirement: str) -> str:
    """A requirement with its name as metadata has it (PyPA's name normalization)."""
    name, rest = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
    return re.sub(r"[-_.]+", "-", name).lower() + rest


def job() -> ScheduledJob:
    return ScheduledJob("people", "0 7 * * *", "UTC", "run_once", Path("/srv/deliveries"), "/opt/sendoff/bin/sendoff")


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_hint_for_an_extra_names_its_libraries_as_they_are_declared(extra: str) -> None:
    def libraries(name: str) -> list[str]:
        found: list[str] = []
        for each in EXTRAS[name]:
            inner = re.fullmatch(r"sendoff\[([\w,]+)\]", each)
            found += (
                [library for one in inner[1].split(",") for library in libraries(one)]
                if inner
                else [each.partition(";")[0].strip()]
            )
        return found

    said = install_command(extra)
    assert re.findall(r"'([^']+)'", said) == sorted(set(map(normal, libraries(extra))))
    assert said.startswith("pip install '")
    assert "sendoff" not in said
    assert requires("sendoff")


def test_the_page_says_of_each_extra_what_its_hint_says() -> None:
    page = (ROOT / "docs/how-to/install.md").read_text()
    table = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (?:`([^`]*)` )?\|$", page, re.MULTILINE))
    assert set(table) == set(EXTRAS)
    assert {extra: install_command(extra) for extra in table if extra != "all"} == {
        k: v for k, v in table.items() if k != "all"
    }
