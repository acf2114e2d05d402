"""A connector: one file, checked, with its plugins resolved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

from sendoff.components import (
    Authenticator,
    Component,
    FailureStrategy,
    Notifier,
    Observer,
    Sender,
    Source,
    Transport,
    Validator,
)
from sendoff.components.sender import check_sender
from sendoff.config import cross_checks, declarations, documents, references, secrets, shared, transports, validator, variants
from sendoff.config.digest import config_digest
from sendoff.config.documents import Document, Places
from sendoff.config.schedule import ScheduleRule
from sendoff.config.schema_fields import declare_fields
from sendoff.config.spec import CONNECTOR
from sendoff.config.variants import RowVariant
from sendoff.encode import routing, templates
from sendoff.encode.idempotency import IdempotencyPolicy
from sendoff.encode.routing import Router
from sendoff.engine.destination import Destination
from sendoff.engine.retry import RetryPolicy
from sendoff.errors import ConfigError, PluginCrash, Problem
from sendoff.errors.codes import Code
from sendoff.incremental.rule import IncrementalRule
from sendoff.options import Declared
from sendoff.registry import Registry
from sendoff.response import Policy
from sendoff.schema import Field, Schema
from sendoff.transport.file_access import FileAccess
from sendoff.transport.protocol import TLS
from sendoff.transport.rate_limit import RateLimits


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
    #: Why it is this transport, in a few words.
    transport_because: str
    auth: Authenticator | None
    sender: Sender
    #: Makes the addresses of requests from records, where the URL or a header says so.
    router: Router | None
    order_by: str | None
    strategy: FailureStrategy
    observers: tuple[Observer, ...]
    #: What identifies rows, where only new ones are delivered; and how those are sent that changed or are gone.
    incremental: IncrementalRule | None
    variants: Mapping[str, RowVariant]
    #: When it runs, and whether it runs when a file has landed.
    schedule: ScheduleRule | None
    watch: bool
    notifiers: tuple[Notifier, ...]
    secrets: secrets.Secrets
    #: What is allowed in its file and may be a mistake, with its place.
    written_warnings: tuple[Problem, ...]
    #: A digest of all that decides which records there are and what their bytes look like.
    config_digest: bytes
    #: Where each path of its file is.
    places: Places

    def problem(self, path: str, sentence: str, code: Code) -> Problem:
        """A problem at a path of its file, without the secrets in it."""
        line, column = self.places.find(path)
        return Problem(self.file, line, column, path, self.secrets.redact(sentence), code)


@dataclass(frozen=True, slots=True)
class Outline:
    """When a connector runs, and which variables it names, each with whether it must be set."""

    name: str
    schedule: ScheduleRule | None
    variables: Mapping[str, bool]


def load(
    file: Path, registry: Registry, *, home: Path, shown: str | None = None, access: FileAccess | None = None,
    env: Mapping[str, str] | None = None,
) -> Connector:  # fmt: skip
    """Load a connector file. `env` are the variables it may name, `access` the files; one that is confined has public egress.

    Raises `ConfigError` with every mistake in it, each with file, line and column.
    """
    document = documents.read(file, shown)
    access = access or FileAccess(home)
    connector = build(document, file.stem, registry, access=access, env=env)
    if access.confined:
        connector = replace(connector, destination=replace(connector.destination, egress="public"))
        connector.source.egress = "public"
        for each in connector.notifiers:
            each.egress = "public"
    parts: dict[str, Sequence[Component | None]] = {
        "source": [connector.source], "destination": [connector.auth, connector.transport], "send": [connector.sender],
        "on_failure": [connector.strategy], "notify": connector.notifiers, "validate": connector.validators,
        "observers": connector.observers,
    }  # fmt: skip
    if connector.destination.egress == "public":
        cross_checks.refuse_privileged(document, parts)
    tls = connector.destination.tls
    cross_checks.check_named_files(document, parts, {"ca": tls.ca, "cert": tls.cert, "key": tls.key}, access)
    return connector


def check_offline(file: Path, registry: Registry, *, home: Path, shown: str | None = None) -> list[Problem]:
    """Check a connector file without the secrets and the files that it names, and return what may be a mistake.

    Raises `ConfigError` as `load` does.
    """
    document, kept = documents.read(file, shown), secrets.Secrets()
    _check(document, registry, home, kept, offline=True)
    return _redacted(document.warnings, kept)


def outline(file: Path, registry: Registry, *, home: Path, shown: str | None = None) -> Outline:
    """When a connector runs and what it needs for that, without its secrets. Raises `ConfigError` as `load` does."""
    kept = secrets.Secrets()
    document = documents.read(file, shown)
    checked, _ = _check(document, registry, home, kept, offline=True)
    return Outline(file.stem, _schedule(checked or cast("Mapping[str, Any]", document.data)), kept.variables)


def build(
    document: Document, name: str, registry: Registry, *, access: FileAccess, env: Mapping[str, str] | None = None
) -> Connector:
    """A connector from a document; raises `ConfigError` as `load` does."""
    home, kept = access.home, secrets.Secrets(env, access)
    checked, fields = _check(document, registry, home, kept)

    def make(kind: str, chosen: Mapping[str, Any]) -> Any:
        component = registry.find(kind, chosen["use"])
        assert component is not None
        options = {
            key: make(component.options[key]["component"], value) if "component" in component.options.get(key, {}) else value
            for key, value in chosen.items()
            if key != "use"
        }
        made = component(home=home, **options)
        made.redact = kept.redact
        return made

    to = checked["destination"]
    kept.add_nested(to["tls"])
    auth: Authenticator | None = make("authenticators", to["auth"]) if "auth" in to else None
    source: Source = make("sources", checked["source"])
    kept.add_nested(checked["source"])
    source.egress, source.connector, source.file_access = to["egress"], name, access
    notifiers: tuple[Notifier, ...] = tuple(make("notifiers", chosen) for chosen in checked["notify"])
    for each, chosen in zip(notifiers, checked["notify"], strict=True):
        kept.add_nested(chosen)
        each.egress = to["egress"]
    sender: Sender = make("senders", checked["send"])
    sender.key_format = to["idempotency"]["form"]
    unknown = checked.get("unknown") or ("drop" if fields else "keep")
    try:
        sender.start([] if unknown == "keep" else [field.output_name for field in fields])
        check_sender(sender)
    except ValueError as error:
        raise ConfigError(*_redacted([document.problem(("send",), str(error), Code.VALUE)], kept)) from None
    except (TypeError, LookupError, AttributeError) as error:
        raise PluginCrash.of(error, sender) from error
    sender.prefix, sender.suffix = (
        templates.reserve_key(part, to["idempotency"]["form"]) for part in (sender.prefix, sender.suffix)
    )
    destination = _destination(to, checked.get("deadline", math.inf), home, kept)
    transport, because = transports.default_transport(to.get("transport"), destination.proxy, registry)
    return Connector(
        name=name,
        file=document.file,
        source=source,
        schema=Schema([field.in_notation(source.notation) for field in fields], unknown=unknown),
        validators=tuple(make("validators", chosen) for chosen in checked["validators"]),
        on_invalid=checked["on_invalid"],
        destination=destination,
        transport=make("transports", transport),
        transport_because=because,
        auth=auth,
        sender=sender,
        router=Router(to["url"], to["headers"]) if any(routing.all_fields(to["url"], to["headers"])) else None,
        order_by=checked.get("order_by"),
        strategy=make("failure_strategies", checked["on_failure"]),
        observers=tuple(make("observers", chosen) for chosen in checked["observers"]),
        incremental=variants.rule(checked.get("incremental"), fields, unknown),
        variants=variants.variants(checked.get("incremental"), to, fields),
        schedule=_schedule(checked),
        watch=checked["watch"],
        notifiers=notifiers,
        secrets=kept,
        written_warnings=tuple(_redacted(document.warnings, kept)),
        config_digest=config_digest(checked, unknown, sender, registry),
        places=document.places,
    )


def _check(
    document: Document, registry: Registry, home: Path, kept: secrets.Secrets, *, offline: bool = False
) -> tuple[Mapping[str, Any], list[Field]]:
    """What the file says, checked and complete, and its schema's fields."""
    problems = document.problems
    if problems and document.data is None:
        raise ConfigError(*problems)
    unset = secrets.UnsetReferences(document.problem, reported=not offline)
    data = secrets.resolve(document.data, home, kept, unset.note)
    problems += unset.problems
    data = shared.with_shared_destination(data, document, home, registry, kept, unset)
    checked = validator.check(data, document, registry) if not any(p.file != document.file for p in problems) else None
    spelled = validator.expand_shorthand(data, registry) if isinstance(data, dict) else {}
    for path, component, chosen in declarations.components(spelled, CONNECTOR, registry):
        kept.add_options(component.options, chosen)
        problems += [document.problem((*path, name), sentence, Code.CONFLICT) for name, sentence in component.conflicts(chosen)]
    kept.add_literals(_headers(spelled))
    fields = declare_fields(spelled.get("schema"), document, spelled.get("source"))
    cross_checks.check(spelled, document, registry, fields, None if offline else home)
    for path, sentence, is_mistake in references.stray(document.data, [field.output_name for field in fields]):
        (problems if is_mistake else document.warnings).append(document.problem(path, sentence, Code.REFERENCE))
    problems[:] = unset.without_consequences(problems)
    if problems or (checked is None and not offline):
        raise ConfigError(*_redacted(problems, kept))
    return checked or {}, fields


def _schedule(checked: Mapping[str, Any]) -> ScheduleRule | None:
    return ScheduleRule(**checked["schedule"]) if "schedule" in checked else None


def _headers(spelled: Declared) -> dict[str, str]:
    """The headers that a file gives, as far as they are text."""
    to = spelled.get("destination")
    headers = to.get("headers") if isinstance(to, dict) else None
    return {str(name): text for name, text in headers.items() if isinstance(text, str)} if isinstance(headers, dict) else {}


def _destination(to: Mapping[str, Any], deadline: float, home: Path, kept: secrets.Secrets) -> Destination:
    def file(name: str) -> Path | None:
        return home / to["tls"][name] if name in to["tls"] else None

    proxy = to.get("proxy")
    if proxy == "env":
        proxy = transports.find_proxy(to["url"], kept.env)
    if proxy is not None:
        kept.add_url(proxy)
    key = dict(to["idempotency"])
    return Destination(
        url=to["url"],
        method=to["method"],
        headers=to["headers"],
        concurrency=to["concurrency"],
        timeout=float(to["timeout"]),
        retry=RetryPolicy(**to["retry"]),
        idempotency=IdempotencyPolicy(location=key.pop("in"), **key),
        response=Policy.of(to["response"]),
        min_upload_rate=float(to["min_upload_rate"]),
        rate_limit=RateLimits.parse(to["rate_limit"]),
        atomic=bool(to.get("atomic")),
        idempotent=bool(to.get("idempotent")),
        compress=to["compress"],
        tls=TLS(file("ca"), file("cert"), file("key"), to["tls"]["verify"], to["tls"].get("passphrase")),
        proxy=proxy,
        egress=to["egress"],
        probe={**to["probe"], "url": urljoin(to["url"], to["probe"]["url"])} if "probe" in to else None,
        deadline=float(deadline),
    )


def _redacted(problems: list[Problem], kept: secrets.Secrets) -> list[Problem]:
    return [
        replace(problem, sentence=kept.redact(problem.sentence))
        for problem in sorted(problems, key=lambda problem: (problem.line, problem.column))
    ]
