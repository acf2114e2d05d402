"""The whole of sendoff that a plugin's author needs; the built-ins import nothing else of it.

- **Bases**, one a kind: `Source` (`InboxSource` for what is posted), `Validator` (`RecordValidator` looks at one record at a
  time), `Sender`, `FailureStrategy`, `Transport`, `Authenticator`, `Observer`, `Notifier`, `Scheduler`;
  all are a `Component`. `hookimpl` marks the function that offers yours.
- **Events**, which observers receive: each an `Event` of a run, which `RunInfo` names. `RunStarted`, `RunProgressed`,
  `RequestCompleted`, `RetryScheduled`, `RequestSplit`, `LimitLowered`, `CredentialsRenewed`, `DestinationRecovered`,
  `SendingPaused`, `TlsUnverified`, `FailureUnread`, `RunStopping`, `RunEnded`, `RunAborted`.
  `Metrics` counts them, and writes Prometheus's text format; `Increments` is by how much a run's counts grow.
- **What their methods take and answer**: `Refusal`, and the `Decision`s `Fail`, `Split`, `Retry` and `Stop`; `Notification`;
  `Report`; `ScheduledJob`; `StandIn`.
- **Records**: `Page` and `Span`; `pages` makes pages of whatever a source yields, `pages_of_mappings` some of dictionaries,
  `from_mappings` one, `column` a column of mixed values; `PAGE_ROWS` is how many rows a page has at most, `PAGE_BYTES` about
  how many bytes, `rows_per_page` how many rows with given columns; `Lines` are lines of JSON, not read yet;
  `format_duration` writes a length of time in ISO 8601. `Notation` is how text writes numbers and booleans, `CsvDialect` how
  its tables are written.
- **Bounds**: every source has `max_columns`, by default `MAX_COLUMNS`; `too_many_columns` says why a header or row has too
  many, and a `ColumnLimit` counts them. `is_bomb` says whether something decompresses to more than records do.
- **Files**: `FileAccess` says which files a source may read (`Source.file_access`); `is_inside`, whether one is in a folder.
- **JSON**: `jsonlib` reads and writes it exactly; `jsonpath` finds a value in it, or `MISSING`.
- **Programs**: `program_environment` is what of the environment a program gets, with what the option `ENV` names;
  `ENV_HINT` is what an error adds.
- **Options**: `option` and `optional` declare one with its help; `check_url`, `check_record`, `check_envelope` and
  `check_not_empty` are for `check_with`. `MAX_RECORDS`, `MAX_BYTES`, `MAX_RECORD_BYTES`, `RECORD` and `OMIT_NULL` are what
  senders have in common; `split_envelope` cuts an envelope where its `RECORDS` stand.
- **Requests**: `Request`, `Response` and `RequestBurst`; the `RequestQueue` that a transport pulls from, with `Wait` and
  `Completion`; `ConnectionSettings` and `TLS`; `SendOne` and `SingleRequest` for a request of an authenticator's own.
- **HTTP**: `HttpClient` for sources and notifiers, which raises `ErrorResponse`; `retry_after` reads that header. For
  transports: `resolve` and `ssl_context`, `make_pool`, `Watchdog`, `response_from_error`, `describe_failure`,
  `is_distrusted`, `AddressRefused`, `CONNECT_TIMEOUT`; and what every response is held to: `read_status_line`,
  `find_framing`, `ContentDecoder`, `read_bounded`, `MAX_HEAD`, `MAX_FIELDS`, `MAX_INTERIM`, `describe_early`,
  `describe_start`, and `BadResponse` where it fails. `egress` says which addresses may be dialled.
- **Posts**: `open_inboxes` opens the `Inboxes`, which keep every `Post` durably, or raise `InboxFull`; `last_post_id` is
  how far they go.
- **History**: `open_history` gives the `History` of past runs and of the records they did not deliver, each a `FailureRow`;
  `failed_fields` and `added_columns` name what is added to them; `location` is a file and a line, as messages have it.
- **Errors**: `SourceError` and its `SourceChanged` and `SourceUnavailable`, `AuthError`, `ConfigError` and the rest of the
  tree below `SendoffError`.

A name is imported when it is first asked for: a plugin waits for nothing that it does not use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sendoff.lazy import offer_lazily

if TYPE_CHECKING:
    from sendoff import jsonlib as jsonlib
    from sendoff.bounds import MAX_COLUMNS as MAX_COLUMNS
    from sendoff.bounds import MAX_RESPONSE as MAX_RESPONSE
    from sendoff.bounds import PAGE_CELLS as PAGE_CELLS
    from sendoff.bounds import ColumnLimit as ColumnLimit
    from sendoff.bounds import is_bomb as is_bomb
    from sendoff.bounds import rows_per_page as rows_per_page
    from sendoff.bounds import too_many_columns as too_many_columns
    from sendoff.components import Authenticator as Authenticator
    from sendoff.components import Component as Component
    from sendoff.components import CsvDialect as CsvDialect
    from sendoff.components import Decision as Decision
    from sendoff.components import Fail as Fail
    from sendoff.components import FailureStrategy as FailureStrategy
    from sendoff.components import InboxSource as InboxSource
    from sendoff.components import Notification as Notification
    from sendoff.components import Notifier as Notifier
    from sendoff.components import Observer as Observer
    from sendoff.components import ReadMark as ReadMark
    from sendoff.components import RecordValidator as RecordValidator
    from sendoff.components import Refusal as Refusal
    from sendoff.components import Retry as Retry
    from sendoff.components import ScheduledJob as ScheduledJob
    from sendoff.components import Scheduler as Scheduler
    from sendoff.components import Sender as Sender
    from sendoff.components import Source as Source
    from sendoff.components import Split as Split
    from sendoff.components import StandIn as StandIn
    from sendoff.components import Stop as Stop
    from sendoff.components import Transport as Transport
    from sendoff.components import Validator as Validator
    from sendoff.components.programs import ENV as ENV
    from sendoff.components.programs import ENV_HINT as ENV_HINT
    from sendoff.components.programs import program_environment as program_environment
    from sendoff.encode.encoder import encode_texts as encode_texts
    from sendoff.encode.sender_options import MAX_BYTES as MAX_BYTES
    from sendoff.encode.sender_options import MAX_RECORD_BYTES as MAX_RECORD_BYTES
    from sendoff.encode.sender_options import MAX_RECORDS as MAX_RECORDS
    from sendoff.encode.sender_options import OMIT_NULL as OMIT_NULL
    from sendoff.encode.sender_options import RECORD as RECORD
    from sendoff.encode.sender_options import WHOLE_RECORD as WHOLE_RECORD
    from sendoff.encode.templates import KEY as KEY
    from sendoff.encode.templates import RECORDS as RECORDS
    from sendoff.encode.templates import check_constant as check_constant
    from sendoff.encode.templates import check_envelope as check_envelope
    from sendoff.encode.templates import check_record as check_record
    from sendoff.encode.templates import constant_text as constant_text
    from sendoff.encode.templates import envelope_depth as envelope_depth
    from sendoff.encode.templates import form_of as form_of
    from sendoff.encode.templates import is_reference as is_reference
    from sendoff.encode.templates import placeholders as placeholders
    from sendoff.encode.templates import record_problem as record_problem
    from sendoff.encode.templates import split_envelope as split_envelope
    from sendoff.encode.templates import split_text as split_text
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
    from sendoff.http.client import ErrorResponse as ErrorResponse
    from sendoff.http.client import HttpClient as HttpClient
    from sendoff.http.connect import CONNECT_TIMEOUT as CONNECT_TIMEOUT
    from sendoff.http.connect import AddressRefused as AddressRefused
    from sendoff.http.connect import resolve as resolve
    from sendoff.http.connect import ssl_context as ssl_context
    from sendoff.http.content import ContentDecoder as ContentDecoder
    from sendoff.http.content import read_bounded as read_bounded
    from sendoff.http.failures import describe_failure as describe_failure
    from sendoff.http.failures import is_distrusted as is_distrusted
    from sendoff.http.failures import response_from_error as response_from_error
    from sendoff.http.pool import make_pool as make_pool
    from sendoff.http.strict_response import MAX_FIELDS as MAX_FIELDS
    from sendoff.http.strict_response import MAX_HEAD as MAX_HEAD
    from sendoff.http.strict_response import MAX_INTERIM as MAX_INTERIM
    from sendoff.http.strict_response import BadResponse as BadResponse
    from sendoff.http.strict_response import describe_early as describe_early
    from sendoff.http.strict_response import describe_start as describe_start
    from sendoff.http.strict_response import find_framing as find_framing
    from sendoff.http.strict_response import read_status_line as read_status_line
    from sendoff.http.watchdog import Watchdog as Watchdog
    from sendoff.intake.corrections import added_columns as added_columns
    from sendoff.intake.corrections import failed_fields as failed_fields
    from sendoff.jsonlib import jsonpath as jsonpath
    from sendoff.jsonlib.jsonpath import MISSING as MISSING
    from sendoff.jsonlib.notation import Notation as Notation
    from sendoff.lazy import install_command as install_command
    from sendoff.ledger.history import FailureRow as FailureRow
    from sendoff.ledger.history import History as History
    from sendoff.ledger.inbox import Inboxes as Inboxes
    from sendoff.ledger.inbox import InboxFull as InboxFull
    from sendoff.ledger.inbox import Post as Post
    from sendoff.ledger.opening import last_post_id as last_post_id
    from sendoff.ledger.opening import open_history as open_history
    from sendoff.ledger.opening import open_inboxes as open_inboxes
    from sendoff.monitoring.events import CredentialsRenewed as CredentialsRenewed
    from sendoff.monitoring.events import DestinationRecovered as DestinationRecovered
    from sendoff.monitoring.events import Event as Event
    from sendoff.monitoring.events import FailureUnread as FailureUnread
    from sendoff.monitoring.events import LimitLowered as LimitLowered
    from sendoff.monitoring.events import RequestCompleted as RequestCompleted
    from sendoff.monitoring.events import RequestSplit as RequestSplit
    from sendoff.monitoring.events import RetryScheduled as RetryScheduled
    from sendoff.monitoring.events import RunAborted as RunAborted
    from sendoff.monitoring.events import RunEnded as RunEnded
    from sendoff.monitoring.events import RunInfo as RunInfo
    from sendoff.monitoring.events import RunProgressed as RunProgressed
    from sendoff.monitoring.events import RunStarted as RunStarted
    from sendoff.monitoring.events import RunStopping as RunStopping
    from sendoff.monitoring.events import SendingPaused as SendingPaused
    from sendoff.monitoring.events import TlsUnverified as TlsUnverified
    from sendoff.monitoring.metrics import Increments as Increments
    from sendoff.monitoring.metrics import Metrics as Metrics
    from sendoff.monitoring.report import Report as Report
    from sendoff.options import check_not_empty as check_not_empty
    from sendoff.options import option as option
    from sendoff.options import optional as optional
    from sendoff.records import PAGE_BYTES as PAGE_BYTES
    from sendoff.records import PAGE_ROWS as PAGE_ROWS
    from sendoff.records import Block as Block
    from sendoff.records import Lines as Lines
    from sendoff.records import Page as Page
    from sendoff.records import Span as Span
    from sendoff.records import column as column
    from sendoff.records import from_mappings as from_mappings
    from sendoff.records import location as location
    from sendoff.records import pages as pages
    from sendoff.records import pages_of_mappings as pages_of_mappings
    from sendoff.response.rate_headers import retry_after as retry_after
    from sendoff.schema.typed_page import TypedPage as TypedPage
    from sendoff.schema.types import format_duration as format_duration
    from sendoff.transport import egress as egress
    from sendoff.transport.file_access import FileAccess as FileAccess
    from sendoff.transport.file_access import is_inside as is_inside
    from sendoff.transport.protocol import TLS as TLS
    from sendoff.transport.protocol import Completion as Completion
    from sendoff.transport.protocol import ConnectionSettings as ConnectionSettings
    from sendoff.transport.protocol import Request as Request
    from sendoff.transport.protocol import RequestBurst as RequestBurst
    from sendoff.transport.protocol import RequestQueue as RequestQueue
    from sendoff.transport.protocol import Response as Response
    from sendoff.transport.protocol import SendOne as SendOne
    from sendoff.transport.protocol import SingleRequest as SingleRequest
    from sendoff.transport.protocol import Wait as Wait
    from sendoff.transport.urls import check_url as check_url

    __all__: list[str]
else:
    __getattr__, __dir__, __all__ = offer_lazily(__name__)
