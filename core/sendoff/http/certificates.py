"""A server's certificate: whose it is, who issued it, and until when; and in such words why it is not accepted."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sendoff.http.connect import dial, resolve, ssl_context
from sendoff.http.failures import describe_failure
from sendoff.transport.protocol import TLS

#: The fields of a certificate, as `ssl` decodes them.
_Fields = Mapping[str, Any]
_Names = Iterable[Iterable[tuple[str, str]]]
#: A certificate that ends within so many days is worth a word.
_SOON = 21


def describe_handshake(
    host: str, port: int, tls: TLS, address_filter: Callable[[str], str | None], *, timeout: float, now: datetime | None = None
) -> tuple[bool, str]:
    """Whether a TLS handshake with a server comes about, and a sentence on its certificate."""
    now = now or datetime.now(UTC)
    try:
        with _handshake(host, port, ssl_context(tls), address_filter, timeout) as secured:
            found, version = _decoded(secured), secured.version()
    except ssl.SSLCertVerificationError as error:
        return False, _why_refused(error, host, port, address_filter, timeout)
    except OSError as error:
        return False, describe_failure(error)
    if not tls.verify:
        return True, f"{version}; the certificate is not verified (tls.verify: false)"
    end = _time(found, "notAfter")
    left = (end - now).days if end else _SOON
    soon = f": that is in {left} days" if left < _SOON else ""
    return True, f"{version}; a certificate for {_names(found)}, issued by {_issuer(found)}, valid until {_day(end)}{soon}"


def _handshake(
    host: str, port: int, context: ssl.SSLContext, address_filter: Callable[[str], str | None], timeout: float
) -> ssl.SSLSocket:
    plain = dial(resolve(host, port, address_filter), timeout)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


def _why_refused(
    error: ssl.SSLCertVerificationError, host: str, port: int, address_filter: Callable[[str], str | None], timeout: float
) -> str:
    """Why a certificate is not accepted, with what it says of itself, which takes another handshake."""
    sentence = describe_failure(error).partition("; `sendoff check")[0]
    found: _Fields = {}
    with suppress(OSError), _handshake(host, port, ssl_context(TLS(verify=False)), address_filter, timeout) as secured:
        found = _decoded(secured)
    if not found:
        return sentence
    match error.verify_code:
        case 10:
            return f"{sentence}, on {_day(_time(found, 'notAfter'))}; it is for {_names(found)}, issued by {_issuer(found)}"
        case 9:
            return f"{sentence}; it is valid from {_day(_time(found, 'notBefore'))}"
        case 62 | 64:
            return f"{sentence}: it is for {_names(found)}, and the URL says {host}"
    return f"{sentence}; it is for {_names(found)}, issued by {_issuer(found)}"


def _decoded(secured: ssl.SSLSocket) -> _Fields:
    """The certificate's fields. Without verification Python gives only its bytes, which its own test decoder reads."""
    if found := secured.getpeercert():
        return found
    raw = secured.getpeercert(binary_form=True)
    with suppress(Exception), tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(ssl.DER_cert_to_PEM_cert(raw or b""))
        file.flush()
        decoded: _Fields = ssl._ssl._test_decode_cert(file.name)  # type: ignore[attr-defined]  # private
        return decoded
    return {}


def _names(found: _Fields) -> str:
    names = [value for _, value in found.get("subjectAltName", ())]
    shown = ", ".join(names[:5]) or " ".join(_values(found.get("subject", ()))) or "nobody"
    return shown + (", …" if len(names) > 5 else "")


def _issuer(found: _Fields) -> str:
    named = dict(pair for part in found.get("issuer", ()) for pair in part)
    return str(named.get("organizationName") or named.get("commonName") or "an authority without a name")


def _values(subject: _Names) -> Iterator[str]:
    return (value for part in subject for _, value in part)


def _time(found: _Fields, name: str) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(found[name]), UTC) if name in found else None


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "an unknown day"
