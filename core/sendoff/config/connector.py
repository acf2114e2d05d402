"""A connector: one file, checked, with its plugins resolved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cerberus

from sendoff import jsontext
from sendoff.components import FailureStrategy, Observer, Sender, Source, Transport, Validator
from sendoff.config import documents, rules, secrets
from sendoff.config.documents import Document
from sendoff.errors import ConfigError
from sendoff.registry import Registry
from sendoff.schema import Field, Misdeclared, Schema, declare


@dataclass(frozen=True, slots=True)
class Destination:
    """Where requests go, and with what manners."""

    url: str
    method: str
    headers: Mapping[str, str]
    concurrency: int
    timeout: float
    retry: Mapping[str, Any]
    idempotency: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Connector:
    """Everything one connector file says, ready to run."""

    name: str
    file: str
    source: Source
    schema: Schema
    validators: tuple[Validator, ...]
    on_invalid: str
    destination: Destination
    transport: Transport
    sender: Sender
    strategy: FailureStrategy
    observers: tuple[Observer, ...]
    secrets: secrets.Secrets
    #: A digest of all that decides which records there are and what their bytes look like.
    shape: bytes


def load(file: Path, registry: Registry, *, home: Path, shown: str | None = None) -> Connector:
    """Load a connector file.

    Raises `ConfigError` with every mistake in it, each with file, line and column.
    """
    document = documents.read(file, shown)
    return build(document, file.stem, registry, home=home)


def build(document: Document, name: str, registry: Registry, *, home: Path) -> Connector:
    """A connector from a document; raises `ConfigError` as `load` does."""
    kept = secrets.Secrets()
    problems = document.problems
    if problems and document.data is None:
        raise ConfigError(*problems)
    data = secrets.resolve(document.data, home, kept, lambda path, sentence: problems.append(document.problem(path, sentence)))
    checked = rules.check(data, document, registry)
    fields = _fields(data, document)
    _check_pair(data, checked, document, registry)
    if problems or checked is None:
        raise ConfigError(*_redacted(problems, kept))

    def made(kind: str, chosen: Mapping[str, Any]) -> Any:
        component = registry.find(kind, chosen["use"])
        assert component is not None
        return component(home=home, **{key: value for key, value in chosen.items() if key != "use"})

    to = checked["destination"]
    kept.add_literals(to["headers"])
    sender: Sender = made("senders", checked["send"])
    unknown = checked.get("unknown") or ("drop" if fields else "keep")
    return Connector(
        name=name,
        file=document.file,
        source=made("sources", checked["source"]),
        schema=Schema(fields, unknown=unknown),
        validators=tuple(made("validators", chosen) for chosen in checked["validators"]),
        on_invalid=checked["on_invalid"],
        destination=Destination(
            url=to["url"],
            method=to["method"],
            headers=to["headers"],
            concurrency=to["concurrency"],
            timeout=float(to["timeout"]),
            retry=to["retry"],
            idempotency=to["idempotency"],
        ),
        transport=made("transports", to["transport"]),
        sender=sender,
        strategy=made("failure_strategies", checked["on_failure"]),
        observers=tuple(made("observers", chosen) for chosen in checked["observers"]),
        secrets=kept,
        shape=_shape(checked, unknown, sender),
    )


def _fields(data: Any, document: Document) -> list[Field]:
    """The schema's fields; what Cerberus finds wrong only when a validator is built is reported too."""
    fields: list[Field] = []
    schema = rules.spelt_out(data).get("schema") if isinstance(data, dict) else None
    for name, declared in schema.items() if isinstance(schema, dict) else ():
        if not isinstance(declared, dict) or any(p.path.startswith(f"schema.{name}") for p in document.problems):
            continue  # has its problem already
        try:
            field = declare(name, declared)
            Schema([field], unknown="drop")
            fields.append(field)
        except Misdeclared as error:
            document.problems.append(document.problem(("schema", name, error.rule), str(error)))
        except cerberus.SchemaError as error:
            document.problems.append(document.problem(("schema", name), f"not a rule of Cerberus: {error}"))
        except Exception as error:  # a regex that does not compile, a constraint of a type nobody thought of
            document.problems.append(document.problem(("schema", name), f"cannot be checked: {error}"))
    twice = [f for f in fields if [other.out for other in fields].count(f.out) > 1]
    for field in twice[1:]:
        document.problems.append(
            document.problem(("schema", field.name), f"is sent as {field.out!r}, and so is {twice[0].name!r}")
        )
    return fields


def _check_pair(data: Any, checked: Mapping[str, Any] | None, document: Document, registry: Registry) -> None:
    """A strategy that splits needs requests with more than one record."""
    if checked is None:
        return
    strategy = registry.find("failure_strategies", checked["on_failure"]["use"])
    sender = registry.find("senders", checked["send"]["use"])
    assert strategy is not None and sender is not None
    most = checked["send"].get("max_records", sender.__dict__.get("max_records", 1))
    if getattr(strategy, "splits", False) and most == 1:
        sentence = "there is nothing to split: every request carries one record; write `on_failure: fail`, or send in batches"
        document.problems.append(document.problem(("on_failure",), sentence))


def _shape(checked: Mapping[str, Any], unknown: str, sender: Sender) -> bytes:
    decisive = [
        checked["source"],
        checked["schema"],
        unknown,
        checked["validators"],
        [sender.prefix.decode(), sender.separator.decode(), sender.suffix.decode(), sender.max_bytes, checked["send"]["use"]],
    ]
    return hashlib.sha256(jsontext.dumps(_templates(decisive)).encode()).digest()


def _templates(value: Any) -> Any:
    """Secrets as the file wrote them: a digest must not let a short one be guessed."""
    if isinstance(value, dict):
        return {key: _templates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_templates(item) for item in value]
    return value.template if isinstance(value, secrets.Resolved) else value


def _redacted(problems: list[Any], kept: secrets.Secrets) -> list[Any]:
    return [
        type(problem)(problem.file, problem.line, problem.column, problem.path, kept.redact(problem.sentence))
        for problem in sorted(problems, key=lambda problem: (problem.line, problem.column))
    ]
