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
        refused = address_filter(str(address[0]))
        if refused is not None:
            raise AddressRefused(refused if str(address[0]) == host else f"{host}: {refused}")
    return found


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified unless the settings say otherwise."""
    made = ssl.create_default_context(cafile=str(tls.ca) if tls.ca else None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if tls.cert is not None:
        made.load_cert_chain(str(tls.cert), str(tls.key) if tls.key else None)
    return made
