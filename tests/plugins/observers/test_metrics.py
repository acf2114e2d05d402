"""The file of metrics is replaced in one step, and never written through what others have put beside it."""

from __future__ import annotations

import os
from pathlib import Path

from sendoff import RunInfo, send
from sendoff.monitoring.events import RunEnded
from sendoff.testing import Receiver
from sendoff_plugins.observers.metrics import Metrics


def test_a_link_where_the_draft_goes_leads_nowhere(tmp_path: Path, receiver: Receiver) -> None:
    report = send([{"a": 1}], url=receiver.url)
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / f".c.prom.{os.getpid()}").symlink_to(victim)
    Metrics(home=tmp_path, file="c.prom").on_event(RunInfo(connector="c", run=1), RunEnded(report=report))
    assert victim.read_text() == "theirs"
    assert 'sendoff_run_delivered{connector="c"} 1' in (tmp_path / "c.prom").read_text().splitlines()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.prom", "victim"]
