"""What an application sees in its log without asking for every detail."""

from __future__ import annotations

import logging

import pytest

from sendoff.monitoring.events import (
    Event,
    FailureUnread,
    RequestSplit,
    RetryScheduled,
    RunInfo,
    RunStopping,
    SendingPaused,
    TlsUnverified,
)
from sendoff_plugins.observers.log import Log

RUN = RunInfo(connector="c", run=1)


@pytest.mark.parametrize(
    "event",
    [
        SendingPaused(reason="the API's quota is used up", seconds=3.0),
        RetryScheduled(reason="503", records=1, seconds=3.0, attempt=1),
        RunStopping(reason="403"),
        TlsUnverified(),
        FailureUnread(reason="it has errors", add=["response:"]),
    ],
)
def test_what_a_person_should_see_is_logged_as_a_warning(event: Event, caplog: pytest.LogCaptureFixture) -> None:
    """Kind: an event that the progress shows and the log hides. Looked at: every event that the core has."""
    with caplog.at_level(logging.WARNING, logger="sendoff"):
        Log().on_event(RUN, event)
        Log().on_event(RUN, RequestSplit(reason="400", records=8, parts=2))
    assert caplog.messages == [f"c: {event.sentence()}"]
