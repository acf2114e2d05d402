"""What sockets, OpenSSL, `http.client` and urllib3 raise, in sentences: no word of theirs reaches a person."""

from __future__ import annotations

import http.client
import os
import socket
import ssl

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    IncompleteRead,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import (
    TimeoutError as WaitedTooLong,
)

from sendoff.http.connect import AddressRefused
from sendoff.http.strict_response import BadResponse
from sendoff.transport.protocol import Response

CLOSED = "the connection was closed without a response"
CUT = "the connection was closed before the response was whole"

_SHOWS = "; `sendoff check --connect` shows "
#: What OpenSSL finds wrong with a certificate, by its number (openssl-verification-options(1)).
_CERTIFICATES = {
    9: "the server's certificate is not valid yet; check this machine's clock",
    10: f"the server's certificate has expired{_SHOWS}whose it is, and since when",
    23: "the server's certificate was revoked",
    62: f"the server's certificate is for another host name{_SHOWS}for which",
    64: f"the server's certificate is for another address{_SHOWS}for which",
    **dict.fromkeys(
        (2, 18, 19, 20, 21, 27),
        "the server's certificate is from an authority that is not known here; name its certificate in destination.tls.ca",
    ),
}
#: What else OpenSSL says, by words in its reason; the first that fits counts.
_TLS = {
    "CERTIFICATE_REQUIRED": "the server asks for a client certificate; name one in destination.tls.cert",
    "ALERT_BAD_CERTIFICATE": "the server does not accept the client certificate (destination.tls.cert)",
    "ALERT_UNKNOWN_CA": "the server does not know who issued the client certificate (destination.tls.cert)",
    "ALERT_CERTIFICATE": "the server does not accept the client certificate (destination.tls.cert)",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS at this port; is it http://?",
    "HTTP_REQUEST": "the server does not speak TLS at this port; is it http://?",
    "PACKET_LENGTH": "the server does not speak TLS at this port; is it http://?",
    "RECORD_LAYER_FAILURE": "the server does not speak TLS at this port; is it http://?",
    "PROTOCOL": "the server speaks no version of TLS that is safe enough; 1.2 is the oldest",
    "VERSION": "the server speaks no version of TLS that is safe enough; 1.2 is the oldest",
    "CIPHER": "the server and sendoff know no cipher in common",
    "HANDSHAKE_FAILURE": "the server refused the TLS handshake; it may ask for a client certificate (destination.tls.cert)",
    "INTERNAL_ERROR": "the server failed in the TLS handshake",
    "UNRECOGNIZED_NAME": "the server has no certificate for this host name",
    "EOF": "the connection was broken off",
}


def describe_failure(error: BaseException) -> str:
    """What went wrong on a connection, in a sentence: from the innermost of an exception's causes that says it."""
    for cause in reversed(_causes(error)):
        if found := _describe(cause):
            return found
    if isinstance(error, ValueError):
        return "the URL or a header has something in it that no request can carry"
    return f"the connection failed ({type(error).__name__})"


def _describe(error: BaseException) -> str:  # noqa: PLR0912  # one branch for each kind
    match error:
        case ssl.SSLCertVerificationError():
            code = getattr(error, "verify_code", 0)
            return "TLS: " + _CERTIFICATES.get(code, f"the server's certificate is not accepted (code {code})")
        case ssl.SSLError():
            reason = error.reason or "EOF"
            return "TLS: " + next((words for word, words in _TLS.items() if word in reason), f"it failed ({reason.lower()})")
        case socket.gaierror():
            return "the host name is not known" if error.errno in _UNKNOWN_NAME else "the host name cannot be looked up now"
        case http.client.RemoteDisconnected():
            return CLOSED
        case http.client.IncompleteRead() | IncompleteRead():
            return CUT
        case BadResponse():
            return str(error)
        case http.client.HTTPException():
            return "not an HTTP response"
        case DecodeError():
            return "the response's compression is broken"
        case WaitedTooLong() | TimeoutError() if not getattr(error, "strerror", None):
            return "connection timed out"
        case OSError() if error.errno and error.errno > 0:
            return os.strerror(error.errno).lower()
        case OSError() if str(error).startswith("Tunnel connection failed: "):
            return f"it responded with {str(error).split()[3]}"
        case OSError() if error.strerror:
            return error.strerror
        case LocationValueError():
            return "not a URL"
    return ""


#: No such name, and a name without an address (getaddrinfo(3)).
_UNKNOWN_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def response_from_error(error: Exception, url: str) -> Response:
    """An exception as a response: whether anything may have been sent, and whether a retry can help."""
    causes = _causes(error)
    undialled = next((cause for cause in causes if isinstance(cause, AddressRefused)), None)
    if undialled is not None:
        return Response(error=str(undialled), may_have_been_sent=False, permanent=True)
    sentence = describe_failure(error)
    if any(isinstance(cause, ProxyError) for cause in causes):
        return Response(error=f"the proxy: {sentence}", may_have_been_sent=False, permanent=True)
    match error:
        case SSLError() if any(isinstance(cause, ssl.SSLError) and is_distrusted(cause) for cause in causes):
            return Response(error=sentence, may_have_been_sent=False, permanent=True)
        case NewConnectionError() | ConnectTimeoutError():
            return Response(
                error=f"cannot connect to {urllib3.util.parse_url(url).netloc}: {sentence}", may_have_been_sent=False
            )
        case LocationValueError() | UnicodeError() | ValueError():
            return Response(error=sentence, may_have_been_sent=False, permanent=True)
        case HTTPError() | OSError() | http.client.HTTPException():
            return Response(error=sentence)
    return Response(error=f"{type(error).__name__}: {error}", permanent=True)


def is_distrusted(error: ssl.SSLError) -> bool:
    """Whether TLS failed on who the server is or on how it speaks, rather than on a connection that broke."""
    words = ("VERSION", "PROTOCOL", "CIPHER", "HANDSHAKE", "HTTP", "ALERT", "CERTIFICATE")
    return isinstance(error, ssl.SSLCertVerificationError) or any(word in (error.reason or "") for word in words)


def _causes(error: BaseException) -> list[BaseException]:
    """An exception and all that it wraps, the outermost first."""
    seen: list[BaseException] = []
    left: list[object] = [error]
    while left:
        found = left.pop(0)
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            left += [*found.args, found.__cause__, found.__context__, getattr(found, "reason", None)]
    return seen
