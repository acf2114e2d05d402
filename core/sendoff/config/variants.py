"""`incremental`: what identifies a row, and how changed and removed rows are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sendoff.config import secrets
from sendoff.encode import routing
from sendoff.encode.routing import Router
from sendoff.incremental.rule import IncrementalRule
from sendoff.schema import Field, Schema


@dataclass(frozen=True, slots=True)
class RowVariant:
    """How rows of one kind are sent: addressed by this router, and checked by this schema if it is another."""

    router: Router
    schema: Schema | None = None


def rule(declared: Mapping[str, Any] | None, fields: Sequence[Field], unknown: str) -> IncrementalRule | None:
    """The rule of a connector's `incremental`."""
    if declared is None:
        return None
    removed = declared.get("on_removed")
    return IncrementalRule(
        tuple(declared.get("key", ())),
        declared["initial_load"],
        None if unknown == "keep" else tuple(sorted(field.name for field in fields)),
        resend=declared.get("changed") == "resend" or "on_changed" in declared,
        removed=removed is not None,
        **({"max_removed_share": float(removed["max_share"])} if removed else {}),
    )


def variants(declared: Mapping[str, Any] | None, to: Mapping[str, Any], fields: Sequence[Field]) -> dict[str, RowVariant]:
    """How rows are sent that changed, that are gone, and, if any are sent in another way, that are new."""
    changed, removed = (declared or {}).get("on_changed"), (declared or {}).get("on_removed")
    if changed is None and removed is None:
        return {}
    url, headers = to["url"], to["headers"]
    found = {"": RowVariant(Router(url, headers)), "changed": RowVariant(Router(url, headers))}
    if changed is not None:
        found["changed"] = RowVariant(Router(join_url(url, changed.get("url")), headers, method=changed.get("method", "")))
    if removed is not None:
        key = [field for field in fields if field.name in declared["key"]] if declared else []
        fixed = {name: value for name, value in headers.items() if not routing.fields(value)}
        address = join_url(url, removed.get("url"))
        found["removed"] = RowVariant(
            Router(address, fixed, method=removed["method"], without_body=without_body(removed), is_delete=True),
            Schema(key, unknown="drop") if key else Schema([], unknown="keep"),
        )
    return found


def without_body(removed: Mapping[str, object]) -> bool:
    """Whether the requests for removed rows have no body."""
    default = "none" if removed.get("method", "DELETE") in ("DELETE", "GET") else "key"
    return bool(removed.get("body", default) == "none")


def join_url(url: str, other: str | None) -> str:
    """The other address; one that begins with / is appended to the URL, before its query."""
    if other is None or not other.startswith("/"):
        return url if other is None else other
    whole = url.partition("?")[0].rstrip("/") + other
    return (
        secrets.SecretStr(whole, url.template.partition("?")[0].rstrip("/") + other)
        if isinstance(url, secrets.SecretStr)
        else whole
    )
