"""Destinations that several connectors share: ``destinations.d/NAME.yaml``, used by ``destination: {extends: NAME}``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sendoff.config import documents, secrets, validator
from sendoff.config.documents import Document
from sendoff.errors.codes import Code
from sendoff.options import find_similar
from sendoff.registry import Registry

DIRECTORY = "destinations.d"


def with_shared_destination(
    data: Any, document: Document, home: Path, registry: Registry, kept: secrets.Secrets, unset: secrets.UnsetReferences
) -> Any:
    """A connector's data, with the settings of the destination it extends where it has none of its own.

    Mistakes in the shared file are reported with its own name, line and column.
    """
    own = data.get("destination") if isinstance(data, dict) else None
    if not isinstance(own, dict) or not isinstance(own.get("extends"), str):
        return data
    files = {file.stem: file for file in sorted((home / DIRECTORY).glob("*.yaml"))}
    name = own["extends"]
    if name not in files:
        close = find_similar(name, files)
        hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(files) or 'none'}"
        sentence = f"no file {DIRECTORY}/{name}.yaml; {hint}"
        document.problems.append(document.problem(("destination", "extends"), sentence, Code.REFERENCE))
        return data
    shared = documents.read(files[name], f"{DIRECTORY}/{name}.yaml")
    shared_unset = secrets.UnsetReferences(shared.problem, reported=unset.reported)
    content = secrets.resolve(shared.data, home, kept, shared_unset.note)
    unset.include(shared_unset)
    shared.problems += shared_unset.problems
    spelled = validator.check_shared(content, shared, registry) if not shared.problems else {}
    shared.problems[:] = shared_unset.without_consequences(shared.problems)
    document.problems += shared.problems
    merged = _merged(spelled, validator.expand_shorthand({"destination": own}, registry)["destination"])
    base, path = spelled.get("url"), own.get("url")
    if isinstance(base, str) and isinstance(path, str) and path.startswith("/"):
        merged["url"] = _joined(base, path)
    return {**data, "destination": merged}


def _joined(base: str, path: str) -> str:
    whole = base.rstrip("/") + path
    return secrets.SecretStr(whole, base.template.rstrip("/") + path) if isinstance(base, secrets.SecretStr) else whole


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings, and those in them; a component is not merged, but replaced as a whole."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(value, dict) and isinstance(below, dict) and "use" not in value and "use" not in below
        merged[key] = _merged(below, value) if both and isinstance(below, dict) else value
    return merged
