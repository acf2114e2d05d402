"""Schedules for Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sendoff.plugin import ScheduledJob, Scheduler, hookimpl


class Kubernetes(Scheduler):
    """A Kubernetes CronJob. Its volume must outlive the pods: it holds the ledger, and must not be a network file system."""

    name = "k8s"

    def export(self, job: ScheduledJob) -> Mapping[str, str]:
        name = f"sendoff-{job.connector}".replace("_", "-")[:52].rstrip("-")
        deadline = "" if job.missed == "run_once" else "  startingDeadlineSeconds: 90\n"
        return {
            f"{name}.yaml": (
                "apiVersion: batch/v1\nkind: CronJob\n"
                f"metadata: {{name: {name}}}\nspec:\n"
                f"  schedule: {json.dumps(job.cron)}\n"
                f"  timeZone: {job.timezone}\n"
                "  concurrencyPolicy: Forbid\n"
                + deadline
                + "  jobTemplate:\n    spec:\n      backoffLimit: 0\n      template:\n        spec:\n"
                "          restartPolicy: Never\n          containers:\n            - name: sendoff\n"
                "              image: IMAGE  # one with sendoff installed\n"
                f"              command: [sendoff, run, {job.connector}, --quiet]\n"
                "              workingDir: /project\n"
                "              volumeMounts: [{name: project, mountPath: /project}]\n"
                "          volumes:\n            - name: project\n"
                "              persistentVolumeClaim: {claimName: sendoff}  # ReadWriteOnce, on a disk of the node's\n"
            )
        }


@hookimpl
def sendoff_schedulers() -> list[type[Scheduler]]:
    return [Kubernetes]
