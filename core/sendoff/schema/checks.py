"""Declared as column expressions, which find the rows that may be invalid.

An expression is true for rows that are certainly valid. Cerberus checks the others, and may accept
them. So an expression may be too strict, but never too lax, and a rule without a safe expression is
left to Cerberus for every row.
"""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from sendoff.schema import patterns
from sendoff.schema.fields import Field


def compile_checks(field: Field, v: pl.Expr) -> tuple[list[pl.Expr], list[str]]:
    """The field's rules as expressions over its column, and the names of those without one."""
    expressions, slow = [], []
    for rule, constraint in field.rules.items():
        if rule in ("type", "nullable"):
            continue  # conversion and nulls are checked before any rule
        expression: pl.Expr | None = _compile_rule(field.type.name if field.type else "", rule, constraint, v)
        if expression is None:
            slow.append(rule)
        else:
            expressions.append(expression)
    return expressions, slow


def _compile_rule(type_name: str, rule: str, constraint: Any, v: Any) -> Any:
    match rule, type_name:
        case "min" | "max", "integer":
            bound = (math.ceil if rule == "min" else math.floor)(constraint)
            if not -(2**63) <= bound < 2**63:
                return None
            return v >= bound if rule == "min" else v <= bound
        case "min" | "max", "float" if float(constraint) == constraint:
            return v >= float(constraint) if rule == "min" else v <= float(constraint)
        case "min" | "max", "number" | "decimal":
            # As doubles the values are rounded: Cerberus decides for those near the bound, on all their digits.
            near = abs(float(constraint)) * 1e-12 + 1e-300
            number = v.cast(pl.Float64, strict=False)
            return number > constraint + near if rule == "min" else number < constraint - near
        case "min" | "max", "date":
            return v >= pl.lit(constraint) if rule == "min" else v <= pl.lit(constraint)
        case "allowed", "string" | "integer" | "boolean" | "date":
            return v.is_in(pl.lit(pl.Series(constraint)).implode()) if constraint else pl.lit(False)
        case "forbidden", "string" | "integer" | "boolean" | "date":
            return ~v.is_in(pl.lit(pl.Series(constraint)).implode()) if constraint else pl.lit(True)
        case "minlength", "string":
            return v.str.len_chars() >= constraint
        case "maxlength", "string":
            return v.str.len_chars() <= constraint
        case "empty", "string":
            return pl.lit(True) if constraint else v.str.len_bytes() > 0
        case "empty", _:
            return pl.lit(True) if constraint or type_name not in ("dict", "list", "") else None
        case "regex", "string":
            return patterns.compile_match(constraint, v)
    return None
