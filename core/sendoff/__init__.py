"""Deliver records to somebody else's HTTP API, and account for every one of them.

Names are imported when they are first asked for: `sendoff --help` need not wait for a data frame library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sendoff.lazy import offer_lazily

if TYPE_CHECKING:
    from sendoff.components import Authenticator as Authenticator
    from sendoff.components import Component as Component
    from sendoff.components import Decision as Decision
    from sendoff.components import Fail as Fail
    from sendoff.components import FailureStrategy as FailureStrategy
    from sendoff.components import InboxSource as InboxSource
    from sendoff.components import Notification as Notification
    from sendoff.components import Notifier as Notifier
    from sendoff.components import Observer as Observer
    from sendoff.components import RecordValidator as RecordValidator
    from sendoff.components import Refusal as Refusal
    from sendoff.components import ScheduledJob as ScheduledJob
    from sendoff.components import Scheduler as Scheduler
    from sendoff.components import Sender as Sender
    from sendoff.components import Source as Source
    from sendoff.components import Split as Split
    from sendoff.components import Transport as Transport
    from sendoff.components import Validator as Validator
    from sendoff.errors import AuthError as AuthError
    from sendoff.errors import ConfigError as ConfigError
    from sendoff.errors import Incomplete as Incomplete
    from sendoff.errors import Interrupted as Interrupted
    from sendoff.errors import LedgerError as LedgerError
    from sendoff.errors import Locked as Locked
    from sendoff.errors import PluginCrash as PluginCrash
    from sendoff.errors import PluginError as PluginError
    from sendoff.errors import SendoffError as SendoffError
    from sendoff.errors import SourceChanged as SourceChanged
    from sendoff.errors import SourceError as SourceError
    from sendoff.errors import SourceUnavailable as SourceUnavailable
    from sendoff.hookspecs import hookimpl as hookimpl
    from sendoff.monitoring.events import Event as Event
    from sendoff.monitoring.events import RunInfo as RunInfo
    from sendoff.monitoring.report import Report as Report
    from sendoff.records import Page as Page
    from sendoff.records import Span as Span
    from sendoff.runner import Runner as Runner
    from sendoff.sending import send as send
    from sendoff.transport.protocol import TLS as TLS
    from sendoff.transport.protocol import ConnectionSettings as ConnectionSettings
    from sendoff.transport.protocol import Request as Request
    from sendoff.transport.protocol import RequestBurst as RequestBurst
    from sendoff.transport.protocol import RequestQueue as RequestQueue
    from sendoff.transport.protocol import Response as Response
    from sendoff.transport.protocol import SendOne as SendOne
    from sendoff.transport.protocol import Wait as Wait

    __all__: list[str]
    __version__: str
else:
    _find, __dir__, __all__ = offer_lazily(__name__)
    __all__ += ["__version__"]

    def __getattr__(name: str) -> Any:
        """A public name, from where it lives; the version, from what is installed."""
        return importlib.import_module("importlib.metadata").version("sendoff") if name == "__version__" else _find(name)
