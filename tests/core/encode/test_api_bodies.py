"""The bodies of well-known APIs, as docs/how-to/bodies.md says how to send them: each row of its table, and what arrives."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sendoff.testing import Project, Receiver

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "bodies.md"
ROWS = dict(re.findall(r"^\| ([A-Za-z].*?) \| `(.*)` \|$", PAGE.read_text(), re.MULTILINE))
RECORD = {"id": 7, "city": 'Rome "C"'}
WHOLE = '{"id":7,"city":"Rome \\"C\\""}'


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


BODIES: dict[str, Any] = {
    "RabbitMQ `publish`": {"routing_key": "people", "properties": {}, "payload": WHOLE, "payload_encoding": "string"},
    "the same, in Base64": {
        "routing_key": "people",
        "properties": {},
        "payload": in_base64(WHOLE),
        "payload_encoding": "base64",
    },
    "Google Pub/Sub": {"messages": [{"data": in_base64(WHOLE), "attributes": {"id": "7"}}]},
    "BigQuery `insertAll`": {"rows": [{"insertId": "7", "json": RECORD}]},
    "etcd `kv/put`": {"key": in_base64("people/7"), "value": in_base64(WHOLE)},
    "AWS EventBridge": {"Entries": [{"Source": "crm", "DetailType": "person", "Detail": WHOLE}]},
    "Braze `users/track`": {"attributes": [{"external_id": "7", "city": RECORD["city"]}]},
    "Meta Conversions": {"data": [{"event_name": "Reading", "event_id": "7", "custom_data": RECORD}]},
    "the whole list as text": {"payload": f"[{WHOLE}]"},
}


def test_every_row_of_the_page_is_tested() -> None:
    assert ROWS.keys() == BODIES.keys()


@pytest.mark.parametrize("api", BODIES)
def test_an_api_gets_the_body_it_takes(project: Project, receiver: Receiver, api: str) -> None:
    destination = f'destination: {{url: "{receiver.url}"}}'
    text = f"source: {{use: jsonl, path: in.jsonl}}\nschema: {{id: integer, city: string}}\n{destination}\nsend: {ROWS[api]}\n"
    project({"in.jsonl": json.dumps(RECORD) + "\n", "connectors.d/c.yaml": text})
    assert project.run("c").state == "complete"
    assert receiver.bodies == [BODIES[api]]
