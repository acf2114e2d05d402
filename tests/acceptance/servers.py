"""Starts servers that we did not write, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SERVERS = Path(__file__).parent / ".servers"
JSON_SERVER = _SERVERS / "node_modules/.bin/json-server"
DATASETTE = _SERVERS / "datasette/bin/datasette"
KINTO = _SERVERS / "kinto/bin/kinto"


def wanted(program: str | Path) -> str:
    """The program's path; without it the test is skipped, but never where CI says it runs."""
    found = shutil.which(str(program))
    if found is None:
        assert not os.environ.get("CI"), f"{program} is missing; run `make servers`"
        pytest.skip(f"{program} is not installed; `make servers` installs it")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], port: int, home: Path) -> Iterator[str]:
    """The server, once it answers; its output is kept in `server.log`."""
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, (home / "server.log").read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


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
