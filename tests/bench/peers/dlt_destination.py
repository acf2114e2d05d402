"""dlt: a custom destination that posts with requests: python dlt_destination.py URL FILE RECORDS CONCURRENCY."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="ERROR", DLT_DATA_DIR=str(Path("dlt").absolute()))

import dlt  # it reads the environment
import requests

url, file, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
session = requests.Session()


@dlt.destination(batch_size=size, name="api", loader_file_format="typed-jsonl", max_parallel_load_jobs=16)  # type: ignore[untyped-decorator]  # dlt is not installed here
def api(items: Any, table: Any) -> None:
    body = json.dumps(items[0] if size == 1 and isinstance(items, list) else items, default=str)
    session.post(url, data=body, headers={"Content-Type": "application/json"}).raise_for_status()


def rows() -> Iterator[Any]:
    with Path(file).open("rb") as stream:
        for line in stream:
            yield json.loads(line)


dlt.pipeline("bench", destination=api, dev_mode=True).run(dlt.resource(rows, name="records"))
