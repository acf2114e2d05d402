"""The listener keeps answering whatever strangers do, and a body is read only once it was let in."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from sendoff.serving import web
from sendoff.serving.inbox_app import MAX_BODIES, listen
from sendoff.serving.web import Listener
from sendoff_plugins.sources.inbox import Inbox

TOKEN = "a-token-of-24-characters"
OTHER = "another-token-of-characters"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body: bytes, *lines: str, length: int | None = None, to: str = "orders") -> bytes:
    head = (f"Authorization: Bearer {TOKEN if to == 'orders' else OTHER}", "Content-Type: application/json", *lines)
    size = len(body) if length is None else length
    return f"POST /inbox/{to} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n{chr(10).join(head)}\r\n\r\n".encode() + body


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(home=tmp_path, token=TOKEN, max_body=1_000_000, max_waiting=10_000_000)
    made.connector, made.state = "orders", tmp_path
    yield made
    made.close()


def connect(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.port), timeout=20)


def is_open(listener: Listener) -> bool:
    try:
        connect(listener).close()
    except ConnectionRefusedError:
        return False
    return True


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def exchange(listener: Listener, request: bytes) -> int | None:
    """The status of the response to a request; None if there is none."""
    with connect(listener) as connection:
        connection.sendall(request)
        found = connection.recv(65536)
        return int(found.split()[1]) if found else None


def test_requests_of_which_only_a_part_comes_are_ended_by_their_deadline(inbox: Inbox) -> None:
    with closing(listen({"orders": inbox}, "127.0.0.1", 0, head_seconds=0.3)) as listener:
        for begun in (b"", b"POST /inb", b"GET /health HTTP/1.1\r\nHost: x\r\n"):
            with connect(listener) as connection:
                connection.sendall(begun)
                assert read_to_end(connection) == b""
        with connect(listener) as connection:  # and so is a connection that idles after a response
            connection.sendall(HEALTH)
            assert read_to_end(connection).startswith(b"HTTP/1.1 200")


def test_a_byte_now_and_then_moves_no_deadline(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "BODY_SECONDS", 0.3)
    with closing(listen({"orders": inbox}, "127.0.0.1", 0, head_seconds=0.3)) as listener:
        for begun in (b"POST /inbox/", post(b'{"id"', length=1000)):
            with connect(listener) as connection:
                connection.sendall(begun)
                connection.settimeout(0.05)
                for _ in range(400):
                    try:
                        assert connection.recv(100) == b""
                        break
                    except TimeoutError:
                        connection.sendall(b" ")
                    except ConnectionResetError:
                        break
                else:
                    pytest.fail("it was still open after 20 seconds")
        assert inbox.change_token() == 0


def test_strangers_who_hold_every_connection_keep_nobody_out(inbox: Inbox) -> None:
    with closing(listen({"orders": inbox}, "127.0.0.1", 0, max_connections=50)) as listener, ExitStack() as stack:
        partner = stack.enter_context(connect(listener))
        partner.sendall(post(b'{"id": ', length=9))
        for at in range(120):
            stranger = stack.enter_context(connect(listener))
            stranger.sendall(b"POST /inbox/orders HTTP/1.1\r\nX: " + b"x" * 100)
            if at % 20 == 0:
                assert exchange(listener, HEALTH) == 200
                assert exchange(listener, post(b'{"id": 1}')) == 202
        # The partner's post was let in before they came: it is not the one that is closed.
        partner.sendall(b"7}")
        assert partner.recv(4096).startswith(b"HTTP/1.1 202")


def test_a_body_is_not_read_without_the_token(inbox: Inbox) -> None:
    with closing(listen({"orders": inbox}, "127.0.0.1", 0)) as listener, connect(listener) as connection:
        connection.sendall(post(b"", length=900_000).replace(TOKEN.encode(), b"wrong"))
        found = read_to_end(connection)  # though nothing of the body has come
        assert found.startswith(b"HTTP/1.1 401")
        assert json.loads(found.partition(b"\r\n\r\n")[2]) == {"error": "no such inbox, or not its token"}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(home=tmp_path, token=OTHER, max_body=1_000, max_waiting=10_000)
    made.connector, made.state = "other", tmp_path
    yield made
    made.close()


def fill(listener: Listener, stack: ExitStack, count: int, length: int) -> list[socket.socket]:
    """Begin so many posts that go no further than their first byte."""
    held = [stack.enter_context(connect(listener)) for _ in range(count)]
    for each in held:
        each.sendall(post(b"[", "Expect: 100-continue", length=length))
        assert each.recv(100).startswith(b"HTTP/1.1 100")
    return held


def test_more_bodies_than_an_inbox_may_hold_are_put_off_and_other_inboxes_go_on(inbox: Inbox, other: Inbox) -> None:
    with closing(listen({"orders": inbox, "other": other}, "127.0.0.1", 0)) as listener, ExitStack() as stack:
        held = fill(listener, stack, MAX_BODIES, 900_000)
        assert exchange(listener, post(b"[" + b" " * 899_998 + b"]")) == 503
        assert exchange(listener, post(b"[" + b" " * 699_998 + b"]")) == 202
        assert exchange(listener, post(b"[]", to="other")) == 202
        held[0].sendall(b" " * 899_998 + b"]")
        assert held[0].recv(100).startswith(b"HTTP/1.1 202")
        assert exchange(listener, post(b"[" + b" " * 899_998 + b"]")) == 202


def test_no_more_connections_than_its_own_are_held_by_one_partner(inbox: Inbox, other: Inbox) -> None:
    with (
        closing(listen({"orders": inbox, "other": other}, "127.0.0.1", 0, max_connections=60)) as listener,
        ExitStack() as stack,
    ):
        held = fill(listener, stack, web.MAX_ADMITTED, 10)
        assert exchange(listener, post(b"[]")) == 503
        for _ in range(30):  # announced, too large, and never sent: these wait, and are closed for others
            stack.enter_context(connect(listener)).sendall(post(b"", length=60_000_000))
        assert exchange(listener, post(b"[]", to="other")) == 202
        assert exchange(listener, HEALTH) == 200
        held[0].sendall(b" " * 8 + b"]")
        assert held[0].recv(100).startswith(b"HTTP/1.1 202")


def test_a_body_counts_until_it_is_kept_also_where_its_sender_has_gone(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_go_on = threading.Semaphore(0), threading.Event()

    def accept(*given: object) -> bool:
        begun.release()
        assert may_go_on.wait(20)
        return True

    monkeypatch.setattr(inbox, "accept", accept)
    body = b"[" + b" " * 899_998 + b"]"
    with closing(listen({"orders": inbox}, "127.0.0.1", 0)) as listener:
        for _ in range(MAX_BODIES):
            with connect(listener) as connection:
                connection.sendall(post(body))
                connection.shutdown(socket.SHUT_WR)
                if _ < web.THREADS:
                    assert begun.acquire(timeout=20)
                else:
                    while listener._bytes["orders"] < (_ + 1) * 900_000:
                        pass
        assert exchange(listener, post(body)) == 503
        may_go_on.set()
        while listener._bytes["orders"]:
            pass
        assert exchange(listener, post(body)) == 202


@pytest.mark.parametrize(("token", "size", "status"), [("wrong", 9_000_000, 401), (TOKEN, 20_000_000, 413)])
def test_who_is_refused_sees_why_though_the_body_is_large(inbox: Inbox, token: str, size: int, status: int) -> None:
    with closing(listen({"orders": inbox}, "127.0.0.1", 0)) as listener:
        for method in ("POST", "PUT"):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            url = f"http://127.0.0.1:{listener.port}/inbox/orders"
            request = urllib.request.Request(url, b" " * size, headers, method=method)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            assert refused.value.code == (405 if method == "PUT" and status == 413 else status)
            refused.value.close()


def test_a_stop_waits_for_the_posts_that_were_let_in(inbox: Inbox) -> None:
    listener = listen({"orders": inbox}, "127.0.0.1", 0)
    with connect(listener) as connection:
        connection.sendall(post(b'{"id": ', "Expect: 100-continue", length=9))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        stop = threading.Thread(target=listener.close)
        stop.start()
        while is_open(listener):
            pass
        connection.sendall(b"7}")
        assert connection.recv(4096).startswith(b"HTTP/1.1 202")
        stop.join()
    assert inbox.change_token() == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(b"[]").replace(b"\r\nHost", b"\r\nTransfer-Encoding: chunked\r\nHost"), 400),
        (post(b"[]").replace(b"\r\nHost", b"\r\nContent-Length: 3\r\nHost"), 411),
        (post(b"[]").replace(b"\r\nHost", b"\r\nTransfer-Encoding: nonsense\r\nHost"), 400),
        (post(b"[]").replace(b"Content-Length: 2", b"Content-Length: +2"), 411),
        (post(b"[]").replace(b"Content-Length: 2", b"Content-Length: -2"), 411),
        (post(b"[]").replace(b"Content-Length: 2", b"Content-Length: 0x2"), 411),
        (post(b"[]").replace(b"Content-Length: 2", "Content-Length: ²".encode()), 411),
        (post(b"[]").replace(b"Content-Length: 2", b"Content-Length: " + b"9" * 5000), 411),
        (post(b"[]").replace(b"Content-Length:", b"Content-Length :"), 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n a: folded\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"a" * 20_000 + b": b\r\n\r\n", None),
        (b"GET /health RTSP/1.0\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\0\r\n\r\n", 400),
        (b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /inbox/../inbox/orders HTTP/1.1\r\nHost: x\r\n\r\n", 401),
        (b"GET http://other.example/health HTTP/1.1\r\nHost: x\r\n\r\n", 401),
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(
    inbox: Inbox, capfd: pytest.CaptureFixture[str], request_: bytes, status: int | None
) -> None:
    """RFC 9112 §6.3 and §11: what a proxy in front may have framed otherwise is no request, and its connection is closed."""
    with closing(listen({"orders": inbox}, "127.0.0.1", 0)) as listener:
        with connect(listener) as connection:
            connection.sendall(request_ + HEALTH)
            connection.shutdown(socket.SHUT_WR)
            found = read_to_end(connection)
        assert [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]] == ([status] if status else []), found
        assert exchange(listener, HEALTH) == 200
    assert inbox.change_token() == 0
    assert capfd.readouterr() == ("", "")
