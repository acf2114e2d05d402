"""Field rules: compiled to columns, explained by Cerberus, inferred from a sample."""

from sendoff.schema.fields import INSTEAD, RULES, Field, InvalidRule, declare
from sendoff.schema.schema import Schema
from sendoff.schema.typed_page import TypedPage

__all__ = ["INSTEAD", "RULES", "Field", "InvalidRule", "Schema", "TypedPage", "declare"]
