"""The digest of what a connector file says of its records: an interrupted run goes on only where it is as it was.

It is of what decides which records there are and what their bytes look like, and of that only

- the options that differ from their defaults, so that an option which a later version adds changes no digest; a default that
  changes is held by what is compared besides, the bytes of what is pending;
- the templates of secrets (``${env:TOKEN}``), not their values: a wrong one can be put right and the run resumed, and a short
  one cannot be guessed from the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sendoff import jsonlib
from sendoff.components import Sender
from sendoff.config.declarations import inner_rules
from sendoff.config.secrets import SecretStr
from sendoff.config.spec import CONNECTOR, DESTINATION
from sendoff.encode import routing
from sendoff.options import Declared
from sendoff.registry import Registry

#: How much may be read or sent at once, not what.
_LIMITS = ("max_columns", "max_records")


def config_digest(checked: Declared, unknown: str, sender: Sender, registry: Registry) -> bytes:
    """The digest of a checked connector file. `sender` has started."""
    to, send = checked["destination"], checked["send"]
    outside = [each.decode("latin-1") for each in (sender.prefix, sender.separator, sender.suffix)]
    decisive = [
        _component(checked["source"], CONNECTOR["source"], registry),
        checked["schema"],
        unknown,
        [_component(each, CONNECTOR["validators"]["schema"], registry) for each in checked["validators"]],
        # With a secret in them they are known by the options that they are made of.
        None if _templates(send) != send else outside,
        _component(send, CONNECTOR["send"], registry),
        _given(to["idempotency"], inner_rules(DESTINATION["idempotency"])),
        [to["url"], to["headers"]] if any(routing.all_fields(to["url"], to["headers"])) else None,
    ]
    if "incremental" in checked:
        decisive.append(_given(checked["incremental"], inner_rules(CONNECTOR["incremental"])))
    if sender.max_record_bytes is not None:
        decisive.append({"max_record_bytes": sender.max_record_bytes})
    return hashlib.sha256(jsonlib.dumps(_templates(decisive)).encode()).digest()


def _component(chosen: Declared, rule: Declared, registry: Registry) -> dict[str, object]:
    """A component's name, and those of its options that are not as by default, in the order of their names."""
    found = registry.find(rule["component"], chosen["use"])
    options: Declared = found.options if found else {}
    given = {name: value for name, value in chosen.items() if name not in _LIMITS}
    inner = {name: _component(given[name], each, registry) for name, each in options.items() if "component" in each}
    return {"use": chosen["use"], **_given({**given, **inner}, options)}


def _given(chosen: Declared, rules: Declared) -> dict[str, object]:
    """The options that are not as by default, in the order of their names; also inside options that are mappings of such."""
    found: dict[str, object] = {}
    for name, value in sorted(chosen.items()):
        rule = rules.get(name) or {}
        inside = inner_rules(rule) if rule.get("type") == "dict" and isinstance(value, Mapping) else {}
        kept = _given(value, inside) if inside else value
        default = rule.get("default")
        if kept == default and type(kept) is type(default):
            continue
        found[name] = kept
    return found


def _templates(value: object) -> object:
    if isinstance(value, dict):
        return {key: _templates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_templates(item) for item in value]
    return value.template if isinstance(value, SecretStr) else value
