"""What a plugin offers: components, with a base class for each kind in a module of its name.

A component is a class with a `name`, an `options` schema (Cerberus rules, each with
``meta.help``), a docstring, and one or two methods. Its options arrive as attributes.
"""

from sendoff.components.authenticator import Authenticator as Authenticator
from sendoff.components.component import Component as Component
from sendoff.components.csv_dialect import CsvDialect as CsvDialect
from sendoff.components.failure_strategy import Decision as Decision
from sendoff.components.failure_strategy import Fail as Fail
from sendoff.components.failure_strategy import FailureStrategy as FailureStrategy
from sendoff.components.failure_strategy import Refusal as Refusal
from sendoff.components.failure_strategy import Retry as Retry
from sendoff.components.failure_strategy import Split as Split
from sendoff.components.failure_strategy import Stop as Stop
from sendoff.components.notifier import Notification as Notification
from sendoff.components.notifier import Notifier as Notifier
from sendoff.components.observer import Observer as Observer
from sendoff.components.scheduler import ScheduledJob as ScheduledJob
from sendoff.components.scheduler import Scheduler as Scheduler
from sendoff.components.sender import Sender as Sender
from sendoff.components.source import InboxSource as InboxSource
from sendoff.components.source import ReadMark as ReadMark
from sendoff.components.source import Source as Source
from sendoff.components.source import StandIn as StandIn
from sendoff.components.transport import Transport as Transport
from sendoff.components.validator import RecordValidator as RecordValidator
from sendoff.components.validator import Validator as Validator

KINDS: dict[str, type[Component]] = {
    base.kind: base
    for base in (Source, Validator, Sender, FailureStrategy, Transport, Authenticator, Observer, Notifier, Scheduler)
}
