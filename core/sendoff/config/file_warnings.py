"""What a connector file allows that may be a mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sendoff.config.documents import Document
from sendoff.config.redaction import MIN_LENGTH
from sendoff.errors import Problem
from sendoff.errors.codes import Code
from sendoff.registry import Registry

if TYPE_CHECKING:
    from sendoff.config.connector import Connector


def add_warnings(spelled: Mapping[str, Any], document: Document, registry: Registry) -> None:
    """Add to the document what is known without secrets and other files, of the data with its shorthands expanded."""
    to = _mapping(spelled.get("destination"))
    strategy = registry.find("failure_strategies", str(_mapping(spelled.get("on_failure")).get("use")))
    if getattr(strategy, "splits", False) and not (to.get("atomic") or to.get("idempotent")):
        sentence = (
            f"{getattr(strategy, 'name', '')} can apply a record twice, unless the API keeps nothing of a request it rejects "
            "(set `destination.atomic: true`) or counts a repeated record once (`destination.idempotent: true`)"
        )
        document.warnings.append(document.problem(("on_failure",), sentence, Code.DOUBLE_DELIVERY))
    if _mapping(to.get("tls")).get("verify") is False:
        sentence = "any server is accepted as the API; use `tls.ca` instead"
        document.warnings.append(document.problem(("destination", "tls", "verify"), sentence, Code.UNVERIFIED_TLS))


def find_warnings(chosen: Connector) -> list[Problem]:
    """What is allowed but may be a mistake, with its place: `sendoff check` reports it."""
    to, found = chosen.destination, list[tuple[str, str, Code]]()
    for reference in chosen.secrets.too_short:
        sentence = (
            f"its value has fewer than {MIN_LENGTH} characters, so it is shown and stored like any text; use a longer one"
        )
        found.append((reference, sentence, Code.SHORT_SECRET))
    if to.proxy is not None and to.egress == "public":
        sentence = "the proxy decides which addresses are reached; egress: public restricts only the way to it"
        found.append(("destination.proxy", sentence, Code.PROXY_EGRESS))
    return [*chosen.written_warnings, *(chosen.problem(*each) for each in found)]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
