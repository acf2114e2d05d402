"""What partners post is kept before they are told so, or they are told why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import urllib3

from sendoff.serving.inbox_app import listen
from sendoff.serving.web import Listener
from sendoff.testing import Project, Receiver
from sendoff_plugins.sources.inbox import Inbox

TOKEN = "a-token-of-24-characters"
Answer = tuple[int, Any]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(home=tmp_path, token=TOKEN, max_body=1_000, max_waiting=1_500)
    made.connector, made.state = "orders", tmp_path
    yield made
    made.close()


class Client:
    """Posts to a listener."""

    def __init__(self, listener: Listener) -> None:
        self.port = listener.port
        self.headers: Mapping[str, str] = {}

    def __call__(self, body: bytes = b'{"id": 1}', *, path: str = "/inbox/orders", method: str = "POST", **more: str) -> Answer:
        given = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        given.update({name.replace("_", "-"): value for name, value in more.items()})
        reply = urllib3.request(
            method, f"http://127.0.0.1:{self.port}{path}", body=body, retries=False, timeout=10,
            headers={name: value for name, value in given.items() if value},
        )  # fmt: skip
        self.headers = reply.headers
        return reply.status, reply.json() if reply.data else None


@pytest.fixture
def post(inbox: Inbox) -> Iterator[Client]:
    with closing(listen({"orders": inbox}, "127.0.0.1", 0)) as listener:
        yield Client(listener)


def test_what_is_kept_is_answered_202_and_read_in_order(post: Client, inbox: Inbox) -> None:
    assert post(b'{"id": 1}') == (202, {"kept": True, "new": True})
    assert post(b'[{"id": 2}, {"id": 3}]')[0] == 202
    assert post(b'{"id": 4}\n{"id": 5}\n', Content_Type="application/x-ndjson; charset=utf-8")[0] == 202
    assert post(b"id\n6\n", Content_Type="text/csv")[0] == 202
    ids = [str(row["id"]) for page in inbox.read(None) for row in page.frame.iter_rows(named=True)]
    assert ids == ["1", "2", "3", "4", "5", "6"]
    assert inbox.next_cursor == 4


@pytest.mark.parametrize(
    "more",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \u00e9"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}, Bearer {TOKEN}"},
        {"path": "/inbox/other"},
        {"path": "/"},
    ],
)
def test_without_the_token_nothing_is_told_not_even_which_inboxes_there_are(
    post: Client, inbox: Inbox, more: dict[str, Any]
) -> None:
    assert post(**more) == (401, {"error": "no such inbox, or not its token"})
    assert inbox.change_token() == 0


@pytest.mark.parametrize(
    ("status", "body", "more"),
    [
        (400, b'{"id": ', {}),
        (400, b"[1]", {}),
        (400, b"", {}),
        (400, b'"x"', {}),
        (400, b'{"id": NaN}', {}),
        (400, b'{"a": 1}\n[]\n', {"Content-Type": "application/x-ndjson"}),
        (400, b'a\n"x\n', {"Content-Type": "text/csv"}),
        (400, b"\xff\xfe", {}),
        (405, b"", {"method": "GET"}),
        (411, b"", {"Transfer-Encoding": "chunked"}),
        (413, b" " * 1001, {}),
        (413, b" " * (20 << 20), {}),
        (400, b'{"id": 1}', {"Idempotency-Key": "k" * 256}),
        (415, b"x", {"Content-Type": "text/plain"}),
        (415, b"x", {"Content-Type": ""}),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(
    post: Client, inbox: Inbox, status: int, body: bytes, more: dict[str, Any]
) -> None:
    found, said = post(body, **more)
    assert found == status, said
    assert said["error"]
    assert inbox.change_token() == 0


def test_a_post_that_comes_again_is_answered_alike_and_kept_once(post: Client, inbox: Inbox) -> None:
    assert post(Idempotency_Key="k")[1] == {"kept": True, "new": True}
    assert post(Idempotency_Key="k") == (202, {"kept": True, "new": False})
    assert post(Webhook_Id="k") == (202, {"kept": True, "new": False})
    assert inbox.change_token() == 1


def test_another_body_under_a_known_key_is_refused_also_after_the_first_was_taken_over(post: Client, inbox: Inbox) -> None:
    assert post(b'{"order": 1}', Idempotency_Key="7")[0] == 202
    for _ in range(2):
        status, said = post(b'{"order": 2, "paid": true}', Idempotency_Key="7")
        assert (status, said["error"]) == (422, "a post with this key came before, and its body was another")
        assert post(b"order\n1\n", Idempotency_Key="7", Content_Type="text/csv")[0] == 422
        assert post(b'{"order": 1}', Idempotency_Key="7") == (202, {"kept": True, "new": False})
        inbox._opened().acknowledge("orders", 1)


def test_keys_count_as_what_waits(post: Client) -> None:
    """2 bytes each of `[]`, and 255 of its key, in a room of 1,500."""
    found = [post(b"[]", Idempotency_Key=f"{at:0255}")[0] for at in range(6)]
    assert found == [202] * 5 + [503]


def test_an_inbox_that_is_full_says_when_to_come_again(post: Client) -> None:
    large = b'{"id": "' + b"x" * 800 + b'"}'
    assert post(large)[0] == 202
    assert post(large)[0] == 503
    assert post.headers["Retry-After"] == "60"


def test_a_ledger_that_cannot_be_written_confirms_nothing(post: Client, inbox: Inbox) -> None:
    inbox._opened().close()
    status, said = post()
    assert (status, said["error"]) == (500, "not kept: LedgerError")


def test_health_is_for_everybody(post: Client) -> None:
    assert post(b"", path="/health", method="GET", Authorization="")[0] == 200


def test_a_run_takes_posts_over_and_the_next_lets_go_of_them(project: Project, receiver: Receiver) -> None:
    project({"connectors.d/orders.yaml": f"source: {{use: inbox, token: {TOKEN}}}\ndestination: {{url: '{receiver.url}'}}\n"})
    source: Any = project.runner().connector("orders").source
    with closing(listen({"orders": source}, "127.0.0.1", 0)) as listener:
        post = Client(listener)
        for at in range(3):
            post(b'{"id": %d}' % at)
        assert project.run("orders").delivered == 3
        post(b'{"id": 3}')
        assert project.run("orders").delivered == 1
    assert project.run("orders").read == 0
    assert [record["id"] for body in receiver.bodies for record in body] == [0, 1, 2, 3]
    assert [post.id for post in source._opened().waiting("orders", 0)] == []
    source.close()
