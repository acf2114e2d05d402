"""Signals: what a person or a scheduler sends ends a run with its account, and leaves no program and no file behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sendoff import Interrupted
from sendoff.cli.run import TOGETHER, interruptible
from sendoff.testing import Project, Received, Receiver, Reply

PROGRAM = [sys.executable, "-c", "from sendoff.cli import main; main()"]
#: A source whose program starts another one, says so in a file, and then says nothing for a long time.
SLOW = """
source: {{use: command, command: [/bin/sh, -c, 'sleep 300 & echo $! > child; echo ''{{"id": 1}}''; wait']}}
destination: {{url: "{url}"}}
send: single
"""


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(home: Path) -> int:
    until(lambda: (home / "child").exists() and (home / "child").read_text().strip())
    return int((home / "child").read_text())


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def begin(project: Project, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*PROGRAM, "run", *words], cwd=project.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_waits_for_a_program_ends_with_it_and_with_all_that_it_started(
    project: Project, receiver: Receiver, number: signal.Signals
) -> None:
    """The kind: a wait that an interruption does not reach. Brothers looked at: `singer`, which reads by the same base."""
    project({"connectors.d/c.yaml": SLOW.format(url=receiver.url)})
    run = begin(project, "--json")
    child = started(project.home)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 128 + number, err
    assert json.loads(out) == {"runs": [], "exit_code": 128 + number}
    assert b"interrupted by " + number.name.encode() + b" while its source was read; nothing was sent" in err
    until(lambda: not is_alive(child))
    assert [*(project.home / ".sendoff/spool").iterdir()] == []


def test_a_run_that_is_killed_takes_its_programs_with_it_and_the_next_one_sweeps_its_drafts(
    project: Project, receiver: Receiver
) -> None:
    project({"connectors.d/c.yaml": SLOW.format(url=receiver.url)})
    run = begin(project)
    child = started(project.home)
    spool = project.home / ".sendoff/spool"
    until(lambda: spool.exists() and [*spool.glob("c.*.draft")])
    run.kill()
    run.communicate()
    until(lambda: not is_alive(child))
    (spool / "other.0.1.draft").write_text("another connector's, which may be at it now")
    (spool / "c.0.new").write_text("whole, and its run never began")
    project({"connectors.d/c.yaml": SLOW.format(url=receiver.url).replace("sleep 300 & echo $! > child; ", "")})
    assert project.run("c").state == "complete"
    assert [file.name for file in spool.iterdir()] == ["other.0.1.draft"]


def test_two_signals_within_a_second_are_one_and_the_account_is_printed(project: Project) -> None:
    """As GNU `timeout` does: it signals the program, and then the group that the program is in."""
    asked, answer = threading.Event(), threading.Event()

    def respond(request: Received) -> Reply:
        asked.set()
        answer.wait(60)
        return Reply()

    with Receiver(respond) as receiver:
        project(
            {
                "a.csv": "id\n1\n2\n",
                "connectors.d/c.yaml": f"source: {{use: csv, path: a.csv}}\ndestination: {{url: '{receiver.url}', concurrency: 1}}\nsend: single\n",
            }
        )
        run = begin(project, "--json", "-q")
        assert asked.wait(60)
        run.send_signal(signal.SIGTERM)
        run.send_signal(signal.SIGTERM)
        run.send_signal(signal.SIGINT)
        time.sleep(0.2)  # until they have arrived; if they arrive later, the test is only easier
        answer.set()
        out, _ = run.communicate(timeout=60)
    (report,) = json.loads(out)["runs"]
    assert run.returncode in (143, 130)
    assert report["state"] == "interrupted"


def test_a_second_signal_ends_at_once_with_the_account_as_the_ledger_has_it(project: Project) -> None:
    asked, answer = threading.Event(), threading.Event()

    def respond(request: Received) -> Reply:
        asked.set()
        answer.wait(60)
        return Reply()

    with Receiver(respond) as receiver:
        project(
            {
                "a.csv": "id\n1\n2\n",
                "connectors.d/c.yaml": f"source: {{use: csv, path: a.csv}}\ndestination: {{url: '{receiver.url}'}}\nsend: single\n",
            }
        )
        run = begin(project, "--json", "-q")
        assert asked.wait(60)
        run.send_signal(signal.SIGTERM)
        time.sleep(TOGETHER + 0.2)
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=60)
        answer.set()
    found = json.loads(out)
    assert run.returncode == found["exit_code"] == 143
    assert [(each["state"], each["stopped_because"]) for each in found["runs"]] == [("interrupted", "ended at once")]


def test_signals_within_a_second_reach_the_runner_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.3, 10.99, 11.0])
    ended: list[int] = []
    shown: list[str] = []

    class End(Exception):
        pass

    def end(code: int) -> None:
        ended.append(code)
        raise End

    monkeypatch.setattr(os, "_exit", end)
    runner = project.runner()
    reasons: list[str] = []
    monkeypatch.setattr(runner, "interrupt", reasons.append)
    with interruptible(runner, lambda: shown.append("account"), clock=lambda: next(times)) as caught:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert (caught, reasons, ended, shown) == ([15], ["by SIGTERM"], [], [])
        with pytest.raises(End):
            os.kill(os.getpid(), signal.SIGTERM)
    assert (ended, shown) == ([143], ["account"])


def test_an_interruption_ends_one_run_and_not_every_later_one(project: Project, receiver: Receiver) -> None:
    """A runner that was interrupted once is not interrupted for ever. Brother: one interrupted before it reads its source."""
    project(
        {
            "a.csv": "id\n1\n",
            "connectors.d/c.yaml": f"source: {{use: csv, path: a.csv}}\ndestination: {{url: '{receiver.url}'}}\n",
        }
    )
    runner = project.runner()
    runner.interrupt("by a test")
    assert [runner.run("c").state for _ in range(3)] == ["interrupted", "complete", "complete"]
    runner.interrupt("by a test")
    with pytest.raises(Interrupted, match="by a test while its source was read; nothing was sent"):
        runner.run("c", records=[{"id": 2}])
    assert runner.run("c", records=[{"id": 2}]).state == "complete"


@pytest.mark.parametrize("send", ["single", "{use: batch, max_records: 1}"])
@pytest.mark.parametrize(
    ("reply", "more", "delivered"),
    [
        (Reply(headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40000"}), "", 1),
        (Reply(status=429, headers={"Retry-After": "1800"}), "", 0),
        (Reply(), ", rate_limit: 1/hour", 1),
    ],
    ids=["quota", "retry_after", "rate_limit"],
)
def test_a_signal_ends_a_long_wait_at_once(project: Project, reply: Reply, more: str, delivered: int, send: str) -> None:
    """The kind: a wait that a stop does not wake. Looked at: a used-up quota, a Retry-After and a rate, one by one and batches.

    A wait that is announced ends with the signal, though nothing is in flight; it would last half an hour at least.
    """
    with Receiver(lambda request: reply) as api:
        text = f'source: {{use: csv, path: a.csv}}\ndestination: {{url: "{api.url}"{more}}}\nsend: {send}\n'
        project({"a.csv": "id\n1\n2\n3\n", "connectors.d/c.yaml": text})
        run = begin(project, "--json")
        assert run.stderr is not None
        assert any(b"nothing is sent until" in line for line in run.stderr)
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=60)
    (report,) = json.loads(out)["runs"]
    assert (run.returncode, report["state"], report["delivered"], report["pending"]) == (
        143,
        "interrupted",
        delivered,
        3 - delivered,
    )
    assert len(api.requests) == 1
