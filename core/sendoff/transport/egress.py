"""Which addresses may be connected to: checked for each connection, after DNS, on the address itself.

`configured` trusts the operator's files: an internal API at 10.x or localhost is allowed. Link-local and
metadata addresses are refused all the same, as a cloud's credentials are served there, and no API is.
`public`, for connectors that others write, refuses every address that is not on the public internet.
An IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is checked too.

The table is sendoff's own, from the IANA special-purpose registries (RFC 6890 and its updates):
`ipaddress.is_global` calls some of these addresses global (measured on CPython 3.11).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["configured", "public"]

#: The variable by which who runs sendoff says where else the account of the machine may be used: origins, with commas between.
AMBIENT_ORIGINS = "SENDOFF_AMBIENT_ORIGINS"

_Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(map(ip_network, texts))


#: Refused in every mode: link-local, and the metadata services of clouds.
_METADATA = _networks(
    "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32",
    "192.0.0.192/32",
)  # fmt: skip

_NOT_PUBLIC = _networks(
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20",
    "5f00::/16", "64:ff9b:1::/48", "fc00::/7", "fec0::/10", "ff00::/8",
)  # fmt: skip


def address_problem(address: str, mode: Mode) -> str | None:
    """Why no connection is made to an address, in a sentence; None if it is allowed."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return f"{address!r} is not a valid address"
    for each in _with_embedded(found):
        shown = address if each == found else f"{address} (which is {each})"
        if any(each in network for network in _METADATA if network.version == each.version):
            return f"{shown} is a link-local or metadata address, which is never dialled"
        if mode == "public" and any(each in network for network in _NOT_PUBLIC if network.version == each.version):
            return f"{shown} is not on the public internet, and egress is `public`"
    return None


def _with_embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and every IPv4 address that is embedded in it."""
    if isinstance(address, IPv4Address):
        return [address]
    raw = address.packed
    inside = []
    if raw[:12] == bytes(10) + b"\xff\xff" or (raw[:12] == bytes(12) and raw[12:] > b"\0\0\0\1"):
        inside.append(raw[12:])  # mapped (RFC 4291 §2.5.5.2) and compatible (§2.5.5.1)
    if raw[:8] == bytes(8) and raw[8:12] == b"\xff\xff\0\0":
        inside.append(raw[12:])  # translated (RFC 2765)
    if raw[:12] == b"\0\x64\xff\x9b" + bytes(8):
        inside.append(raw[12:])  # NAT64 (RFC 6052 §2.1)
    if raw[:6] == b"\0\x64\xff\x9b\0\1":
        # NAT64 of a network of one's own (RFC 8215), with a prefix of 48, 56, 64 or 96 bits (RFC 6052 §2.2).
        inside += [raw[6:8] + raw[9:11], raw[7:8] + raw[9:12], raw[9:13], raw[12:]]
    if raw[:2] == b"\x20\x02":
        inside.append(raw[2:6])  # 6to4 (RFC 3056)
    if raw[:4] == b"\x20\x01\0\0":
        inside += [raw[4:8], bytes(byte ^ 0xFF for byte in raw[12:])]  # Teredo (RFC 4380): its server, its client
    if raw[8:12] in (b"\0\0\x5e\xfe", b"\2\0\x5e\xfe"):
        inside.append(raw[12:])  # ISATAP (RFC 5214)
    return [address, *map(IPv4Address, inside)]


def may_lend_account(url: str, provider: Sequence[str]) -> bool:
    """Whether a request to this URL may prove that it comes from the machine, by the machine's own account.

    It may where a host is its provider's own (one of these, or below one, by https), or where who runs sendoff, and not the
    connector, says so.
    """
    parts = urlsplit(url)
    allowed = [origin.strip().rstrip("/") for origin in os.environ.get(AMBIENT_ORIGINS, "").split(",")]
    host = parts.hostname or ""
    own = any(host == name or host.endswith(f".{name}") for name in provider)
    return (own and parts.scheme == "https" and parts.port in (None, 443)) or f"{parts.scheme}://{parts.netloc}" in allowed
