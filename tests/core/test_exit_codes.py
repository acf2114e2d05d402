"""What a command ends with, and what it says, when something is wrong: one sentence with its place, and no traceback.

Every row is caused for real, in a process of its own. The kind: an exception that nobody expected, which ended as a
traceback with code 1 ("some records were not delivered"), and an outage and a fault of the data that ended alike.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sendoff.testing import Project, Receiver, Reply

PROGRAM = [sys.executable, "-c", "from sendoff.cli import main; main()"]
CSV = "id\n1\n2\n"
CONNECTOR = "source: {{use: csv, path: people.csv}}\ndestination: {{url: {url}}}\nsend: {{use: batch, max_records: 1}}\n{more}"

PLUGINS = {
    "validator": """
from sendoff.plugin import RecordValidator, hookimpl
class Picky(RecordValidator):
    "Look at a field that is not there."
    name = "picky"
    def check(self, record):
        return record["age"] if record["id"] == "2" else None
@hookimpl
def sendoff_validators():
    return [Picky]
""",
    "frame_validator": """
from sendoff.plugin import Validator, hookimpl
class Picky(Validator):
    "Look at a column that is not there."
    name = "picky"
    def validate(self, frame):
        return [(0, frame["age"])]
@hookimpl
def sendoff_validators():
    return [Picky]
""",
    "failure_strategy": """
from sendoff.plugin import FailureStrategy, hookimpl
class Picky(FailureStrategy):
    "Break at the first decision."
    name = "picky"
    def decide(self, refusal):
        return {}["decision"]
@hookimpl
def sendoff_failure_strategies():
    return [Picky]
""",
    "source": """
from sendoff.plugin import Source, hookimpl
class Picky(Source):
    "Break after a record."
    name = "picky"
    def read(self, cursor):
        yield {"id": 1}
        raise SystemExit(0)
@hookimpl
def sendoff_sources():
    return [Picky]
""",
    "authenticator": """
from sendoff.plugin import Authenticator, hookimpl
class Picky(Authenticator):
    "Break at the first request."
    name = "picky"
    def sign(self, request):
        return {}["token"]
@hookimpl
def sendoff_authenticators():
    return [Picky]
""",
    "sender": """
from sendoff.plugin import Sender, hookimpl
class Picky(Sender):
    "Break as records are written."
    name = "picky"
    def write(self, page):
        raise KeyError("id")
@hookimpl
def sendoff_senders():
    return [Picky]
""",
    "observer": """
from sendoff.plugin import Observer, hookimpl
class Picky(Observer):
    "Break at the end."
    name = "picky"
    def on_event(self, run, event):
        if event.name == "run_ended":
            raise ValueError("no room")
@hookimpl
def sendoff_observers():
    return [Picky]
""",
    "notifier": """
from sendoff.plugin import Notifier, hookimpl
class Picky(Notifier):
    "Break when there is something to say."
    name = "picky"
    def notify(self, notification):
        raise ValueError("no room")
@hookimpl
def sendoff_notifiers():
    return [Picky]
""",
}


def sendoff(
    home: Path, *words: str, environment: Mapping[str, str] | None = None, **streams: object
) -> subprocess.CompletedProcess[bytes]:
    """Run sendoff in a project; there is never a traceback unless it is asked for."""
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **streams}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        [*PROGRAM, *words], cwd=home, stderr=subprocess.PIPE, timeout=60, check=False,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})}, **given,
    )  # type: ignore[call-overload]  # fmt: skip
    assert (b"Traceback" in done.stderr) == ("--debug" in words or "SENDOFF_DEBUG" in (environment or {})), done.stderr.decode()
    return done


def connector(project: Project, url: str = "http://127.0.0.1:9/x", more: str = "", **files: str | bytes) -> Path:
    project({"people.csv": CSV, "connectors.d/people.yaml": CONNECTOR.format(url=url, more=more), **files})
    return project.home


CRASHES = {
    "validator": (
        "validators: [picky]\n",
        "the validator 'picky' (plugins.d/x.py:7) failed at people.csv:3: KeyError: 'age'",
    ),
    "frame_validator": ("validators: [picky]\n", "the validator 'picky' (plugins.d/x.py:7) failed at people.csv:2 to 3: "),
    "failure_strategy": (
        "on_failure: picky\n",
        "the failure strategy 'picky' (plugins.d/x.py:7) failed: KeyError: 'decision'",
    ),
    "authenticator": ("", "the authenticator 'picky' (plugins.d/x.py:7) failed: KeyError: 'token'"),
    "source": ("", "the source 'picky' (plugins.d/x.py:8) failed: SystemExit: 0"),
    "sender": ("", "the sender 'picky' (plugins.d/x.py:7) failed at people.csv:2 to 3: KeyError: 'id'"),
}


@pytest.mark.parametrize("kind", CRASHES)
def test_a_plugin_that_fails_is_named_with_its_line_and_the_record_and_ends_with_70(
    project: Project, receiver: Receiver, kind: str
) -> None:
    """The kind: a fault of code that is not ours. Brothers looked at: every kind of component that a run calls.

    A crash in the middle of a run stops it: the account is printed, and the next run resumes it.
    """
    more, sentence = CRASHES[kind]
    text = CONNECTOR.format(url=receiver.url, more=more)
    if kind == "failure_strategy":
        receiver.script = lambda request: Reply(400 if b"2" in request.body else 200)
        text = text.replace("url:", "concurrency: 1, url:")
    elif kind == "authenticator":
        text = text.replace("url:", "auth: {use: picky}, url:")
    elif kind == "source":
        text = text.replace("{use: csv, path: people.csv}", "picky")
    elif kind == "sender":
        text = text.replace("{use: batch, max_records: 1}", "picky")
    project({"people.csv": CSV, "connectors.d/people.yaml": text, "plugins.d/x.py": PLUGINS[kind]})
    done = sendoff(project.home, "run", "-q")
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 70, said
    assert sentence in " ".join(said.split()), said
    assert "--debug" in said
    assert b"plugins.d/x.py" in sendoff(project.home, "--debug", "run", "-q", "--restart").stderr


def test_an_observer_or_a_notifier_that_fails_is_named_once_and_changes_nothing(project: Project, receiver: Receiver) -> None:
    home = connector(project, receiver.url, "observers: [picky]\n", **{"plugins.d/x.py": PLUGINS["observer"]})
    done = sendoff(home, "run", "-q")
    assert done.returncode == 0
    said = done.stderr.decode()
    assert said.count("the observer 'picky' (plugins.d/x.py:8) failed: ValueError: no room") == 1
    assert b"Traceback" in sendoff(home, "run", "-q", environment={"SENDOFF_DEBUG": "1"}).stderr
    receiver.script = lambda _: Reply(400)
    home = connector(project, receiver.url, "notify: [picky]\n", **{"plugins.d/x.py": PLUGINS["notifier"]})
    done = sendoff(home, "run", "-q")
    assert done.returncode == 1
    assert done.stderr.decode().count("the notifier 'picky' (plugins.d/x.py:7) failed: ValueError: no room") == 1


def test_metrics_that_cannot_be_written_are_one_line_and_the_run_is_as_it_was(project: Project, receiver: Receiver) -> None:
    home = connector(project, receiver.url, "observers: [{use: metrics, file: nowhere/m.prom}]\n")
    done = sendoff(home, "run", "-q")
    assert done.returncode == 0
    assert b"the observer 'metrics'" in done.stderr
    assert b"/nowhere'" in done.stderr


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=["utf8", "ascii"])
@pytest.mark.parametrize("name", [b"caf\xe9.csv", "café.csv".encode()], ids=["latin1", "utf8"])
def test_a_file_whose_name_is_not_utf_8_is_delivered_and_named(
    project: Project, receiver: Receiver, name: bytes, locale: Mapping[str, str]
) -> None:
    """One partner's zip archive is enough to bring such a name. Brother: a name that the locale cannot spell."""
    home = connector(project, receiver.url, "schema: {id: {type: integer}}\n")
    project({"connectors.d/people.yaml": (home / "connectors.d/people.yaml").read_text().replace("people.csv", "in/*.csv")})
    (home / "in").mkdir()
    Path(os.fsdecode(os.fsencode(home / "in") + b"/" + name)).write_text("id\n1\nx\n")
    assert sendoff(home, "check", environment=locale).returncode == 0
    done = sendoff(home, "run", environment=locale)
    assert done.returncode == 1, done.stderr.decode()
    shown = name.decode("utf-8", "backslashreplace")
    failed = sendoff(home, "failed", "1", "--json", environment={**locale, "PYTHONIOENCODING": "utf-8"})
    assert shown.replace("\\", "\\\\").encode() in failed.stdout


def test_a_directory_that_nothing_can_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in ("file/below", "/proc/nothing"):
        done = sendoff(tmp_path, "init", directory)
        assert done.returncode == 2
        assert done.stderr.decode().startswith(f"sendoff: {directory}")


def test_a_link_among_the_connectors_that_leads_nowhere_is_named(project: Project) -> None:
    """Brothers: a link to itself, and a pipe; an editor's lock, which is such a link by design, is passed over."""
    home = connector(project)
    (home / "connectors.d/gone.yaml").symlink_to("nowhere.yaml")
    (home / "connectors.d/loop.yaml").symlink_to("loop.yaml")
    (home / "connectors.d/.#people.yaml").symlink_to("user@host.1")
    os.mkfifo(home / "connectors.d/pipe.yaml")
    for words in (["check"], ["run"], ["doctor"]):
        done = sendoff(home, *words)
        assert done.returncode == 2
    said = sendoff(home, "check").stdout.decode()
    assert "connectors.d/gone.yaml:1:1: is a link that leads nowhere: nowhere.yaml" in said
    assert "connectors.d/loop.yaml:1:1: is a link that leads nowhere" in said
    assert "connectors.d/pipe.yaml:1:1: is not a regular file" in said
    assert ".#people" not in said


def test_standard_output_that_is_full_or_closed_is_named(project: Project, receiver: Receiver) -> None:
    home = connector(project, receiver.url)
    for words in (["check"], ["run"], ["runs"], ["plugins"], ["--help"]):
        with Path("/dev/full").open("wb") as full:
            done = sendoff(home, *words, stdout=full)
        assert done.returncode == 2, words
        assert b"sendoff: standard output: no space left on device" in done.stderr
    closed = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *PROGRAM, "runs"], cwd=home, stderr=subprocess.PIPE, check=False, timeout=60
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_standard_input_that_is_closed_is_named(project: Project) -> None:
    home = connector(project)
    project({"connectors.d/people.yaml": "source: stdin\ndestination: {url: http://127.0.0.1:9/x}\n"})
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" <&-', "sh", *PROGRAM, "run", "-q"], cwd=home, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (2, b"people: standard input is closed\n")


DATA = {
    "quote": ("{use: csv, path: x}", b'id,name\n1,5" pipe\n'),
    "encoding": ("{use: csv, path: x}", b"id,name\n1,Ann\n2,M\xfcller\n"),
    "not a list": ("{use: json, path: x}", b'{"id":1}'),
    "a folder": ("{use: csv, path: connectors.d/people.yaml/}", b""),
    "gone": ("{use: csv, path: gone.csv}", b""),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_read_ends_with_2_as_the_next_run_would_end_alike(
    project: Project, receiver: Receiver, case: str
) -> None:
    """The kind: a code that says "again" where something must be fixed. Brother: data that breaks after much was sent."""
    source, data = DATA[case]
    project({"x": data, "connectors.d/people.yaml": f"source: {source}\ndestination: {{url: {receiver.url}}}\n"})
    assert sendoff(project.home, "run", "-q").returncode == 2


def test_data_that_breaks_after_much_was_sent_ends_with_2_too(project: Project, receiver: Receiver) -> None:
    home = connector(project, receiver.url)
    text = (home / "connectors.d/people.yaml").read_text().replace("max_records: 1", "max_records: 1000")
    project({"connectors.d/people.yaml": text, "people.csv": "id\n" + ("1" * 99 + "\n") * 200_000 + '5" pipe\n'})
    done = sendoff(home, "run", "-q", "--json")
    assert done.returncode == 2, done.stderr
    assert receiver.requests


def test_a_source_out_of_reach_ends_with_3_as_the_next_run_goes_on(project: Project, tmp_path: Path) -> None:
    """A network and a database. Brother: a certificate that is not trusted, which no later run can change: 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for source in (f"{{use: sql, url: 'postgresql://u:p@127.0.0.1:{port}/x', table: people}}",):
            project({"connectors.d/people.yaml": f"source: {source}\ndestination: {{url: http://127.0.0.1:9/x}}\n"})
            done = sendoff(project.home, "run", "-q")
            assert done.returncode == 3, done.stderr


def test_a_connector_that_runs_already_ends_with_75(project: Project) -> None:
    home = connector(project)
    with project.runner()._ledger() as ledger, ledger.lock("people"):
        done = sendoff(home, "run", "-q")
    assert done.returncode == 75
    assert b"people is running already" in done.stderr


def test_of_several_connectors_the_highest_code_counts_and_one_s_crash_does_not_end_the_others(
    project: Project, receiver: Receiver
) -> None:
    home = connector(project, receiver.url, "validators: [picky]\n", **{"plugins.d/x.py": PLUGINS["validator"]})
    project(
        {
            "connectors.d/zoo.yaml": CONNECTOR.format(url=receiver.url, more=""),
            "connectors.d/b.yaml": "source: {use: csv, path: gone.csv}\ndestination: {url: http://127.0.0.1:9/x}\n",
        }
    )
    assert sendoff(home, "run", "-q").returncode == 70
    assert len(receiver.requests) >= 2


def test_a_fault_of_sendoff_itself_is_one_sentence_with_its_place_and_70(project: Project) -> None:
    home = connector(project)
    broken = "import sendoff.config.documents as d; d.read = lambda *a: 1 / 0; from sendoff.cli import main; main()"
    for words, traceback in (([], False), (["--debug"], True)):
        done = subprocess.run([sys.executable, "-c", broken, *words, "check"], cwd=home, capture_output=True, check=False)
        assert done.returncode == 70
        assert b"a fault of sendoff itself, at " in done.stderr
        assert (b"Traceback" in done.stderr) == traceback


def test_an_empty_list_of_plugins_allows_none_from_the_variable_too(project: Project) -> None:
    """The kind: a guard that opens when it is given nothing. Brother: a plugin that ends the process as it is loaded."""
    home = connector(project, **{"plugins.d/x.py": "print('THE PLUGIN RAN')\n"})
    for words, variable in ((["--plugins", "", "check"], {}), (["check"], {"SENDOFF_PLUGINS": ""})):
        assert b"THE PLUGIN RAN" not in sendoff(home, *words, environment=variable).stdout
    project({"plugins.d/x.py": "raise SystemExit(0)\n"})
    done = sendoff(home, "run")
    assert done.returncode == 2
    assert b"plugins.d/x.py: SystemExit: 0" in done.stderr
