"""The server, with a clock of the test's own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from sendoff import ConfigError
from sendoff.ledger import open_ledger
from sendoff.serving import Server
from sendoff.testing import Project, Receiver, Reply

NOON = 1_795_000_000.0


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


def server(project: Project, clock: Clock, said: list[str]) -> Server:
    return Server(
        lambda: project.runner(clock=clock), lambda name, event: said.append(f"{name}: {event.sentence()}"), clock=clock
    )


def settled(made: Server) -> None:
    until(lambda: not made.busy)


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def connector(receiver: Receiver, more: str) -> str:
    return f"source: {{use: csv, path: in, once: true}}\ndestination: {{url: '{receiver.url}'}}\n{more}\n"


EVERY_HOUR = "schedule: {cron: '0 * * * *', timezone: UTC, missed: %s}"


def test_it_runs_what_is_due_and_remembers_that_it_did(project: Project, receiver: Receiver) -> None:
    project({"in/a.csv": "id\n1\n", "connectors.d/c.yaml": connector(receiver, EVERY_HOUR % "run_once")})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    made.tick()
    assert receiver.requests == []
    clock.now = (NOON // 3600 + 1) * 3600 + 5
    made.tick()
    settled(made)
    made.tick()
    settled(made)
    assert len(receiver.requests) == 1
    made.close()
    again = server(project, clock, said)
    again.tick()
    settled(again)
    assert len([line for line in said if line == "c: due"]) == 1
    clock.now += 5 * 3600 + 600
    late = server(project, clock, said)
    late.tick()
    settled(late)
    assert "c: missed, and run now" in said


def test_what_is_to_be_skipped_is_skipped(project: Project, receiver: Receiver) -> None:
    project({"in/a.csv": "id\n1\n", "connectors.d/c.yaml": connector(receiver, EVERY_HOUR % "skip")})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    clock.now += 5 * 3600 - (NOON % 3600) + 600
    made.tick()
    settled(made)
    (line,) = said
    assert re.fullmatch(r"c: was due \d\d:\d\d, is late, and is skipped", line)
    assert receiver.requests == []


@pytest.mark.parametrize("missed", ["run_once", "skip"])
def test_a_plugin_file_that_is_half_saved_when_a_run_is_due_delays_it_and_loses_nothing(
    project: Project, receiver: Receiver, missed: str
) -> None:
    """The kind: a schedule that is taken for obeyed before the run is in the ledger.

    Brothers looked at: what a server that is started again then finds; a file that arrives at that second.
    """
    project({"in/a.csv": "id\n1\n", "connectors.d/c.yaml": connector(receiver, EVERY_HOUR % missed), "plugins.d/x.py": ""})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    clock.now = (NOON // 3600 + 1) * 3600 + 5
    project({"plugins.d/x.py": "def half("})
    for _ in range(3):
        made.tick()
    assert len([line for line in said if "SyntaxError" in line]) == 1
    assert receiver.requests == []
    again = server(project({"plugins.d/x.py": ""}), clock, [])
    clock.now += 11
    made.tick()
    settled(made)
    again.tick()
    settled(again)
    assert len(receiver.requests) == 1
    assert server(project, clock, [])._schedule.due(clock.now) == {}


def test_a_ledger_that_cannot_be_opened_for_a_second_loses_no_connector_its_run(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connector's trouble does not touch another's: both are due, and the first look finds no ledger for one."""
    files = {f"connectors.d/{name}.yaml": connector(receiver, EVERY_HOUR % "skip") for name in "ab"}
    project({"in/a.csv": "id\n1\n", **files})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    clock.now = (NOON // 3600 + 1) * 3600 + 5
    whole = (project.home / ".sendoff/ledger.db").read_bytes()
    (project.home / ".sendoff/ledger.db").write_bytes(b"damaged for a second")
    made.tick()
    settled(made)
    assert receiver.requests == []
    (project.home / ".sendoff/ledger.db").write_bytes(whole)
    clock.now += 11
    made.tick()
    settled(made)
    assert len(receiver.requests) == 2, said


def test_a_file_that_arrives_while_a_plugin_is_half_saved_is_delivered_later(project: Project, receiver: Receiver) -> None:
    project({"in/.keep": "", "connectors.d/c.yaml": connector(receiver, "watch: true"), "plugins.d/x.py": ""})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    project({"in/a.csv": "id\n1\n", "plugins.d/x.py": "def half("})
    for _ in range(5):
        made.tick()
        clock.now += 1
    assert any("SyntaxError" in line for line in said)
    project({"plugins.d/x.py": ""})
    clock.now += 60
    made.tick()
    settled(made)
    assert len(receiver.requests) == 1


def test_a_source_that_fails_to_say_what_is_new_does_not_end_the_server(project: Project, receiver: Receiver) -> None:
    plugin = """
from sendoff.plugin import Source, hookimpl
class Odd(Source):
    "Say what is new, once."
    name = "odd"
    options = {"once": {"type": "boolean", "default": True, "meta": {"help": "Always."}}}
    asked = 0
    def change_token(self):
        Odd.asked += 1
        return {1: 1}[Odd.asked]
    def read(self, cursor):
        yield {"id": 1}
@hookimpl
def sendoff_sources():
    return [Odd]
"""
    text = connector(receiver, "watch: true").replace("{use: csv, path: in, once: true}", "{use: odd, once: true}")
    good = connector(receiver, EVERY_HOUR % "skip")
    project({"in/a.csv": "id\n1\n", "plugins.d/x.py": plugin, "connectors.d/a.yaml": text, "connectors.d/z.yaml": good})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    clock.now = (NOON // 3600 + 1) * 3600 + 5
    made.tick()
    settled(made)
    assert any(line.startswith("a: the source 'odd' (") for line in said)
    assert len(receiver.requests) == 1


def test_a_file_that_lands_is_delivered_when_it_is_whole_and_once(project: Project, receiver: Receiver) -> None:
    project({"in/.keep": "", "connectors.d/c.yaml": connector(receiver, "watch: true")})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)

    def look(after: float) -> int:
        clock.now += after
        made.tick()
        settled(made)
        return len(receiver.requests)

    assert look(5) == 0
    project({"in/a.csv": "id\n1\n"})
    assert look(1) == 0
    project({"in/a.csv": "id\n1\n2\n"})
    assert look(1) == 0
    assert look(3) == 1
    assert look(10) == 1
    (project.home / "in/a.csv").rename(project.home / "in/b.csv")
    look(1)
    assert look(3) == 1, "a file is known by what is in it"
    project({"in/c.csv": "id\n3\n"})
    look(1)
    assert look(3) == 2
    assert receiver.bodies == [[{"id": "1"}, {"id": "2"}], [{"id": "3"}]]


def test_a_run_that_stopped_is_gone_on_with(project: Project, receiver: Receiver) -> None:
    project({"in/a.csv": "id\n1\n", "connectors.d/c.yaml": connector(receiver, "watch: true")})
    receiver.script = [Reply(401)]
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    for after in (0, 3, 30):
        clock.now += after
        made.tick()
        settled(made)
    assert len(receiver.requests) == 1
    clock.now += 61
    made.tick()
    settled(made)
    assert len(receiver.requests) == 2
    assert "c: resumes where it stopped" in said
    clock.now += 10_000
    made.tick()
    settled(made)
    assert len(receiver.requests) == 2


def test_what_landed_while_somebody_else_ran_the_connector_is_delivered_later(project: Project, receiver: Receiver) -> None:
    project({"in/a.csv": "id\n1\n", "connectors.d/c.yaml": connector(receiver, "watch: true")})
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    ledger = open_ledger(project.home / ".sendoff")
    with ledger.lock("c"):
        for after in (0, 3):
            clock.now += after
            made.tick()
            settled(made)
    ledger.close()
    assert receiver.requests == []
    assert "is running already" in said[-1]
    clock.now += 61
    made.tick()
    settled(made)
    assert len(receiver.requests) == 1


def test_l4_what_is_still_running_is_not_started_twice(project: Project, receiver: Receiver) -> None:
    project({"in/a.csv": "id\n1\n", "connectors.d/c.yaml": connector(receiver, "schedule: {cron: '* * * * *', timezone: UTC}")})
    receiver.script = lambda request: Reply(delay=1.0)
    clock, said = Clock(), list[str]()
    made = server(project, clock, said)
    clock.now += 61
    made.tick()
    until(lambda: receiver.requests)
    clock.now += 61
    made.tick()
    settled(made)
    assert "c: due, and still running; it is not started again" in said
    assert len(receiver.requests) == 1


def test_with_nothing_to_serve_it_says_so(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/c.yaml": connector(receiver, "")})
    with pytest.raises(ConfigError, match="nothing to serve"):
        server(project, Clock(), [])


def test_watching_what_is_delivered_again_and_again_is_refused(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/c.yaml": connector(receiver, "watch: true").replace(", once: true", "")})
    with pytest.raises(ConfigError, match="watch: sends all again"):
        project.runner().connector("c")


def test_watching_what_nobody_can_tell_of_is_refused(project: Project, receiver: Receiver) -> None:
    text = f"source: {{use: sql, url: 'sqlite:///x.db', table: t}}\ndestination: {{url: '{receiver.url}'}}\nwatch: true\n"
    project({"connectors.d/c.yaml": text})
    with pytest.raises(ConfigError, match="the source sql cannot detect new data"):
        server(project, Clock(), [])


@pytest.mark.slow
def test_the_command_takes_posts_delivers_files_and_ends_well(project: Project, receiver: Receiver, tmp_path: Path) -> None:
    token = "a-token-of-24-characters"
    project(
        {
            "in/.keep": "",
            "connectors.d/files.yaml": connector(receiver, "watch: true"),
            "connectors.d/posts.yaml": f"source: {{use: inbox, token: '${{env:INBOX_TOKEN}}'}}\ndestination: {{url: '{receiver.url}'}}\nwatch: true\n",
        }
    )
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=project.home, stderr=subprocess.PIPE, text=True, env={**os.environ, "INBOX_TOKEN": token}
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = line.split(" at ")[1].strip().replace("NAME", "posts")
        post = urllib.request.Request(
            url, b'[{"id": 7}]', {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        )
        with urllib.request.urlopen(post) as answer:
            assert answer.status == 202
        project({"in/a.csv": "id\n1\n"})
        until(lambda: len(receiver.requests) == 2)
        assert sorted(str(body) for body in receiver.bodies) == ["[{'id': '1'}]", "[{'id': 7}]"]
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert said.rstrip().endswith("ended")
    assert token not in said


@pytest.mark.slow
def test_c13_what_was_answered_202_outlives_the_server(project: Project, receiver: Receiver) -> None:
    token = "a-token-of-24-characters"
    text = f"source: {{use: inbox, token: {token}}}\ndestination: {{url: '{receiver.url}'}}\nschedule: {{cron: '0 0 1 1 *', timezone: UTC}}\n"
    project({"connectors.d/posts.yaml": text})
    command = [sys.executable, "-c", "from sendoff.cli import main; main()", "serve", "--port", "0"]
    kept = []
    for round_ in range(3):
        process = subprocess.Popen(command, cwd=project.home, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        url = process.stderr.readline().split(" at ")[1].strip().replace("NAME", "posts")
        for at in range(5):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(url, b'{"id": %d}' % (10 * round_ + at), headers)) as answer:
                assert answer.status == 202
            kept.append(10 * round_ + at)
        process.kill()
        process.communicate()
    assert project.run("posts").delivered == len(kept)
    assert [record["id"] for body in receiver.bodies for record in body] == kept
