"""Templates: what surrounds the records of a request, and the shape a record is sent in. A template is data, never text.

A string ``$name`` stands for a field, ``$record`` for the whole record, ``$records`` for all of a
request's records, ``$key`` for the idempotency key; ``$$name`` is the text ``$name``. Everything else
stands for itself. (A connector file has already read ``$$`` as ``$``, so there it takes four.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sendoff import jsonlib

RECORDS, RECORD, KEY = "$records", "$record", "$key"
#: Holds the place of a key in encoded records; this byte never occurs in JSON.
KEY_PLACEHOLDER = b"\0"

#: The bytes of a key in JSON, by its format.
KEY_SIZES = {"text": 34, "uuid": 38, "int64": 18}


def placeholders(template: object) -> Iterator[str]:
    """Every ``$name`` in a template, as it is written."""
    if isinstance(template, Mapping):
        for value in template.values():
            yield from placeholders(value)
    elif isinstance(template, list):
        for value in template:
            yield from placeholders(value)
    elif isinstance(template, str) and template.startswith("$") and not template.startswith("$$"):
        yield template


def envelope_problem(envelope: object) -> str | None:
    """What is wrong with an envelope, in a sentence."""
    found = list(placeholders(envelope))
    if found.count(RECORDS) != 1:
        return f"an envelope has {RECORDS} in it once, where the records go"
    odd = next((name for name in found if name not in (RECORDS, KEY)), None)
    return f"{odd} is of one record, and an envelope holds many; only {RECORDS} and {KEY} are allowed here" if odd else None


def record_problem(template: object) -> str | None:
    """What is wrong with a record's template, in a sentence."""
    return f"{RECORDS} belongs in `envelope`" if RECORDS in placeholders(template) else None


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


def split_envelope(envelope: object, opening: bytes = b"[", closing: bytes = b"]") -> tuple[bytes, bytes]:
    """What comes before and after the records in an envelope: an array where ``$records`` appears."""
    before, _, after = _encode_envelope(envelope).partition(b"\0\0")
    return before + opening, closing + after


def _encode_envelope(value: object) -> bytes:
    if value == RECORDS:
        return b"\0\0"
    if value == KEY:
        return b"\0\1\0"
    if isinstance(value, Mapping):
        return b"{" + b",".join(jsonlib.dumps(str(k)).encode() + b":" + _encode_envelope(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(_encode_envelope, value)) + b"]"
    return jsonlib.dumps(unescape(value)).encode()


def unescape(value: object) -> object:
    """A template's scalar as it is sent: ``$$`` at its start is one ``$``."""
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value


def reserve_key(part: bytes, form: str) -> bytes:
    """Make room for the key in a part of an envelope: as many bytes as the key has."""
    return part.replace(b"\0\1\0", KEY_PLACEHOLDER * KEY_SIZES[form])


def insert_key(part: bytes, key: str, form: str) -> bytes:
    """Put the key into the place reserved for it."""
    return part.replace(KEY_PLACEHOLDER * KEY_SIZES[form], encode_key(key, form))


def encode_key(key: str, form: str) -> bytes:
    """Encode a key as JSON."""
    return (key if form == "int64" else f'"{key}"').encode()
