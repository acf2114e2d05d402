"""One connector's crash, of whatever kind, keeps no other of the same `sendoff run` from running.

The kind: an exception that is no `Exception`, and ends the process that runs the next connector. Brothers: every part of a
connector that is a plugin's, and sendoff's own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from sendoff.testing import Project, Received, Receiver, Reply

PROGRAM = [sys.executable, "-c", "from sendoff.cli import main; main()"]
CONNECTOR = "source: {{use: {source}}}\ndestination: {{url: '{url}'{to}}}\nsend: {{use: {send}}}\n{more}"
RAISED = {
    "exits": "raise SystemExit(0)",
    "exits by sys": "import sys; sys.exit()",
    "recursion": "endless = lambda: endless(); endless()",
    "memory": "raise MemoryError",
    "panic": "raise type('PanicException', (BaseException,), {})('index out of bounds')",
    "generator": "raise GeneratorExit",
    "own": "raise type('Odd', (BaseException,), {})('odd')",
}
PARTS = {
    "sources": ("Source", "read(self, cursor)", {"source": "odd"}),
    "validators": ("Validator", "validate(self, frame)", {"more": "validators: [odd]\n"}),
    "authenticators": ("Authenticator", "sign(self, request)", {"to": ", auth: odd"}),
    "observers": ("Observer", "on_event(self, run, event)", {"more": "observers: [odd]\n"}),
    "observers_at_the_end": ("Observer", "on_event(self, run, event, end='run_ended')", {"more": "observers: [odd]\n"}),
    "notifiers": ("Notifier", "notify(self, notification)", {"more": "notify: [{use: odd}]\n", "path": "/refuses"}),
    "transports": ("Transport", "run(self, queue, settings)", {"to": ", transport: odd"}),
    "senders": ("Sender", "write(self, page)", {"send": "odd"}),
    "failure_strategies": ("FailureStrategy", "decide(self, refusal)", {"more": "on_failure: odd\n", "path": "/refuses"}),
}  # fmt: skip


def plugin(part: str, raised: str) -> str:
    base, method, _ = PARTS[part]
    only = "if event.name != end: return\n        " if "end=" in method else ""
    kind = part.partition("_at_")[0]
    return (
        f"from sendoff.plugin import {base}, hookimpl\nclass Odd({base}):\n    'Break.'\n    name = 'odd'\n"
        f"    def {method}:\n        {only}{raised}\n        yield\n"
        f"@hookimpl\ndef sendoff_{kind}():\n    return [Odd]\n"
    ).replace("        yield\n", "        yield {}\n" if kind == "sources" else "")


@pytest.mark.parametrize("raised", RAISED.values(), ids=RAISED)
@pytest.mark.parametrize("part", PARTS)
def test_the_crash_of_one_connector_keeps_no_other_from_running(
    project: Project, receiver: Receiver, part: str, raised: str
) -> None:
    def answer(request: Received) -> Reply:
        return (
            Reply(400, b'{"error": "no"}')
            if request.path == "/refuses"
            else Reply(200, b'[{"id": 1}]', {"Content-Type": "application/json"})
        )

    receiver.script = answer
    keys = {"source": "csv, path: people.csv", "send": "batch", "to": "", "more": "", **PARTS[part][2]}
    path = keys.pop("path", "/bad")
    project(
        {
            "people.csv": "id\n1\n",
            "plugins.d/odd.py": plugin(part, raised),
            "connectors.d/a.yaml": CONNECTOR.format(url=receiver.url + path, **keys),
            "connectors.d/b.yaml": CONNECTOR.format(
                url=receiver.url + "/good", source="csv, path: people.csv", send="batch", to="", more=""
            ),
        }
    )
    done = subprocess.run([*PROGRAM, "run", "-q"], cwd=project.home, capture_output=True, check=False, timeout=60, text=True)
    assert [request.path for request in receiver.requests if request.path == "/good"] == ["/good"], done.stderr
    # An observer and a notifier are warned of: they change no outcome.
    assert done.returncode in ((0,) if part.startswith("observers") else (1, 2, 70)), (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    assert "odd" in done.stderr + done.stdout
