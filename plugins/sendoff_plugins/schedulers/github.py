# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for GitHub Actions."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import in_utc


class GitHubActions(Scheduler):
    """A GitHub Actions workflow. Its cron is in UTC and late at times; the ledger is kept in its cache from run to run."""

    name = "github"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        return {
            f"sendoff-{job.connector}.yml": (
                f"name: sendoff {job.connector}\non:\n  schedule:\n"
                f"    # {job.cron} in {job.timezone}, in UTC as the clock stands today:\n"
                "    # GitHub supports no other zone, so this is an hour off after the next change of the clock.\n"
                f"    - cron: {json.dumps(in_utc(job.cron, job.timezone))}\n"
                "  workflow_dispatch:\nconcurrency: {group: sendoff-" + job.connector + ", cancel-in-progress: false}\n"
                "jobs:\n  deliver:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
                "      - uses: actions/setup-python@v5\n        with: {python-version: '3.13'}\n"
                "      # Set the variable to where sendoff is: a wheel, or a git address. Its name on PyPI is another project's.\n"
                "      - run: pip install '${{ vars.SENDOFF_SOURCE }}'\n"
                "      # The ledger knows what was delivered. A cache may be evicted: keep it elsewhere if that matters.\n"
                "      - uses: actions/cache@v4\n"
                f"        with: {{path: .sendoff, key: 'sendoff-{job.connector}-${{{{ github.run_id }}}}', restore-keys: 'sendoff-{job.connector}-'}}\n"
                f"      - run: sendoff run {job.connector} --quiet\n"
            )
        }


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [GitHubActions]
