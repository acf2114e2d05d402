"""A connector that is renamed keeps its history, and a run whose connector is gone is shown with what goes on.

The kind: a name that is also a key. Looked at: unfinished runs, idempotency keys, what `incremental` remembers, schedules,
notifications, inboxes, failed records, a name that is used again later, and the file renamed by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sendoff import ConfigError, Locked
from sendoff.cli.group import sendoff
from sendoff.ledger import open_history, open_ledger
from sendoff.ledger.opening import open_inboxes
from sendoff.sandbox import Sandbox, rules
from sendoff.testing import Project, Receiver, Reply

CONNECTOR = "source: {{use: csv, path: in.csv}}\nschema: {{id: integer}}\ndestination: {{url: '{url}/x', concurrency: 1}}\nsend: single\n{more}"


def write(project: Project, url: str, name: str = "people", more: str = "") -> Path:
    rows = "".join(f"{at}\n" for at in range(1, 6))
    project({"in.csv": f"id\n{rows}", f"connectors.d/{name}.yaml": CONNECTOR.format(url=url, more=more)})
    return project.home / f"connectors.d/{name}.yaml"


def stopped(project: Project, receiver: Receiver, more: str = "") -> Path:
    """A connector, stopped when two of its five records were delivered."""
    file = write(project, receiver.url, more=more)
    receiver.script = [Reply(), Reply(), Reply(401)]
    report = project.run("people")
    assert (report.state, report.delivered) == ("stopped", 2)
    receiver.script = ()
    return file


def command(project: Project, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(sendoff, ["-d", str(project.home / "connectors.d"), *words])
    return done.exit_code, done.output + (str(done.exception) if isinstance(done.exception, ConfigError) else "")


SENTENCE = "run 1 of 'people' is unfinished, and there is no connector people; `sendoff rename people NEW`"


def test_a_run_whose_connector_is_gone_is_shown_by_every_command_and_adopted(project: Project, receiver: Receiver) -> None:
    file = stopped(project, receiver)
    for words in (["runs"], ["check"], ["doctor"]):
        assert SENTENCE not in command(project, *words)[1]
    file.rename(file.with_stem("persons"))
    write(project, receiver.url, "other")
    for words in (["runs"], ["runs", "1"], ["check"], ["doctor"], ["run", "other", "-q"]):
        assert SENTENCE in command(project, *words)[1], words
    for words in (["run", "people"], ["retry", "1"], ["preview", "people"]):
        assert "`sendoff rename people NEW` moves it to the connector NEW" in command(project, *words)[1], words
    assert command(project, "doctor")[0] == 2
    code, shown = command(project, "rename", "people", "persons")
    assert (code, shown) == (0, "people is now persons, with 1 run\n")
    report = project.run("persons")
    assert (report.run, report.state, report.delivered) == (1, "complete", 5)
    assert [body["id"] for body in receiver.bodies] == [1, 2, 3, *range(1, 6), 3, 4, 5], "with those of the other"


def test_the_file_and_the_history_are_moved(project: Project, receiver: Receiver) -> None:
    file = write(project, receiver.url, more="incremental: {key: [id], initial_load: send}\n")
    receiver.script = lambda request: Reply(400 if request.body == b'{"id":3}' else 200)
    project.run("people")
    inboxes = open_inboxes(project.home / ".sendoff")
    inboxes.put("people", "json", b"{}", key="k", most_bytes=100)
    ledger = open_ledger(project.home / ".sendoff")
    ledger.mark_fired("people", 5.0)
    assert project.runner().rename("people", "persons") == 1
    assert not file.exists()
    assert ledger.last_fired("persons") == 5.0
    assert inboxes.last_post_id("persons") == 1
    assert ledger.has_history("people") is False
    ledger.close()
    inboxes.close()
    receiver.script = ()
    assert project.runner().retry(1).delivered == 1
    assert project.run("persons").unchanged == 5


def test_what_was_sent_under_the_old_name_keeps_its_keys_and_a_new_one_of_that_name_gets_others(project: Project) -> None:
    with Sandbox(["401 if id = 3"]) as api:
        write(project, api.url)
        assert project.run("people").state == "stopped"
        project.runner().rename("people", "persons")
        api.rules[:] = [rules.parse("400 if id = 9")]
        assert project.run("persons").delivered == 5
        write(project, api.url)
        assert project.run("people").delivered == 5
        assert [record["id"] for record in api.received["/x"]] == [1, 2, 3, 4, 5] * 2, "none was taken for a repeat"


def test_the_keys_of_an_interrupted_run_are_those_it_had(project: Project, receiver: Receiver) -> None:
    stopped(project, receiver)
    project.runner().rename("people", "persons")
    project.run("persons")
    keys = [request.headers["idempotency-key"] for request in receiver.requests]
    assert keys[2] == keys[3], "the request that was rejected, and its repeat"
    assert len(set(keys)) == 5


def test_renaming_is_refused_with_a_sentence(project: Project, receiver: Receiver) -> None:
    stopped(project, receiver)
    runner = project.runner()
    with pytest.raises(ConfigError, match="'My People' is not a valid connector name"):
        runner.rename("people", "My People")
    with pytest.raises(ConfigError, match="no connector nobody, and no run of one"):
        runner.rename("nobody", "persons")
    with open_ledger(project.home / ".sendoff").lock("people"), pytest.raises(Locked, match="people is running already"):
        runner.rename("people", "persons")
    other = write(project, receiver.url, "others")
    with pytest.raises(ConfigError, match="there is a connector others already"):
        runner.rename("people", "others")
    project.run("others")
    (project.home / "connectors.d/people.yaml").unlink()
    with pytest.raises(ConfigError, match="others has runs of its own.*sendoff delete people"):
        runner.rename("people", "others")
    other.unlink()
    with pytest.raises(ConfigError, match="neither a connector people nor a connector persons"):
        runner.rename("people", "persons")


def test_the_rest_of_a_run_whose_connector_is_gone_can_be_discarded(project: Project, receiver: Receiver) -> None:
    file = stopped(project, receiver, more="incremental: {key: [id], initial_load: send}\n")
    text = file.read_text()
    file.unlink()
    assert command(project, "delete", "people") == (0, "the rest of run 1 is discarded\n")
    assert open_history(project.home / ".sendoff").unfinished_runs() == []
    assert command(project, "delete", "people")[0] == 1
    file.write_text(text)
    assert project.run("people").delivered == 3, "what was delivered is remembered"
