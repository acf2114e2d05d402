# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for GitHub Actions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import start_times

#: Seconds that a start may be late: GitHub often is.
LATE = 3600


class GitHubActions(Scheduler):
    """A GitHub Actions workflow. Its cron is in UTC and late at times; the ledger is kept in its cache from run to run."""

    name = "github"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        return {f"sendoff-{job.connector}.yml": "".join(_workflow(job))}


def _workflow(job: ScheduledJob) -> Iterator[str]:
    when = start_times(job.cron, job.timezone, zones=False)
    key = f"sendoff-{job.connector}"
    yield f"name: sendoff {job.connector}\non:\n  schedule:\n"
    if when.due:
        yield f"    # {job.cron} in {job.timezone}: GitHub's times are in UTC, so `--due` decides at these.\n"
    elif when.cron != job.cron:
        yield f"    # {job.cron} in {job.timezone}.\n"
    yield f"    - cron: {json.dumps(when.cron)}\n  workflow_dispatch:\n"
    yield f"permissions: {{contents: read}}\nconcurrency: {{group: {key}, cancel-in-progress: false}}\n"
    yield "jobs:\n  deliver:\n    runs-on: ubuntu-latest\n"
    yield "    env:\n" if job.variables else ""
    yield from (f"      {name}: ${{{{ secrets.{name} }}}}\n" for name in job.variables)
    yield "    steps:\n      - uses: actions/checkout@v4\n      - uses: actions/setup-python@v5\n        with: {python-version: '3.13'}\n"
    yield "      # Set the variable to where sendoff is: a wheel, or a git address. Its name on PyPI is another project's.\n"
    yield "      - run: pip install '${{ vars.SENDOFF_SOURCE }}'\n"
    yield "      # The ledger knows what was delivered. A cache may be evicted: keep it elsewhere if that matters.\n"
    yield f"      - uses: actions/cache/restore@v4\n        with: {{path: .sendoff, key: '{key}-none', restore-keys: '{key}-'}}\n"
    yield "      # Started by hand it runs at once; by the schedule, when that is due.\n" if when.due else ""
    words = shlex.join(["sendoff", *job.run(due=when.due, grace=LATE)])
    by_hand = shlex.join(["sendoff", *job.run()])
    if when.due:
        yield f"      - run: ${{{{ github.event_name == 'schedule' && '{words}' || '{by_hand}' }}}}\n"
    else:
        yield f"      - run: {words}\n"
    yield "      # Also of a run that failed: what it delivered is delivered.\n      - uses: actions/cache/save@v4\n        if: always()\n"
    yield f"        with: {{path: .sendoff, key: '{key}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}'}}\n"


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [GitHubActions]
