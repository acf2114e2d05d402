"""The history, whatever keeps the ledger: it reads what is committed, and makes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendoff import ConfigError
from sendoff.ledger import Changes, Failure, History, Ledger
from sendoff.records import Span
from tests.core.ledger.implementations import Implementation, begun, claimed, ended, rejected


def test_where_there_is_no_ledger_the_history_says_so_and_makes_none(ledgers: Implementation, tmp_path: Path) -> None:
    history = ledgers.history(tmp_path / "none")
    assert (history.exists(), history.unfinished_runs()) == (False, [])
    with pytest.raises(ConfigError, match="^there are no runs yet"):
        history.runs()
    assert not (tmp_path / "none").exists()


def test_runs_are_listed_newest_first_all_or_those_of_a_connector(ledger: Ledger, history: History) -> None:
    for name in ("c", "d", "c"):
        begun(ledger, name)
    assert [row["id"] for row in history.runs()] == [3, 2, 1]
    assert [row["id"] for row in history.runs("c")] == [3, 1]
    with pytest.raises(ConfigError, match="^there is no run 4"):
        history.run(4)


def test_a_run_that_reads_what_another_delivered_is_known_as_its_repeat(ledger: Ledger, history: History) -> None:
    first = begun(ledger)
    ledger.commit(first, Changes(delivered=[Span(0, 1)], planned=1))
    ended(ledger, first)
    assert history.repeated_run(begun(ledger).id) == 1
    assert history.repeated_run(begun(ledger, "d").id) is None
    assert history.repeated_run(begun(ledger, cursor="1").id) is None, "it reads only what is new"


def test_a_retry_of_a_retry_goes_back_to_the_first_run(ledger: Ledger, history: History) -> None:
    ledger.commit(begun(ledger), Changes(failed=[rejected(0), rejected(1)], planned=2))
    again = begun(ledger, source="retry", retry_of=1, claimed=claimed(("rejected", 0), ("rejected", 1)))
    ledger.commit(again, Changes(failed=[rejected(0)], delivered=[Span(1, 2)], planned=2))
    ended(ledger, again, "incomplete")
    third = begun(ledger, source="retry", retry_of=again.id)
    assert [history.root_run(run.id) for run in (again, third)] == [1, 1]
    assert [(fate.state, fate.run) for fate in history.fates(1).values()] == [("open", 2), ("delivered", 2)]
    assert history.open_failures(1) == history.open_failures(third.id) == {2: 1}


def test_failures_come_in_the_source_s_order_and_the_commonest_reasons_first(ledger: Ledger, history: History) -> None:
    invalid = Failure("invalid", 0, "a.csv", 9, "id: must be", "{}")
    ledger.commit(begun(ledger), Changes(failed=[rejected(3), rejected(1), invalid], planned=4))
    assert [(row["file"], row["line"]) for row in history.failures(1)] == [("a.csv", 9), ("f.csv", 3), ("f.csv", 5)]
    reasons = [(row["kind"], row["reason"], row["count"], row["file"], row["line"]) for row in history.reasons(1)]
    assert reasons == [("rejected", "400: no", 2, "f.csv", 3), ("invalid", "id: must be", 1, "a.csv", 9)]
    assert [reason["count"] for reason in history.reasons(1, most=1)] == [2]
