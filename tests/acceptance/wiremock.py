"""WireMock, a server that responds as it is told, and as badly as it is told."""

from __future__ import annotations

import contextlib
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers import free_port, running, wanted

from .servers import WIREMOCK, get

#: What it calls its ways to break a connection.
FAULTS = ["CONNECTION_RESET_BY_PEER", "EMPTY_RESPONSE", "MALFORMED_RESPONSE_CHUNK", "RANDOM_DATA_THEN_CLOSE"]


@contextlib.contextmanager
def wiremock(home: Path) -> Iterator[str]:
    home.mkdir()
    port = free_port()
    jar = wanted(WIREMOCK)
    options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", jar, "--port", str(port), "--bind-address", "127.0.0.1"]
    asked = f"http://127.0.0.1:{port}/__admin/mappings"
    with running([wanted("java"), *options], port, home, asked=lambda: get(asked), end=signal.SIGKILL) as url:
        yield url


def respond(url: str, to: dict[str, Any], response: dict[str, Any], priority: int = 5) -> None:
    """How it responds to requests; those with the lower number come first."""
    stub = {"request": {"method": "POST", **to}, "response": response, "priority": priority}
    get(f"{url}/__admin/mappings", method="POST", body=stub)


def received(url: str, path: str) -> Counter[int]:
    """How often it was sent each record, by its own journal: by `id`, of single objects and of arrays."""
    found = get(f"{url}/__admin/requests")["requests"]
    bodies = [json.loads(one["request"]["body"]) for one in found if one["request"]["url"] == path]
    return Counter(record["id"] for body in bodies for record in (body if isinstance(body, list) else [body]))
