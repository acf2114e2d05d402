"""`sendoff doctor`: check versions, the ledger and the environment."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import click

from sendoff import __version__
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, json_option, say
from sendoff.errors import SendoffError
from sendoff.ledger import open_ledger, state_dir
from sendoff.ledger.opening import library


@click.command("doctor")
@json_option
@click.pass_obj
def command(project: Project, to_json: bool) -> None:
    """Check versions, the ledger, the clock and the environment.

    Ends with 2 if something is wrong.

    Example: `sendoff doctor`
    """
    findings = list(_findings(project))
    if to_json:
        as_json([dict(zip(("what", "found", "trouble"), finding, strict=True)) for finding in findings])
    else:
        for what, found, trouble in findings:
            say(f"{'!!' if trouble else 'ok'}  {what:12} {found}{f': {trouble}' if trouble else ''}", hang=18)
    if any(trouble for _, _, trouble in findings):
        raise SystemExit(2)


def _findings(project: Project) -> Iterator[tuple[str, str, str]]:
    yield "sendoff", __version__, ""
    yield "python", platform.python_version(), ""
    yield (*library(), "")
    for name in ("polars", "urllib3", "pluggy", "PyYAML", "Cerberus", "click"):
        yield name, version(name), ""
    try:
        foreign = version("urllib3-future")
        yield "urllib3", foreign, "urllib3-future has replaced urllib3; uninstall it, then reinstall urllib3"
    except PackageNotFoundError:
        pass
    yield _env_file(project)
    yield from _state(project)
    yield from _open_secrets(project)
    year = time.gmtime().tm_year
    yield "clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"), "" if 2026 <= year < 2100 else "the clock is wrong"
    proxies = [name for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy") if os.environ.get(name)]
    yield "proxy", f"{', '.join(proxies)} set, but not used" if proxies else "none in the environment", ""


def _env_file(project: Project) -> tuple[str, str, str]:
    if project.env_file is None:
        return "env file", "none is read; --env-file or SENDOFF_ENV_FILE names one", ""
    try:
        variables = project.variables
    except SendoffError as error:
        return "env file", str(project.env_file), str(error)
    assert variables is not None
    mode = project.env_file.stat().st_mode & 0o777
    found = f"{project.env_file}, {variables.count:,} variable{'s' * (variables.count != 1)}"
    return "env file", found, "other users can read it; chmod 600" if mode & 0o077 else ""


def _state(project: Project) -> Iterator[tuple[str, str, str]]:
    try:
        runner = project.runner
        open_ledger(runner.state).close()
    except SendoffError as error:
        yield "ledger", str(project.state or ".sendoff"), str(error)
        return
    if project.directory.is_dir():
        for sentence in runner.orphans():
            yield "run", "unfinished", sentence
    free = shutil.disk_usage(runner.state).free
    mode = runner.state.stat().st_mode & 0o777
    yield (
        "ledger",
        f"{runner.state}, {state_dir.filesystem_type(runner.state) or 'unknown filesystem'}, {free >> 20:,} MiB free",
        ("" if not mode & 0o077 else "other users can read it; chmod 700"),
    )
    yield (
        "plugins",
        f"{sum(len(runner.registry.offers(kind)) for kind in ('sources', 'senders', 'transports'))} components load",
        "; ".join(runner.registry.warnings),
    )


def _open_secrets(project: Project) -> Iterator[tuple[str, str, str]]:
    """Files with secrets of connectors that other users can read."""
    here = project.directory.absolute().parent
    texts = [file.read_text(errors="replace") for file in project.directory.glob("*.y*ml")]
    for name in sorted({name for text in texts for name in re.findall(r"\$\{file:([^}]+)\}", text)}):
        file = here / name
        if file.exists() and file.stat().st_mode & 0o077:
            yield "secret", name, "other users can read it; chmod 600"
