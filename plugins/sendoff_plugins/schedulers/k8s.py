# ruff: noqa: E501  # a line of another program's file reads best as a line
"""Schedules for Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl
from sendoff_plugins.schedulers._cron.expressions import start_times

#: Seconds that a start may be late: a pod has to be placed, and its image fetched.
LATE = 600


class Kubernetes(Scheduler):
    """A Kubernetes CronJob. Its volume must outlive the pods: it holds the ledger, and must not be a network file system."""

    name = "k8s"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        name = f"sendoff-{job.connector}".lower().replace("_", "-")[:52].rstrip("-")
        return {f"{name}.yaml": "".join(_cron_job(job, name))}


def _cron_job(job: ScheduledJob, name: str) -> Iterator[str]:
    when = start_times(job.cron, job.timezone)
    yield f"apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: {name}}}\nspec:\n"
    if when.due:
        yield f"  # {job.cron} in {job.timezone}: a CronJob cannot say that through changes of the clock, so `--due` decides at these times.\n"
    yield f"  schedule: {json.dumps(when.cron)}\n  timeZone: {'Etc/UTC' if when.timezone == 'UTC' else when.timezone}\n"
    yield "  concurrencyPolicy: Forbid\n"
    if job.missed == "skip":
        yield f"  startingDeadlineSeconds: {LATE}\n"
    yield "  jobTemplate:\n    spec:\n"
    if when.due:
        yield "      backoffLimit: 0\n"
    else:
        yield "      # 3: what is wrong passes by itself, so it is started again, and goes on. Nothing else is helped by that.\n"
        yield "      backoffLimit: 4\n      podFailurePolicy:\n        rules: [{action: FailJob, onExitCodes: {operator: NotIn, values: [3]}}]\n"
    yield "      template:\n        spec:\n          restartPolicy: Never\n          terminationGracePeriodSeconds: 600\n"
    yield "          securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000}\n          containers:\n            - name: sendoff\n"
    yield "              image: YOUR-IMAGE  # one that you made, with this sendoff in it; on PyPI that name is another project's\n"
    yield "              securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}\n"
    yield f"              command: {json.dumps(['sendoff', *job.run(due=when.due, grace=LATE)])}\n              workingDir: /project\n"
    if job.variables:
        yield f"              # kubectl create secret generic {name} --from-env-file=.env\n              env:\n"
    for variable, needed in job.variables.items():
        reference = f"{{name: {name}, key: {variable}{'' if needed else ', optional: true'}}}"
        yield f"                - {{name: {variable}, valueFrom: {{secretKeyRef: {reference}}}}}\n"
    yield "              volumeMounts: [{name: project, mountPath: /project}]\n"
    yield "          volumes:\n            - name: project\n"
    yield "              persistentVolumeClaim: {claimName: sendoff}  # ReadWriteOnce, on a disk of the node's\n"


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Kubernetes]
