"""What a connector file allows that may be a mistake."""

from __future__ import annotations

from sendoff.config.connector import Connector
from sendoff.config.redaction import MIN_LENGTH
from sendoff.errors import Problem
from sendoff.errors.codes import Code


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
