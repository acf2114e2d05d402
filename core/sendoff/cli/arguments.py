"""What several commands take: a run, or a connector. A shell completes them with what there is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from sendoff.cli.group import Project
from sendoff.errors import ConfigError, SendoffError


class RunNumber(click.ParamType[int]):
    """A run: its number, ``latest``, or a connector's name for that connector's newest run."""

    name = "run"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of the run. Raises `ConfigError` where no run is meant."""
        if isinstance(value, int) or value.isdecimal():
            return int(value)
        history = _project(ctx).runner.history
        runs = history.runs(None if value == "latest" else value) if history.exists() else []
        if not runs:
            of = "" if value == "latest" else f" of a connector {value!r}"
            raise ConfigError(f"there is no run{of}; a run is given by its number, by `latest`, or by a connector's name")
        return runs[0]["id"]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: dict[str, str] = {}
        with suppress(SendoffError):
            history = _project(ctx).runner.history
            runs = history.runs() if history.exists() else []
            found = {"latest": "the newest run"} if runs else {}
            found |= {row["connector"]: "its newest run" for row in runs}
            found |= {str(row["id"]): f"{row['connector']}, {row['state']}" for row in runs}
        return _matching(found, incomplete)


class ConnectorName(click.ParamType[str]):
    """A connector, by its name or by its file."""

    name = "connector"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The connector's name; what is no file of a connector stays as it is."""
        if not value.endswith((".yaml", ".yml")):
            return str(value)
        files: Mapping[str, Path] = {}
        with suppress(ConfigError):  # of another file, which is found again when that name is used
            files = _project(ctx).runner.found().files
        return next((name for name, file in files.items() if file.absolute() == Path(value).absolute()), value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: dict[str, str] = {}
        with suppress(SendoffError):
            found = dict.fromkeys(_project(ctx).runner.found().files, "")
        return _matching(found, incomplete)


RUN = RunNumber()
CONNECTOR = ConnectorName()


def _project(ctx: click.Context | None) -> Project:
    """The project of the command line. While a shell completes it, no command has made one yet."""
    assert ctx is not None
    params = ctx.find_root().params
    return ctx.find_object(Project) or Project.chosen(params["directory"], params["state"], params["allow"], params["env_file"])


def _matching(found: Mapping[str, str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=text or None) for name, text in found.items() if name.startswith(incomplete)]
