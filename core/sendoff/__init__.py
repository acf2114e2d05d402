"""Deliver records to somebody else's HTTP API, and account for every one of them.

Names are imported when they are first asked for: `sendoff --help` need not wait for a data frame library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sendoff.components import (
        Authenticator,
        Component,
        Decision,
        Fail,
        FailureStrategy,
        InboxSource,
        Notification,
        Notifier,
        Observer,
        RecordValidator,
        Refusal,
        Sender,
        Source,
        Split,
        Transport,
        Validator,
    )
    from sendoff.errors import (
        AuthError,
        ConfigError,
        Incomplete,
        LedgerError,
        Locked,
        PluginError,
        SendoffError,
        SourceChanged,
        SourceError,
    )
    from sendoff.hookspecs import hookimpl
    from sendoff.records import Page, Span
    from sendoff.run.report import Report
    from sendoff.runner import Runner
    from sendoff.sending import send
    from sendoff.transport.protocol import TLS, ConnectionSettings, Request, RequestBurst, RequestQueue, Response, SendOne, Wait

    __version__: str

#: Where the public names live.
_HOMES = {
    "components": (
        "Authenticator", "Component", "Decision", "Fail", "FailureStrategy", "InboxSource", "Notification", "Notifier",
        "Observer", "RecordValidator", "Refusal", "Sender", "Source", "Split", "Transport", "Validator",
    ),
    "errors": (
        "AuthError", "ConfigError", "Incomplete", "LedgerError", "Locked", "PluginError", "SendoffError", "SourceChanged",
        "SourceError",
    ),
    "transport.protocol": (
        "TLS", "ConnectionSettings", "Request", "RequestBurst", "RequestQueue", "Response", "SendOne", "Wait",
    ),
    "hookspecs": ("hookimpl",),
    "records": ("Page", "Span"),
    "run.report": ("Report",),
    "runner": ("Runner",),
    "sending": ("send",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "TLS",
    "AuthError",
    "Authenticator",
    "Component",
    "ConfigError",
    "ConnectionSettings",
    "Decision",
    "Fail",
    "FailureStrategy",
    "InboxSource",
    "Incomplete",
    "LedgerError",
    "Locked",
    "Notification",
    "Notifier",
    "Observer",
    "Page",
    "PluginError",
    "RecordValidator",
    "Refusal",
    "Report",
    "Request",
    "RequestBurst",
    "RequestQueue",
    "Response",
    "Runner",
    "SendOne",
    "Sender",
    "SendoffError",
    "Source",
    "SourceChanged",
    "SourceError",
    "Span",
    "Split",
    "Transport",
    "Validator",
    "Wait",
    "__version__",
    "hookimpl",
    "send",
]


def __getattr__(name: str) -> Any:
    """A public name, from where it lives (PEP 562)."""
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("sendoff")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"sendoff.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'sendoff' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
