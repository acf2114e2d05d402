"""Reading from the web: GET, and little else, with retries for transient errors.

Addresses are guarded as those of destinations are. Redirects are followed, as published sheets and file stores
need it; a credential goes no further than the origin it was meant for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from random import Random
from typing import BinaryIO, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import BaseHTTPResponse, HTTPHeaderDict
from urllib3.exceptions import HTTPError

from sendoff.bounds import MAX_RESPONSE, is_bomb
from sendoff.cleaning import excerpt
from sendoff.errors import SendoffError, SourceError, SourceUnavailable
from sendoff.http.connect import CONNECT_TIMEOUT, AddressRefused
from sendoff.http.content import decoded, read_bounded
from sendoff.http.failures import response_from_error
from sendoff.http.pool import make_pool
from sendoff.http.watchdog import Watchdog
from sendoff.response.rate_headers import retry_after
from sendoff.transport import egress
from sendoff.transport.protocol import ConnectionSettings

T = TypeVar("T")

#: Statuses that may be others in a while (RFC 9110 §15, RFC 6585 §4).
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = 5
#: So much is read of a refusal, to be quoted from.
_SAID_BYTES = 8192


class ErrorResponse(SendoffError):
    """A response that is no success; its text is the sentence to show."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status

    def as_source_error(self, sentence: str = "") -> SourceError:
        """The same as an error of a source: one that may pass, or one that has to be fixed."""
        kind = SourceUnavailable if self.status in TRANSIENT else SourceError
        return kind(sentence or str(self))


class HttpClient:
    """Gets what a source reads. Close it, or use it in a `with`.

    `seconds` is how long one response may take, to its last byte; `attempts`, how often one is asked for; `max_bytes`, how
    large one may be that is read as a whole, decompressed, and `too_large` what to do where it is larger. `redact` takes
    secrets out of what a refusal quotes: a component's own `redact`.
    """

    def __init__(
        self,
        url: str,
        mode: egress.Mode,
        *,
        seconds: float = 60.0,
        attempts: int = 6,
        max_bytes: int = MAX_RESPONSE,
        too_large: str = "ask for less of it at a time",
        longest: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._seconds, self._attempts, self._longest, self._sleep = seconds, attempts, longest, sleep
        self._redact = redact
        self._max_bytes, self._too_large = max_bytes, too_large
        self._random = random or Random()  # noqa: S311  # jitter needs no cryptography
        self._watchdog = Watchdog()
        self._pool = make_pool(
            ConnectionSettings(url, address_filter=lambda address: egress.address_problem(address, mode)), self._watchdog
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.clear()
        self._watchdog.close()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[bytes, HTTPHeaderDict]:
        """A whole response's body and headers. Raises `ErrorResponse` for one that is no success, `SourceError` for none."""

        def read(response: BaseHTTPResponse) -> tuple[bytes, HTTPHeaderDict]:
            body, whole = read_bounded(response, self._max_bytes)
            if not whole:
                shown = f"{self._max_bytes >> 20} MiB" if self._max_bytes >> 20 else f"{self._max_bytes:,} bytes"
                raise SourceError(f"{_shown(url)}: the response has more than {shown}; {self._too_large}")
            return body, response.headers

        whole: tuple[bytes, HTTPHeaderDict] = self._with_retries(method, url, dict(headers or {}), body, read)
        return whole

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> tuple[bytes, HTTPHeaderDict]:
        """The body and headers of what is at a URL."""
        return self.request("GET", url, headers=headers)

    def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> None:
        """Send a request of whose response only the status counts; its body is not read. Raises as `request` does."""
        self._with_retries(method, url, dict(headers or {}), body, lambda _: None)

    def fetch(self, url: str, into: BinaryIO, *, headers: Mapping[str, str] | None = None) -> None:
        """What is at a URL, into a file. Raises `SourceError` for what decompresses to more than records do."""

        def read(response: BaseHTTPResponse) -> None:
            into.seek(0)
            into.truncate()
            size = 0
            for came, part in decoded(response):
                size += len(part)
                if is_bomb(came, size):
                    raise SourceError(
                        f"{_shown(url)}: {came:,} compressed bytes hold more than {size:,}; nothing of records is so "
                        "repetitive, and no more of it is read"
                    )
                into.write(part)

        self._with_retries("GET", url, dict(headers or {}), None, read)

    def _with_retries(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None, read: Callable[[BaseHTTPResponse], T]
    ) -> T:
        for left in reversed(range(self._attempts)):
            wait: float | None = None
            try:
                with self._open(method, url, headers, body) as response:
                    if response.status < 300:
                        return read(response)
                    if left == 0 or response.status not in TRANSIENT:
                        raise ErrorResponse(self._refusal(url, response), response.status)
                    wait = retry_after({name.lower(): value for name, value in response.headers.items()})
            except (HTTPError, HTTPException, AddressRefused, OSError, ValueError) as error:
                found = response_from_error(error, url)
                if left == 0 or found.permanent:
                    kind = SourceError if found.permanent else SourceUnavailable
                    raise kind(f"{_shown(url)}: {found.error}") from None
            tried = self._attempts - left
            backoff = self._random.uniform(0, min(self._longest, 2.0**tried))
            self._sleep(min(self._longest, backoff if wait is None else wait))
        raise AssertionError("the last attempt returns or raises")

    def _refusal(self, url: str, response: BaseHTTPResponse) -> str:
        try:
            said = read_bounded(response, _SAID_BYTES)[0].decode("utf-8", "replace")
        except (HTTPError, HTTPException, OSError):
            said = ""
        text = excerpt(said, redact=self._redact)
        return f"{_shown(url)}: responded {response.status}" + (f": {text}" if text else "")

    @contextmanager
    def _open(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Iterator[BaseHTTPResponse]:
        for _ in range(REDIRECTS + 1):
            with self._watchdog.watch(self._seconds) as watch:
                response = self._pool.urlopen(
                    method, url, body=body, headers={"User-Agent": "sendoff", "Accept-Encoding": "gzip", **headers},
                    retries=False, redirect=False, preload_content=False,
                    timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=self._seconds),
                )  # fmt: skip
                try:
                    if method != "GET" or response.status not in (301, 302, 303, 307, 308):
                        yield response
                        return
                    after = urljoin(url, response.headers.get("Location", ""))
                except (HTTPError, HTTPException, OSError) as error:
                    if watch.expired:
                        raise TimeoutError(0, f"no complete response within {self._seconds:g} seconds") from error
                    raise
                finally:
                    response.close()
            if urlsplit(after).scheme not in ("http", "https") or (url.startswith("https:") and after.startswith("http:")):
                raise SourceError(
                    f"{_shown(url)}: redirects to {excerpt(_shown(after), redact=self._redact)}, which is not followed"
                )
            if _origin(after) != _origin(url):
                # Any header of the caller's may be a credential.
                headers = {name: value for name, value in headers.items() if name.lower() == "accept"}
            url = after
        raise SourceError(f"{_shown(url)}: redirects more than {REDIRECTS} times")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _shown(url: str) -> str:
    """A URL without its query, which may hold credentials."""
    return url.partition("?")[0]
