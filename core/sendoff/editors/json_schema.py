"""A JSON Schema (draft-07) of connector files, made of the declarations that check them.

It says what a schema can say, and never more than `sendoff check`: what is right there is right here. It is written as chains
of ``if`` and ``then``, whose mistakes editors name exactly, where ``anyOf`` only says that nothing fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sendoff.config.declarations import default_component, singular
from sendoff.config.shorthand import shorthand
from sendoff.config.spec import CONNECTOR
from sendoff.options import Declared
from sendoff.registry import Offer, Registry

JsonSchema = dict[str, Any]

_TYPES = {
    "string": "string", "integer": "integer", "number": "number", "float": "number", "boolean": "boolean",
    "dict": "object", "list": "array", "null": "null",
}  # fmt: skip
#: What Python's regular expressions have and JavaScript's have not, or have in another sense: \w and \d are of ASCII there.
_ONLY_PYTHON = re.compile(r"\(\?(?![:=!]|<[=!])|\\[AZwWdDbB]|[*+?}]\+")
_OF_RULES = {"allof": "allOf", "anyof": "anyOf", "oneof": "oneOf"}
#: A value that is taken from outside: what it will be is not known here.
_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_REFERENCE_OF = {"$ref": "#/definitions/reference"}


def connector_schema(registry: Registry) -> JsonSchema:
    """The schema of the connector files that these components make possible."""
    made = _Translator(registry)
    whole = made.mapping(CONNECTOR)
    _nest_fields(whole["properties"]["schema"], made.definitions)
    destination = whole["properties"]["destination"]
    # What the shared destination that it extends has is not known here.
    del destination["required"]
    destination |= {"if": {"required": ["extends"]}, "else": {"required": ["url"]}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "Written by `sendoff schema editor`.",
        **whole,
        "definitions": dict(sorted(made.definitions.items())),
    }


def _nest_fields(schema: JsonSchema, definitions: dict[str, JsonSchema]) -> None:
    """Define the rules of a field, which may have rules within at any depth."""
    definitions["field"] = field = schema["additionalProperties"]
    schema["additionalProperties"] = {"$ref": "#/definitions/field"}
    definitions["rules"] = rules = field["else"]["else"]  # what is neither null nor a type alone
    field["else"]["else"] = nested = {"$ref": "#/definitions/rules"}
    known = rules["properties"]
    for name in ("valuesrules", "keysrules"):
        known[name] |= {"allOf": [nested]}  # beside `$ref` nothing else counts
    known["allow_unknown"] |= {"if": {"type": "boolean"}, "else": nested}
    for name in ("items", *_OF_RULES, "noneof"):
        known[name] |= {"type": "array", "items": nested}
    within = {"list": nested, "dict": {"type": "object", "additionalProperties": field["else"]}}
    rules["allOf"] = [
        {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": {"properties": {"schema": inner}}}
        for name, inner in within.items()
    ]


class _Translator:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.definitions: dict[str, JsonSchema] = {"reference": _REFERENCE}

    def mapping(self, rules: Declared) -> JsonSchema:
        """A mapping with these keys."""
        found: JsonSchema = {
            "type": "object",
            "properties": {name: self.value(rule) for name, rule in rules.items()},
            "additionalProperties": False,
        }
        if required := [name for name, rule in rules.items() if self._is_required(rule)]:
            found["required"] = required
        companions = {name: {"allOf": each} for name, rule in rules.items() if (each := [*_companions(rule, rules)])}
        return found | ({"dependencies": companions} if companions else {})

    def value(self, rule: Declared) -> JsonSchema:
        """A value that a rule is of."""
        full = self._component(rule) if "component" in rule else self._plain(rule)
        offered: JsonSchema = {}
        for name, key in shorthand(rule).items():
            full = {"if": {"type": _TYPES[name]}, "else": full}
            if key is not None:
                full["then"] = self._bare_word(rule) if key == "use" else self.value(rule["schema"][key])
                words = full["then"].get("anyOf", [{}])[0].get("enum")
                # Editors complete what may hold, and look for nothing behind `then`.
                offered = {"anyOf": [{"enum": words}, {}]} if words else offered
        return _help(rule) | full | offered

    def _is_required(self, rule: Declared) -> bool:
        has_default = "default" in rule or ("component" in rule and default_component(rule, self._registry) is not None)
        return not has_default and rule.get("required") is not False and not rule.get("excludes")

    def _plain(self, rule: Declared) -> JsonSchema:
        declared = rule.get("type", [])
        types = [_TYPES[name] for name in ([declared] if isinstance(declared, str) else declared) if name in _TYPES]
        if rule.get("coerce") is str and types == ["string"]:
            types.append("number")
        found: JsonSchema = {}
        if types:
            may_be_null = bool(rule.get("nullable")) or "default" in rule
            types += ["null"] if may_be_null else []
            found["type"] = types[0] if len(types) == 1 else types
        for name, value in (("minimum", "min"), ("maximum", "max")):
            if isinstance(rule.get(value), int | float):
                found[name] = rule[value]
        least = max(rule.get("minlength", 0), 1 if rule.get("empty") is False else 0)
        text = dict(_texts(rule, nullable="null" in types))
        for kind, noun in (("string", "Length"), ("array", "Items"), ("object", "Properties")):
            bounded = text if kind == "string" and "array" not in types else found
            if kind in types and least:
                bounded[f"min{noun}"] = least
            if kind in types and "maxlength" in rule and (kind != "string" or bounded is text):
                bounded[f"max{noun}"] = rule["maxlength"]
        if "array" in types and text:
            found["items"] = text
            text = {} if types == ["array"] else {"anyOf": [text, _REFERENCE_OF, {"type": "array"}]}
        elif text:
            text = _unless_reference(text)
        found |= text
        self._add_inside(rule, found)
        if "by_type" in rule:
            cases = [
                {"if": {"type": _TYPES[name]}, "then": self._plain({"type": name, **inner})}
                for name, inner in rule["by_type"].items()
            ]
            found["allOf"] = [*found.get("allOf", []), *cases]
        return found

    def _add_inside(self, rule: Declared, found: JsonSchema) -> None:
        declared, inside = rule.get("type"), rule.get("schema")
        kinds = [declared] if isinstance(declared, str) else declared or []
        if isinstance(inside, Mapping):
            if "list" in kinds:
                found["items"] = self.value(inside)
            elif "dict" in kinds:
                mapping = self.mapping(inside)
                del mapping["type"]
                found |= mapping
                if rule.get("allow_unknown"):
                    found["additionalProperties"] = True
        if "valuesrules" in rule:
            found["additionalProperties"] = self.value(rule["valuesrules"])
        if "keysrules" in rule:
            found["propertyNames"] = self.value(rule["keysrules"])
        for name, keyword in _OF_RULES.items():
            if name in rule:
                found[keyword] = [self.value(each) for each in rule[name]]

    def _component(self, rule: Declared) -> JsonSchema:
        """A mapping with ``use`` and the options of what it names."""
        kind, default = rule["component"], default_component(rule, self._registry)
        title = kind if default is None else f"{kind}-{default}"  # by default
        if title not in self.definitions:
            self.definitions[title] = {}  # a component may have another of its kind within
            offers = self._registry.offers(kind)
            cases = [
                {"if": {"properties": {"use": {"const": name}}, "required": ["use"]}, "then": self._options(kind, offer)}
                for name, offer in offers.items()
            ]
            if default is not None:
                cases.append({"if": {"not": {"required": ["use"]}}, "then": self._options(kind, offers[default])})
            use = _unless_reference(self._names(offers))
            self.definitions[title] = {
                "type": "object",
                "properties": {"use": {"description": f"Which {singular(kind)}.", **use}},
                **({} if default is not None else {"required": ["use"]}),
                "allOf": cases,
            }
        return {"$ref": f"#/definitions/{title}"}

    def _options(self, kind: str, offer: Offer) -> JsonSchema:
        name = f"{kind}.{offer.component.name}"
        if name not in self.definitions:
            self.definitions[name] = {}
            found = self.mapping(offer.component.options)
            found["properties"] = {"use": {}, **found["properties"]}
            self.definitions[name] = {"description": offer.summary, **found}
        return {"$ref": f"#/definitions/{name}"}

    def _bare_word(self, rule: Declared) -> JsonSchema:
        """The names of components that need no options, and so may stand alone."""
        kind = rule["component"]
        offers = self._registry.offers(kind)
        alone = {
            name: offer
            for name, offer in offers.items()
            if not any(self._is_required(each) for each in offer.component.options.values())
        }
        others = [name for name in offers if name not in alone]
        known = f"There are {', '.join(alone)}"
        needing = f"; and with options, written {{use: NAME, …}}: {', '.join(others)}" if others else ""
        message = f"No {singular(kind)} that may stand alone has this name. {known}{needing}."
        return _unless_reference({**self._names(alone), "errorMessage": message}) if alone else {"type": "object"}

    def _names(self, offers: Mapping[str, Offer]) -> JsonSchema:
        said = [
            offer.summary if offer.provider.startswith("sendoff ") else f"{offer.summary} From {offer.provider}."
            for offer in offers.values()
        ]
        return {"type": "string", "enum": list(offers), "markdownEnumDescriptions": said}


def _companions(rule: Declared, rules: Declared) -> Iterator[JsonSchema]:
    """What an option that is given says of others. One with a default is always there."""
    excluded, needed = rule.get("excludes", []), rule.get("dependencies", [])
    for other in [excluded] if isinstance(excluded, str) else excluded:
        yield {"not": {"required": [other]}}
    for other in [needed] if isinstance(needed, str) else needed if isinstance(needed, list) else []:
        if "default" not in rules.get(other, {"default": "of another mapping"}):
            yield {"required": [other]}


def _texts(rule: Declared, *, nullable: bool) -> Iterator[tuple[str, Any]]:
    """What a rule says of a value, or of each value of a list."""
    if "allowed" in rule:
        yield "enum", [*rule["allowed"], *([None] if nullable else [])]
    if "forbidden" in rule:
        yield "not", {"enum": rule["forbidden"]}
    if "regex" in rule and not _ONLY_PYTHON.search(rule["regex"]):
        yield "pattern", f"^(?:{rule['regex']})$"


def _unless_reference(rules: JsonSchema) -> JsonSchema:
    return {"anyOf": [rules, _REFERENCE_OF]}


def _help(rule: Declared) -> JsonSchema:
    text = rule.get("meta", {}).get("help")
    found: JsonSchema = {"description": text.replace("`", "")} if text else {}
    found |= {"markdownDescription": text} if text and "`" in text else {}
    if rule.get("default") not in (None, {}, []):
        found["default"] = rule["default"]
    return found
