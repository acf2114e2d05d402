"""`sendoff serve`: run connectors when they are due, when files arrive, and when partners post."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

import sendoff
from sendoff.cleaning import clean
from sendoff.cli import logs, output
from sendoff.cli.group import Project
from sendoff.cli.run import add_progress
from sendoff.components import Observer
from sendoff.errors import ConfigError
from sendoff.lazy import install_command
from sendoff.monitoring.events import Event, RunEnded, RunInfo, RunSkipped
from sendoff.monitoring.metrics import Metrics
from sendoff.serving import Server

if TYPE_CHECKING:
    from sendoff.components import InboxSource
    from sendoff.runner import Runner
    from sendoff.serving.web import Listener


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address that inboxes listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="The port that inboxes listen on.")
@click.option("--metrics-host", default="127.0.0.1", show_default=True, help="The address that monitors ask.")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), help="Answer /metrics, /healthz and /readyz at this port. [default: none]"
)
@click.pass_obj
def command(project: Project, host: str, port: int, metrics_host: str, metrics_port: int | None) -> None:
    """Run connectors by schedule, for new files and for posts.

    It runs connectors with a `schedule`, `watch: true` or an `inbox`. Runs missed while it was down are handled as
    `missed` says. SIGTERM ends it after the requests in flight. With --metrics-port, monitors may ask for Prometheus's
    /metrics, and for /healthz and /readyz, which are 200 or 503 with the reason.

    Example: `sendoff serve`
    """

    def say(line: str, level: str = "info", **facts: object) -> None:
        at = "" if logs.is_log() else f"{time.strftime('%Y-%m-%d %H:%M:%S')}  "
        output.say(f"{at}{clean(line)}", err=True, level=level, facts=facts)

    def notify(name: str, event: Event) -> None:
        if counting is not None and isinstance(event, RunSkipped):
            counting.on_event(RunInfo(connector=name, run=0), event)
        if not (logs.is_log() and isinstance(event, RunEnded)):  # that is logged where the run is
            say(f"{name}: {event.sentence()}", event.severity(), event=event.name, connector=name, fields=event.fields())

    def runner() -> Runner:
        made = project.new_runner()
        add_progress(made, quiet=True)
        if counting is not None:
            made.observers = (*made.observers, counting)
        return made

    counting = Counting() if metrics_port is not None else None

    server = Server(runner, notify)
    with ExitStack() as stack:
        stack.enter_context(closing(server))
        if server.inboxes:
            # Closed before the server closes the inboxes.
            listener = stack.enter_context(closing(_listen(server.inboxes, host, port)))
            say(f"inboxes accept posts at http://{host}:{listener.port}/inbox/NAME")
        if counting is not None:
            listener = _listen_to_monitors(server, counting, project, metrics_host, metrics_port or 0)
            stack.enter_context(closing(listener))
            say(f"monitors are answered at http://{metrics_host}:{listener.port}/metrics, /healthz and /readyz")
        for name, chosen in server.connectors.items():
            how = [f"at {chosen.schedule.cron} {chosen.schedule.timezone}"] if chosen.schedule else []
            say(f"{name}: {', '.join([*how, *(['when something arrives'] if chosen.watch else [])]) or 'accepts posts'}")

        def handle(number: int, frame: object) -> None:
            server.stop(f"by {signal.Signals(number).name}")

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handle)
        server.serve()
    say("ended")


class Counting(Observer):
    """Counts the events of all runs."""

    name = "counting"
    per_request = True

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics()

    def on_event(self, run: RunInfo, event: Event) -> None:
        self.metrics.on_event(run, event)


def _listen_to_monitors(server: Server, counting: Counting, project: Project, host: str, port: int) -> Listener:
    try:
        from sendoff.serving.monitoring_app import Monitor, listen  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigError(f"--metrics-port needs the serve extra: {install_command('serve')}") from None
    try:
        return listen(Monitor(server, counting.metrics, project.new_runner, sendoff.__version__), host, port)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened: {error.strerror}; choose another with --metrics-port") from None


def _listen(inboxes: Mapping[str, InboxSource], host: str, port: int) -> Listener:
    try:
        from sendoff.serving.inbox_app import listen  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigError(f"an inbox needs the serve extra: {install_command('serve')}") from None
    try:
        return listen(inboxes, host, port)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be opened: {error.strerror}; choose another with --port") from None
