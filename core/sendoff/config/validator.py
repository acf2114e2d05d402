"""Check a connector file against the rules, and report every mistake with its place.

The file is long because the check of each kind of value is a method of one class, as Cerberus wants it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from cerberus import errors
from cerberus.errors import ErrorDefinition
from cerberus.schema import UnvalidatedSchema

from sendoff.config.declarations import rules_along, singular
from sendoff.config.documents import Document
from sendoff.config.secrets import is_credential
from sendoff.config.shorthand import expand
from sendoff.config.spec import CONNECTOR, DESTINATION
from sendoff.encode import routing
from sendoff.encode.routing import fits_header
from sendoff.errors import Problem
from sendoff.errors.codes import Code
from sendoff.jsonlib import jsonpath
from sendoff.options import Declared, find_similar, find_timezone
from sendoff.registry import Registry
from sendoff.response import RESULT_COLUMNS, condition_problem, statuses
from sendoff.schema import INSTEAD, explain
from sendoff.transport import rate_limit
from sendoff.transport.urls import proxy_problem

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_COMPONENT = ErrorDefinition(0x1080, "component")
_UNKNOWN, _MISSING = 0x03, 0x02
#: The codes of Cerberus's own errors, and of those by rules of sendoff's.
_CODES = {
    **dict.fromkeys(
        (errors.DEPENDENCIES_FIELD.code, errors.DEPENDENCIES_FIELD_VALUE.code, errors.EXCLUDES_FIELD.code), Code.CONFLICT
    ),
    **dict.fromkeys((errors.BAD_TYPE.code, errors.NOT_NULLABLE.code), Code.TYPE),
    **dict.fromkeys((errors.UNALLOWED_VALUE.code, errors.UNALLOWED_VALUES.code), Code.CHOICE),
    **dict.fromkeys(
        (
            errors.EMPTY_NOT_ALLOWED.code,
            errors.MIN_LENGTH.code,
            errors.MAX_LENGTH.code,
            errors.MIN_VALUE.code,
            errors.MAX_VALUE.code,
        ),
        Code.LIMIT,
    ),
}
#: What people type, from other tools, for a type.
_MEANT = {
    **dict.fromkeys(("int", "long", "bigint", "int64", "int32"), "integer"),
    **dict.fromkeys(("str", "text", "varchar", "char"), "string"),
    **dict.fromkeys(("double", "real", "float64"), "float"),
    **dict.fromkeys(("numeric", "money"), "decimal"),
    **dict.fromkeys(("object", "map", "mapping", "record", "struct"), "dict"),
    "bool": "boolean", "timestamp": "datetime", "array": "list", "interval": "duration",
}  # fmt: skip
_CODES_BY_RULE = {"component": Code.TYPE}


class ConnectorValidator(explain.RecordValidator):
    """Cerberus with one more rule, `component`, and checks for the options of destinations."""

    @property
    def registry(self) -> Registry:
        return cast("Registry", self._config["registry"])

    def _validate_component(self, kind: str, field: object, value: object) -> None:
        """{'type': 'string'}"""  # noqa: D415  # the rules of the rule's own value, which Cerberus reads here
        if not isinstance(value, dict):
            shown = "a list" if isinstance(value, list) else repr(value)
            self._error(field, f"must be a name, or a mapping with `use:`; this is {shown}")
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

    def _validate_by_type(self, alternatives: Mapping[str, Mapping[str, object]], field: object, value: object) -> None:
        """{'type': 'dict'}"""  # noqa: D415  # the rules of the rule's own value, which Cerberus reads here
        for kind, rules in alternatives.items():
            chosen = self.types_mapping[kind]
            if isinstance(value, chosen.included_types) and not isinstance(value, chosen.excluded_types):
                child = self._get_child_validator(schema={field: {"type": kind, **rules}})
                if not child({field: value}):
                    self._error(child._errors)
                elif isinstance(value, dict):  # what was coerced belongs to the document
                    value.update(child.document[field])
                elif isinstance(value, list):
                    value[:] = child.document[field]

    def _validate_default_for(self, purpose: str, field: object, value: object) -> None:
        """{'type': 'string'}"""  # noqa: D415  # `expand_shorthand` has filled in what declares itself the default for it

    def _validate_shorthand(self, table: Mapping[str, object], field: object, value: object) -> None:
        """{'type': 'dict'}"""  # noqa: D415  # `expand_shorthand` has written it in full

    def _validate_offered(self, kind: str, field: object, value: object) -> None:
        """{'type': 'string'}"""  # noqa: D415  # the rules of the rule's own value, which Cerberus reads here
        if isinstance(value, str) and self.registry.find(kind, value) is None:
            close = self.registry.suggest(kind, value)
            known = ", ".join(self.registry.names(kind))
            self._error(
                field,
                f"no {singular(kind)} is named {value!r}; " + (f"did you mean {close!r}?" if close else f"there are {known}"),
            )

    def _check_with_url(self, field: object, value: object) -> None:
        self._report(field, routing.url_problem(value) if isinstance(value, str) else None)

    def _check_with_behind(self, field: object, value: object) -> None:
        if isinstance(value, str):
            self._report(field, routing.url_problem("http://x/x" + value if value.startswith("/") else value))

    def _check_with_cron(self, field: object, value: object) -> None:
        self._try(field, _clock().cron, value)

    def _check_with_timezone(self, field: object, value: object) -> None:
        self._try(field, find_timezone, value)

    def _check_with_proxy(self, field: object, value: object) -> None:
        self._report(field, proxy_problem(value) if isinstance(value, str) else None)

    def _check_with_path(self, field: object, value: object) -> None:
        self._try(field, jsonpath.parse, value)

    def _check_with_path_or_key(self, field: object, value: object) -> None:
        if value != "key":
            self._try(field, jsonpath.parse, value)

    def _check_with_condition(self, field: object, value: object) -> None:
        self._report(field, condition_problem(value) if isinstance(value, dict) else None)

    def _check_with_statuses(self, field: object, value: object) -> None:
        self._try(field, statuses, value)

    def _check_with_rate(self, field: object, value: object) -> None:
        self._try(field, rate_limit.parse_rate, value)

    def _check_with_concurrency(self, field: object, value: object) -> None:
        if isinstance(value, str) and value != "auto":
            self._error(field, f"must be a number or `auto`, not {value!r}")
        elif isinstance(value, int) and not 1 <= value <= 1000:
            self._error(field, "must be a number from 1 to 1000, or `auto`")

    def _check_with_row_text(self, field: object, value: object) -> None:
        if isinstance(value, str) and (value.count("{row}") != 1 or not value.strip().replace("{row}", "")):
            self._error(field, "has {row} in it once, and words around it that tell which number is meant")

    def _check_with_bad_record(self, field: object, value: object) -> None:
        if not isinstance(value, dict):
            return
        places = [name for name in ("header", "path", "pointers") if value.get(name)]
        if not places and "text" not in value:
            self._error(field, "needs `header`, `path`, `text` or `pointers`: where the bad record's number appears")
        elif len(places) > 1:
            self._error(field, f"has `{places[0]}` or `{places[1]}`, not both: the number is looked for in one place")
        elif places == ["pointers"] and "text" in value:
            self._error(field, "has `pointers` or `text`, not both: a pointer is read by itself")

    def _check_with_records(self, field: object, value: object) -> None:
        if not isinstance(value, dict):
            return
        if "index" in value and "id" in value:
            self._error(field, "has `index` or `id`, not both: results name records by number or by id")
        elif ("id" in value) != ("field" in value):
            self._error(field, "`id` and `field` go together: where the id appears in a result, and in the record")
        elif value.get("match", "exact") != "exact" and "id" not in value:
            self._error(field, "`match` says how ids are compared, and goes with `id`")
        elif not {"index", "id", "status", "delivered_when", "rejected_when"} & set(value):
            self._error(
                field, "does not say how a result that is bad looks: give `status`, `delivered_when` or `rejected_when`"
            )

    def _report(self, field: object, problem: str | None) -> None:
        if problem:
            self._error(field, problem)

    def _try(self, field: object, read: Callable[[str], object], value: object) -> None:
        if isinstance(value, str):
            try:
                read(value)
            except ValueError as error:
                self._error(field, str(error))

    def _check_with_response_header(self, field: object, value: object) -> None:
        if isinstance(value, str) and not _TOKEN.fullmatch(value):
            self._error(field, f"{value!r} cannot be a header's name")

    def _check_with_capture_name(self, field: str, value: object) -> None:
        if value in RESULT_COLUMNS:
            self._error(field, f"{value} is a column of `sendoff results` already; choose another name")

    def _check_with_header_name(self, field: str, value: Any) -> None:
        if not _TOKEN.fullmatch(value):
            self._error(field, f"{value!r} cannot be a header's name")
        elif value.lower() in _RESERVED:
            self._error(field, f"{value} is set by the transport; leave it out")

    def _check_with_headers(self, field: str, value: Any) -> None:
        names = [str(name).lower() for name in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            self._error(field, f"{twice!r} is set twice; upper and lower case make no difference in a header's name")

    def _check_with_header_value(self, field: object, value: object) -> None:
        if isinstance(value, str) and not fits_header(value):
            self._error(field, "a header's value is one line of Latin-1 text")


def _clock() -> Any:
    from sendoff.config import cron  # noqa: PLC0415  # few connectors have a schedule, and it brings a library

    return cron


def check(data: object, document: Document, registry: Registry) -> dict[str, Any] | None:
    """The data with shorthands expanded and defaults filled in; None if the document now has problems."""
    if data is None:
        sentence = "has nothing in it but comments: restore it; to disable a connector, let its file end in .disabled"
        document.problems.append(document.problem((), sentence, Code.EMPTY))
        return None
    if not isinstance(data, dict):
        sentence = "is not a mapping of `source`, `schema`, `destination` and so on"
        document.problems.append(document.problem((), sentence, Code.TYPE))
        return None
    return _checked(expand_shorthand(data, registry), CONNECTOR, document, registry, require_all=True)


def check_shared(data: object, document: Document, registry: Registry) -> dict[str, Any]:
    """A destination that connectors share, with shorthands expanded; the connectors give what it lacks."""
    if not isinstance(data, dict):
        document.problems.append(document.problem((), "is not a mapping of the keys of `destination`", Code.TYPE))
        return {}
    spelled: dict[str, object] = expand_shorthand({"destination": data}, registry)["destination"]
    rules = {key: {**rule, "required": False} for key, rule in DESTINATION.items() if key != "extends"}
    _checked(deepcopy(spelled), rules, document, registry, require_all=False)
    return spelled


def _checked(
    spelled: dict[str, object], declared: Mapping[str, object], document: Document, registry: Registry, *, require_all: bool
) -> dict[str, Any] | None:
    # A copy, as defaults go into the document as they are, and the document is changed. That our own rules are rules is
    # checked by the tests: at each start it would take half the time of a check.
    rules = ConnectorValidator(UnvalidatedSchema(deepcopy(declared)), registry=registry, require_all=require_all)
    if rules.validate(spelled):
        return dict(rules.document)
    for error in explain.leaf_errors(rules._errors):
        document.problems.append(_problem(error, document, spelled, registry, declared))
    return None


def expand_shorthand(data: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """A connector file's data with its shorthands written in full, and the default components named."""
    spelled: dict[str, Any] = expand(data, {"type": "dict", "schema": CONNECTOR}, registry)
    return spelled


def _problem(error: Any, document: Document, data: Any, registry: Registry, declared: Mapping[str, Any]) -> Problem:
    path = tuple(error.document_path)
    if error.code == _UNKNOWN:
        known = _known(declared, data, path[:-1], registry)
        close = find_similar(str(path[-1]), known)
        if len(path) == 1 and declared is CONNECTOR and path[0] in DESTINATION:
            hint = "; it belongs under `destination`"
        elif path[0] == "schema" and path[-1] in INSTEAD:
            hint = f"; use {INSTEAD[str(path[-1])]}"
        elif close:
            hint = f"; did you mean {close!r}?"
        else:
            hint = f"; known here: {', '.join(known)}" if known else ""
        return document.problem(path, f"unknown key{hint}", Code.UNKNOWN_KEY, key=True)
    if error.code == _MISSING:
        return document.problem(path, "is missing", Code.MISSING)
    on_key = "keysrules" in error.schema_path
    if error.code == errors.UNALLOWED_VALUE.code and isinstance(error.value, str) and not on_key:
        meant = _MEANT.get(error.value.lower())
        meant = meant if meant in error.constraint else find_similar(error.value, map(str, error.constraint))
        if meant is not None and not _may_be_secret(error.value, path, declared, data, registry):
            return document.problem(path, f"{error.value!r} is not a valid {path[-1]}; did you mean {meant!r}?", Code.CHOICE)
    is_shown = error.code != 0 and not on_key and not _may_be_secret(error.value, path, declared, data, registry)
    shown = explain.shown_value(error.value) if is_shown else ""
    return document.problem(path, explain.describe_error(error) + shown, _code(error), key=on_key)


def _code(error: Any) -> Code:
    """The code of what Cerberus found."""
    if error.document_path[-1:] == ("use",) and error.code == 0:
        return Code.COMPONENT
    return _CODES.get(error.code) or _CODES_BY_RULE.get(error.schema_path[-1] if error.schema_path else "", Code.VALUE)


def _may_be_secret(value: object, path: Sequence[object], declared: Declared, data: object, registry: Registry) -> bool:
    """Whether a value is a secret, by its declaration or a name on its path, or, of more than one value, may have one in it."""
    if any(isinstance(step, str) and (step in ("auth", "headers") or is_credential(step)) for step in path):
        return True
    if isinstance(value, list | dict) and path[0] != "schema":
        return True
    return any(at.get("meta", {}).get("secret") for at, _ in rules_along(declared, data, path, registry))


def _known(rules: Declared, data: object, path: Sequence[object], registry: Registry) -> list[str]:
    """The keys that are allowed at a path."""
    for _, inside in rules_along(rules, data, path, registry):
        rules = inside
    return list(rules)
