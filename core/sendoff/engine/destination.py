"""Where requests go: plain data, as a connector file declares it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sendoff.encode.idempotency import IdempotencyPolicy
from sendoff.engine.retry import RetryPolicy
from sendoff.response import DEFAULT, Policy
from sendoff.transport import egress
from sendoff.transport.protocol import TLS
from sendoff.transport.rate_limit import RateLimits


@dataclass(frozen=True, slots=True)
class Destination:
    """Where requests go, and with what manners."""

    url: str
    method: str
    headers: Mapping[str, str]
    #: A number, or ``auto``.
    concurrency: int | Literal["auto"]
    timeout: float
    retry: RetryPolicy
    idempotency: IdempotencyPolicy
    #: How its answers are read.
    response: Policy = DEFAULT
    #: Bytes a second that a body may be sent at, at least.
    min_upload_rate: float = 100_000.0
    rate_limit: RateLimits = field(default_factory=RateLimits)
    atomic: bool = False
    idempotent: bool = False
    compress: str = "none"
    tls: TLS = field(default_factory=TLS)
    proxy: str | None = None
    egress: egress.Mode = "configured"
    #: The request that `sendoff check --connect` sends: `method`, `url`, and the statuses that it expects.
    probe: Mapping[str, str] | None = None
    #: Seconds a whole run may take before it ends for now.
    deadline: float = math.inf
