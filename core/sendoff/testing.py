"""The test kit, for sendoff's own tests and for those of plugins.

`Receiver` is a real HTTP server that responds as scripted and records what it received. `Project` is a
directory with connector files to run. `check_component` checks a component against its contract. In
pytest, ``from sendoff.testing import project, receiver`` gives fixtures.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sendoff.components import KINDS
from sendoff.monitoring.report import Report
from sendoff.registry import contract_violation
from sendoff.runner import Runner
from sendoff.sandbox import LocalServer, Received, Reply, Sandbox

__all__ = ["Project", "Received", "Receiver", "Reply", "Sandbox", "check_component", "project", "receiver"]

Script = Sequence[Reply] | Callable[[Received], Reply]


class Receiver(LocalServer):
    """A real HTTP server on 127.0.0.1 that responds as scripted.

    `script` is a function of the request, called from several threads at once, or a list of replies to
    give in turn; after the last one everything is answered 200. `requests` are those received, in order.
    """

    def __init__(self, script: Script = ()) -> None:
        self.requests: list[Received] = []
        self.script: Script = script
        self._lock = threading.Lock()
        super().__init__(self._reply)

    @property
    def bodies(self) -> list[Any]:
        """The received bodies, read as JSON."""
        return [json.loads(request.body) for request in self.requests]

    def _reply(self, request: Received) -> Reply:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        if callable(self.script):
            return self.script(request)
        return self.script[number] if number < len(self.script) else Reply()


class Project:
    """A directory to run connectors in: ``project({"connectors.d/a.yaml": text}).run("a")``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "connectors.d").mkdir(parents=True, exist_ok=True)

    def __call__(self, files: Mapping[str, str | bytes]) -> Project:
        for name, content in files.items():
            file = self.home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def runner(self, **settings: Any) -> Runner:
        return Runner(self.home / "connectors.d", **settings)

    def run(self, name: str, *, plugins: Sequence[object] = (), **settings: Any) -> Report:
        return self.runner(plugins=plugins).run(name, **settings)


def check_component(component: object) -> None:
    """Assert that a class fulfils its kind's contract: a name, a docstring, options with help."""
    kind = next((name for name, base in KINDS.items() if isinstance(component, type) and issubclass(component, base)), None)
    assert kind is not None, f"{component!r} is of no kind sendoff knows"
    problem = contract_violation(component, kind)
    assert problem is None, problem


try:
    import pytest
except ImportError:  # the kit works without it; only the fixtures need it
    pass
else:

    @pytest.fixture
    def receiver() -> Iterator[Receiver]:
        """A real HTTP server that records the requests it received."""
        with Receiver() as server:
            yield server

    @pytest.fixture
    def project(tmp_path: Path) -> Project:
        """An empty project in a temporary directory."""
        return Project(tmp_path)
