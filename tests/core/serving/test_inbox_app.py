"""What partners post is kept before they are told so, or they are told why not."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendoff.serving.inbox_app import InboxApp
from sendoff.testing import Project, Receiver
from sendoff_plugins.sources.inbox import Inbox

TOKEN = "a-token-of-24-characters"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(home=tmp_path, token=TOKEN, max_body=1_000, max_waiting=1_500)
    made.connector, made.state = "orders", tmp_path
    yield made
    made.close()


class Knocker:
    """Posts to a door as a WSGI server would."""

    def __init__(self, door: InboxApp) -> None:
        self.door = door
        self.headers: dict[str, str] = {}

    def __call__(
        self, body: bytes = b'{"id": 1}', *, path: str = "/inbox/orders", method: str = "POST", **more: Any
    ) -> tuple[int, Any]:
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json",
            "HTTP_AUTHORIZATION": f"Bearer {TOKEN}", "wsgi.input": io.BytesIO(body), **more,
        }  # fmt: skip
        told: list[int] = []

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            told.append(int(status[:3]))
            self.headers = dict(headers)

        answer = b"".join(self.door(environ, start))
        return told[0], json.loads(answer)


@pytest.fixture
def knock(inbox: Inbox) -> Knocker:
    return Knocker(InboxApp({"orders": inbox}))


def test_what_is_kept_is_answered_202_and_read_in_order(knock: Knocker, inbox: Inbox) -> None:
    assert knock(b'{"id": 1}') == (202, {"kept": True, "new": True})
    assert knock(b'[{"id": 2}, {"id": 3}]')[0] == 202
    assert knock(b'{"id": 4}\n{"id": 5}\n', CONTENT_TYPE="application/x-ndjson; charset=utf-8")[0] == 202
    assert knock(b"id\n6\n", CONTENT_TYPE="text/csv")[0] == 202
    ids = [str(row["id"]) for page in inbox.read(None) for row in page.frame.iter_rows(named=True)]
    assert ids == ["1", "2", "3", "4", "5", "6"]
    assert inbox.next_cursor == 4


@pytest.mark.parametrize(
    "more",
    [
        {"HTTP_AUTHORIZATION": ""},
        {"HTTP_AUTHORIZATION": "Bearer wrong"},
        {"HTTP_AUTHORIZATION": f"Basic {TOKEN}"},
        {"path": "/inbox/other"},
        {"path": "/"},
    ],
)
def test_without_the_token_nothing_is_told_not_even_which_inboxes_there_are(
    knock: Knocker, inbox: Inbox, more: dict[str, Any]
) -> None:
    assert knock(**more) == (401, {"error": "no such inbox, or not its token"})
    assert inbox.change_token() == 0


@pytest.mark.parametrize(
    ("status", "body", "more"),
    [
        (400, b'{"id": ', {}),
        (400, b"[1]", {}),
        (400, b"", {}),
        (400, b'"x"', {}),
        (400, b'{"id": NaN}', {}),
        (400, b'{"a": 1}\n[]\n', {"CONTENT_TYPE": "application/x-ndjson"}),
        (400, b'a\n"x\n', {"CONTENT_TYPE": "text/csv"}),
        (400, b"\xff\xfe", {}),
        (400, b'{"id": 1}', {"CONTENT_LENGTH": "20"}),
        (405, b"", {"method": "GET"}),
        (411, b'{"id": 1}', {"CONTENT_LENGTH": ""}),
        (411, b'{"id": 1}', {"CONTENT_LENGTH": "-1"}),
        (413, b'{"id": 1}', {"CONTENT_LENGTH": "1001"}),
        (415, b"x", {"CONTENT_TYPE": "text/plain"}),
        (415, b"x", {"CONTENT_TYPE": ""}),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(
    knock: Knocker, inbox: Inbox, status: int, body: bytes, more: dict[str, Any]
) -> None:
    found, said = knock(body, **more)
    assert found == status, said
    assert said["error"]
    assert inbox.change_token() == 0


def test_a_post_that_comes_again_is_answered_alike_and_kept_once(knock: Knocker, inbox: Inbox) -> None:
    assert knock(HTTP_IDEMPOTENCY_KEY="k")[1] == {"kept": True, "new": True}
    assert knock(HTTP_IDEMPOTENCY_KEY="k") == (202, {"kept": True, "new": False})
    assert knock(HTTP_WEBHOOK_ID="k") == (202, {"kept": True, "new": False})
    assert inbox.change_token() == 1


def test_an_inbox_that_is_full_says_when_to_come_again(knock: Knocker) -> None:
    large = b'{"id": "' + b"x" * 800 + b'"}'
    assert knock(large)[0] == 202
    assert knock(large)[0] == 503
    assert knock.headers["Retry-After"] == "60"


def test_a_ledger_that_cannot_be_written_confirms_nothing(knock: Knocker, inbox: Inbox) -> None:
    inbox._opened().close()
    status, said = knock()
    assert (status, said["error"]) == (500, "not kept: LedgerError")


def test_health_is_for_everybody(knock: Knocker) -> None:
    assert knock(b"", path="/health", method="GET", HTTP_AUTHORIZATION="")[0] == 200


def test_a_run_takes_posts_over_and_the_next_lets_go_of_them(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/orders.yaml": f"source: {{use: inbox, token: {TOKEN}}}\ndestination: {{url: '{receiver.url}'}}\n"})
    source: Any = project.runner().connector("orders").source
    knock = Knocker(InboxApp({"orders": source}))
    for at in range(3):
        knock(b'{"id": %d}' % at)
    assert project.run("orders").delivered == 3
    knock(b'{"id": 3}')
    assert project.run("orders").delivered == 1
    assert project.run("orders").read == 0
    assert [record["id"] for body in receiver.bodies for record in body] == [0, 1, 2, 3]
    assert [post.id for post in source._opened().waiting("orders", 0)] == []
    source.close()
