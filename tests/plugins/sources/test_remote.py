"""Sheets, JSON APIs, programs and taps: what goes right, and each thing that goes wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sendoff import ConfigError, Source, SourceChanged, SourceError
from sendoff.http import client
from sendoff.records import Lines
from sendoff.sandbox import Sandbox
from sendoff.testing import Project, Received, Receiver, Reply
from sendoff.transport import egress
from sendoff_plugins.sources import google_sheets
from sendoff_plugins.sources._files.locations import open_location
from sendoff_plugins.sources._google_sheets.stand_in import Spreadsheet
from sendoff_plugins.sources.command import Command
from sendoff_plugins.sources.google_sheets import GoogleSheets
from sendoff_plugins.sources.http import Http, _linked
from sendoff_plugins.sources.python import Python
from sendoff_plugins.sources.singer import Singer
from tests.plugins.sources import samples

SHEET = "https://docs.google.com/spreadsheets/d/1AbCdEfGhIjK/edit#gid=0"


def rows(source: Source, cursor: Any = None) -> list[dict[str, Any]]:
    return [row for page in source.read(cursor) for row in page.to_python().frame.to_dicts()]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited between attempts."""
    waited: list[float] = []
    usual = client.HttpClient.__init__.__kwdefaults__
    assert usual is not None
    monkeypatch.setitem(usual, "sleep", waited.append)
    return waited


@pytest.fixture(scope="module")
def key() -> str:
    return samples.google_key()


@pytest.fixture
def spreadsheet(tmp_path: Path) -> Spreadsheet:
    (tmp_path / "sheet.csv").write_text("id,name,note\n1,Ann,x\n2,Bob,\n,,\n3,李雷,y\n")
    return Spreadsheet(tmp_path / "sheet.csv")


@pytest.fixture
def google(spreadsheet: Spreadsheet) -> Iterator[Sandbox]:
    with Sandbox(stand_ins=[spreadsheet.respond]) as server:
        yield server


def account(google: Sandbox, key: str, **options: Any) -> GoogleSheets:
    credentials = key.replace("TOKEN_URI", f"{google.url}/token")
    return GoogleSheets(spreadsheet=SHEET, credentials=credentials, api_root=google.url, docs_root=google.url, **options)


ALL = [{"id": 1, "name": "Ann", "note": "x"}, {"id": 2, "name": "Bob", "note": None}, {"id": 3, "name": "李雷", "note": "y"}]


def test_a_sheet_is_read_by_its_address_and_short_rows_are_filled(google: Sandbox, key: str) -> None:
    pages = list(account(google, key).read(None))
    assert [row for page in pages for row in page.frame.to_dicts()] == ALL
    assert [line for page in pages for line in page.lines] == [2, 3, 5]


def test_a_sheet_shared_by_link_needs_no_credentials(google: Sandbox) -> None:
    for spreadsheet in (SHEET, "1AbCdEfGhIjK", "https://docs.google.com/spreadsheets/d/e/2PACX-1AbCdEfGhIjK/pubhtml?gid=0"):
        source = GoogleSheets(spreadsheet=spreadsheet, docs_root=google.url)
        assert [row["id"] for row in rows(source)] == ["1", "2", None, "3"]


@pytest.mark.parametrize(
    ("range_", "ids"), [("Sheet1!A1:B3", [1, 2]), ("Sheet1!A:C", [1, 2, 3]), ("Sheet1", [1, 2, 3]), ("Sheet1!$A$1:C2", [1])]
)
def test_a_range_is_a_part_of_the_sheet(google: Sandbox, key: str, range_: str, ids: list[int]) -> None:
    assert [row["id"] for row in rows(account(google, key, range=range_))] == ids


def test_a_long_sheet_is_read_in_pages(google: Sandbox, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_sheets, "ROWS", 400)
    (tmp_path / "sheet.csv").write_text("id\n" + "".join(f"{at}\n" for at in range(1_500)))
    assert [row["id"] for row in rows(account(google, key))] == list(range(1_500))


@pytest.mark.parametrize("edit", ["taken out", "put in", "edited", "below"])
def test_r22_rows_that_move_while_a_long_sheet_is_read_are_noticed(
    google: Sandbox, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    monkeypatch.setattr(google_sheets, "ROWS", 400)
    lines = ["id", *map(str, range(1_500))]
    (tmp_path / "sheet.csv").write_text("\n".join(lines) + "\n")
    reading = iter(account(google, key).read(None))
    found = [*next(reading).frame["id"], *next(reading).frame["id"]]
    moved = {
        "taken out": lines[:700] + lines[701:],
        "put in": [*lines[:700], "new", *lines[700:]],
        "edited": [*lines[:700], "9", *lines[701:]],
        "below": [*lines[:1_200], *lines[1_300:]],
    }[edit]
    (tmp_path / "sheet.csv").write_text("\n".join(moved) + "\n")
    if edit in ("taken out", "put in"):
        with pytest.raises(SourceChanged, match="rows moved while it was read"):
            list(reading)
    else:
        found += [each for page in reading for each in page.frame["id"]]
        assert found == [int(line) for line in (lines if edit == "edited" else moved)[1:]]


def test_many_empty_rows_are_not_taken_for_the_end(
    google: Sandbox, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_sheets, "ROWS", 400)
    (tmp_path / "sheet.csv").write_text("id\n1\n" + "\n" * 1_500 + "2\n")
    assert [row["id"] for row in rows(account(google, key))] == [1, 2]


@pytest.mark.parametrize("rows_", [0, 1, 399, 400, 401, 799, 800, 801])
def test_a_sheet_of_any_length_is_read_to_its_end(
    google: Sandbox, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_: int
) -> None:
    monkeypatch.setattr(google_sheets, "ROWS", 400)
    (tmp_path / "sheet.csv").write_text("id\n" + "".join(f"{at}\n" for at in range(rows_)))
    assert [row["id"] for row in rows(account(google, key))] == list(range(rows_))


def test_r22_a_used_up_quota_is_waited_for(google: Sandbox, spreadsheet: Spreadsheet, key: str, waits: list[float]) -> None:
    spreadsheet.busy = 3
    assert rows(account(google, key)) == ALL
    assert waits == [1, 1, 1]
    spreadsheet.busy = 50
    with pytest.raises(SourceError, match="responded 429: .*Quota exceeded"):
        rows(account(google, key))


def test_a_token_that_is_no_longer_good_is_renewed_once(google: Sandbox, spreadsheet: Spreadsheet, key: str) -> None:
    spreadsheet.uses = 1
    assert rows(account(google, key)) == ALL
    spreadsheet.uses = 0
    with pytest.raises(SourceError, match="responded 401"):
        rows(account(google, key))


def test_the_machines_own_account_will_do(google: Sandbox, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.json").write_text(key.replace("TOKEN_URI", f"{google.url}/token"))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with pytest.raises(SourceError, match=r"is for Google alone.* may allow it by SENDOFF_AMBIENT_ORIGINS=http://127"):
        rows(GoogleSheets(spreadsheet=SHEET, credentials="ambient", api_root=google.url))
    monkeypatch.setenv("SENDOFF_AMBIENT_ORIGINS", f"https://else.example.com, {google.url}/")
    assert rows(GoogleSheets(spreadsheet=SHEET, credentials="ambient", api_root=google.url)) == ALL
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(SourceError, match="no credentials that can be used"):
        rows(GoogleSheets(spreadsheet=SHEET, credentials="ambient", api_root=google.url))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"range": "Nope!A:B"}, "responded 400: .*Unable to parse range"),
        ({"range": "Sheet1!1A"}, "'1A' is not a valid range"),
        ({"spreadsheet": SHEET.replace("gid=0", "gid=7")}, "there is no sheet with gid=7; there are Sheet1"),
        ({"range": "Sheet1!D1:E5"}, "is empty; its first row names the columns"),
        ({"credentials": "{}"}, "no credentials that can be used"),
        ({"credentials": "not json"}, "no credentials that can be used"),
        ({"credentials": None, "range": "Sheet1!A:B"}, "a range needs credentials"),
    ],
)
def test_what_is_wrong_with_a_sheet_is_told(google: Sandbox, key: str, options: dict[str, Any], sentence: str) -> None:
    source = account(google, key)
    for name, value in options.items():
        setattr(source, name, value)
    with pytest.raises(SourceError, match=sentence):
        rows(source)


def test_r9_columns_that_share_a_name_or_have_none_are_refused(google: Sandbox, key: str, tmp_path: Path) -> None:
    for head, sentence in (
        ("a,a", "two columns are named 'a'"),
        ("a,,b", "column 2 has no name"),
        ("a, a", "two columns are named 'a'"),
    ):
        (tmp_path / "sheet.csv").write_text(f"{head}\n1,2,3\n")
        with pytest.raises(SourceError, match=sentence):
            rows(account(google, key))


def test_r10_a_row_with_more_cells_than_names_is_set_aside(google: Sandbox, key: str, tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text("a,b\n1,2,3\n4,5\n")
    (page, *_) = account(google, key).read(None)
    assert dict(page.row_errors) == {0: "ragged: 3 cells where the header has 2"}


def test_a_sheet_that_is_not_shared_says_what_to_do() -> None:
    signing_in = Reply(200, b"<!DOCTYPE html><html>Sign in", {"Content-Type": "text/html"})
    with (
        Receiver(lambda request: signing_in) as site,
        pytest.raises(SourceError, match="share it with everyone who has the link"),
    ):
        rows(GoogleSheets(spreadsheet=SHEET, docs_root=site.url))
    with Receiver(lambda request: Reply(404)) as site, pytest.raises(SourceError, match="is it shared with everyone"):
        rows(GoogleSheets(spreadsheet=SHEET, docs_root=site.url))


def test_an_address_that_is_none_is_told_before_anything_is_asked(project: Project) -> None:
    project({"connectors.d/c.yaml": "source: {use: google_sheets, spreadsheet: my sheet}\ndestination: {url: 'http://x/y'}\n"})
    with pytest.raises(ConfigError, match="paste its address from the browser"):
        project.runner().connector("c")


class Pages(Receiver):
    """A JSON API with 25 records, ten a page, in any of the usual ways."""

    def __init__(self) -> None:
        super().__init__(self._page)

    def _page(self, request: Received) -> Reply:
        path, asked = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        page, offset = int(asked.get("page", ["1"])[0]), int(asked.get("offset", ["0"])[0])
        cursor = int(asked.get("cursor", ["0"])[0])
        at = {"/page": 10 * (page - 1), "/offset": offset, "/cursor": cursor, "/link": 10 * (page - 1), "/url": cursor}[path]
        some = [{"id": each} for each in range(at, min(25, at + 10))]
        following = at + 10 < 25
        body: dict[str, Any] = {"data": some}
        headers = {"Content-Type": "application/json"}
        if path == "/cursor":
            body["next"] = str(at + 10) if following else None
        elif path == "/url":
            body["links"] = {"next": f"{self.url}/url?cursor={at + 10}"} if following else {}
        elif path == "/link" and following:
            headers["Link"] = f'</link?page=1>; rel="first", </link?page={page + 1}>; rel="next"; title="more, and more"'
        return Reply(200, json.dumps(body).encode(), headers)


@pytest.mark.parametrize(
    ("path", "paging"),
    [
        ("page", {"by": "page"}),
        ("page", {"by": "page", "size": 10}),
        ("offset", {"by": "offset", "size": 10}),
        ("cursor", {"by": "cursor", "next": "$.next"}),
        ("url", {"by": "cursor", "next": "$.links.next"}),
        ("link", {"by": "link"}),
    ],
)
def test_an_api_is_read_page_by_page_to_its_end(path: str, paging: dict[str, Any]) -> None:
    with Pages() as api:
        source = Http(url=f"{api.url}/{path}", records="$.data", paging=paging, headers={"X-Key": "k"})
        pages = list(source.read(None))
        assert [row["id"] for page in pages for row in page.frame.to_dicts()] == list(range(25))
        assert [line for page in pages for line in page.lines] == list(range(1, 26))
        assert {request.headers["x-key"] for request in api.requests} == {"k"}
        assert len(api.requests) == 3 if "size" in paging or path != "page" else 4


ANSWERS: list[tuple[Callable[[Received], Reply] | list[Reply], dict[str, Any], str]] = [
    (lambda request: Reply(200, b"<html>"), {}, "the response is not JSON"),
    (lambda request: Reply(200, b'{"data": {}}'), {"records": "$.data"}, "there is no list of records at \\$.data"),
    (lambda request: Reply(404, b"nothing here"), {}, "responded 404: nothing here"),
    (
        lambda request: Reply(200, b"[{}]", {"Link": "<http://elsewhere.example/x>; rel=next"}),
        {"paging": {"by": "link"}},
        "which is another server",
    ),
    (
        lambda request: Reply(200, b'{"d": [{}], "next": "7"}'),
        {"records": "$.d", "paging": {"by": "cursor", "next": "$.next"}},
        "one names itself as the next",
    ),
    (
        lambda request: Reply(200, json.dumps([{"path": request.path}]).encode()),
        {"paging": {"by": "page"}, "most_pages": 5},
        "the pages have no end: more than 5",
    ),
    (lambda request: Reply(302, b"", {"Location": "ftp://x/y"}), {}, "which is not followed"),
    (lambda request: Reply(302, b"", {"Location": "/again"}), {}, "redirects more than 5 times"),
    (lambda request: Reply(cut=True), {}, "closed|reset|aborted"),
    (lambda request: Reply(503), {}, "responded 503"),
]


@pytest.mark.parametrize(("script", "options", "sentence"), ANSWERS, ids=range(len(ANSWERS)))
def test_what_is_wrong_with_an_api_is_told(script: Any, options: dict[str, Any], sentence: str) -> None:
    with Receiver(script) as api, pytest.raises(SourceError, match=sentence):
        rows(Http(url=api.url, **options))


def test_answers_that_ask_for_patience_are_given_it(waits: list[float]) -> None:
    with Receiver([Reply(503, headers={"Retry-After": "7"}), Reply(cut=True), Reply(429), Reply(200, b'[{"id": 1}]')]) as api:
        assert rows(Http(url=api.url)) == [{"id": 1}]
    assert waits[0] == 7
    assert len(waits) == 3
    assert all(0 <= wait <= 8 for wait in waits)


def test_credentials_do_not_follow_a_redirect_to_another_server() -> None:
    with (
        Receiver(lambda request: Reply(200, b"[]")) as other,
        Receiver(lambda request: Reply(302, headers={"Location": f"{other.url}/x"})) as api,
    ):
        rows(Http(url=api.url, headers={"Authorization": "Bearer secret", "X-Api-Key": "secret"}))
        assert {"authorization", "x-api-key"} <= set(api.requests[0].headers)
        assert not {"authorization", "x-api-key"} & set(other.requests[0].headers)


def test_what_is_no_object_in_an_answer_is_set_aside() -> None:
    with Receiver(lambda request: Reply(200, b'[{"id": 1}, 5]')) as api:
        (page,) = Http(url=api.url).read(None)
    assert dict(page.row_errors) == {1: "not an object: 5"}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("import sys; print('{}'); sys.exit(3)", "ended with 3"),
        ("import sys; print('oh dear', file=sys.stderr); sys.exit(1)", "ended with 1: oh dear"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    ],
)
def test_a_program_that_fails_is_a_source_that_fails_and_nothing_is_sent(
    project: Project, receiver: Receiver, script: str, sentence: str
) -> None:
    source = json.dumps({"use": "command", "command": [sys.executable, "-c", script]})
    project({"connectors.d/c.yaml": f"source: {source}\ndestination: {{url: '{receiver.url}'}}\n"})
    with pytest.raises(SourceError, match=sentence):
        project.run("c")
    assert receiver.requests == []


@pytest.mark.parametrize(("path", "body"), [("$", "[%s]"), ("$.data", '{"data":[%s],"next":null}')])
def test_one_bad_record_of_a_response_is_its_own_fault(path: str, body: str) -> None:
    """Kind: a whole response refused for one record. As in a file of JSON: duplicate keys, numbers, depth, half a character."""
    bad = [
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":1e99999999999999999999}',
        '{"a":{"b":1,"b":2}}',
        '{"\\ud800":1}',
        "[" * 101 + "]" * 101,
        "5",
    ]
    text = body % ",".join(['{"a":1.10}', *bad, '{"a":2}'])
    with Receiver(lambda request: Reply(200, text.encode())) as api:
        (page,) = Http(url=api.url, records=path).read(None)
    assert page.to_python().frame["a"].to_list() == [Decimal("1.10"), *[None] * len(bad), 2]
    told = [
        "'a' is duplicated",
        "NaN is not",
        "out of range",
        "'b' is duplicated",
        "lone surrogate",
        "deeper than 100",
        "not an",
    ]
    assert [*page.row_errors] == [*range(1, len(bad) + 1)]
    assert all(word in page.row_errors[at] for at, word in enumerate(told, 1)), page.row_errors


@pytest.mark.parametrize(
    "body", ['{"data":[{"a":1}],"next":1,"next":2}', '{"data":[{"a":1,"a":2}],"next":NaN}', '{"data":[{"a":1}', "x"]
)
def test_a_response_that_is_wrong_outside_of_its_records_is_refused(body: str) -> None:
    with (
        Receiver(lambda request: Reply(200, body.encode())) as api,
        pytest.raises(SourceError, match="the response is not JSON: "),
    ):
        rows(Http(url=api.url, records="$.data"))


def test_a_program_that_is_not_there_is_told_and_one_not_read_to_its_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no-such-program: cannot be started: No such file"):
        rows(Command(home=tmp_path, command=["no-such-program"]))
    reading = iter(Command(home=tmp_path, command=["yes", '{"a": 1}']).read(None))
    lines = next(reading)
    assert isinstance(lines, Lines)
    assert lines.texts
    reading.close()  # type: ignore[attr-defined]  # a generator


def test_a_function_yields_records_from_a_file_or_a_module(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text("def people(count):\n    for at in range(count):\n        yield {'id': at}\n")
    assert [*Python(home=tmp_path, call="rows.py:people", arguments={"count": 2}).read(None)] == [{"id": 0}, {"id": 1}]
    assert [*Python(home=tmp_path, call="itertools:chain").read(None)] == []
    for call, sentence in (
        ("rows.py:nobody", "there is no function nobody"),
        ("none.py:x", "cannot be loaded: FileNotFoundError"),
        ("no_module:x", "cannot be loaded"),
    ):
        with pytest.raises(SourceError, match=sentence):
            [*Python(home=tmp_path, call=call).read(None)]


TAP = """
import json, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
state = json.load(open(arguments["--state"]))["at"] if "--state" in arguments else 0
config = json.load(open(arguments["--config"]))
print(json.dumps({"type": "SCHEMA", "stream": "s", "schema": {}, "key_properties": ["id"]}))
for at in range(state, config["until"]):
    print(json.dumps({"type": "RECORD", "stream": "s", "record": {"id": at}}))
    print(json.dumps({"type": "RECORD", "stream": "other", "record": {"x": at}}))
    print(json.dumps({"type": "STATE", "value": {"at": at + 1}}))
"""


def tap(project: Project, receiver: Receiver, until: int, more: str = ", stream: s") -> None:
    project({"tap.py": TAP})
    source = f"{{use: singer, command: ['{sys.executable}', tap.py], config: {{until: {until}}}{more}}}"
    project({"connectors.d/c.yaml": f"source: {source}\ndestination: {{url: '{receiver.url}'}}\n"})


def test_a_taps_state_is_kept_from_run_to_run(project: Project, receiver: Receiver) -> None:
    for until in (3, 5, 5):
        tap(project, receiver, until)
        project.run("c")
    assert receiver.bodies == [[{"id": 0}, {"id": 1}, {"id": 2}], [{"id": 3}, {"id": 4}]]
    assert project.runner().reset("c") == 0
    project.run("c")
    assert len(receiver.bodies[-1]) == 5


def test_a_taps_state_counts_only_when_its_records_do(project: Project, receiver: Receiver) -> None:
    tap(project, receiver, 3)
    receiver.script = [Reply(401)]
    assert project.run("c").state == "stopped"
    assert project.run("c", restart=True).delivered == 3, "given up, it is read again"


def test_a_tap_of_several_streams_needs_one_chosen(project: Project, receiver: Receiver) -> None:
    tap(project, receiver, 3, "")
    with pytest.raises(SourceError, match="has several streams: other, s; choose one with `stream`"):
        project.run("c")


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"type": "RECORD"}', '{"type": "RECORD", "record": 5}'])
def test_what_is_no_message_of_a_taps_is_told(tmp_path: Path, line: str) -> None:
    source = Singer(home=tmp_path, command=["sh", "-c", f"echo '{line}'", "tap"])
    with pytest.raises(SourceError, match="sh: message 1 is not a Singer message"):
        rows(source)


def test_where_others_write_connectors_no_programs_are_run(project: Project) -> None:
    for source in (
        "{use: command, command: [ls]}",
        "{use: python, call: 'os:listdir'}",
        "{use: singer, command: [ls]}",
        "{use: sql, url: 'sqlite:///x', table: y}",
    ):
        project({"connectors.d/c.yaml": f"source: {source}\ndestination: {{url: 'https://api.example.com/x'}}\n"})
        with pytest.raises(ConfigError, match="which is not allowed where egress is `public`"):
            project.runner(egress="public").connector("c")
        project.runner().connector("c")


def test_credentials_that_stand_in_a_source_are_secrets_all_the_same(project: Project) -> None:
    text = (
        "source: {use: http, url: 'http://x/y', headers: {Authorization: Bearer hush-hush-1}}\n"
        "destination: {url: 'https://api.example.com/x'}\nnotify: [{use: webhook, url: 'https://chat.example.com/hush-hush-2'}]\n"
    )
    project(
        {
            "connectors.d/a.yaml": text,
            "connectors.d/b.yaml": text.replace("use: http, url: 'http://x/y'", "use: csv, path: 's3://b/x'").replace(
                "headers: {Authorization: Bearer hush-hush-1}", "storage: {secret_access_key: hush-hush-3}"
            ),
        }
    )
    project(
        {
            "connectors.d/c.yaml": "source: {use: sql, url: 'postgresql://me:hush-hush-4@host/db', table: t}\ndestination: {url: 'https://api.example.com/x'}\n"
        }
    )
    for name, secrets in (("a", "12"), ("b", "23"), ("c", "4")):
        kept = project.runner().connector(name).secrets
        for number in secrets:
            said = f"told {'https://chat.example.com/' if number == '2' else ''}hush-hush-{number} to"
            assert "hush" not in kept.redact(said), (name, number)


@pytest.mark.parametrize(
    ("api_root", "taken"),
    [
        ("https://sheets.googleapis.com", True),
        ("https://sheets.mtls.googleapis.com", True),
        ("http://sheets.googleapis.com", False),
        ("https://sheets.googleapis.com:8443", False),
        ("https://sheets.googleapis.com.example.com", False),
        ("https://evilgoogleapis.com", False),
        ("https://sheets.googleapis.com@example.com", False),
        ("https://example.com/sheets.googleapis.com", False),
        ("", False),
    ],
)
def test_the_machine_s_account_is_for_google_s_own_hosts(api_root: str, taken: bool) -> None:
    assert egress.may_lend_account(api_root, ("googleapis.com",)) is taken


@pytest.mark.parametrize("path", ["gs://bucket/a.csv", "az://bucket/a.csv"])
def test_the_machine_s_account_of_a_cloud_is_not_for_an_endpoint_that_a_connector_names(path: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is for the cloud alone, and not for https://thief.example.com; name credentials"):
        open_location(path, tmp_path, {"endpoint": "https://thief.example.com"}, "configured")


def test_a_link_header_without_an_end_is_read_in_linear_time() -> None:
    assert _linked("<a" * 100_000 + '>; rel="next"') == "a"
    assert _linked("<" * 200_000) is None
    assert _linked('<https://x/?a=1,2;b>; title="t"; rel="prev next", <b>; rel=last') == "https://x/?a=1,2;b"
