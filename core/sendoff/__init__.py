"""Deliver records to somebody else's HTTP API, and account for every one of them.

Names are imported when they are first asked for: `sendoff --help` need not wait for a data frame library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sendoff.lazy import offer_lazily

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
        ScheduledJob,
        Scheduler,
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
        Interrupted,
        LedgerError,
        Locked,
        PluginCrash,
        PluginError,
        SendoffError,
        SourceChanged,
        SourceError,
        SourceUnavailable,
    )
    from sendoff.hookspecs import hookimpl
    from sendoff.records import Page, Span
    from sendoff.run.report import Report
    from sendoff.runner import Runner
    from sendoff.sending import send
    from sendoff.transport.protocol import TLS, ConnectionSettings, Request, RequestBurst, RequestQueue, Response, SendOne, Wait

    __version__: str
else:
    _find, __dir__ = offer_lazily(
        __name__,
        {
            "sendoff.components": (
                "Authenticator", "Component", "Decision", "Fail", "FailureStrategy", "InboxSource", "Notification", "Notifier",
                "Observer", "RecordValidator", "Refusal", "ScheduledJob",
                "Scheduler", "Sender", "Source", "Split", "Transport", "Validator",
            ),
            "sendoff.errors": (
                "AuthError", "ConfigError", "Incomplete", "Interrupted", "LedgerError", "Locked", "PluginCrash", "PluginError",
                "SendoffError", "SourceChanged", "SourceError", "SourceUnavailable",
            ),
            "sendoff.transport.protocol": (
                "TLS", "Response", "SendOne", "RequestQueue", "Request", "RequestBurst", "Wait", "ConnectionSettings",
            ),
            "sendoff.hookspecs": ("hookimpl",),
            "sendoff.records": ("Page", "Span"),
            "sendoff.run.report": ("Report",),
            "sendoff.runner": ("Runner",),
            "sendoff.sending": ("send",),
        },
    )  # fmt: skip

    def __getattr__(name: str) -> Any:
        """A public name, from where it lives; the version, from what is installed."""
        return importlib.import_module("importlib.metadata").version("sendoff") if name == "__version__" else _find(name)


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
    "Interrupted",
    "LedgerError",
    "Locked",
    "Notification",
    "Notifier",
    "Observer",
    "Page",
    "PluginCrash",
    "PluginError",
    "RecordValidator",
    "Refusal",
    "Report",
    "Request",
    "RequestBurst",
    "RequestQueue",
    "Response",
    "Runner",
    "ScheduledJob",
    "Scheduler",
    "SendOne",
    "Sender",
    "SendoffError",
    "Source",
    "SourceChanged",
    "SourceError",
    "SourceUnavailable",
    "Span",
    "Split",
    "Transport",
    "Validator",
    "Wait",
    "__version__",
    "hookimpl",
    "send",
]
