"""`sendoff run`: deliver records."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal, cast

import click

from sendoff.cli import logs
from sendoff.cli.account import show_account
from sendoff.cli.arguments import CONNECTOR
from sendoff.cli.failures import fail, log_traceback
from sendoff.cli.group import Project
from sendoff.cli.output import NO_EARLY_STOP, as_json, json_option, say
from sendoff.components import Observer
from sendoff.config.connector import Connector
from sendoff.config.schedule import GRACE
from sendoff.errors import ConfigError, Interrupted, LedgerError, Problem, SendoffError
from sendoff.ledger.claims import UNFINISHED
from sendoff.monitoring.report import Report
from sendoff.runner import Runner


@click.command("run")
@click.argument("names", nargs=-1, type=CONNECTOR)
@click.option("--restart", is_flag=True, help="Discard the rest of an interrupted run, and start over.")
@click.option(
    "--maybe-applied",
    "maybe_applied",
    type=click.Choice(["delivered", "rejected"]),
    help="Count as this the records of an interrupted run that were sent and may have been applied; else they are sent again.",
)
@click.option("--no-early-stop", "early_stop", flag_value=False, default=True, type=bool, help=NO_EARLY_STOP)
@click.option("--due", is_flag=True, help="Run only those whose schedule says so now: for a scheduler that starts this often.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=GRACE,
    show_default=True,
    help="With --due: a start that is so many seconds late is on time.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    help="Read at most N more records, deliver them, and leave the rest to the next run.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@json_option
@click.pass_obj
def command(
    project: Project, names: Sequence[str], restart: bool, maybe_applied: Literal["delivered", "rejected"] | None,
    early_stop: bool, due: bool, grace: float, limit: int | None, quiet: bool, to_json: bool,
) -> None:  # fmt: skip
    """Deliver the records of some connectors, or of all.

    An interrupted run is resumed. Ends with 0 if every record was delivered, 1 if some were not,
    2 if something must be fixed first, 3 if the next run goes on without that, 70 if sendoff or a plugin failed,
    75 if it is running already, 130 or 143 if it was interrupted; with several connectors, with the highest of these.
    With --due it ends with 0 also if nothing is due, or what is due is still running from before; with --limit, if all that
    was read is delivered.

    Example: `sendoff run people`
    """
    if maybe_applied is not None and (len(names) != 1 or restart):
        raise ConfigError("--maybe-applied needs the name of one connector, and no --restart; nothing was sent")
    runner = project.runner
    chosen = load(project, names)
    if not chosen:
        raise ConfigError(f"no connectors in {project.directory}; `sendoff new NAME` creates one")
    warn_of_orphans(project)
    add_progress(runner, quiet)

    if due:
        if restart or maybe_applied is not None or limit is not None:
            raise ConfigError("--due goes with none of --restart, --maybe-applied and --limit; nothing was sent")
        chosen = [connector for connector in chosen if connector.schedule]
        if not chosen:
            raise ConfigError("--due needs a connector with a schedule, like `schedule: {cron: 0 7 * * *, timezone: UTC}`")

    def deliver(connector: Connector) -> Report | None:
        if due:
            found = runner.run_due(connector, grace=grace, early_stop=early_stop)
            if isinstance(found, Report):
                return found
            if not quiet:
                say(f"{connector.name}: {found}", err=True)
            return None
        return runner.run(connector, restart=restart, early_stop=early_stop, maybe_applied=maybe_applied, limit=limit)

    run_all(project, chosen, deliver, to_json)


def warn_of_orphans(project: Project) -> None:
    """Warn of unfinished runs whose connector is gone."""
    for sentence in project.runner.orphans():
        say(f"warning: {sentence}", err=True, level="warning")


def load(project: Project, names: Sequence[str]) -> list[Connector]:
    """The connectors by name, or all; every mistake in any of them is reported before anything is sent."""
    files = [project.file(name) for name in names] if names else list(project.runner.found().files.values())
    loaded: list[Connector] = []
    problems: list[Problem | str] = []
    for file in files:
        try:
            loaded.append(project.runner.load(file))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return loaded


def add_progress(runner: Runner, quiet: bool) -> None:
    """Add the observers that show progress, unless the command is to be quiet; or those that write the log."""
    purpose = "log" if logs.is_log() else "terminal"
    if logs.is_log() or not quiet:
        offered = [cast("type[Observer]", offer.component) for offer in runner.registry.offers("observers").values()]
        runner.observers = (*runner.observers, *(observer() for observer in offered if purpose in observer.default_for))


def run_all(project: Project, chosen: Sequence[Connector], deliver: Any, to_json: bool) -> None:
    """Run one after the other, show the summary, and end with the worst exit code."""
    reports: list[Report] = []
    codes = [0]

    def account() -> None:
        """The account as it stands, with that of a run which is ended at once."""
        left = [_as_stored(project, connector.name) for connector in chosen[len(codes) - 1 :][:1]]
        _show_all(project, [*reports, *(report for report in left if report)], max(*codes, 128 + caught[0]), to_json)

    with interruptible(project.runner, account) as caught:
        for connector in chosen:
            try:
                report = deliver(connector)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                code = fail(error, connector=connector.name, redact=connector.secrets.redact)
                codes.append(128 + caught[0] if isinstance(error, Interrupted) and caught else code)
                if isinstance(error, LedgerError):
                    with suppress(SendoffError):
                        left = _as_stored(project, connector.name, "the ledger cannot be written")
                        reports += [left] if left else []
            else:
                if report is None:
                    codes.append(0)
                    continue
                if report.error is not None:
                    log_traceback(report.error, connector.secrets.redact)
                if report.state == "interrupted" and report.interrupted_by is None:
                    report = replace(report, interrupted_by=128 + caught[0] if caught else 130)
                reports.append(report)
                codes.append(reports[-1].exit_code)
            if caught:
                break
    _show_all(project, reports, max(codes), to_json)
    raise SystemExit(max(codes))


def _show_all(project: Project, reports: Sequence[Report], code: int, to_json: bool) -> None:
    if to_json:
        as_json({"runs": [report.as_dict() for report in reports], "exit_code": code})
    elif reports:
        show_account(project, reports)


def _as_stored(project: Project, name: str, why: str = "ended at once") -> Report | None:
    """The report of a connector's run that is not over, as the ledger has it; None if there is none."""
    found = next((row for row in project.runner.history.runs(name) if row["state"] in UNFINISHED), None)
    if found is None:
        return None
    return Report(
        name, found["id"], "interrupted", seconds=found["seconds"], stopped_because=why,
        read=found["read"], delivered=found["delivered"], invalid=found["invalid"], rejected=found["rejected"],
        requests=found["requests"], retries=found["retries"], bytes=found["bytes"], unchanged=found["unchanged"],
        accepted=found["accepted"],
    )  # fmt: skip


#: Signals within so many seconds count as one.
TOGETHER = 1.0


@contextmanager
def interruptible(
    runner: Runner, account: Callable[[], None], clock: Callable[[], float] = time.monotonic
) -> Iterator[list[int]]:
    """The first signal ends the run after the requests in flight; a second one exits at once, which is safe.

    Two within a second are one: `timeout` signals the program, and then its group. A signal that comes just before the main
    thread begins to wait in a system call interrupts nothing, and its handler would run only after the wait: a thread ends it.
    """
    caught: list[int] = []
    times: list[float] = []
    handled = threading.Event()

    def handle(number: int, frame: object) -> None:
        handled.set()
        times.append(clock())
        if caught and times[-1] - times[0] < TOGETHER:
            return
        if caught:
            for each in numbers:
                signal.signal(each, signal.SIG_DFL)  # once more ends it even if the account cannot be shown
            logs.clear_progress()
            with suppress(Exception):
                account()
                sys.stdout.flush()
            os._exit(128 + number)
        caught.append(number)
        logs.write_at_once("ending after the requests in flight; press again to end at once")
        runner.interrupt(f"by {signal.Signals(number).name}")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)

    def end_wait() -> None:
        while number := os.read(wake, 1):
            if not handled.wait(TOGETHER):
                runner.interrupt(f"by {signal.Signals(number[0]).name}")

    watcher = threading.Thread(target=end_wait, name="sendoff-signals", daemon=True)
    watcher.start()
    woken_before = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken_before)
        os.close(woken)
        watcher.join()
        os.close(wake)
