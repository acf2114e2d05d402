"""What urllib3 and the sockets raise, as responses."""

from __future__ import annotations

import ssl

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from sendoff.http.connect import AddressRefused
from sendoff.transport.protocol import Response


def response_from_error(error: Exception, url: str) -> Response:
    """An exception as a response: whether anything may have been sent, and whether a retry can help."""
    undialled = _cause(error, AddressRefused)
    if undialled is not None:
        return Response(error=str(undialled), may_have_been_sent=False, permanent=True)
    proxy = _cause(error, ProxyError)
    if proxy is not None:
        return Response(error=f"the proxy: {_sentence(proxy)}", may_have_been_sent=False, permanent=True)
    sentence = _sentence(error)
    match error:
        case SSLError() if _distrusted(error):
            return Response(error=f"TLS: {sentence}", may_have_been_sent=False, permanent=True)
        case NewConnectionError() | ConnectTimeoutError():
            return Response(
                error=f"cannot connect to {urllib3.util.parse_url(url).netloc}: {sentence}", may_have_been_sent=False
            )
        case LocationValueError() | UnicodeError() | ValueError():
            return Response(error=sentence, may_have_been_sent=False, permanent=True)
        case HTTPError() | OSError():
            return Response(error=sentence)
    return Response(error=f"{type(error).__name__}: {sentence}", permanent=True)


def _cause(error: BaseException, kind: type[Exception]) -> Exception | None:
    """The exception of a kind among an error's causes."""
    seen: list[BaseException] = []
    left: list[object] = [error]
    while left:
        found = left.pop()
        if isinstance(found, kind):
            return found
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            left += [*found.args, found.__cause__, found.__context__, getattr(found, "reason", None)]
    return None


def _distrusted(error: Exception) -> bool:
    """Whether TLS failed on who the server is or on how it speaks, rather than on a line that broke."""
    causes = (error, *error.args, error.__cause__, error.__context__)
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or (isinstance(cause, ssl.SSLError) and any(word in (cause.reason or "") for word in ("VERSION", "PROTOCOL", "CIPHER")))
        for cause in causes
    )


def _sentence(error: Exception) -> str:
    """The innermost cause's words, without urllib3's wrapping."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    innermost = next((c for c in reversed(causes) if isinstance(c, OSError) and c.strerror), error)
    if isinstance(innermost, OSError) and innermost.strerror:
        return innermost.strerror.lower() if innermost.strerror.isascii() else innermost.strerror
    return str(error).rpartition("object at ")[2].partition(">: ")[2] or str(error)
