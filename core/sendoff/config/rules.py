"""What a connector file may say, in Cerberus: declared once, for checking, defaults and help."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, cast
from urllib.parse import urlsplit

from cerberus.errors import ErrorDefinition

from sendoff.config.documents import Document
from sendoff.errors import Problem
from sendoff.registry import Registry
from sendoff.schema import RULES as FIELD_RULES
from sendoff.schema import explain

METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_COMPONENT = ErrorDefinition(0x1080, "component")
_UNKNOWN, _MISSING = 0x03, 0x02


def _help(text: str, **rules: Any) -> dict[str, Any]:
    return {**rules, "meta": {"help": text}}


RETRY = {
    "attempts": _help("How often one request is tried.", type="integer", min=1, max=100, default=6),
    "base": _help("Seconds before the first retry, at most; doubled for each next.", type="number", min=0, default=0.5),
    "cap": _help("The most seconds between two tries.", type="number", min=0, default=60),
    "retry_after_max": _help("The most seconds a Retry-After is obeyed for.", type="number", min=0, default=3600),
    "give_up_after": _help("Seconds after which one request is given up.", type="number", min=0, default=900),
}

IDEMPOTENCY = {
    "enabled": _help("Whether requests carry a key.", type="boolean", default=True),
    "header": _help("The header it travels in.", type="string", check_with="header_name", default="Idempotency-Key"),
}

DESTINATION = {
    "url": _help("Where requests go: http or https, with a port if it is not the usual one.", type="string", check_with="url"),
    "method": _help("The method of every request.", type="string", allowed=list(METHODS), default="POST"),
    "headers": _help(
        "Headers of every request, by name.",
        type="dict",
        keysrules={"type": "string", "check_with": "header_name"},
        valuesrules={"type": "string", "check_with": "header_value"},
        check_with="headers",
        default={},
    ),
    "concurrency": _help("How many requests may be under way at once.", type="integer", min=1, max=1000, default=4),
    "timeout": _help(
        "Seconds a whole attempt may take, to the last byte of the answer.", type="number", min=0.001, max=86400, default=60
    ),
    "transport": _help("How requests travel.", component="transports", default={"use": "urllib3"}),
    "retry": _help("How transient failures are retried.", type="dict", schema=RETRY, default={}),
    "idempotency": _help("The key by which the API can tell a repeat.", type="dict", schema=IDEMPOTENCY, default={}),
}

CONNECTOR: dict[str, Any] = {
    "source": _help("Where records come from.", component="sources"),
    "schema": _help(
        "The fields, in the order they are sent.",
        type="dict",
        keysrules={"type": "string", "empty": False},
        valuesrules={"type": "dict", "schema": FIELD_RULES, "allow_unknown": False},
        default={},
    ),
    "unknown": _help(
        "What to do with columns the schema does not name. Without a schema they are kept.",
        type="string",
        allowed=["drop", "keep", "refuse"],
        required=False,
    ),
    "validators": _help("What else refuses a record.", type="list", schema={"component": "validators"}, default=[]),
    "on_invalid": _help(
        "`set_aside` sends the good records; `stop` sends nothing if any record is invalid.",
        type="string",
        allowed=["set_aside", "stop"],
        default="set_aside",
    ),
    "destination": _help("The API.", type="dict", schema=DESTINATION),
    "send": _help("How records become requests.", component="senders", default={"use": "batch"}),
    "on_failure": _help("What to do with a refused request.", component="failure_strategies", default={"use": "fail"}),
    "observers": _help("What else watches the run.", type="list", schema={"component": "observers"}, default=[]),
}


class Rules(explain.RecordValidator):
    """Cerberus with three rules of ours: `component`, and the checks of URLs and headers."""

    @property
    def registry(self) -> Registry:
        return cast(Registry, self._config["registry"])

    def _validate_component(self, kind: str, field: Any, value: Any) -> None:
        """{'type': 'string'}"""
        if not isinstance(value, dict):
            self._error(field, f"is a word, or a mapping with `use:`; this is {value!r}")
            return
        chosen = self.registry.find(kind, value["use"]) if isinstance(value.get("use"), str) else None
        rules = {"use": {"type": "string", "offered": kind}, **(chosen.options if chosen else {})}
        child = self._get_child_validator(
            document_crumb=field, schema_crumb=(field, "component"), schema=rules, allow_unknown=chosen is None
        )
        if not child(dict(value)):
            self._error(field, _COMPONENT, child._errors)
        else:  # the defaults belong to the document
            value.clear()
            value.update(child.document)

    def _validate_offered(self, kind: str, field: Any, value: Any) -> None:
        """{'type': 'string'}"""
        if isinstance(value, str) and self.registry.find(kind, value) is None:
            close = self.registry.close_to(kind, value)
            known = ", ".join(self.registry.offers(kind))
            self._error(
                field,
                f"no {_singular(kind)} is named {value!r}; " + (f"did you mean {close!r}?" if close else f"there are {known}"),
            )

    def _check_with_url(self, field: Any, value: Any) -> None:
        problem = url_problem(value) if isinstance(value, str) else None
        if problem:
            self._error(field, problem)

    def _check_with_header_name(self, field: Any, value: Any) -> None:
        if not _TOKEN.fullmatch(value):
            self._error(field, f"{value!r} cannot be a header's name")
        elif value.lower() in _RESERVED:
            self._error(field, f"{value} is set by the transport; leave it out")

    def _check_with_headers(self, field: Any, value: Any) -> None:
        names = [str(name).lower() for name in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            self._error(field, f"{twice!r} is set twice; upper and lower case make no difference in a header's name")

    def _check_with_header_value(self, field: Any, value: Any) -> None:
        if isinstance(value, str) and (re.search(r"[\r\n\0]", value) or not _latin1(value)):
            self._error(field, "a header's value is one line of Latin-1 text")


def check(data: Any, document: Document, registry: Registry) -> dict[str, Any] | None:
    """The data with bare words spelt out and defaults filled in; None if the document now has problems."""
    if not isinstance(data, dict):
        document.problems.append(document.problem((), "is not a mapping of `source`, `schema`, `destination` and so on"))
        return None
    spelled = spelt_out(data)
    # A copy, as defaults go into the document as they are, and the document is changed.
    rules = Rules(deepcopy(CONNECTOR), registry=registry, require_all=True)
    if rules.validate(spelled):
        return dict(rules.document)
    for error in explain.leaves(rules._errors):
        document.problems.append(_problem(error, document, spelled, registry))
    return None


def spelt_out(data: Mapping[str, Any]) -> dict[str, Any]:
    """The shorthands written in full: a bare word is ``{use: word}``, a bare type ``{type: …}``."""

    def component(value: Any, rules: Mapping[str, Any]) -> Any:
        if isinstance(value, str):
            return {"use": value}
        return {**rules.get("default", {}), **value} if isinstance(value, dict) else value

    spelled = dict(data)
    for key, rules in CONNECTOR.items():
        if "component" in rules and key in spelled:
            spelled[key] = component(spelled[key], rules)
        elif "component" in rules.get("schema", {}) and isinstance(spelled.get(key), list):
            spelled[key] = [component(item, {}) for item in spelled[key]]
    if isinstance(spelled.get("destination"), dict):
        destination = spelled["destination"] = dict(spelled["destination"])
        if "transport" in destination:
            destination["transport"] = component(destination["transport"], DESTINATION["transport"])
        if isinstance(destination.get("idempotency"), bool):
            destination["idempotency"] = {"enabled": destination["idempotency"]}
    if isinstance(spelled.get("schema"), dict):
        spelled["schema"] = {
            name: {"type": rules} if isinstance(rules, str) else {} if rules is None else rules
            for name, rules in spelled["schema"].items()
        }
    return spelled


def url_problem(url: str) -> str | None:
    """What is wrong with a destination's URL, in a sentence; None if nothing is (RFC 3986, RFC 9110 §4.2)."""
    if re.search(r"[\x00-\x20\x7f\\]", url):
        return "a URL holds no blanks, control characters or backslashes; percent-encode them"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return "a URL starts with http:// or https:// and a host"
    if not parts.hostname:
        return "the URL has no host"
    if "@" in parts.netloc:
        return "a URL holds no user name or password; put them into a header"
    if "#" in url:
        return "a URL to send to has no fragment; cut it at the #"
    if port == 0:
        return "port 0 is no port"
    after_path = re.search(r":(\d{1,5})/?$", parts.path)
    if after_path and port is None:
        path = parts.path[: after_path.start()]
        return f"the port belongs after the host: {parts.scheme}://{parts.netloc}:{after_path[1]}{path}"
    return None


def _problem(error: Any, document: Document, data: Any, registry: Registry) -> Problem:
    path = tuple(error.document_path)
    if error.code == _UNKNOWN:
        known = _known(CONNECTOR, data, path[:-1], registry)
        close = get_close_matches(str(path[-1]), known, 1)
        if len(path) == 1 and path[0] in DESTINATION:
            hint = "; it belongs under `destination`"
        elif close:
            hint = f"; did you mean {close[0]!r}?"
        else:
            hint = f"; known here: {', '.join(known)}" if known else ""
        return document.problem(path, f"unknown key{hint}", key=True)
    if error.code == _MISSING:
        return document.problem(path, "is missing")
    on_key = "keysrules" in error.schema_path
    return document.problem(
        path, explain.sentence(error) + ("" if error.code == 0 or on_key else explain.got(error.value)), key=on_key
    )


def _known(rules: Mapping[str, Any], data: Any, path: Sequence[Any], registry: Registry) -> list[str]:
    """The keys that may stand at a path."""
    for step in path:
        if isinstance(step, int):
            at: Mapping[str, Any] = {"component": rules.get("component")}
        else:
            at = rules.get(step) or {}
        data = data[step] if isinstance(data, list | dict) else None
        if "component" in at:
            chosen = registry.find(at["component"], data["use"]) if isinstance(data, dict) and "use" in data else None
            rules = {"use": {}, **(chosen.options if chosen else {})}
        elif "valuesrules" in at:
            rules = dict.fromkeys(data or (), at["valuesrules"])
        else:
            rules = at.get("schema", {})
    return list(rules)


def _latin1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _singular(kind: str) -> str:
    return {"failure_strategies": "failure strategy"}.get(kind, kind.removesuffix("s"))


def options_of(rules: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Each option's name, type, default and help: what `sendoff plugins NAME` and the reference show."""
    for name, rule in rules.items():
        kind = f"a {_singular(rule['component'])}" if "component" in rule else rule.get("type", "anything")
        shown = " or ".join(kind) if isinstance(kind, list) else str(kind)
        required = "default" not in rule and rule.get("required") is not False
        yield name, shown, "required" if required else _default(rule.get("default")), rule.get("meta", {}).get("help", "")


def _default(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"use"}:
        return str(value["use"])
    if value in (None, {}, []):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
