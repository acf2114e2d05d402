"""What a person sees of a run, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

from sendoff.sandbox import Sandbox
from sendoff.testing import Project

CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema: {{id: integer}}
destination: {{url: "{url}", concurrency: 1, retry: {{initial_backoff: 0}}}}
send: {{use: batch, max_records: 100}}
on_failure: split
"""


def terminal(project: Project) -> str:
    """All that a run writes to a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "run"]
    process = subprocess.Popen(command, cwd=project.home, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "100"})
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
    process.wait(10)
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())


def test_a_terminal_has_one_line_that_counts_and_ends_in_the_table(project: Project) -> None:
    with Sandbox(["slow 0.05 if always", "400 if id = 333", "503 if every 12"]) as api:
        project({"in.csv": "id\n" + "".join(f"{at}\n" for at in range(2_000)) + "x\n"})
        shown = terminal(project({"connectors.d/c.yaml": CONNECTOR.format(url=api.url)}))
    counted = re.findall(r"c: ([\d,]+) delivered(?:, \d+ rejected)?, 1 invalid, [\d,]+ a second, \d+ s left", shown)
    assert len(counted) > 3
    assert "c: 503: rejected because: every 12; trying again in" in shown
    table = shown[shown.rindex("connector") :]
    assert re.search(r"c +1 +2,001 +1,999 +1 +1 +0 ", table)
