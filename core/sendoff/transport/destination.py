"""Where requests go: plain data, as a connector file declares it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sendoff.transport import egress
from sendoff.transport.protocol import TLS


@dataclass(frozen=True, slots=True)
class Destination:
    """Where requests go, and with what manners."""

    url: str
    method: str
    headers: Mapping[str, str]
    #: A number, or ``auto``.
    concurrency: int | Literal["auto"]
    timeout: float
    retry: Mapping[str, Any]
    idempotency: Mapping[str, Any]
    response: Mapping[str, Any] = field(default_factory=dict)
    #: Bytes a second that a body may be sent at, at least.
    min_upload_rate: float = 100_000.0
    #: Requests, records and bytes a second, at most.
    rate_limit: Mapping[str, float] = field(default_factory=dict)
    atomic: bool = False
    idempotent: bool = False
    compress: str = "none"
    tls: TLS = field(default_factory=TLS)
    proxy: str | None = None
    egress: egress.Mode = "configured"
    #: Seconds a whole run may take before it ends for now.
    deadline: float = math.inf
