"""Field rules: compiled to columns, explained by Cerberus, inferred from a sample."""

from sendoff.schema.fields import RULES, Field, Misdeclared, declare
from sendoff.schema.schema import Schema, Typed

__all__ = ["RULES", "Field", "Misdeclared", "Schema", "Typed", "declare"]
