"""Every move of a run that the tables list is one that the ledger makes, and it makes no other."""

from __future__ import annotations

from itertools import pairwise

from sendoff.components import Observer
from sendoff.engine.states import RUN_MOVES, RunPhase
from sendoff.ledger import open_history
from sendoff.monitoring.events import Event, RunInfo, RunStarted
from sendoff.runner import Runner
from sendoff.testing import Project, Received, Receiver, Reply

CONNECTOR = "source: {{use: csv, path: a.csv}}\ndestination: {{url: '{url}', retry: {{max_attempts: 1}}}}\n"


class Watch(Observer):
    """Notes the state of each run when it begins and when it has ended."""

    name = "watch"

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.states: dict[int, list[RunPhase]] = {}

    def on_event(self, run: RunInfo, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.note()

    def note(self) -> None:
        for row in open_history(self._runner.state).runs():
            self.states.setdefault(row["id"], []).append(RunPhase(row["state"]))


def test_the_moves_of_runs_are_those_of_the_table(project: Project, receiver: Receiver) -> None:
    """Looked at: each end, a resume after each that has one, and `--restart` after each."""
    project({"a.csv": "id\n1\n2\n3\n", "connectors.d/c.yaml": CONNECTOR.format(url=receiver.url)})
    runner = project.runner()
    watch = Watch(runner)
    runner.observers = (watch,)
    mood = "takes"

    def respond(request: Received) -> Reply:
        if mood == "interrupts":
            runner.interrupt("by a test")
        return Reply(403 if mood == "forbids" else 400 if mood == "rejects" and b"3" in request.body else 200)

    def run(how: str, *, restart: bool = False) -> str:
        nonlocal mood
        mood = how
        state = runner.run("c", restart=restart).state
        watch.note()
        return state

    receiver.script = respond
    assert [run("takes"), run("rejects")] == ["complete", "incomplete"]
    for restart in (False, True):
        assert [run("forbids"), run("takes", restart=restart)] == ["stopped", "complete"]
        assert [run("interrupts"), run("takes", restart=restart)] == ["interrupted", "complete"]
    made = {(a, b) for states in watch.states.values() for a, b in pairwise(states) if a is not b}
    assert made == set(RUN_MOVES)
