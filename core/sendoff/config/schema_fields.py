"""The fields of `schema:`, declared, with a problem at its place for each rule that cannot be kept."""

from __future__ import annotations

from collections import Counter

import cerberus

from sendoff.config.documents import Document
from sendoff.errors.codes import Code
from sendoff.schema import Field, InvalidRule, Schema, declare


def declare_fields(schema: object, document: Document, source: object) -> list[Field]:
    """The schema's fields; what Cerberus finds wrong only when a validator is built is reported too."""
    fields: list[Field] = []
    zone = source.get("timezone") if isinstance(source, dict) else None
    if any(p.path == "source.timezone" for p in document.problems):
        zone = None
    for name, declared in schema.items() if isinstance(schema, dict) else ():
        if not isinstance(declared, dict) or any(p.path.startswith(f"schema.{name}") for p in document.problems):
            continue  # its problem is already reported
        local = {"timezone": zone} if zone is not None and declared.get("type") == "datetime" else {}
        try:
            field = declare(name, {**local, **declared})
            Schema([field], unknown="drop")
            fields.append(field)
        except InvalidRule as error:
            document.problems.append(document.problem(("schema", name, error.rule), str(error), Code.RULE))
        except cerberus.SchemaError as error:
            document.problems.append(document.problem(("schema", name), f"not a valid rule of Cerberus: {error}", Code.RULE))
        except Exception as error:  # Cerberus may raise anything for a constraint of an unexpected type
            document.problems.append(document.problem(("schema", name), f"cannot be checked: {error}", Code.RULE))
    count = Counter(f.output_name for f in fields)
    twice = [f for f in fields if count[f.output_name] > 1]
    for field in twice[1:]:
        document.problems.append(
            document.problem(
                ("schema", field.name), f"is sent as {field.output_name!r}, and so is {twice[0].name!r}", Code.CONFLICT
            )
        )
    return fields
