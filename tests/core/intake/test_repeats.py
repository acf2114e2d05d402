"""A finished source that is run again: one warning, which names what would avoid it.

The kind: a full load taken for a resume. Looked at beside files: sources that are spooled, a cursor and `once`, which read
only what is new, `incremental`, records from Python, a run that is resumed, and a run that delivered nothing.
"""

from __future__ import annotations

import pytest

from sendoff.testing import Project, Receiver, Reply

CONNECTOR = "source: {{use: {source}}}\ndestination: {{url: '{url}'}}\nsend: single\n{more}"
AGAIN = (
    "c: its source is byte for byte what run 1 delivered, and is sent again; with `incremental` in the connector file "
    "only new rows are sent"
)


class Given(Project):
    """A project with a connector and its source."""

    receiver: Receiver

    def write(self, source: str = "csv, path: in.csv", more: str = "") -> None:
        text = CONNECTOR.format(source=source, url=self.receiver.url, more=more)
        self({"in.csv": "id\n1\n2\n", "connectors.d/c.yaml": text})


@pytest.fixture
def given(project: Project, receiver: Receiver) -> Given:
    found = Given(project.home)
    found.receiver = receiver
    found.write()
    return found


def test_a_source_that_was_delivered_is_warned_of_and_sent(given: Given, caplog: pytest.LogCaptureFixture) -> None:
    given.run("c")
    assert caplog.messages == []
    assert given.run("c").delivered == 2
    assert caplog.messages == [f"{AGAIN}, `once: true` under `source` each file once"]
    caplog.clear()
    given({"in.csv": "id\n1\n2\n3\n"})
    given.run("c")
    assert caplog.messages == []


def test_so_is_one_that_is_spooled(given: Given, caplog: pytest.LogCaptureFixture) -> None:
    given.write("command, command: [cat, in.csv], format: csv")
    given.run("c")
    given.run("c")
    assert caplog.messages == [AGAIN]


@pytest.mark.parametrize(
    ("source", "more"),
    [("csv, path: in.csv", "incremental: {key: [id], initial_load: send}"), ("csv, path: in.csv, once: true", "")],
    ids=["incremental", "once"],
)
def test_what_sends_only_new_rows_is_not_warned_of(
    given: Given, caplog: pytest.LogCaptureFixture, source: str, more: str
) -> None:
    given.write(source, more)
    assert [given.run("c").delivered, given.run("c").delivered] == [2, 0]
    assert caplog.messages == []


def test_records_from_python_a_resume_and_a_run_that_delivered_nothing_are_not_warned_of(
    given: Given, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.script = lambda request: Reply(400)
    given.run("c", early_stop=False)
    receiver.requests.clear()
    receiver.script = [Reply(), Reply(401)]
    assert given.run("c").state == "stopped"
    receiver.script = ()
    assert given.run("c").state == "complete"
    for _ in range(2):
        given.runner().run("c", records=[{"id": 1}])
    assert caplog.messages == []
