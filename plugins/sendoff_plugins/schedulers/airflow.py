# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for Airflow."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import start_times

#: Seconds that a start may be late: a task waits for its place.
LATE = 600


class Airflow(Scheduler):
    """An Airflow DAG of one task. Exit code 1, some records not delivered, fails the task."""

    name = "airflow"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        identity = f"sendoff_{job.connector.replace('-', '_')}"
        return {f"{identity}.py": "".join(_dag(job, identity))}


def _dag(job: ScheduledJob, identity: str) -> Iterator[str]:
    when = start_times(job.cron, job.timezone)
    yield "import pendulum\nfrom airflow import DAG\nfrom airflow.providers.standard.operators.bash import BashOperator\n\n"
    yield f"with DAG(\n    {json.dumps(identity)},\n"
    if when.due:
        yield f"    # {job.cron} in {job.timezone}: not the same here through changes of the clock, so `--due` decides at these times.\n"
    yield f"    schedule={json.dumps(when.cron)},\n    start_date=pendulum.datetime(2026, 1, 1, tz={json.dumps(when.timezone)}),\n"
    yield "    # It makes up for the last missed run only: what is in the source goes with that.\n    catchup=False,\n    max_active_runs=1,\n):\n"
    yield '    BashOperator(\n        task_id="deliver",\n'
    command = shlex.join([*job.program, *job.options, *job.run(due=when.due, grace=LATE)])
    yield f"        bash_command={json.dumps(command)},\n        cwd={json.dumps(str(job.home))},\n"
    if job.variables:
        yield "        # Variables of Airflow's own: `airflow variables set NAME VALUE`, or its secrets backend.\n        env={\n"
        for name, needed in job.variables.items():
            value = f"{{{{ var.value.{name} }}}}" if needed else f"{{{{ var.value.get('{name}', '') }}}}"
            yield f"            {json.dumps(name)}: {json.dumps(value)},\n"
        yield "        },\n        append_env=True,\n"
    yield "        # 75: it is running already, and is not started twice.\n        skip_on_exit_code=75,\n    )\n"


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Airflow]
