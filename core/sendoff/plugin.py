"""The whole of sendoff that a plugin's author needs; the built-ins import nothing else of it.

- **Bases**, one a kind: `Source` (`InboxSource` for what is posted), `Validator` (`RecordValidator` looks at one record at a
  time), `Sender`, `FailureStrategy`, `Transport`, `Authenticator`, `Observer`, `Notifier`, `Scheduler`;
  all are a `Component`. `hookimpl` marks the function that offers yours.
- **What their methods take and answer**: `Refusal`, and the `Decision`s `Fail`, `Split`, `Retry` and `Stop`; `Notification`;
  `Report`; `ScheduledJob`; `StandIn`.
- **Records**: `Page` and `Span`; `pages` makes pages of whatever a source yields, `from_mappings` one of dictionaries,
  `column` a column of mixed values; `PAGE_ROWS` is how many rows a page has at most; `LazyLines` are line
  numbers that are counted when they are asked for.
- **JSON**: `jsonlib` reads and writes it exactly; `jsonpath` finds a value in it, or `MISSING`.
- **Options**: `option` and `optional` declare one with its help; `check_url`, `check_record` and `check_envelope` are for
  `check_with`. `MAX_RECORDS`, `MAX_BYTES`, `RECORD` and `OMIT_NULL` are what senders have in common; `split_envelope` cuts an
  envelope where its `RECORDS` stand.
- **Requests**: `Request`, `Response` and `RequestBurst`; the `RequestQueue` that a transport pulls from, with `Wait` and
  `Completion`; `ConnectionSettings` and `TLS`; `SendOne` and `SingleRequest` for a request of an authenticator's own.
- **HTTP**: `HttpClient` for sources and notifiers, which raises `ErrorResponse`; `retry_after` reads that header. For
  transports: `resolve` and `ssl_context`, `make_pool`, `StrictHTTPResponse`, `Watchdog`, `response_from_error`,
  `describe_failure`, `is_distrusted`, `AddressRefused`, `CONNECT_TIMEOUT`. `egress` says which addresses may be dialled.
- **Posts**: `open_inboxes` opens the `Inboxes`, which keep every `Post` durably, or raise `InboxFull`; `last_post_id` is
  how far they go.
- **Errors**: `SourceError` and its `SourceChanged` and `SourceUnavailable`, `AuthError`, `ConfigError` and the rest of the
  tree below `SendoffError`.

A name is imported when it is first asked for: a plugin waits for nothing that it does not use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sendoff.lazy import offer_lazily

if TYPE_CHECKING:
    from sendoff import jsonlib
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
        Retry,
        ScheduledJob,
        Scheduler,
        Sender,
        Source,
        Split,
        StandIn,
        Stop,
        Transport,
        Validator,
    )
    from sendoff.encode.sender_options import MAX_BYTES, MAX_RECORDS, OMIT_NULL, RECORD
    from sendoff.encode.templates import RECORDS, check_envelope, check_record, split_envelope
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
    from sendoff.http.client import ErrorResponse, HttpClient
    from sendoff.http.connect import CONNECT_TIMEOUT, AddressRefused, resolve, ssl_context
    from sendoff.http.failures import describe_failure, is_distrusted, response_from_error
    from sendoff.http.pool import StrictHTTPResponse, make_pool
    from sendoff.http.watchdog import Watchdog
    from sendoff.jsonlib import jsonpath
    from sendoff.jsonlib.jsonpath import MISSING
    from sendoff.ledger.inbox import Inboxes, InboxFull, Post
    from sendoff.ledger.opening import last_post_id, open_inboxes
    from sendoff.options import option, optional
    from sendoff.records import PAGE_ROWS, LazyLines, Page, Span, column, from_mappings, pages
    from sendoff.response.rate_headers import retry_after
    from sendoff.run.report import Report
    from sendoff.transport import egress
    from sendoff.transport.protocol import (
        TLS,
        Completion,
        ConnectionSettings,
        Request,
        RequestBurst,
        RequestQueue,
        Response,
        SendOne,
        SingleRequest,
        Wait,
    )
    from sendoff.transport.urls import check_url
else:
    __getattr__, __dir__ = offer_lazily(
        __name__,
        {
            "sendoff.components": (
                "Authenticator", "Component", "Decision", "Fail", "FailureStrategy", "InboxSource", "Notification",
                "Notifier", "Observer", "RecordValidator", "Refusal", "Retry", "ScheduledJob",
                "Scheduler", "Sender", "Source", "Split", "StandIn", "Stop", "Transport",
                "Validator",
            ),
            "sendoff.hookspecs": ("hookimpl",),
            "sendoff.run.report": ("Report",),
            "sendoff.errors": (
                "AuthError", "ConfigError", "Incomplete", "Interrupted", "LedgerError", "Locked", "PluginCrash", "PluginError",
                "SendoffError", "SourceChanged", "SourceError", "SourceUnavailable",
            ),
            "sendoff.records": (
                "PAGE_ROWS", "LazyLines", "Page", "Span", "column", "from_mappings", "pages",
            ),
            "sendoff": ("jsonlib",),
            "sendoff.jsonlib": ("jsonpath",),
            "sendoff.jsonlib.jsonpath": ("MISSING",),
            "sendoff.options": ("option", "optional"),
            "sendoff.encode.sender_options": (
                "MAX_BYTES", "MAX_RECORDS", "OMIT_NULL", "RECORD",
            ),
            "sendoff.encode.templates": (
                "RECORDS", "check_envelope", "check_record", "split_envelope",
            ),
            "sendoff.transport.urls": ("check_url",),
            "sendoff.transport.protocol": (
                "TLS", "Completion", "ConnectionSettings", "Request", "RequestBurst", "RequestQueue", "Response",
                "SendOne", "SingleRequest", "Wait",
            ),
            "sendoff.transport": ("egress",),
            "sendoff.response.rate_headers": ("retry_after",),
            "sendoff.http.client": ("ErrorResponse", "HttpClient"),
            "sendoff.http.connect": (
                "CONNECT_TIMEOUT", "AddressRefused", "resolve", "ssl_context",
            ),
            "sendoff.http.failures": ("describe_failure", "is_distrusted", "response_from_error"),
            "sendoff.http.pool": ("StrictHTTPResponse", "make_pool"),
            "sendoff.http.watchdog": ("Watchdog",),
            "sendoff.ledger.inbox": ("InboxFull", "Inboxes", "Post"),
            "sendoff.ledger.opening": ("last_post_id", "open_inboxes"),
        },
    )  # fmt: skip

__all__ = [
    "CONNECT_TIMEOUT",
    "MAX_BYTES",
    "MAX_RECORDS",
    "MISSING",
    "OMIT_NULL",
    "PAGE_ROWS",
    "RECORD",
    "RECORDS",
    "TLS",
    "AddressRefused",
    "AuthError",
    "Authenticator",
    "Completion",
    "Component",
    "ConfigError",
    "ConnectionSettings",
    "Decision",
    "ErrorResponse",
    "Fail",
    "FailureStrategy",
    "HttpClient",
    "InboxFull",
    "InboxSource",
    "Inboxes",
    "Incomplete",
    "Interrupted",
    "LazyLines",
    "LedgerError",
    "Locked",
    "Notification",
    "Notifier",
    "Observer",
    "Page",
    "PluginCrash",
    "PluginError",
    "Post",
    "RecordValidator",
    "Refusal",
    "Report",
    "Request",
    "RequestBurst",
    "RequestQueue",
    "Response",
    "Retry",
    "ScheduledJob",
    "Scheduler",
    "SendOne",
    "Sender",
    "SendoffError",
    "SingleRequest",
    "Source",
    "SourceChanged",
    "SourceError",
    "SourceUnavailable",
    "Span",
    "Split",
    "StandIn",
    "Stop",
    "StrictHTTPResponse",
    "Transport",
    "Validator",
    "Wait",
    "Watchdog",
    "check_envelope",
    "check_record",
    "check_url",
    "column",
    "describe_failure",
    "egress",
    "from_mappings",
    "hookimpl",
    "is_distrusted",
    "jsonlib",
    "jsonpath",
    "last_post_id",
    "make_pool",
    "open_inboxes",
    "option",
    "optional",
    "pages",
    "resolve",
    "response_from_error",
    "retry_after",
    "split_envelope",
    "ssl_context",
]
