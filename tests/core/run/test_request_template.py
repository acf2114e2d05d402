"""What a request is given on its way."""

from __future__ import annotations

from sendoff import Span
from sendoff.run.request_template import build_request_builder
from sendoff.testing import Project, Receiver


def test_an_attempt_s_deadline_grows_with_its_body(project: Project, receiver: Receiver) -> None:
    text = (
        f'source: {{use: jsonl, path: in.jsonl}}\ndestination: {{url: "{receiver.url}", timeout: 10, min_upload_rate: 1000}}\n'
    )
    connector = project({"in.jsonl": "", "connectors.d/c.yaml": text}).runner().connector("c")
    made = build_request_builder(connector, lambda lo, hi, proof: "k")

    def deadline(size: int) -> float:
        return made.request(Span(0, 1), [b"x" * size], connector.sender, bytes, record_count=1).deadline

    assert deadline(0) < 10.1
    assert 15 <= deadline(5_000) < 15.1
