"""SQS, EventBridge and DynamoDB as moto imitates them: signed requests, and a result for each record or for those left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sendoff.testing import Project

from .servers import connector, kill_when, reasons, settled

REGION = "eu-central-1"
KEYS = {"aws_access_key_id": "an-access-key", "aws_secret_access_key": "its-secret"}


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name.upper(), value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(service: str, url: str) -> Any:
    return boto3.client(service, region_name=REGION, endpoint_url=url, **KEYS)


def aws(name: str, service: str, url: str, **changes: str) -> dict[str, str]:
    return connector(name, url, **{f"https://{service}.{REGION}.amazonaws.com/": f"{url}/", **changes})


def test_killed_and_resumed_sqs_has_every_message_and_few_twice(
    project: Project, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = client("sqs", moto)
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    monkeypatch.setenv("SQS_QUEUE_URL", queue)
    rows = "".join(f"o{at},{'Tee ü' if at % 2 else ''}\n" for at in range(200))
    project({"orders.csv": f"id,what\n{rows}", **aws("sqs", "sqs", moto)})
    kill_when(project, "sqs", lambda: settled(project), 40, "5/s")
    report = project.run("sqs")
    assert (report.state, report.delivered, report.rejected) == ("complete", 200, 0)
    there = []
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        there += [json.loads(message["Body"]) for message in found]
    assert {each["id"]: each["what"] for each in there} == {f"o{at}": "Tee ü" if at % 2 else None for at in range(200)}
    assert len(there) <= 200 + 40  # what was in flight when it was killed


def test_a_queue_that_is_not_there_stops_the_run_after_one_request(
    project: Project, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQS_QUEUE_URL", f"{moto}/1/nowhere")
    project({"orders.csv": "id,what\n" + "o,Tea\n" * 100, **aws("sqs", "sqs", moto)})
    report = project.run("sqs")
    assert (report.state, report.requests, report.pending) == ("stopped", 1, 100)


def test_eventbridge_takes_every_event(project: Project, moto: str) -> None:
    events, sqs = client("events", moto), client("sqs", moto)
    queue = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern='{"source": ["com.example.crm"]}')
    events.put_targets(Rule="all", Targets=[{"Id": "seen", "Arn": arn}])
    project(
        {
            "orders.csv": "id,what\n" + "".join(f'o{at},"a ""quote"""\n' for at in range(25)),
            **aws("eventbridge", "events", moto),
        }
    )
    report = project.run("eventbridge")
    assert (report.state, report.delivered, report.requests) == ("complete", 25, 3)
    there = []
    while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        there += [json.loads(message["Body"])["detail"] for message in found]
    assert sorted(each["id"] for each in there) == sorted(f"o{at}" for at in range(25))
    assert {each["what"] for each in there} == {'a "quote"'}


def test_killed_and_resumed_dynamodb_has_every_item_and_says_which_it_refused(project: Project, moto: str) -> None:
    dynamodb = client("dynamodb", moto)
    key = {"AttributeName": "id"}
    dynamodb.create_table(
        TableName="people",
        KeySchema=[key | {"KeyType": "HASH"}],
        AttributeDefinitions=[key | {"AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    rows = "".join(f"{'x' * 2_100 if at == 177 else f'd{at}'},p{at}@example.com,{at}\n" for at in range(300))
    project({"people.csv": f"id,email,age\n{rows}", **aws("dynamodb", "dynamodb", moto)})
    kill_when(project, "dynamodb", lambda: settled(project), 100, "4/s")
    report = project.run("dynamodb")
    assert (report.state, report.delivered, report.rejected) == ("incomplete", 299, 1)
    assert list(reasons(project, report)) == ["x" * 2_100]
    there: dict[str, tuple[str, str]] = {}
    for page in dynamodb.get_paginator("scan").paginate(TableName="people"):
        there |= {item["id"]["S"]: (item["email"]["S"], item["age"]["N"]) for item in page["Items"]}
    assert there == {f"d{at}": (f"p{at}@example.com", str(at)) for at in range(300) if at != 177}
