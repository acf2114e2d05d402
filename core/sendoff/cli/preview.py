"""`sendoff preview`: show the first request, and send nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

import click

from sendoff import jsonlib
from sendoff.cleaning import clean
from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.group import Project
from sendoff.cli.output import as_json, exactly, say
from sendoff.config.connector import Connector
from sendoff.config.secrets import SecretStr, is_credential
from sendoff.records import location
from sendoff.run.prepare import SMALL
from sendoff.transport.protocol import Request


@click.command("preview")
@click.argument("name", type=CONNECTOR)
@click.option("-n", "count", type=click.IntRange(1), default=2, show_default=True, help="How many records.")
@click.option(
    "--as", "form", type=click.Choice(["http", "curl", "json"]), default="http", show_default=True, help="The output format."
)
@click.pass_obj
def command(project: Project, name: str, count: int, form: str) -> None:
    """Show the first request of a connector exactly; send nothing.

    Secrets are shown by their names.

    Example: `sendoff preview people --as curl`
    """
    connector = project.runner.load(project.file(name))
    requests, invalid = project.runner.preview(connector, count)
    for request in requests:
        {"http": _http, "curl": _curl, "json": _json}[form](connector, request)
    for failure in invalid:
        say(f"skipped: {location(failure.file, failure.line)}: {clean(failure.reason)}", err=True)
    if not requests:
        say("no valid record to show", err=True)
        raise SystemExit(1)


def _http(connector: Connector, request: Request) -> None:
    _scheme, _, rest = _shown_url(connector, request).partition("://")
    host, slash, path = rest.partition("/")
    exactly(f"{request.method} {slash + path or '/'} HTTP/1.1\nHost: {host}")
    for name, value in _shown_headers(connector, request).items():
        exactly(f"{name}: {value}")
    exactly(f"Content-Length: {request.body_length}\n\n{_body(connector, request)}\n")


def _curl(connector: Connector, request: Request) -> None:
    words = [f"curl -X {request.method} {_quoted(_shown_url(connector, request))}"]
    words += [f"-H {_quoted(f'{name}: {value}')}" for name, value in _shown_headers(connector, request).items()]
    body = _body(connector, request)
    words += [f"--data-binary {shlex.quote(body) if body == _sent(request) else _quoted(body)}"]
    exactly(" \\\n  ".join(words) + "\n")


def _json(connector: Connector, request: Request) -> None:
    as_json(
        {
            "method": request.method,
            "url": _shown_url(connector, request),
            "headers": {**_shown_headers(connector, request), "Content-Length": str(request.body_length)},
            "body": _body(connector, request),
        }
    )


def _shown_url(connector: Connector, request: Request) -> str:
    url, shown = connector.destination.url, request.url
    if isinstance(url, SecretStr):
        shown = shown.replace(str(url), url.template)
    return connector.secrets.redact(shown)


def _shown_headers(connector: Connector, request: Request) -> Mapping[str, str]:
    """The headers, with secrets shown by their names in the file, and literal credentials hidden."""
    shown = {
        name: value.template
        if isinstance(value, SecretStr)
        else "***"
        if is_credential(name)
        else connector.secrets.redact(value)
        for name, value in request.headers.items()
    }
    if connector.destination.compress != "none" and request.body_length >= SMALL:
        shown["Content-Encoding"] = f"{connector.destination.compress} (the body and its length are shown uncompressed)"
    if connector.auth is not None:
        shown |= dict.fromkeys(connector.auth.headers, f"(made by {connector.auth.name})")
    return shown


def _body(connector: Connector, request: Request) -> str:
    """The body, with the secrets of its templates by their names in the file, however short, and all others hidden."""
    shown = _sent(request)
    for secret in _secrets([getattr(connector.sender, name, None) for name in connector.sender.options]):
        shown = shown.replace(jsonlib.dumps(str(secret)), jsonlib.dumps(secret.template))
    return connector.secrets.redact(shown)


def _sent(request: Request) -> str:
    return b"".join(request.body).decode("utf-8", "backslashreplace")


def _secrets(value: object) -> Iterator[SecretStr]:
    """The secrets in a template."""
    if isinstance(value, SecretStr):
        yield value
    for member in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _secrets(member)


def _quoted(text: str) -> str:
    """Quoted for a shell, with ``${env:NAME}`` as a shell variable."""
    if "${" not in text:
        return shlex.quote(text)
    escaped = re.sub(r'([\\"`]|\$(?!\{(?:env:)?\w+(?::-[^}]*)?\}))', r"\\\1", text)
    return '"' + escaped.replace("${env:", "${") + '"'
