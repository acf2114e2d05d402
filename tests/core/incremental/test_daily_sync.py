"""`incremental`, over any mornings: whoever is new, changed or gone is told, and told once."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sendoff import ConfigError, SourceError
from sendoff.incremental import IncrementalRule, fingerprint_rows, remember_delivered
from sendoff.incremental.fingerprints import key_cells, old_states
from sendoff.ledger import DeliveredRow
from sendoff.ledger.opening import open_ledger
from sendoff.records import Page
from sendoff.testing import Project, Received, Receiver, Reply

CONNECTOR = """
source: {{use: csv, path: in.csv}}
schema: {{id: integer, v: string}}
incremental: {{key: [id], initial_load: {first}, on_changed: {{method: PUT, url: "/{{id}}"}}, on_removed: {{url: "/{{id}}", max_share: 1}}}}
destination: {{url: "{url}/x", concurrency: 1}}
send: single
"""


class Died(BaseException):
    """The process ended before it could remember."""


class Subscribers:
    """An API whose state is what it was told; it refuses some ids, and stops all after so many requests."""

    def __init__(self) -> None:
        self.rows: dict[int, Any] = {}
        self.refused: set[int] = set()
        self.left = 10**9
        self.twice: list[str] = []

    def __call__(self, request: Received) -> Reply:
        self.left -= 1
        if self.left < 0:
            return Reply(401)
        sent = json.loads(request.body) if request.body else {"id": int(request.path.rpartition("/")[2])}
        at: Any = sent["id"]
        if at in self.refused:
            return Reply(400, b'{"error": "no"}')
        match request.method:
            case "POST":
                self.note(at not in self.rows, "told of a new row twice")
                self.rows[at] = sent["v"]
            case "PUT":
                self.note(self.rows.get(at, sent["v"]) != sent["v"], "told of a change twice")
                self.rows[at] = sent["v"]
            case "DELETE":
                self.note(at in self.rows, "told of a removal twice")
                self.rows.pop(at, None)
        return Reply(200)

    def note(self, right: bool, what: str) -> None:
        self.twice += [] if right else [what]


MORNINGS = st.lists(
    st.fixed_dictionaries(
        {
            "rows": st.dictionaries(st.integers(0, 12), st.sampled_from("abc"), max_size=10),
            "refused": st.sets(st.integers(0, 12), max_size=2),
            "cut": st.none() | st.integers(0, 5),
            "crash": st.booleans(),
            "upgraded": st.booleans(),
        }
    ),
    min_size=1,
    max_size=5,
)


def written(rows: dict[int, str]) -> str:
    return "id,v\n" + "".join(f"{at},{value}\n" for at, value in rows.items())


@given(MORNINGS, st.booleans())
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
def test_the_api_ends_as_the_table_whatever_happens_in_between(mornings: list[dict[str, Any]], skip: bool) -> None:
    api = Subscribers()
    with tempfile.TemporaryDirectory() as home, Receiver(api) as server:
        project = Project(Path(home))
        project({"connectors.d/c.yaml": CONNECTOR.format(url=server.url, first="skip" if skip else "send")})
        if skip:
            api.rows = dict(mornings[0]["rows"])
        for morning in mornings:
            project({"in.csv": written(morning["rows"])})
            api.refused, api.left = morning["refused"], 10**9 if morning["cut"] is None else morning["cut"]
            with (
                mock.patch(
                    "sendoff.intake.preparer.remember_delivered", side_effect=Died if morning["crash"] else remember_delivered
                ),
                suppress(Died),
            ):
                project.run("c", early_stop=False)
            api.left = 10**9
            project.run("c", early_stop=False)
            if morning["upgraded"]:
                as_before_ledger_10(project, morning["rows"])
        api.refused = set()
        project.run("c", early_stop=False)
        report = project.run("c")
        assert api.twice == []
        assert api.rows == mornings[-1]["rows"]
        assert (report.read, report.unchanged) == (0, len(mornings[-1]["rows"]))


def as_before_ledger_10(project: Project, rows: dict[int, str]) -> int:
    """Make the ledger what an older version left, as far as these rows are known in it. How many are."""
    rule = IncrementalRule(("id",), "send", ("id", "v"), resend=True, removed=True)
    page = Page(
        pl.DataFrame({"id": [*map(str, rows)], "v": [*rows.values()]}, schema={"id": pl.String, "v": pl.String}), all_text=True
    )
    keys, states = fingerprint_rows(page, rule)
    with closing(open_ledger(project.home / ".sendoff")) as ledger:
        delivered = ledger.delivered_rows("c")
        known = delivered.find([key for key in keys if key is not None])
        each = zip(keys, states, old_states(page, rule), key_cells(page, rule), strict=True)
        older = [
            DeliveredRow(key, old, cells) for key, state, old, cells in each if key is not None and known.get(key) == state
        ]
        delivered.remember(older)
    return len(older)


def test_what_an_older_version_remembers_is_known_and_its_changes_are_told(project: Project) -> None:
    api = Subscribers()
    with Receiver(api) as server:
        project(
            {"connectors.d/c.yaml": CONNECTOR.format(url=server.url, first="send"), "in.csv": written({1: "a", 2: "a", 3: "a"})}
        )
        project.run("c")
        assert as_before_ledger_10(project, {1: "a", 2: "a", 3: "a"}) == 3
        project({"in.csv": written({1: "a", 2: "b"})})
        assert [(report.delivered, report.unchanged) for report in (project.run("c"), project.run("c"))] == [(2, 1), (0, 2)]
        assert api.rows == {1: "a", 2: "b"}
        assert as_before_ledger_10(project, {1: "a", 2: "b"}) == 2, "they were stored anew"


def test_a_row_that_changes_back_is_told_again(project: Project) -> None:
    api = Subscribers()
    with Receiver(api) as server:
        project({"connectors.d/c.yaml": CONNECTOR.format(url=server.url, first="send")})
        for value in "abab":
            project({"in.csv": written({1: value, 2: "x"})})
            project.run("c")
            assert api.rows == {1: value, 2: "x"}


def test_of_equal_keys_the_first_counts_also_where_one_of_them_is_as_it_was(project: Project) -> None:
    api = Subscribers()
    with Receiver(api) as server:
        project({"connectors.d/c.yaml": CONNECTOR.format(url=server.url, first="send"), "in.csv": written({1: "a", 2: "x"})})
        project.run("c")
        project({"in.csv": "id,v\n1,a\n1,b\n2,x\n2,x\n"})
        assert (project.run("c").read, api.rows) == (0, {1: "a", 2: "x"})
        project({"in.csv": "id,v\n1,b\n1,a\n2,x\n"})
        assert (project.run("c").read, api.rows) == (1, {1: "b", 2: "x"})


@pytest.fixture
def people(project: Project, receiver: Receiver) -> Project:
    text = f"""
source: {{use: csv, path: in.csv}}
schema: {{id: integer, email: string}}
incremental: {{key: [id], initial_load: send}}
destination: {{url: "{receiver.url}"}}
"""
    return project({"connectors.d/c.yaml": text, "in.csv": "id,email\n1,a\n2,b\n"})


def told(receiver: Receiver) -> list[Any]:
    found = [record for body in receiver.bodies for record in body]
    receiver.requests.clear()
    return found


def test_of_equal_keys_the_first_counts(people: Project, receiver: Receiver) -> None:
    people({"in.csv": "id,email\n1,a\n1,b\n2,c\n1,a\n"})
    report = people.run("c")
    assert told(receiver) == [{"id": 1, "email": "a"}, {"id": 2, "email": "c"}]
    assert (report.read, report.unchanged) == (2, 2)


def test_a_row_without_its_key_is_invalid_every_time(people: Project, receiver: Receiver) -> None:
    people({"in.csv": "id,email\n,a\n2,c\n"})
    assert [people.run("c").invalid, people.run("c").invalid] == [1, 1]
    assert told(receiver) == [{"id": 2, "email": "c"}]


def test_a_rejected_row_stays_new_until_it_is_delivered_retried_or_given_up(people: Project, receiver: Receiver) -> None:
    receiver.script = lambda request: Reply(400 if b'"b"' in request.body else 200)
    first = people.run("c", early_stop=False)
    assert (first.rejected, first.delivered) == (2, 0)
    second = people.run("c", early_stop=False)
    assert second.read == 2
    receiver.script = ()
    assert people.runner().retry(first.run).delivered == 2
    assert people.run("c").read == 0
    assert people.runner().retry(second.run).read == 0, "they were delivered in the meantime"

    people({"in.csv": "id,email\n1,a\n2,b\n3,b\n"})
    receiver.script = lambda request: Reply(400)
    third = people.run("c", early_stop=False)
    assert people.runner().dismiss(third.run) == 1
    receiver.requests.clear()
    assert people.run("c").read == 0
    assert people.runner().reopen(third.run) == 1
    receiver.script = ()
    assert people.runner().retry(third.run).delivered == 1
    assert people.run("c").read == 0


@pytest.mark.parametrize(
    ("after", "method"), [("1,a\n2,b\n3,c\n", "POST"), ("1,a\n2,z\n", "PUT"), ("1,a\n", "DELETE")]
)
def test_a_dismissal_that_is_taken_back_leaves_a_new_changed_or_removed_row_to_the_next_run(
    people: Project, receiver: Receiver, after: str, method: str
) -> None:
    people({"connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, first="send"), "in.csv": "id,v\n1,a\n2,b\n"})
    people.run("c")
    people({"in.csv": "id,v\n" + after})
    receiver.script = lambda request: Reply(400)
    failed = people.run("c", early_stop=False)
    assert failed.rejected == 1
    assert people.runner().dismiss(failed.run) == 1
    assert people.run("c").read == 0
    assert people.runner().reopen(failed.run) == 1
    receiver.script = ()
    receiver.requests.clear()
    assert people.run("c").delivered == 1
    assert receiver.requests[0].method == method
    assert people.run("c").read == 0


def test_what_it_knows_can_be_forgotten(people: Project, receiver: Receiver) -> None:
    people.run("c")
    assert people.runner().reset("c") == 2
    assert people.run("c").delivered == 2


def test_half_the_rows_gone_at_once_is_taken_for_a_fault(project: Project) -> None:
    api = Subscribers()
    with Receiver(api) as server:
        text = CONNECTOR.format(url=server.url, first="send").replace("max_share: 1", "max_share: 0.5")
        project({"connectors.d/c.yaml": text, "in.csv": written(dict.fromkeys(range(40), "a"))})
        project.run("c")
        project({"in.csv": written({})})
        with pytest.raises(SourceError, match=r"40 of 40 known rows are no longer there, which is more than .* allows \(0.5\)"):
            project.run("c")
        assert len(api.rows) == 40
        project({"in.csv": written(dict.fromkeys(range(20), "a"))})
        assert project.run("c").delivered == 20


def test_while_a_row_cannot_be_read_none_is_taken_for_gone(project: Project) -> None:
    api = Subscribers()
    with Receiver(api) as server:
        project({"connectors.d/c.yaml": CONNECTOR.format(url=server.url, first="send"), "in.csv": written({1: "a", 2: "a"})})
        project.run("c")
        project({"in.csv": "id,v\n1,a\n2,a,ragged\n"})
        report = project.run("c")
        assert (report.invalid, api.rows) == (1, {1: "a", 2: "a"})
        project({"in.csv": written({1: "a"})})
        project.run("c")
        assert api.rows == {1: "a"}


def test_what_is_gone_at_the_api_already_is_as_good_as_taken_away(project: Project) -> None:
    with Receiver(lambda request: Reply(404 if request.method == "DELETE" else 200)) as server:
        project({"connectors.d/c.yaml": CONNECTOR.format(url=server.url, first="send"), "in.csv": written({1: "a", 2: "a"})})
        project.run("c")
        project({"in.csv": written({1: "a"})})
        assert project.run("c").delivered == 1
        assert server.requests[-1].method == "DELETE"
        assert "content-type" not in server.requests[-1].headers


def test_removed_rows_are_told_also_of_those_known_before_anybody_asked(people: Project, receiver: Receiver) -> None:
    people.run("c")
    file = people.home / "connectors.d/c.yaml"
    file.write_text(file.read_text().replace("initial_load: send", 'initial_load: send, on_removed: {body: key, url: "/gone"}'))
    people.run("c")
    people({"in.csv": "id,email\n1,a\n"})
    people.run("c")
    assert (receiver.requests[-1].method, receiver.requests[-1].path) == ("DELETE", "/gone")
    assert receiver.bodies[-1] == [{"id": 2}]


def test_another_key_is_refused_and_other_columns_are_where_there_is_no_key(people: Project, receiver: Receiver) -> None:
    people.run("c")
    file = people.home / "connectors.d/c.yaml"
    whole = file.read_text()
    file.write_text(whole.replace("key: [id]", "key: [email]"))
    with pytest.raises(ConfigError, match="its rows are known by that"):
        people.run("c")
    file.write_text(whole.replace("key: [id], ", ""))
    people.runner().reset("c")
    people.run("c")
    file.write_text(whole.replace("key: [id], ", "").replace("email: string", "email: string, more: {nullable: true}"))
    people({"in.csv": "id,email,more\n1,a,\n"})
    with pytest.raises(ConfigError, match="all rows would be new"):
        people.run("c")


def test_a_field_more_in_the_schema_resends_nothing(people: Project, receiver: Receiver) -> None:
    file = people.home / "connectors.d/c.yaml"
    file.write_text(file.read_text().replace("initial_load: send", "initial_load: send, changed: resend"))
    people.run("c")
    file.write_text(file.read_text().replace("email: string", "email: string, more: {type: string, nullable: true}"))
    people({"in.csv": "id,email,more\n1,a,x\n2,b,y\n"})
    assert people.run("c").read == 0
    people({"in.csv": "id,email,more\n1,a,x\n2,b,z\n"})
    told(receiver)
    people.run("c")
    assert told(receiver) == [{"id": 2, "email": "b", "more": "z"}]


def test_to_ask_for_changes_later_resends_nothing_that_changed_before(people: Project, receiver: Receiver) -> None:
    people.run("c")
    file = people.home / "connectors.d/c.yaml"
    file.write_text(file.read_text().replace("initial_load: send", "initial_load: send, changed: resend"))
    people({"in.csv": "id,email\n1,aa\n2,b\n"})
    assert people.run("c").read == 0
    people({"in.csv": "id,email\n1,aa\n2,bb\n"})
    told(receiver)
    people.run("c")
    assert told(receiver) == [{"id": 2, "email": "bb"}]


@pytest.mark.parametrize(
    ("incremental", "sentence"),
    [
        ("{key: [id]}", "incremental.initial_load: is missing"),
        ("{key: [idd], initial_load: skip}", "no field is named 'idd'; did you mean 'id'?"),
        ("{initial_load: skip, changed: resend}", "needs `key`"),
        ("{initial_load: skip, on_removed: {}}", "incremental.on_removed: needs `key`"),
        ("{key: [id], initial_load: skip, on_removed: {}}", "the URL must hold {id}, or `body: key`"),
        ("{key: [id], initial_load: skip, on_removed: {url: '/{email}'}}", "{email} is not in the key"),
        ("{key: [id], initial_load: skip, on_removed: {url: 'http://other/{id}'}}", "must be at the scheme, host and port"),
        ("{key: [id], initial_load: skip, changed: ignore, on_changed: {}}", "leave one of them out"),
        ("{key: [id], initial_load: skip, on_changed: {url: '/{mail}'}}", "no field is sent as 'mail'; did you mean 'email'?"),
    ],
)
def test_what_does_not_fit_is_told(people: Project, incremental: str, sentence: str) -> None:
    file = people.home / "connectors.d/c.yaml"
    file.write_text(file.read_text().replace("{key: [id], initial_load: send}", incremental))
    with pytest.raises(ConfigError) as caught:
        people.run("c")
    assert sentence in str(caught.value)
