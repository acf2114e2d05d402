"""`sendoff serve`: run connectors when they are due, when files arrive, and when partners post."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from sendoff.cli.group import Project
from sendoff.errors import ConfigError
from sendoff.serving import Server
from sendoff.serving.inbox_app import InboxApp


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address that inboxes listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="The port that inboxes listen on.")
@click.pass_obj
def command(project: Project, host: str, port: int) -> None:
    """Run connectors when they are due, when files arrive and when partners post, until stopped.

    It runs connectors with a `schedule`, `watch: true` or an `inbox`. Runs missed while it was down are handled as
    `missed` says. SIGTERM ends it after the requests in flight.
    """

    def say(line: str) -> None:
        click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}", err=True)

    server = Server(project.new_runner, say)
    with ExitStack() as stack:
        if server.inbox_app is not None:
            at = stack.enter_context(_listen(server.inbox_app, host, port))
            say(f"inboxes accept posts at http://{host}:{at}/inbox/NAME")
        for name, chosen in server.connectors.items():
            how = [f"at {chosen.schedule.cron} {chosen.schedule.timezone}"] if chosen.schedule else []
            say(f"{name}: {', '.join([*how, *(['when something arrives'] if chosen.watch else [])]) or 'accepts posts'}")

        def handle(number: int, frame: object) -> None:
            server.stop(f"by {signal.Signals(number).name}")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handle)
        server.serve()
    say("ended")


@contextmanager
def _listen(app: InboxApp, host: str, port: int) -> Iterator[int]:
    """Serve the inboxes on a port; yields the port."""
    try:
        from waitress.server import create_server  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigError("an inbox needs the serve extra: pip install 'sendoff[serve]'") from None
    largest = max(inbox.max_body for inbox in app.inboxes.values())
    try:
        server = create_server(
            app, host=host, port=port, threads=8, connection_limit=200, channel_timeout=30, max_request_body_size=largest + 1,
            max_request_header_size=16_384, ident=None, clear_untrusted_proxy_headers=True,
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened: {error.strerror}; choose another with --port") from None
    threading.Thread(target=server.run, name="sendoff-inbox", daemon=True).start()
    try:
        yield int(server.effective_port)
    finally:
        server.close()
