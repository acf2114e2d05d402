"""Deliver records to somebody else's HTTP API, and account for every one of them."""

from importlib.metadata import version

__version__ = version("sendoff")

from sendoff.components import (
    Authenticator,
    Component,
    Decision,
    Fail,
    FailureStrategy,
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
from sendoff.exchange import TLS, Answer, Ask, Exchange, Request, Volley, Wait, Wire
from sendoff.hookspecs import hookimpl
from sendoff.records import Page, Span
from sendoff.report import Report
from sendoff.runner import Runner
from sendoff.send import send

__all__ = [
    "TLS",
    "Answer",
    "Ask",
    "AuthError",
    "Authenticator",
    "Component",
    "ConfigError",
    "Decision",
    "Exchange",
    "Fail",
    "FailureStrategy",
    "Incomplete",
    "LedgerError",
    "Locked",
    "Observer",
    "Page",
    "PluginError",
    "RecordValidator",
    "Refusal",
    "Report",
    "Request",
    "Runner",
    "Sender",
    "SendoffError",
    "Source",
    "SourceChanged",
    "SourceError",
    "Span",
    "Split",
    "Transport",
    "Validator",
    "Volley",
    "Wait",
    "Wire",
    "__version__",
    "hookimpl",
    "send",
]
