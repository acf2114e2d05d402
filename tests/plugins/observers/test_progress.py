"""What a person sees of a run, on a terminal and off it."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess

import pytest

from sendoff.plugin import RetryScheduled
from sendoff.sandbox import Sandbox
from sendoff.testing import Project
from sendoff_plugins.observers._progress.folding import Folding
from sendoff_plugins.observers._progress.throughput import Throughput
from tests.terminals import SENDOFF, see

CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema: {{id: integer}}
destination: {{url: "{url}", concurrency: 1, retry: {{initial_backoff: {backoff}}}}}
send: {{use: batch, max_records: 100}}
on_failure: split
"""
ROWS = "id\n" + "".join(f"{at}\n" for at in range(2_000)) + "x\n"


@pytest.mark.parametrize(
    ("width", "bar"),
    [
        (40, r"^ c  +\d+%  [\d,]+ of 2,001\n[━╸╺]{39}\n [\d,]+ delivered(, \d rejected)?, 1 invalid\n [\d,]+/s, 0:0\d, 0:0\d left"),
        (80, r"^ c  [━╸╺]{40,}  +\d+%  [\d,]+ of 2,001\n [\d,]+ delivered(, \d rejected)?, 1 invalid, [\d,]+/s, 0:0\d, 0:0\d left"),
        (200, r"^ c  [━╸╺]{160,}  +\d+%  [\d,]+ of 2,001\n [\d,]+ delivered(, \d rejected)?, 1 invalid, [\d,]+/s, 0:0\d, 0:0\d left"),
    ],
)  # fmt: skip
def test_a_terminal_shows_a_bar_that_counts_and_leaves_the_account(project: Project, width: int, bar: str) -> None:
    with Sandbox(["slow 0.05 if always", "400 if id = 333", "503 if every 12"]) as api:
        home = project({"in.csv": ROWS, "connectors.d/c.yaml": CONNECTOR.format(url=api.url, backoff=0.01)}).home
        screen, kept, _ = see([*SENDOFF, "run"], width, home, keep=lambda shown: bool(re.search(bar, shown, re.MULTILINE)))
    assert len(kept) > 2
    assert "━" not in screen
    assert screen.count("503: rejected because") == 1
    assert re.search("^c: 503 \N{MULTIPLICATION SIGN} [0-9]$", screen, re.MULTILINE)
    account = screen[screen.index("connector") :]
    assert re.search(r"delivered +1,999\b" if width == 40 else r"\nc +1  2,001 +1,999 +1 +1 +0 ", account)
    assert max(map(len, screen.splitlines())) <= width


def test_a_terminal_says_at_once_that_it_waits_and_for_how_long(project: Project) -> None:
    with Sandbox(["slow 1 if first 1", "503 after 3 if first 2"]) as api:
        home = project({"in.csv": "id\n1\n2\n", "connectors.d/c.yaml": CONNECTOR.format(url=api.url, backoff=0.1)}).home
        screen, kept, _ = see([*SENDOFF, "run"], 80, home, keep=lambda shown: " c  " in shown)
    assert any("waiting for the first response" in shown for shown in kept)
    assert any(re.search(r"waiting [23] s, then trying again: 503", shown) for shown in kept)
    assert "then trying again" not in screen


def test_an_interrupted_run_leaves_the_words_and_the_account_only(project: Project) -> None:
    sent = list[bool]()

    def interrupt(shown: str) -> int | None:
        if sent or "delivered" not in shown:
            return None
        sent.append(True)
        return signal.SIGINT

    with Sandbox(["slow 0.1 if always"]) as api:
        home = project({"in.csv": ROWS, "connectors.d/c.yaml": CONNECTOR.format(url=api.url, backoff=0)}).home
        screen, _, _ = see([*SENDOFF, "run"], 100, home, send=interrupt)
    assert screen.startswith("ending after the requests in flight; press again to end at once\nconnector  run ")
    assert "━" not in screen


@pytest.mark.parametrize(
    ("env", "coloured", "bar"),
    [({}, True, "━"), ({"NO_COLOR": "1"}, False, "━"), ({"TERM": "dumb"}, False, ""), ({"PYTHONUTF8": "0", "LC_ALL": "C"}, True, "-")],
)  # fmt: skip
def test_colour_and_signs_are_those_that_the_terminal_has(
    project: Project, env: dict[str, str], coloured: bool, bar: str
) -> None:
    env = {**env, "PYTHONCOERCECLOCALE": "0"}
    with Sandbox(["slow 0.1 if always", "503 if every 3"]) as api:
        home = project({"in.csv": ROWS, "connectors.d/c.yaml": CONNECTOR.format(url=api.url, backoff=0)}).home
        _, _, written = see([*SENDOFF, "run"], 100, home, env)
    assert bool(re.search(r"\x1b\[[0-9;]*3\d", written)) is coloured
    assert bar in written
    assert bar != "-" or "503 x " in written
    assert bool(bar) is ("\x1b[J" in written)
    assert "\\u" not in written
    assert "\\x" not in written


def test_without_a_terminal_there_is_plain_text_and_rich_is_not_imported(project: Project) -> None:
    program = "import atexit, sys; atexit.register(lambda: print('rich' in sys.modules)); from sendoff.cli import main; main()"
    with Sandbox(["slow 0.05 if always", "429 if every 4"]) as api:
        home = project({"in.csv": ROWS, "connectors.d/c.yaml": CONNECTOR.format(url=api.url, backoff=0.1)}).home
        done = subprocess.run([SENDOFF[0], "-c", program, "run"], cwd=home, capture_output=True, text=True, timeout=60)
    first, last = done.stderr.splitlines()
    assert re.fullmatch(r"c: 429: rejected because: every 4; trying again in 0\.\d s", first)
    assert re.fullmatch(
        "c: 429 \N{MULTIPLICATION SIGN} [0-9](, waiting 0[.][0-9] s each)?; `rate_limit: [0-9]+/(s|m)` under `destination` would avoid it",
        last,
    )
    assert done.stdout.startswith("connector  run   read  delivered")
    assert done.stdout.endswith("False\n")


def retry(reason: str, seconds: float = 1.0) -> RetryScheduled:
    return RetryScheduled(reason=reason, records=1, seconds=seconds, attempt=1)


def test_retries_of_one_kind_are_shown_once_in_ten_seconds_and_counted_at_the_end() -> None:
    folding = Folding()
    lines = [folding.add(retry("429: slow down"), at / 2, only_first=False) for at in range(97)]
    lines.append(folding.add(retry("503: busy"), 49, only_first=False))
    assert [line for line in lines if line] == [
        "429: slow down; trying again in 1.0 s",
        *["429 x 20 more, waiting 1.0 s each"] * 4,
        "503: busy; trying again in 1.0 s",
    ]
    assert folding.totals(50.3) == ["429 x 97, waiting 1.0 s each; `rate_limit: 50/s` under `destination` would avoid it"]


def test_retries_that_are_far_apart_are_all_shown_in_full() -> None:
    folding = Folding()
    lines = [folding.add(retry("503: busy", 2.0**at), 10.0 * at, only_first=False) for at in range(3)]
    assert lines == [f"503: busy; trying again in {seconds} s" for seconds in ("1.0", "2.0", "4.0")]
    assert folding.totals(1) == []


def test_the_rate_that_is_advised_is_by_the_minute_where_it_is_slow() -> None:
    folding = Folding()
    for _ in range(3):
        folding.add(retry("429", 20.0), 0, only_first=True)
    assert folding.totals(0.21) == ["429 x 3, waiting 20.0 s each; `rate_limit: 12/m` under `destination` would avoid it"]


def test_the_time_left_does_not_jump_when_a_long_pause_is_over() -> None:
    measured = Throughput(0, 0)
    left = []
    for second in range(1, 61):
        if not 20 < second <= 33:  # 13 seconds of back-off
            measured.note(second, 10 * (second if second <= 20 else second - 13))
        settled = 10 * (second if second <= 20 else max(20, second - 13))
        left.append(measured.seconds_left(second, 1_000 - settled, wait=max(0, 33 - second) if second > 20 else 0))
    assert None not in left
    ends = [second + float(found or 0) for second, found in enumerate(left, 1)]
    assert max(abs(after - before) for before, after in itertools.pairwise(ends)) < 5
    assert 100 < ends[-1] < 120
