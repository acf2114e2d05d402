"""Checks of what is valid by itself in a connector file, but not together with the rest.

The file is long because each pair of settings that clash is a check of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sendoff.components import Component, Sender
from sendoff.config import variants
from sendoff.config.documents import Document
from sendoff.config.references import TEMPLATES
from sendoff.encode import routing, templates
from sendoff.errors import ConfigError
from sendoff.errors.codes import Code
from sendoff.http.connect import find_unusable
from sendoff.options import find_similar
from sendoff.registry import Registry
from sendoff.schema import Field
from sendoff.transport import compression, rate_limit
from sendoff.transport.file_access import FileAccess
from sendoff.transport.protocol import TLS

_RECORDS_FIELD = ("destination", "response", "records", "field")

BodyPath = tuple[str | int, ...]


class Complain(Protocol):
    """Reports a problem at a path."""

    def __call__(self, path: Sequence[str | int], sentence: str, code: Code = Code.CONFLICT) -> None: ...


def check(spelled: object, document: Document, registry: Registry, fields: Sequence[Field], home: Path | None) -> None:
    """Report what does not fit together. What is wrong by itself has been reported already, and is skipped here."""

    def complain(path: Sequence[str | int], sentence: str, code: Code = Code.CONFLICT) -> None:
        document.problems.append(document.problem(path, sentence, code))

    whole = _mapping(spelled)
    to, send = _mapping(whole.get("destination")), _mapping(whole.get("send"))
    bodies = dict(_bodies(send, ("send",)))
    sender = _sender(registry, send)
    writer, written_by = _writer(registry, send)
    _check_splitting(whole, send, sender, registry, complain)
    has_fields = bool(fields) and whole.get("unknown") != "keep"
    known = [field.output_name for field in fields] if has_fields else []
    if writer is not None and (named := _records_field(to)):
        _check_records_field(named, writer, written_by.get("record"), known, complain)
    _check_keys(to, bodies, complain)
    _check_probe(to, complain)
    _add_warnings(whole, to, registry, document)
    if home is not None:
        _check_files(to, home, complain)
    source = _mapping(whole.get("source"))
    offered = registry.find("sources", str(source.get("use")))
    if (
        whole.get("watch") is True
        and "incremental" not in whole
        and offered
        and "once" in offered.options
        and not source.get("once")
    ):
        complain(
            ("watch",), "sends all again whenever a file lands, unless the source says `once: true`, or incremental is there"
        )
    if isinstance(whole.get("incremental"), Mapping):
        _check_incremental(whole, to, fields, complain)
    if has_fields:
        _check_names(whole, to, bodies, known, complain)


def _bodies(send: Mapping[str, object], place: BodyPath) -> Iterator[tuple[BodyPath, object]]:
    """The templates of a sender's options, and of a sender's that is one of them, with their places."""
    for key, value in send.items():
        if key in TEMPLATES:
            yield (*place, key), value
        elif isinstance(value, Mapping) and "use" in value:
            yield from _bodies(value, (*place, key))


def _sender(registry: Registry, send: Mapping[str, object]) -> type[Sender] | None:
    found = registry.find("senders", str(send.get("use")))
    return found if found is not None and issubclass(found, Sender) else None


def _writer(registry: Registry, send: Mapping[str, object]) -> tuple[type[Sender] | None, Mapping[str, object]]:
    """The sender that writes the records, with its options: the one that is used, or the one that it leaves them to."""
    found = _sender(registry, send)
    inner = [key for key, rules in getattr(found, "options", {}).items() if rules.get("component") == "senders"]
    return _writer(registry, _mapping(send.get(inner[0]))) if inner else (found, send)


def _check_records_field(field: str, writer: type[Sender], record: object, known: Sequence[str], complain: Complain) -> None:
    """Report a field that results are said to name records by, and that no record is sent with; `known` are the schema's."""
    is_path = field.startswith("$")
    if not writer.writes_json():
        if is_path:
            sentence = f"{field} is a path in a record's JSON, and {writer.name} sends none; name the field with the id"
            complain(_RECORDS_FIELD, sentence)
    elif record not in (None, templates.RECORD):
        if not isinstance(record, Mapping) or templates.form_of(record) is not None:
            if not is_path:
                complain(_RECORDS_FIELD, f"no field is sent as {field!r}; `record` makes no object of a record, but one value")
            return
        known = [str(name) for name in record]
    if known and not is_path and field not in known:
        _complain_of_name(_RECORDS_FIELD, field, known, "no field is sent as", complain)


def _records_field(to: Mapping[str, Any]) -> str | None:
    """The field by which results name records, if they do."""
    field = _mapping(_mapping(to.get("response")).get("records")).get("field")
    return field if isinstance(field, str) else None


def _check_splitting(
    whole: Mapping[str, object], send: Mapping[str, object], sender: type[Sender] | None, registry: Registry, complain: Complain
) -> None:
    strategy = registry.find("failure_strategies", str(_mapping(whole.get("on_failure")).get("use")))
    default = getattr(sender, "options", {}).get("max_records", {}).get("default", getattr(sender, "max_records", 0))
    most = send.get("max_records", default)
    if getattr(strategy, "splits", False) and most == 1:
        complain(
            ("on_failure",),
            "there is nothing to split: every request carries one record; leave `on_failure` out, or send in batches",
        )


def _add_warnings(whole: Mapping[str, object], to: Mapping[str, object], registry: Registry, document: Document) -> None:
    """What is allowed and may be a mistake, as far as it needs neither secrets nor other files."""
    strategy = registry.find("failure_strategies", str(_mapping(whole.get("on_failure")).get("use")))
    if getattr(strategy, "splits", False) and not (to.get("atomic") or to.get("idempotent")):
        sentence = (
            f"{getattr(strategy, 'name', '')} can apply a record twice, unless the API keeps nothing of a request it rejects "
            "(set `destination.atomic: true`) or counts a repeated record once (`destination.idempotent: true`)"
        )
        document.warnings.append(document.problem(("on_failure",), sentence, Code.DOUBLE_DELIVERY))
    if _mapping(to.get("tls")).get("verify") is False:
        sentence = "any server is accepted as the API; use `tls.ca` instead"
        document.warnings.append(document.problem(("destination", "tls", "verify"), sentence, Code.UNVERIFIED_TLS))


def _check_probe(to: Mapping[str, object], complain: Complain) -> None:
    url, base = _mapping(to.get("probe")).get("url"), to.get("url")
    if not isinstance(url, str) or not isinstance(base, str):
        return
    if routing.fields(url):
        complain(("destination", "probe", "url"), "has a field in it, and a probe has no record", Code.VALUE)
    elif not url.startswith("/") and rate_limit.origin(url) != rate_limit.origin(base):
        complain(("destination", "probe", "url"), "must be at the scheme, host and port of destination.url")


def _check_keys(to: Mapping[str, object], bodies: Mapping[BodyPath, object], complain: Complain) -> None:
    has_key = any(templates.KEY in templates.placeholders(template) for template in bodies.values())
    idempotency = _mapping(to.get("idempotency"))
    in_body = idempotency.get("enabled", True) and idempotency.get("in") == "body"
    if in_body and not has_key:
        complain(
            ("destination", "idempotency", "in"),
            f"the body has no place for the key: put {templates.KEY} where it goes, in send.envelope or send.record",
        )
    if has_key and not in_body:
        complain(
            ("send",), f"{templates.KEY} stands for the idempotency key; say `destination.idempotency: {{in: body}}` as well"
        )


def _check_files(to: Mapping[str, object], home: Path, complain: Complain) -> None:
    tls = _mapping(to.get("tls"))
    if (needed := compression.missing(str(to.get("compress")))) is not None:
        complain(("destination", "compress"), needed, Code.VALUE)
    for name in ("key", "passphrase"):
        if tls.get(name) and not tls.get("cert"):
            complain(("destination", "tls", name), "has no effect without `cert`")
    files = {name: home / tls[name] for name in ("ca", "cert", "key") if isinstance(tls.get(name), str)}
    missing = [name for name, file in files.items() if not file.is_file()]
    for name in missing:
        complain(("destination", "tls", name), f"the file {tls[name]} cannot be read", Code.FILE)
    passphrase = tls.get("passphrase")
    if files and not missing and (passphrase is None or (isinstance(passphrase, str) and "${" not in passphrase)):
        _check_certificates(TLS(**files, passphrase=passphrase), tls, complain)


def _check_certificates(declared: TLS, tls: Mapping[str, object], complain: Complain) -> None:
    try:
        unusable = find_unusable(declared)
    except OSError as error:
        complain(("destination", "tls"), f"{error.filename}: {error.strerror}", Code.FILE)
        return
    if unusable is not None:
        name, sentence = unusable
        complain(("destination", "tls", name), f"{tls[name]} {sentence}", Code.FILE)


def _check_incremental(whole: Mapping[str, Any], to: Mapping[str, Any], fields: Sequence[Field], complain: Complain) -> None:
    rule = _mapping(whole["incremental"])
    key = [name for name in rule.get("key") or () if isinstance(name, str)]
    outs = {field.name: field.output_name for field in fields}
    if fields:
        for name in key:
            if name not in outs and whole.get("unknown") != "keep":
                _complain_of_name(("incremental", "key"), name, list(outs), "no field is named", complain)
    for way in ("on_changed", "on_removed"):
        if way in rule and not key:
            complain(("incremental", way), "needs `key`: without it a row that changed is another row")
        url, base = _mapping(rule.get(way)).get("url"), to.get("url")
        absolute = isinstance(url, str) and not url.startswith("/")
        if absolute and isinstance(base, str) and rate_limit.origin(str(url)) != rate_limit.origin(base):
            complain(("incremental", way, "url"), "must be at the scheme, host and port of destination.url")
    if rule.get("changed") == "resend" and not key:
        complain(("incremental", "changed"), "needs `key`: without it a row that changed is a new one, and is sent anyhow")
    if rule.get("changed") == "ignore" and "on_changed" in rule:
        complain(("incremental", "changed"), "says to ignore what `on_changed` says how to send; leave one of them out")
    if "on_removed" in rule and key and isinstance(to.get("url"), str):
        _check_removed(_mapping(rule["on_removed"]), to["url"], [outs.get(name, name) for name in key], complain)


def _check_removed(removed: Mapping[str, Any], base: str, key: Sequence[str], complain: Complain) -> None:
    named = routing.fields(variants.join_url(base, removed.get("url")))
    place = ("incremental", "on_removed", "url") if "url" in removed else ("incremental", "on_removed")
    for name in named:
        if name not in key:
            complain(place, f"{{{name}}} is not in the key, and of a row that is gone only its key is known", Code.REFERENCE)
    missing = [name for name in key if name not in named]
    if variants.without_body(removed) and missing:
        holes = ", ".join(f"{{{name}}}" for name in missing)
        complain(place, f"the URL must hold {holes}, or `body: key`: nothing else says which row is gone")


def _complain_of_name(path: Sequence[str | int], name: str, known: Sequence[str], what: str, complain: Complain) -> None:
    close = find_similar(name, known)
    complain(
        path,
        f"{what} {name!r}; " + (f"did you mean {close!r}?" if close else f"there are {', '.join(known)}"),
        Code.REFERENCE,
    )


def _check_names(
    whole: Mapping[str, Any],
    to: Mapping[str, Any],
    bodies: Mapping[BodyPath, object],
    known: Sequence[str],
    complain: Complain,
) -> None:
    url = to["url"] if isinstance(to.get("url"), str) else ""
    headers = {name: value for name, value in _mapping(to.get("headers")).items() if isinstance(value, str)}
    named: list[tuple[BodyPath, str]] = [
        (("destination", "url") if key == "url" else ("destination", "headers", key), name)
        for key, name in routing.all_fields(url, headers)
        if name
    ]
    named += [
        ((*place, *path), name[1:])
        for place, template in bodies.items()
        for path, name in templates.references(template)
        if name not in (templates.RECORD, templates.RECORDS, templates.KEY)
    ]
    changed = _mapping(_mapping(whole.get("incremental")).get("on_changed")).get("url")
    named += [
        (("incremental", "on_changed", "url"), name) for name in routing.fields(changed if isinstance(changed, str) else "")
    ]
    if isinstance(whole.get("order_by"), str):
        named.append((("order_by",), whole["order_by"]))
    for path, name in named:
        if name not in known:
            _complain_of_name(path, name, known, "no field is sent as", complain)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def refuse_privileged(document: Document, parts: Mapping[str, Sequence[Component | None]]) -> None:
    """Raise `ConfigError` for components that go where `egress` cannot see; `parts` are by the key that names them."""
    problems = [
        document.problem(
            (key, at), f"{each.name} {each.privileged}, which is not allowed where egress is `public`", Code.FORBIDDEN
        )
        for key, components in parts.items()
        for at, each in enumerate(components)
        if each is not None and each.privileged
    ]
    if problems:
        raise ConfigError(*problems)


def check_named_files(
    document: Document,
    parts: Mapping[str, Sequence[Component | None]],
    tls: Mapping[str, Path | None],
    access: FileAccess,
) -> None:
    """Raise `ConfigError` for files that are not allowed: those of TLS, and those that components' options name.

    Observers write theirs; all others are read.
    """
    named: list[tuple[Sequence[str | int], Path, bool]] = [
        (("destination", "tls", name), path, False) for name, path in tls.items() if path is not None
    ]
    named += [
        ((key, option), access.home / value, each.kind == "observers")
        for key, components in parts.items()
        for each in components
        if each is not None
        for option, rules in each.options.items()
        if rules.get("meta", {}).get("path") and isinstance(value := getattr(each, option, None), str)
    ]
    problems = [
        document.problem(place, f"{path} {problem}", Code.FORBIDDEN)
        for place, path, is_written in named
        if (problem := access.write_problem(path) if is_written else access.read_problem(path))
    ]
    if problems:
        raise ConfigError(*problems)
