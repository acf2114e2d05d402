"""What observers are told, and what they are not."""

from __future__ import annotations

from sendoff import Event, Observer, RunInfo
from sendoff.monitoring.events import EVENTS, FailureUnread, RequestCompleted
from sendoff.run.observers import ObserverGroup
from sendoff.testing import Project, Receiver, Reply

CONNECTOR = (
    "source: {{use: jsonl, path: in.jsonl}}\n"
    "destination: {{url: '{url}/?key=${{env:KEY}}', retry: {{initial_backoff: 0}}}}\nsend: {send}\n"
)


class Listener(Observer):
    """Keep what it is told."""

    name = "listener"

    def __init__(self) -> None:
        super().__init__()
        self.runs: set[RunInfo] = set()
        self.heard: list[Event] = []

    def on_event(self, run: RunInfo, event: Event) -> None:
        self.runs.add(run)
        self.heard.append(event)


class EveryRequest(Listener):
    """Keep every request, too."""

    per_request = True


def test_no_event_holds_a_secret_wherever_it_stands() -> None:
    listener = Listener()
    group = ObserverGroup(
        RunInfo(connector="c", run=1, url="http://h/?k=geheim"), [listener], lambda text: text.replace("geheim", "***")
    )
    group.notify([FailureUnread(reason="geheim\x1b[2J", add=["has: geheim"])])
    assert listener.heard == [FailureUnread(reason="*** [2J", add=["has: ***"])]
    assert {run.url for run in listener.runs} == {"http://h/?k=***"}


def test_every_event_says_in_a_sentence_what_its_name_says() -> None:
    assert len({event.name for event in EVENTS}) == len(EVENTS) > 10
    assert all(event.sentence is not Event.sentence and event.__doc__ for event in EVENTS)


def test_every_request_is_told_of_to_those_who_ask_however_it_is_sent(project: Project, receiver: Receiver) -> None:
    """Looked at: one by one in bursts and by a batch; what fails is told with its status."""
    for send in ("single", "{use: batch, max_records: 1}"):
        receiver.script = lambda request: Reply(400 if b"7" in request.body else 200)
        project(
            {
                "in.jsonl": "".join(f'{{"a":{at}}}\n' for at in range(10)),
                "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url, send=send),
            }
        )
        some, every = Listener(), EveryRequest()
        report = project.runner(observers=[some, every], env={"KEY": "s3cret-key"}).run("c")
        requests = [event for event in every.heard if isinstance(event, RequestCompleted)]
        assert not any(isinstance(event, RequestCompleted) for event in some.heard)
        assert sorted(event.status or 0 for event in requests) == [*[200] * 9, 400]
        assert len(requests) == report.requests
        assert sum(event.bytes for event in requests) == report.bytes
        assert all("s3cret" not in event.url and event.seconds > 0 for event in requests)
        assert {event.verdict for event in requests} == {"delivered", "rejected"}
