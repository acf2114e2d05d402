"""Templates: what surrounds the records of a request, and the shape a record is sent in. A template is data, never text.

A string ``$name`` stands for a field, ``$record`` for the whole record, ``$records`` for all of a request's records,
``$key`` for the idempotency key; ``$$name`` is the text ``$name``. (A connector file has already read ``$$`` as ``$``,
so there it takes four.) In other text ``{name}`` is a field, as text: `split_text` says exactly where.

``{value: …, as: json}`` is a value's JSON as text, ``as: base64`` the Base64 of its text or JSON (RFC 4648 §4), and
``as: literal`` the value as it is written, in which nothing stands for anything else. All else stands for itself.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sendoff import jsonlib

RECORDS, RECORD, KEY = "$records", "$record", "$key"
#: Holds the place of a key in encoded records; this byte never occurs in JSON.
KEY_PLACEHOLDER = b"\0"

#: The bytes of a key in JSON, by its format.
KEY_SIZES = {"text": 34, "uuid": 38, "int64": 18}

#: What `as` may say.
VALUE_FORMS = ("json", "base64", "literal")

Path = tuple[str | int, ...]

_REFERENCE = re.compile(r"""(?<![{$])\{(\w(?:[^\n{}"':;,$=%#<>]*[^\s{}"':;,$=%#<>])?)\}(?!\})""")
#: Where the records and the key go in an envelope that is being written.
_MARK, _KEY_MARK = b"\0\0", b"\0\1\0"


class TextPart(NamedTuple):
    """A part of a text: as it stands, or a field by its name."""

    text: str
    field: str = ""


def split_text(text: str) -> list[TextPart]:
    """Cut a text at the fields in it.

    ``{name}`` is a field where no other brace and no ``$`` touches it, and where the name begins with a letter, a digit or
    ``_``, does not end with a space, and has none of ``" ' : ; , $ = % # < >`` and no line break in it. All other braces are
    text, so that GraphQL, ``{{name}}`` and JSON are.
    """
    if not _REFERENCE.search(_as_written(text)):  # what a secret holds is text
        return [TextPart(text)]
    parts: list[TextPart] = []
    at = 0
    for found in _REFERENCE.finditer(text):
        parts += [TextPart(text[at : found.start()]), TextPart("", found[1])]
        at = found.end()
    return [part for part in (*parts, TextPart(text[at:])) if part != TextPart("")]


def _as_written(text: str) -> str:
    """A text as the connector file has it, with the names of its secrets and not their values."""
    written: str = getattr(text, "template", text)
    return written


def fields_in(text: str) -> list[str]:
    """The fields named in a text, in order."""
    return [part.field for part in split_text(text) if part.field]


def is_reference(template: object) -> bool:
    """Whether it is a reference by itself, as ``$name``."""
    return isinstance(template, str) and not hasattr(template, "template") and template[:1] == "$" != template[1:2]


def form_of(template: object) -> tuple[object, str] | None:
    """The value and the form of ``{value: …, as: …}``; None for any other template."""
    if isinstance(template, Mapping) and template.keys() == {"value", "as"} and isinstance(template["as"], str):
        return template["value"], template["as"]
    return None


def references(template: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every ``$name`` in a template, and every ``{name}`` in its texts as ``$name``, with the path to it."""
    form = form_of(template)
    if form is not None and form[1] == "literal":
        return
    if isinstance(template, Mapping):
        for key, value in template.items():
            yield from references(value, (*path, key))
    elif isinstance(template, list):
        for at, value in enumerate(template):
            yield from references(value, (*path, at))
    elif is_reference(template):
        yield path, str(template)
    elif isinstance(template, str):
        yield from ((path, f"${name}") for name in fields_in(template))


def placeholders(template: object) -> Iterator[str]:
    """The names that `references` finds."""
    return (name for _, name in references(template))


def envelope_problem(envelope: object) -> str | None:
    """What is wrong with an envelope, in a sentence."""
    if problem := _form_problem(envelope):
        return problem
    found = list(placeholders(envelope))
    if found.count(RECORDS) != 1:
        return f"an envelope has {RECORDS} in it once, where the records go"
    if any(RECORDS in placeholders(value) for value, form in _forms(envelope) if form == "base64"):
        return f"{RECORDS} cannot be written as base64, as records are added one by one; write each so, in `record`"
    odd = next((name for name in found if name not in (RECORDS, KEY)), None)
    return f"{odd} is of one record, and an envelope holds many; only {RECORDS} and {KEY} are allowed here" if odd else None


def record_problem(template: object) -> str | None:
    """What is wrong with a record's template, in a sentence."""
    return _form_problem(template) or (f"{RECORDS} belongs in `envelope`" if RECORDS in placeholders(template) else None)


def _form_problem(template: object) -> str | None:
    for text in _texts(template):
        odd = next((name for name in fields_in(text) if f"${name}" in (RECORDS, RECORD, KEY)), None)
        if odd:
            return f"{{{odd}}} cannot stand inside text; ${odd} is a value by itself"
        if fields_in(text) and fields_in(text) != _REFERENCE.findall(_as_written(text)):
            return "a secret in this text holds a {name}, which cannot be told from a field; make it a value by itself"
    for value, form in _forms(template):
        if form not in VALUE_FORMS:
            return (
                f"`as: {form}` is not a form of a value; use {', '.join(VALUE_FORMS[:-1])} or {VALUE_FORMS[-1]} "
                f"(to send `as` itself, write `as: {{value: {form}, as: literal}}`)"
            )
        if form != "literal" and KEY in placeholders(value):
            return f"{KEY} is put in when a request is sent, and cannot be written as {form}"
    return None


def _texts(template: object) -> Iterator[str]:
    if isinstance(template, Mapping):
        if (form_of(template) or ("", ""))[1] != "literal":
            for value in template.values():
                yield from _texts(value)
    elif isinstance(template, list):
        for value in template:
            yield from _texts(value)
    elif isinstance(template, str) and not is_reference(template):
        yield template


def _forms(template: object) -> Iterator[tuple[object, str]]:
    form = form_of(template)
    if form is not None:
        yield form
        if form[1] == "literal":
            return
    if isinstance(template, Mapping | list):
        for value in template.values() if isinstance(template, Mapping) else template:
            yield from _forms(value)


def check_envelope(field: str, value: object, error: Callable[[str, str], None]) -> None:
    """Cerberus's `check_with` for an option that is an envelope."""
    problem = None if value is None else envelope_problem(value)
    if problem:
        error(field, problem)


def check_record(field: str, value: object, error: Callable[[str, str], None]) -> None:
    """The same for an option that is a record's template."""
    problem = None if value is None else record_problem(value)
    if problem:
        error(field, problem)


def check_constant(field: str, value: object, error: Callable[[str, str], None]) -> None:
    """The same for an option that is the same for all records, so that nothing in it may stand for anything else."""
    found = next(placeholders(value), None)
    if found:
        error(field, f"{found} is of one record, and this is sent with many; write `{{value: …, as: literal}}` for the text")


def split_envelope(envelope: object, opening: bytes = b"[", closing: bytes = b"]") -> tuple[bytes, bytes]:
    """What comes before and after the records in an envelope: an array where ``$records`` appears."""
    before, _, after = _encode_envelope(envelope).partition(_MARK)
    return before + opening, closing + after


def envelope_depth(envelope: object) -> int:
    """How many strings the records are in as JSON text: one for each ``as: json`` around ``$records``."""
    form = form_of(envelope)
    if RECORDS not in placeholders(envelope):
        return 0
    inside = envelope.values() if isinstance(envelope, Mapping) else envelope if isinstance(envelope, list) else ()
    return (form is not None) + sum(map(envelope_depth, inside))


def _encode_envelope(value: object) -> bytes:
    form = form_of(value)
    if value == RECORDS:
        return _MARK
    if value == KEY:
        return _KEY_MARK
    if form is not None:
        inner, name = form
        if name != "json":
            return constant_json(value).encode()
        quoted = [jsonlib.dumps(part.decode())[1:-1].encode() for part in _encode_envelope(inner).split(_MARK)]
        return b'"' + _MARK.join(quoted) + b'"'
    if isinstance(value, Mapping):
        return b"{" + b",".join(jsonlib.dumps(str(k)).encode() + b":" + _encode_envelope(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_encode_envelope, value)) + b"]"
    return constant_json(value).encode()


def constant_json(template: object) -> str:
    """The JSON of a template without references."""
    form = form_of(template)
    if is_null(template):
        return "null"
    if form is not None:
        value, name = form
        match name:
            case "json":
                return jsonlib.dumps(constant_json(value))
            case "base64":
                return jsonlib.dumps(constant_text(template))
        return jsonlib.dumps(value)
    if isinstance(template, Mapping):
        return "{" + ",".join(f"{jsonlib.dumps(str(key))}:{constant_json(value)}" for key, value in template.items()) + "}"
    if isinstance(template, list):
        return "[" + ",".join(map(constant_json, template)) + "]"
    return jsonlib.dumps(unescape(template))


def is_null(template: object) -> bool:
    """Whether a template is null whatever the record: null itself, and any form of it."""
    form = form_of(template)
    return template is None if form is None else is_null(form[0]) if form[1] != "literal" else form[0] is None


def constant_text(template: object) -> str:
    """A template without references as text: text as it is, everything else as its JSON."""
    form = form_of(template)
    if form is not None:
        value, name = form
        match name:
            case "json":
                return constant_json(value)
            case "base64":
                return b64encode(constant_text(value).encode()).decode()
        return str(value) if isinstance(value, str) else jsonlib.dumps(value)
    return str(unescape(template)) if isinstance(template, str) else constant_json(template)


def unescape(value: object) -> object:
    """A template's scalar as it is sent: ``$$`` at its start is one ``$``."""
    return value[1:] if isinstance(value, str) and not hasattr(value, "template") and value.startswith("$$") else value


def reserve_key(part: bytes, form: str) -> bytes:
    """Make room for the key in a part of an envelope: as many bytes as the key has."""
    return part.replace(_KEY_MARK, KEY_PLACEHOLDER * KEY_SIZES[form])


def insert_key(part: bytes, key: str, form: str) -> bytes:
    """Put the key into the place reserved for it."""
    return part.replace(KEY_PLACEHOLDER * KEY_SIZES[form], encode_key(key, form))


def encode_key(key: str, form: str) -> bytes:
    """Encode a key as JSON."""
    return (key if form == "int64" else f'"{key}"').encode()
