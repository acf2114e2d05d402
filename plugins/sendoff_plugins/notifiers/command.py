"""Notifications by running a program."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import Any

from sendoff.plugin import ENV, ENV_HINT, Notification, Notifier, SendoffError, hookimpl, jsonlib, program_environment


class Command(Notifier):
    """Run a program with the notification as a line of JSON on its standard input: event, connector, sentence and runs."""

    name = "command"
    privileged = "runs programs"
    options = {
        **Notifier.options,
        "command": {
            "type": "list", "schema": {"type": "string"}, "minlength": 1,
            "meta": {"help": "The program and its arguments, as a list; no shell looks at them. It runs in the project."},
        },
        "env": ENV,
        "timeout": {"type": "number", "min": 0.1, "default": 60, "meta": {"help": "Seconds it may take."}},
    }  # fmt: skip
    command: list[str]
    env: dict[str, str]
    timeout: float

    def notify(self, notification: Notification) -> None:
        payload: dict[str, Any] = asdict(notification)
        done = subprocess.run(  # noqa: S603  # the connector file names the program; no shell is involved
            self.command,
            cwd=self.home,
            env=program_environment(self.env),
            input=f"{jsonlib.dumps(payload)}\n".encode(),
            timeout=self.timeout,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            said = f": {self.excerpt(last)}" if last else ""
            hint = f" ({ENV_HINT})" if done.returncode > 0 else ""
            raise SendoffError(f"{self.command[0]} ended with {done.returncode}{said}{hint}")


@hookimpl
def sendoff_notifiers() -> list[type[Notifier]]:
    return [Command]
