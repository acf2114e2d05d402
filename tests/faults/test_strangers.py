"""X11: whatever strangers do, and whenever it is killed, an inbox answers its partners and keeps what it confirmed."""

from __future__ import annotations

import pytest

from tests.stress import strangers
from tests.stress.promise import Budget


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_x11_strangers_shut_no_partner_out_and_no_confirmed_post_is_lost() -> None:
    figures = strangers.PROMISE.hold(Budget(strangers.PROMISE.ci))
    assert figures["posts answered 202"] > 100, figures
