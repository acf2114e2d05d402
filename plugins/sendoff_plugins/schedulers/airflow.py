# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl


class Airflow(Scheduler):
    """An Airflow DAG of one task. Exit code 1, some records not delivered, fails the task."""

    name = "airflow"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        catchup = "# Airflow makes up for the last missed run only, as the ledger would deliver nothing twice anyhow."
        identity = f"sendoff_{job.connector.replace('-', '_')}"
        return {
            f"{identity}.py": (
                "import pendulum\nfrom airflow import DAG\nfrom airflow.providers.standard.operators.bash import BashOperator\n\n"
                f"{catchup}\nwith DAG(\n    {json.dumps(identity)},\n    schedule={json.dumps(job.cron)},\n"
                f"    start_date=pendulum.datetime(2026, 1, 1, tz={json.dumps(job.timezone)}),\n"
                "    catchup=False,\n    max_active_runs=1,\n):\n"
                f'    BashOperator(task_id="deliver", bash_command={json.dumps(f"{job.program} run {job.connector} --quiet")}, cwd={json.dumps(str(job.home))})\n'
            )
        }


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Airflow]
