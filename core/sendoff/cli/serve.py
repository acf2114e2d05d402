"""`sendoff serve`: run connectors when they are due, when files land, and when partners post."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from sendoff.cli.group import Project
from sendoff.errors import ConfigError
from sendoff.runner import Runner
from sendoff.serving import Server
from sendoff.serving.inbox_app import InboxApp


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the door for posts is.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="Its port.")
@click.pass_obj
def command(project: Project, host: str, port: int) -> None:
    """Run connectors when they are due, when files have landed and when partners have posted, until stopped.

    It serves what has a `schedule`, `watch: true` or an `inbox`. What was missed while it did not run is made up for as
    `missed` says. SIGTERM lets the requests under way end.
    """

    def runner() -> Runner:
        return Runner(project.directory, state=project.state)

    def say(line: str) -> None:
        click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}", err=True)

    server = Server(runner, say)
    with ExitStack() as stack:
        if server.inbox_app is not None:
            at = stack.enter_context(_opened(server.inbox_app, host, port))
            say(f"posts are taken at http://{host}:{at}/inbox/NAME")
        for name, chosen in server.connectors.items():
            how = [f"at {chosen.schedule['cron']} {chosen.schedule['timezone']}"] if chosen.schedule else []
            say(f"{name}: {', '.join([*how, *(['when something lands'] if chosen.watch else [])]) or 'takes posts'}")

        def handle(number: int, frame: Any) -> None:
            server.stop(f"by {signal.Signals(number).name}")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handle)
        server.serve()
    say("ended")


@contextmanager
def _opened(door: InboxApp, host: str, port: int) -> Iterator[int]:
    """The door, open on a port; which one is answered."""
    try:
        from waitress.server import create_server  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigError("an inbox needs the serve extra: pip install 'sendoff[serve]'") from None
    most = max(inbox.max_body for inbox in door.inboxes.values())
    try:
        server = create_server(
            door, host=host, port=port, threads=8, connection_limit=200, channel_timeout=30, max_request_body_size=most + 1,
            max_request_header_size=16_384, ident=None, clear_untrusted_proxy_headers=True,
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened: {error.strerror}; choose another with --port") from None
    threading.Thread(target=server.run, name="sendoff-door", daemon=True).start()
    try:
        yield int(server.effective_port)
    finally:
        server.close()
