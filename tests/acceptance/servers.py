"""Where the acceptance servers and suites are, and how they are spoken to."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

_SERVERS = Path(__file__).parent / ".servers"
JSON_SERVER = _SERVERS / "node_modules/.bin/json-server"
DATASETTE = _SERVERS / "datasette/bin/datasette"
KINTO = _SERVERS / "kinto/bin/kinto"


def get(url: str, *, method: str = "GET", body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    with urllib.request.urlopen(urllib.request.Request(url, data, sent, method=method)) as answer:
        return json.load(answer)


def connector(name: str, here: str, **changes: str) -> dict[str, str]:
    """The connector file that the docs give for a server, for the one that runs `here`."""
    page = (Path(__file__).parents[2] / "docs/how-to/known-apis.md").read_text()
    (text,) = re.findall(rf"```yaml file=connectors.d/{name}.yaml\n(.*?)```", page, re.DOTALL)
    text = re.sub(r"http://127\.0\.0\.1:\d+", here, text)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return {f"connectors.d/{name}.yaml": text}


def suite(name: str) -> Path:
    """Where a test suite that we did not write was unpacked; without it the test is skipped, but never in CI."""
    found = _SERVERS / "suites" / name
    if not found.is_dir():
        assert not os.environ.get("CI"), f"{name} is missing; run `make servers`"
        pytest.skip(f"{name} is not there; `make servers` fetches it")
    return found
