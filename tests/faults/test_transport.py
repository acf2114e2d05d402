"""N1 to N15, H1 to H14, M1 to M8: what a network and a server can do to one request.

The suite is written against the transport's interface, so that every transport can be put through
it: an queue hands out one request and keeps its answer.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import resource
import socket
import ssl
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import sendoff
from sendoff import TLS, Request, Response, Span, Transport, Wait
from sendoff.response import VerdictKind, classify
from sendoff_plugins.transports.http1 import Http1
from sendoff_plugins.transports.urllib3 import Urllib3

from .wire import OK, Wire, request, resetting, saying, silent, trickling

TRANSPORTS = [Urllib3, Http1]


@pytest.fixture(params=TRANSPORTS, ids=lambda kind: kind.name)
def transport(request: pytest.FixtureRequest) -> Transport:
    made: Transport = request.param()
    return made


class Queue:
    """Hands out requests one by one and keeps the answers."""

    def __init__(self, url: str, count: int = 1, body: bytes = b'[{"a":1}]', deadline: float = 5.0) -> None:
        self.waiting = [
            Request(Span(at, at + 1), "POST", url, {"Content-Type": "application/json"}, [body], len(body), deadline)
            for at in range(count)
        ]
        self.responses: list[Response] = []
        self._lock = threading.Lock()

    def next_request(self) -> Any:
        with self._lock:
            return self.waiting.pop(0) if self.waiting else "done"

    def next_requests(self, ahead: int) -> Any:
        return self.next_request()

    def complete(self, request: Request, response: Response) -> None:
        with self._lock:
            self.responses.append(response)

    def complete_many(self, burst: object, completions: object) -> None:
        raise AssertionError("there are no bursts")

    def is_cancelled(self, burst: object) -> bool:
        raise AssertionError("there are no bursts")

    def return_unsent(self, burst: object, unsent: object) -> None:
        raise AssertionError("there are no bursts")

    def wait(self, seconds: float) -> None:
        raise AssertionError("nothing to wait for")

    def on_change(self, callback: Any) -> None: ...


def ask(transport: Transport, url: str, **settings: Any) -> Response:
    queue = Queue(url, **settings)
    transport.run(queue, sendoff.ConnectionSettings(url, 1))
    (answer,) = queue.responses
    return answer


def verdict(answer: Response) -> VerdictKind:
    return classify(answer).kind


def test_a_plain_answer_comes_back_whole(transport: Transport) -> None:
    with Wire(saying(b'HTTP/1.1 400 Bad Request\r\nX-A: b\r\nContent-Length: 8\r\n\r\n{"a": 1}')) as server:
        answer = ask(transport, server.url)
    assert (answer.status, answer.body, (answer.headers or {})["x-a"]) == (400, b'{"a": 1}', "b")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b'[{"a":1}]'
    assert head.startswith(b"POST /x HTTP/1.1\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert sorted(names) == sorted(set(names))
    assert b"transfer-encoding" not in names
    assert b"cookie" not in names


def test_a_large_body_arrives_in_slices_with_a_length(transport: Transport) -> None:
    body = b"[" + b"1," * 3_000_000 + b"1]"
    with Wire(saying(OK)) as server:
        assert ask(transport, server.url, body=body).status == 200
    assert server.requests[0].endswith(body)


def test_connections_are_kept_alive(transport: Transport) -> None:
    def two(line: socket.socket) -> None:
        line.sendall(OK)
        request(line)
        line.sendall(OK)

    with Wire(two) as server:
        queue = Queue(server.url, count=2)
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert [answer.status for answer in queue.responses] == [200, 200]
    assert server.connections == 1


def test_n1_a_refused_connection_was_not_sent(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    answer = ask(transport, f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, False, False)
    assert "refused" in answer.error


def test_n3_a_name_that_does_not_resolve_was_not_sent(transport: Transport) -> None:
    answer = ask(transport, "http://no-such-host.invalid/")
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, False, False)
    assert answer.error


@pytest.mark.parametrize(
    "script",
    [
        resetting,
        saying(b""),
        saying(b"HTTP/1.1 200 OK\r\nContent-Le"),
        saying(b"HTTP/1.1 200 OK\r\nX-Whole: line\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n"),
        saying(b"garbage\r\n\r\n"),
        saying(b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n"),
        saying(b"HTTP/1.1 1000 High\r\nContent-Length: 0\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n"),
    ],
    ids=["n8-reset", "n8-hang-up", "n9-half-head", "n9-half-head-at-a-line", "h1-short-body", "h4-no-last-chunk", "h4-bad-chunk", "h5-garbage", "h5-99",
         "h5-1000", "h7-10000-headers", "h7-large-header"],
)  # fmt: skip
def test_what_is_no_whole_answer_is_unknown_and_never_success(transport: Transport, script: Any) -> None:
    with Wire(script) as server:
        answer = ask(transport, server.url)
    assert answer.status is None, answer
    assert answer.may_have_been_sent
    assert answer.error
    assert verdict(answer) is VerdictKind.RETRY


@pytest.mark.parametrize(
    "script",
    [
        silent,
        trickling(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: y\r\n" * 1_000),
        trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1_000),
        trickling(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_000),
    ],
    ids=["m4-silence", "m3-trickling-head", "m3-trickling-body", "m3-trickling-chunks"],
)
def test_the_deadline_is_total(transport: Transport, script: Any) -> None:
    with Wire(script) as server:
        began = time.monotonic()
        answer = ask(transport, server.url, deadline=0.5)
        took = time.monotonic() - began
    assert answer.status is None
    assert "no complete response within 0.5 seconds" in answer.error
    assert answer.may_have_been_sent
    assert 0.4 < took < 2.0


def test_m5_the_deadline_holds_while_sending_to_a_server_that_does_not_read(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        answer = ask(transport, f"http://127.0.0.1:{deaf.getsockname()[1]}/", body=b"x" * 50_000_000, deadline=0.5)
    assert answer.status is None
    assert "within 0.5 seconds" in answer.error


def test_m1_an_answer_without_end_is_read_to_the_cap_only(transport: Transport) -> None:
    def endless(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        block = b"x" * 1_000_000
        for _ in range(300):
            line.sendall(block)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(endless) as server:
        answer = ask(transport, server.url)
    assert answer.status == 200
    assert len(answer.body) == 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


def test_m2_a_bomb_is_unpacked_to_the_cap_only(transport: Transport) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(300)) + packer.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(saying(head + bomb)) as server:
        answer = ask(transport, server.url)
    assert len(answer.body) <= 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_h9_x2_redirects_are_not_followed(transport: Transport, status: int) -> None:
    with Wire(saying(OK)) as elsewhere:
        with Wire(
            saying(b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, elsewhere.url.encode()))
        ) as server:
            answer = ask(transport, server.url)
        assert elsewhere.connections == 0
    assert answer.status == status
    assert verdict(answer) is VerdictKind.STOP


def test_h6_an_interim_answer_is_not_the_answer(transport: Transport) -> None:
    with Wire(saying(b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + OK)) as server:
        assert ask(transport, server.url).status == 200


def test_h2_bytes_after_an_answer_never_become_the_next_one(transport: Transport) -> None:
    poisoned = saying(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", hold=0.5)
    refusing = saying(b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}")
    with Wire(poisoned, refusing) as server:
        queue = Queue(server.url, count=2)
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert queue.responses[0].status == 200
    assert queue.responses[1].status in (400, None)


def test_n13_a_connection_the_server_closed_while_idle_is_dialled_anew(transport: Transport) -> None:
    with Wire(saying(OK), saying(OK)) as server:
        queue = Queue(server.url, count=2)
        original = queue.next_request
        queue.next_request = lambda: (time.sleep(0.1), original())[1]  # type: ignore[method-assign, func-returns-value]
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert [answer.status for answer in queue.responses] == [200, 200]
    assert server.connections == 2


def test_m8_cookies_are_not_kept(transport: Transport) -> None:
    with Wire(saying(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")) as server:
        queue = Queue(server.url, count=2)
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("fault", ["untrusted", "wrong host", "expired"])
def test_n15_a_server_that_does_not_prove_who_it_is_gets_nothing(
    transport: Transport, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    names = ["example.org"] if fault == "wrong host" else ["127.0.0.1"]
    dates: dict[str, Any] = {"not_before": past, "not_after": past} if fault == "expired" else {}
    certificate = authority.issue_cert(*names, **dates)
    if fault != "untrusted":
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    got: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line, contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as secure:
            got.append(secure.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        answer = ask(transport, f"https://127.0.0.1:{listener.getsockname()[1]}/", deadline=5)
        server.join(10)
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, False, True)
    assert (
        answer.error
        == {
            "untrusted": "TLS: the server's certificate is from an authority that is not known here; name its certificate in destination.tls.ca",
            "wrong host": "TLS: the server's certificate is for another address; `sendoff check --connect` shows for which",
            "expired": "TLS: the server's certificate has expired; `sendoff check --connect` shows whose it is, and since when",
        }[fault]
    )
    assert got in ([], [b""])


def test_n15_a_certificate_names_its_host_among_its_alternative_names(transport: Transport, tmp_path: Path) -> None:
    """RFC 9525 §6.3: a common name is no proof, even where there is nothing else."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    signer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    issued = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(serialization.load_pem_private_key(authority.private_key_pem.bytes(), None), hashes.SHA256())  # type: ignore[arg-type]
    )
    (tmp_path / "server.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + issued.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    got: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line, contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as secure:
            got.append(secure.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        url = f"https://localhost:{listener.getsockname()[1]}/"
        answer = asked(transport, sendoff.ConnectionSettings(url, tls=TLS(ca=tmp_path / "ca.pem")))
        server.join(10)
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, False, True)
    assert answer.error == "TLS: the server's certificate is for another host name; `sendoff check --connect` shows for which"
    assert got in ([], [b""])


def test_n15_a_server_that_speaks_only_tls_is_told_from_one_that_speaks_no_http(transport: Transport) -> None:
    def alert(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            line.recv(1000)
            line.sendall(b"\x15\x03\x01\x00\x02\x02\x46")  # as JSSE does; others say it in an HTTP response, or reset

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=alert, args=(listener,)).start()
        answer = ask(transport, f"http://127.0.0.1:{listener.getsockname()[1]}/", deadline=5)
    assert answer.error == "the server speaks TLS at this port; is it https://?"


def test_n15_a_server_that_speaks_no_tls_is_fatal(transport: Transport) -> None:
    def plain(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            line.recv(1000)
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=plain, args=(listener,)).start()
        answer = ask(transport, f"https://127.0.0.1:{listener.getsockname()[1]}/", deadline=5)
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, False, True)
    assert answer.error == "TLS: the server does not speak TLS at this port; is it http://?"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (saying(b""), "the connection was closed without a response"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"), "the connection was closed before the response was whole"),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), "the connection was closed before the response was whole"),
        (saying(b"garbage\r\n\r\n"), "not an HTTP response"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"), "the response's compression is broken"),
        (resetting, "connection reset by peer"),
    ],
    ids=["n8-hang-up", "h1-short-body", "h4-no-last-chunk", "h5-garbage", "h8-gzip", "n8-reset"],
)  # fmt: skip
def test_a_library_s_words_reach_nobody(transport: Transport, script: Any, sentence: str) -> None:
    """Kind: a library's exception shown as it is. Brothers: sockets, OpenSSL, http.client, urllib3, llhttp; both transports."""
    with Wire(script) as server:
        answer = ask(transport, server.url)
    assert answer.error == sentence
    assert ask(transport, "http://no-such-host.invalid/").error in (
        "cannot connect to no-such-host.invalid: the host name is not known",
        "cannot connect to no-such-host.invalid: the host name cannot be looked up now",
    )


def test_n8_a_line_that_breaks_under_tls_is_unknown_and_retried(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with context.wrap_socket(line, server_side=True) as secure:
            request(secure)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,)).start()
        answer = ask(transport, f"https://127.0.0.1:{listener.getsockname()[1]}/", deadline=5)
    assert (answer.status, answer.may_have_been_sent, answer.permanent) == (None, True, False)


def test_tls_works_with_a_trusted_certificate(transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with context.wrap_socket(line, server_side=True) as secure:
            request(secure)
            secure.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        assert ask(transport, f"https://127.0.0.1:{listener.getsockname()[1]}/").status == 200
        server.join(10)


def test_m3_the_deadline_holds_in_a_handshake_that_never_ends(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        answer = ask(transport, f"https://127.0.0.1:{listener.getsockname()[1]}/", deadline=0.5)
    assert answer.status is None
    assert time.monotonic() - began < 2


def test_n17_proxies_and_netrc_of_the_environment_are_not_used(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Wire(saying(OK)) as server:
        assert ask(transport, server.url).status == 200


def test_n_requests_travel_at_once(transport: Transport) -> None:
    together = threading.Barrier(4, timeout=10)

    def meeting(line: socket.socket) -> None:
        together.wait()
        line.sendall(OK)

    with Wire(meeting) as server:
        queue = Queue(server.url, count=4)
        transport.run(queue, sendoff.ConnectionSettings(server.url, 4))
    assert [answer.status for answer in queue.responses] == [200] * 4


def test_a_wait_is_waited_before_the_next_is_asked_for(transport: Transport) -> None:
    waited: list[float] = []
    asked_at: list[float] = []
    with Wire(saying(OK)) as server:
        queue = Queue(server.url)
        script = [Wait(0.1), queue.waiting[0], "done"]

        def scripted() -> Any:
            asked_at.append(time.monotonic() + sum(waited))
            return script.pop(0)

        queue.next_request = scripted  # type: ignore[method-assign]
        queue.wait = waited.append  # type: ignore[method-assign, assignment]
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert asked_at[1] - asked_at[0] >= 0.1
    assert len(asked_at) == 3


def test_a_change_told_from_another_thread_ends_a_wait(transport: Transport) -> None:
    with Wire(saying(OK)) as server:
        queue = Queue(server.url)
        script = [Wait(60.0), queue.waiting[0], "done"]
        queue.next_request = lambda: script.pop(0)  # type: ignore[method-assign]
        told = threading.Event()
        queue.wait = told.wait  # type: ignore[method-assign, assignment]
        callbacks: list[Any] = []
        queue.on_change = callbacks.append  # type: ignore[method-assign, assignment]

        def tell() -> None:
            told.set()
            for callback in callbacks:
                callback()

        threading.Timer(0.1, tell).start()
        began = time.monotonic()
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert time.monotonic() - began < 10
    assert queue.responses[0].status == 200


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {None}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", {None, 200}),
        (b"HTTP/1.1 600 Beyond\r\nContent-Length: 0\r\n\r\n", {None, 600}),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\nrubbish", {204}),
        (b"HTTP/1.1 304 Not Modified\r\n\r\nrubbish", {304}),
        (b"HTTP/1.1 200 OK\r\nX-A: b\r\n folded\r\nContent-Length: 2\r\n\r\n{}", {None, 200}),
        (b"HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\n{}", {None, 200}),
    ],
    ids=["h3-two-lengths", "h3-length-and-chunks", "h5-600", "h8-204-with-a-body", "h8-304-with-a-body", "h7-folded", "h7-nul"],
)
def test_a_malformed_answer_is_no_worse_than_unknown(transport: Transport, raw: bytes, statuses: set[int | None]) -> None:
    with Wire(saying(raw, hold=0.2), saying(b"HTTP/1.1 418 Next\r\nContent-Length: 0\r\n\r\n")) as server:
        queue = Queue(server.url, count=2)
        transport.run(queue, sendoff.ConnectionSettings(server.url, 1))
    assert queue.responses[0].status in statuses
    # Whatever came after it was not taken for the next answer.
    assert queue.responses[1].status in (418, None)


def test_m3_a_trickled_answer_ends_at_its_deadline_within_a_tenth(transport: Transport) -> None:
    with Wire(trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1_000)) as server:
        began = time.monotonic()
        ask(transport, server.url, deadline=2.0)
        assert 1.8 <= time.monotonic() - began <= 2.2


@pytest.mark.parametrize("coding", [b"gzip, gzip", b"br", b"zstd", b"deflate", b"nonsense"])
def test_m2_codings_nobody_asked_for_do_no_harm(transport: Transport, coding: bytes) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    once = packer.compress(b"\0" * 30_000_000) + packer.flush()
    body = once
    if coding == b"gzip, gzip":
        twice = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = twice.compress(once) + twice.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Wire(
        saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body)
    ) as server:
        answer = ask(transport, server.url)
    assert len(answer.body) <= 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


# TLS, proxies.


@pytest.fixture
def secure(tmp_path: Path) -> Any:
    """A TLS server that can ask for a client's certificate, and the files for both."""

    class Secure:
        authority = trustme.CA()
        ca = tmp_path / "ca.pem"
        cert = tmp_path / "client.pem"
        got: list[bytes] = []

        def serve(self, *, client: bool) -> str:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert("127.0.0.1").configure_cert(context)
            if client:
                self.authority.configure_trust(context)
                context.verify_mode = ssl.CERT_REQUIRED
            listener = socket.create_server(("127.0.0.1", 0))

            def run() -> None:
                with listener, contextlib.suppress(OSError):
                    line, _ = listener.accept()
                    with context.wrap_socket(line, server_side=True) as wrapped:
                        self.got.append(request(wrapped))
                        wrapped.sendall(OK)

            threading.Thread(target=run, daemon=True).start()
            return f"https://127.0.0.1:{listener.getsockname()[1]}/x"

    made = Secure()
    made.got = []
    made.authority.cert_pem.write_to_path(made.ca)
    made.authority.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(made.cert)
    return made


def test_a_client_s_key_that_is_encrypted_is_opened_with_its_passphrase(
    transport: Transport, secure: Any, tmp_path: Path
) -> None:
    read = serialization.load_pem_private_key(secure.cert.read_bytes(), None)
    key = tmp_path / "key.pem"
    key.write_bytes(
        read.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"sesame")
        )
    )
    tls = TLS(ca=secure.ca, cert=secure.cert, key=key, passphrase="sesame")
    assert asked(transport, sendoff.ConnectionSettings(secure.serve(client=True), tls=tls)).status == 200


def test_h24_http_2_is_not_offered_so_no_server_speaks_it(transport: Transport, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert("127.0.0.1").configure_cert(context)
    spoken: list[str | None] = []

    def serve(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with context.wrap_socket(line, server_side=True) as wrapped:
            spoken.append(wrapped.selected_alpn_protocol())
            request(wrapped)
            wrapped.sendall(OK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        assert asked(transport, sendoff.ConnectionSettings(url, tls=TLS(ca=tmp_path / "ca.pem"))).status == 200
        server.join(10)
    assert spoken in ([None], ["http/1.1"])


def asked(transport: Transport, wire: sendoff.ConnectionSettings) -> Response:
    queue = Queue(wire.url)
    transport.run(queue, wire)
    (answer,) = queue.responses
    return answer


def test_an_authority_of_ones_own_is_trusted_where_named(transport: Transport, secure: Any) -> None:
    assert asked(transport, sendoff.ConnectionSettings(secure.serve(client=False), tls=TLS(ca=secure.ca))).status == 200
    assert asked(transport, sendoff.ConnectionSettings(secure.serve(client=False))).permanent
    assert asked(transport, sendoff.ConnectionSettings(secure.serve(client=False), tls=TLS(verify=False))).status == 200


def test_mutual_tls_shows_the_certificate(transport: Transport, secure: Any) -> None:
    assert (
        asked(transport, sendoff.ConnectionSettings(secure.serve(client=True), tls=TLS(ca=secure.ca, cert=secure.cert))).status
        == 200
    )
    assert asked(transport, sendoff.ConnectionSettings(secure.serve(client=True), tls=TLS(ca=secure.ca))).status is None


def test_a_proxy_is_used_where_named(transport: Transport) -> None:
    with Wire(saying(OK)) as proxy:
        url = proxy.url.removesuffix("/x").replace("//", "//user:pa%20ss@")
        answer = asked(transport, sendoff.ConnectionSettings("http://api.example.com/v1/x", proxy=url))
    assert answer.status == 200
    assert proxy.requests[0].startswith(b"POST http://api.example.com/v1/x HTTP/1.1\r\n")
    assert b"proxy-authorization: basic" in proxy.requests[0].lower()


def test_a_proxy_may_itself_be_reached_by_tls(transport: Transport, secure: Any) -> None:
    proxy = secure.serve(client=False).removesuffix("/x")
    answer = asked(transport, sendoff.ConnectionSettings("http://api.example.com/v1/x", tls=TLS(ca=secure.ca), proxy=proxy))
    assert answer.status == 200
    assert secure.got[0].startswith(b"POST http://api.example.com/v1/x HTTP/1.1\r\n")


def test_a_proxy_tunnels_tls(transport: Transport, secure: Any) -> None:
    def tunnel(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, port = proxy.requests[0].split()[1].decode().split(":")
        with socket.create_connection((host, int(port))) as far:
            pump = threading.Thread(target=_pump, args=(far, line), daemon=True)
            pump.start()
            _pump(line, far)
            pump.join(5)

    with Wire(tunnel) as proxy:
        wire = sendoff.ConnectionSettings(secure.serve(client=False), tls=TLS(ca=secure.ca), proxy=proxy.url.removesuffix("/x"))
        assert asked(transport, wire).status == 200
    assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:")


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("says", ["nobody", "407", "page"])
def test_n16_a_proxy_that_fails_is_named_and_its_password_is_not(transport: Transport, says: str) -> None:
    replies = {
        "407": b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "page": b"HTTP/1.1 503 No\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    }
    with Wire(saying(replies.get(says, b""))) as proxy:
        url = proxy.url.removesuffix("/x").replace("//", "//user:s3cr3t-word@")
        if says == "nobody":
            with socket.create_server(("127.0.0.1", 0)) as closed:
                url = f"http://user:s3cr3t-word@127.0.0.1:{closed.getsockname()[1]}"
        answer = asked(transport, sendoff.ConnectionSettings("https://api.example.com/v1/x", proxy=url))
    assert (answer.status, answer.permanent) == (None, True)
    assert "the proxy" in answer.error
    assert "s3cr3t-word" not in answer.error


def test_n4_an_address_that_does_not_answer_is_given_up_for_the_next(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sendoff.http.connect", "sendoff.http.pool"):
        monkeypatch.setattr(f"{module}.CONNECT_TIMEOUT", 0.4)
    for module in ("_http1.connection", "urllib3"):
        monkeypatch.setattr(f"sendoff_plugins.transports.{module}.CONNECT_TIMEOUT", 0.4)
    # A listener whose queue is full lets nobody in: the kernel drops what asks, as a dead address does.
    with socket.socket() as alive, socket.socket() as full, contextlib.ExitStack() as held:
        alive.bind(("127.0.0.1", 0))
        alive.listen()
        port = alive.getsockname()[1]
        full.bind(("127.0.0.2", port))  # nobody else uses this address
        full.listen(0)
        for _ in range(4):
            line = held.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(("127.0.0.2", port))

        def serve() -> None:
            taken, _ = alive.accept()
            with taken:
                request(taken)
                taken.sendall(OK)

        threading.Thread(target=serve, daemon=True).start()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        answer = ask(transport, f"http://two.example.com:{port}/x", deadline=5)
    assert answer.status == 200


def test_n2_a_connection_that_was_never_made_sent_nothing(transport: Transport) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for line in held:
            line.setblocking(False)
            line.connect_ex(("127.0.0.1", port))
        answer = ask(transport, f"http://127.0.0.1:{port}/x", deadline=0.5)
        for line in held:
            line.close()
    assert (answer.status, answer.may_have_been_sent) == (None, False)
    assert answer.error == "no connection and no response within 0.5 seconds"
