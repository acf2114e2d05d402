"""AWS's signatures: the example that AWS publishes, and a server that verifies them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.auth
import pytest

from sendoff import ConfigError, Request, Span
from sendoff.testing import Project, Receiver
from sendoff_plugins.authenticators.aws_sigv4 import AwsSigV4
from tests.servers import free_port, running

#: Of the example in AWS's test suite for signatures, "get-vanilla".
KEY_ID, KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # pragma: allowlist secret
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SIGNATURE = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"  # pragma: allowlist secret


def signer(**options: Any) -> AwsSigV4:
    given = {"access_key_id": KEY_ID, "secret_access_key": KEY, "region": "us-east-1", "service": "service", **options}
    return AwsSigV4(**{name: value for name, value in given.items() if value is not None})


def request(method: str, url: str, body: list[bytes], headers: dict[str, str] | None = None) -> Request:
    return Request(Span(0, 1), method, url, headers or {}, body, sum(map(len, body)), deadline=9)


def test_the_example_that_aws_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: THEN)
    added = signer().sign(request("GET", "https://example.amazonaws.com/", []))
    assert added == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={SIGNATURE}",
    }


def test_the_signature_is_of_the_method_the_url_the_headers_and_the_body_however_it_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: THEN)

    def signature(*parts: Any) -> str:
        return signer().sign(request(*parts))["Authorization"]

    url = "https://example.amazonaws.com/a?b=c"
    same = signature("POST", url, [b"ab", b"c"], {"X-A": "1"})
    assert signature("POST", url, [b"abc"], {"X-A": "1"}) == same
    others = [
        ("PUT", url, [b"abc"], {"X-A": "1"}), ("POST", url + "d", [b"abc"], {"X-A": "1"}),
        ("POST", url, [b"abd"], {"X-A": "1"}), ("POST", url, [b"abc"], {"X-A": "2"}), ("POST", url, [b"abc"], {}),
    ]  # fmt: skip
    assert same not in {signature(*parts) for parts in others}


def test_a_session_token_travels_and_is_signed() -> None:
    added = signer(session_token="a-session-token").sign(request("POST", "https://example.amazonaws.com/", [b"x"]))
    assert added["X-Amz-Security-Token"] == "a-session-token"
    assert "x-amz-security-token" in added["Authorization"]


@pytest.fixture(scope="module")
def aws() -> Iterator[tuple[str, str, str]]:
    """A server of AWS's APIs that verifies every signature: its URL, and an access key's id and secret."""
    port = free_port()
    # After the five calls that make the queue and the user, whoever asks must sign.
    command = ["env", "INITIAL_NO_AUTH_ACTION_COUNT=5", sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, Path("/tmp")) as url:
        known: dict[str, Any] = {
            "endpoint_url": url, "region_name": "eu-central-1", "aws_access_key_id": "a", "aws_secret_access_key": "b",
        }  # fmt: skip
        boto3.client("sqs", **known).create_queue(QueueName="people")
        iam = boto3.client("iam", **known)
        iam.create_user(UserName="me")
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        iam.put_user_policy(UserName="me", PolicyName="all", PolicyDocument=json.dumps(everything))
        made = iam.create_access_key(UserName="me")["AccessKey"]
        yield url, made["AccessKeyId"], made["SecretAccessKey"]


CONNECTOR = """
source: {{use: jsonl, path: in.jsonl}}
destination:
  url: "{url}/"
  headers: {{X-Amz-Target: AmazonSQS.SendMessage, Content-Type: application/x-amz-json-1.0}}
  auth: {{use: aws_sigv4, region: eu-central-1, service: sqs, {credentials}}}
send: {{use: single, record: {{QueueUrl: "{url}/123456789012/people", MessageBody: $text}}}}
"""


def deliver(project: Project, url: str, credentials: str) -> Any:
    rows = "".join(json.dumps({"text": f"Grüße {at}"}) + "\n" for at in range(5))
    text = CONNECTOR.format(url=url, credentials=credentials)
    return project({"in.jsonl": rows, "connectors.d/c.yaml": text}).run("c")


def test_a_queue_takes_what_is_signed(project: Project, aws: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    url, key_id, key = aws
    monkeypatch.setenv("KEY", key)
    report = deliver(project, url, f'access_key_id: {key_id}, secret_access_key: "${{env:KEY}}"')
    assert (report.state, report.delivered) == ("complete", 5)
    queue: dict[str, Any] = {"QueueUrl": f"{url}/123456789012/people", "MaxNumberOfMessages": 10}
    sqs = boto3.client("sqs", endpoint_url=url, region_name="eu-central-1", aws_access_key_id=key_id, aws_secret_access_key=key)
    held = sqs.receive_message(**queue)["Messages"]
    assert sorted(message["Body"] for message in held) == [f"Grüße {at}" for at in range(5)]


def test_a_wrong_key_is_refused_once(project: Project, aws: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    url, key_id, key = aws
    monkeypatch.setenv("KEY", key[::-1])
    report = deliver(project, url, f'access_key_id: {key_id}, secret_access_key: "${{env:KEY}}"')
    assert (report.state, report.delivered, report.requests) == ("stopped", 0, 1)
    assert key[::-1] not in report.stopped_because


def test_the_machine_s_credentials_are_used_only_where_they_are_asked_for(
    project: Project, aws: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, key_id, key = aws
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    told = deliver(project, url, "credentials: ambient").stopped_because
    assert told == (
        f"aws_sigv4: the account of the machine is for AWS alone, and this goes to {url}; who runs sendoff may allow it by "
        f"SENDOFF_AMBIENT_ORIGINS={url}"
    )
    monkeypatch.setenv("SENDOFF_AMBIENT_ORIGINS", url)
    assert deliver(project, url, "credentials: ambient").state == "complete"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    told = deliver(project, url, "credentials: ambient").stopped_because
    assert told == "aws_sigv4: the machine has no credentials: neither variables, nor AWS's files, nor a role"


def test_the_machine_s_credentials_are_refused_where_egress_is_public(project: Project, receiver: Receiver) -> None:
    text = CONNECTOR.format(url=receiver.url, credentials="credentials: ambient")
    project({"in.jsonl": "", "connectors.d/c.yaml": text})
    with pytest.raises(
        ConfigError, match=r"aws_sigv4 uses the account of the machine \(`credentials: ambient`\), which is not"
    ):
        project.runner(egress="public").connector("c")
    assert receiver.requests == []


@pytest.mark.parametrize("is_offline", [False, True])
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            "region: r, service: s, session_token: abcdefgh",
            "credentials: are missing: give `access_key_id` and `secret_access_key`, or `credentials: ambient`",
        ),
        (
            "region: r, service: s, access_key_id: abcdefgh",
            "secret_access_key: is missing; access_key_id and secret_access_key go together",
        ),
        (
            "region: r, service: s, secret_access_key: abcdefgh",
            "access_key_id: is missing; access_key_id and secret_access_key go together",
        ),
        ("region: r, service: '', credentials: ambient", "service: is empty: give it a value"),
        ("region: '', service: s, credentials: ambient", "region: is empty: give it a value"),
    ],
)
def test_what_is_missing_for_a_signature_is_found_at_load(
    project: Project, options: str, problem: str, is_offline: bool
) -> None:
    destination = f"destination: {{url: 'https://sqs.r.amazonaws.com/', auth: {{use: aws_sigv4, {options}}}}}"
    project({"in.jsonl": "", "connectors.d/c.yaml": f"source: {{use: jsonl, path: in.jsonl}}\n{destination}\n"})
    runner = project.runner()
    with pytest.raises(ConfigError) as caught:
        runner.check_offline(project.home / "connectors.d/c.yaml") if is_offline else runner.connector("c")
    (found,) = caught.value.problems
    assert str(found).partition("destination.auth.")[2].startswith(problem)
