"""Cerberus's own tests: what it accepts is sent as it would have it, and what it refuses is invalid.

Each document that its tests validate is written down, with the schema. Left out are validators with rules of their own, schemas
with functions in them, rules for all unknown fields, updates, and documents that are no mappings. Fields with a rule or a type that
sendoff refuses are taken out of schema and document, and Cerberus judges what is left. A field is required only where the call says
so, as in Cerberus.
"""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cerberus

from sendoff import jsonlib
from sendoff.records import from_mappings
from sendoff.schema import RULES, Field, InvalidRule, Schema, declare
from sendoff.schema.types import TYPES

from .servers import suite

#: Where sendoff differs on purpose: Cerberus's test, which verdict is sendoff's, and why.
_LEFT_OUT = "a null in a field that is not required is left out of the record"
_NOT_THERE = "to other fields a null is a field that is not there, as a table has all columns"
DIFFERENT = {
    ("test_nullable_field", True): _LEFT_OUT,
    ("test_ignore_none_values", True): _LEFT_OUT,
    ("test_dont_type_validate_nulled_values", True): _LEFT_OUT,
    ("test_dependencies_field_satisfy_nullable_field", False): _NOT_THERE,
    ("test_dependencies_field_with_mutually_dependent_nullable_fields", False): _NOT_THERE,
    ("test_dependencies_field_with_mutually_dependent_nullable_fields", True): _NOT_THERE,
    ("test_rename", True): "rules are those of the name in the source; `rename` is how the API knows the field",
}


#: How many of its calls are left out, at most, by the reason.
LEFT_OUT = {
    "a validator with rules of its own": 300, "a schema with functions in it": 25, "rules for unknown fields": 10,
    "an update, or without normalisation": 5,
}  # fmt: skip


def record(out: Path) -> dict[str, Any]:
    """The calls of Cerberus's tests, and how many were left out, by the reason."""
    command = [sys.executable, str(Path(__file__).parent / "record_cerberus.py"), str(suite("cerberus")), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = pickle.loads(out.read_bytes())
    return found


def declared(name: str, rules: object, *, required: bool) -> Field | None:
    """The field as sendoff takes it; None if it refuses a rule or a type."""
    if not isinstance(rules, Mapping) or not set(rules) <= set(RULES):
        return None
    types = rules.get("type", [])
    if not set([types] if isinstance(types, str) else types) <= set(TYPES):
        return None
    try:
        field = declare(name, {"required": required, **rules})
        Schema([field], unknown="drop")
    except (InvalidRule, cerberus.SchemaError):
        return None
    return field


def judge(call: Mapping[str, Any], schema: Mapping[str, Any], document: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether Cerberus accepts a document, and what it makes of it."""
    settings = {name: call[name] for name in ("allow_unknown", "require_all", "purge_unknown", "ignore_none_values")}
    validator = cerberus.Validator(copy.deepcopy(dict(schema)), **settings)
    return validator.validate(copy.deepcopy(dict(document))), validator.document


def send(fields: list[Field], unknown: str, document: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether sendoff finds a record valid, and what it would send."""
    typed = Schema(fields, unknown=unknown).apply(from_mappings([document]))
    (row,) = typed.frame.to_dicts() or [{}]
    sent = {name: jsonlib.loads(value) if name in typed.raw and value is not None else value for name, value in row.items()}
    return not typed.invalid, sent


def as_json(document: Mapping[str, Any]) -> Any:
    """A document as JSON has it, without nulls at the top: a column that is not there is one."""
    return json.loads(jsonlib.dumps({name: each for name, each in document.items() if each is not None}))


def test_its_verdicts_and_values_are_those_of_sendoff(tmp_path: Path) -> None:
    found = record(tmp_path / "recorded")
    compared = 0
    differing: set[tuple[str, bool]] = set()
    wrong: list[Any] = []
    for call in map(pickle.loads, found["calls"]):
        schema, document = call["schema"], call["document"]
        if (
            not isinstance(schema, Mapping)
            or not isinstance(document, Mapping)
            or not all(isinstance(key, str) for key in document)
        ):
            continue
        fields = {name: declared(name, rules, required=call["require_all"]) for name, rules in schema.items()}
        kept = [field for field in fields.values() if field is not None]
        if not kept:
            continue
        refused = {name for name, field in fields.items() if field is None}
        document = {name: value for name, value in document.items() if name not in refused}
        good, made = judge(call, {field.name: schema[field.name] for field in kept}, document)
        assert refused or good == call["good"], call
        unknown = "drop" if call["purge_unknown"] else "keep" if call["allow_unknown"] else "forbid"
        valid, sent = send(kept, unknown, document)
        compared += 1
        test = call["test"].rpartition("::")[2].partition("[")[0]
        if valid != good:
            differing.add((test, valid))
            if (test, valid) not in DIFFERENT:
                wrong.append((test, schema, document, f"Cerberus says {good}, sendoff {valid}"))
        elif valid and as_json(sent) != as_json(made):
            wrong.append((test, schema, document, f"Cerberus makes {made}, sendoff {sent}"))
    assert wrong == []
    assert differing == set(DIFFERENT), "a difference that is gone is to be taken out of the list"
    assert compared >= 300
    assert found["left_out"].keys() == LEFT_OUT.keys()
    assert all(count <= LEFT_OUT[reason] for reason, count in found["left_out"].items()), found["left_out"]
