"""What an application sees in its log without asking for every detail."""

from __future__ import annotations

import logging

import pytest

from sendoff_plugins.observers.log import Log


@pytest.mark.parametrize("name", ["waiting", "retry", "stop", "unverified", "unread_failure"])
def test_what_a_person_should_see_is_logged_as_a_warning_with_its_facts(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Kind: an event that the progress shows and the log hides. Looked at: every event that the core has."""
    with caplog.at_level(logging.WARNING, logger="sendoff"):
        Log().event("c", name, {"reason": "the API's quota is used up", "seconds": 3.0})
        Log().event("c", "split", {"records": 8})
    assert caplog.messages == [f"c: {name}: reason the API's quota is used up, seconds 3.0"]
