"""C15, C16: the power is cut at any moment; every commit that was acknowledged is there when it is back."""

from __future__ import annotations

import pytest

from sendoff import LedgerError
from tests.stress import cuts
from tests.stress.promise import Budget

pytestmark = pytest.mark.skipif(cuts.able() is not None, reason=str(cuts.able()))


@pytest.mark.slow
def test_c15_c16_every_acknowledged_commit_survives_a_power_cut_from_a_ledger_s_birth_on() -> None:
    assert cuts.PROMISE.hold(Budget(cuts.PROMISE.ci))["cuts"] == cuts.PROMISE.ci


def test_c15_the_control_a_laxer_setting_loses_acknowledged_commits() -> None:
    figures = cuts.stress(Budget(100), {"synchronous": "PRAGMA synchronous = NORMAL"})
    assert figures["acknowledged commits lost"] > 0


def test_c16_the_control_a_ledger_whose_directory_is_not_synced_is_rolled_back_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.stress.disk import Disk

    monkeypatch.setattr(Disk, "sync_directory", lambda disk, path=None: None)
    with pytest.raises((AssertionError, LedgerError), match="is empty, and was not before|lost|is not a ledger"):
        assert cuts.stress(Budget(300))["acknowledged commits lost"] == 0, "lost"
