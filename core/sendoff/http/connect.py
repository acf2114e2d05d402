"""Before a connection: names into addresses, addresses past the guard, certificates."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from sendoff.transport.protocol import TLS

#: Seconds a connection may take to come about, all of a name's addresses together.
CONNECT_TIMEOUT = 10.0


class AddressRefused(Exception):
    """An address that must not be dialled; its text is the sentence to show."""


def resolve(host: str, port: int, address_filter: Callable[[str], str | None]) -> Sequence[Any]:
    """What `socket.getaddrinfo` finds, if the guard lets all of it pass.

    One refused address refuses all: a name that leads to both is not to be trusted with either.
    Raises `Undialled`, and what `getaddrinfo` raises.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for *_, address in found:
        reason = address_filter(str(address[0]))
        if reason is not None:
            raise AddressRefused(reason if str(address[0]) == host else f"{host}: {reason}")
    return found


def dial(found: Sequence[Any], timeout: float) -> socket.socket:
    """A connection to the first that takes one of the addresses that `resolve` found. Raises what the last one did."""
    trouble: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            trouble = error
        else:
            return sock
    raise trouble


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified unless the settings say otherwise."""
    made = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False  # a name is in the subject alternative names or nowhere (RFC 9525 §6.3)
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        # Without a function OpenSSL would ask for the passphrase at the terminal.
        made.load_cert_chain(str(tls.cert), str(tls.key) if tls.key else None, password=lambda: tls.passphrase or "")
    return made


def find_unusable(tls: TLS) -> tuple[str, str] | None:
    """Which of these settings cannot be used, and why, in a sentence that begins with the file; None if all can."""
    try:
        ssl_context(TLS(ca=tls.ca))
    except (ssl.SSLError, ValueError):
        return "ca", "has no certificate in it that can be read; PEM is expected, which begins with -----BEGIN CERTIFICATE-----"
    if tls.cert is None:
        return None
    key = tls.key or tls.cert
    if b"-----BEGIN CERTIFICATE-----" not in tls.cert.read_bytes():
        return "cert", "has no certificate in it; PEM is expected, which begins with -----BEGIN CERTIFICATE-----"
    text = key.read_bytes()
    if b"PRIVATE KEY-----" not in text:
        return (
            ("key", "has no private key in it")
            if tls.key
            else ("cert", "has no private key in it; name the key's file in `key`")
        )
    which = "key" if tls.key else "cert"
    try:
        ssl_context(TLS(cert=tls.cert, key=tls.key, passphrase=tls.passphrase))
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            return which, f"is not the key of the certificate in {tls.cert.name}"
        if b"ENCRYPTED" in text:
            missing = "is encrypted; give its passphrase as `passphrase: ${env:NAME}`"
            return which, missing if tls.passphrase is None else "cannot be decrypted with this passphrase"
        return which, "cannot be read as a certificate's key"
    return None
