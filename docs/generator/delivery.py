"""In the page on delivery: the pictures and tables of states, from those that the engine obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sendoff.engine.states import (
    DESTINATION_MOVES,
    MEANINGS,
    RUN_MOVES,
    TASK_MOVES,
    CircuitState,
    Moves,
    RunPhase,
    State,
    TaskState,
)

from .page import DOCS

PAGE = DOCS / "delivery.md"
#: What has states: their table, and those it may begin in.
STATES: Mapping[str, tuple[Moves, type[TaskState | CircuitState | RunPhase], Sequence[State]]] = {
    "request": (TASK_MOVES, TaskState, [TaskState.PLANNED]),
    "destination": (DESTINATION_MOVES, CircuitState, [CircuitState.UNPROVEN, CircuitState.OPEN]),
    "run": (RUN_MOVES, RunPhase, [RunPhase.RUNNING]),
}


def text() -> str:
    """The page on delivery, with the states as they should be."""
    page = PAGE.read_text()
    for what, (moves, states, begins) in STATES.items():
        begin, end = f"<!-- states of a {what}: made by `make docs` -->\n", "<!-- end of states -->"
        before, _, rest = page.partition(begin)
        page = before + begin + "\n".join(_states(moves, list(states), begins)) + "\n" + end + rest.partition(end)[2]
    return page


def _states(moves: Moves, states: Sequence[State], begins: Sequence[State]) -> Iterator[str]:
    """A picture whose arrows are numbered, what each state means, and the moves by their numbers."""
    yield "\n```mermaid\nstateDiagram-v2"
    for state in states:
        if " " in state.value:
            yield f'  state "{state.value}" as {_name(state)}'
    yield from (f"  [*] --> {_name(state)}" for state in begins)
    yield from (f"  {_name(before)} --> {_name(after)}: {number}" for number, (before, after) in enumerate(moves, 1))
    leaves = {before for before, _ in moves}
    yield from (f"  {_name(state)} --> [*]" for state in states if state not in leaves)
    yield "```\n\n| state | what it means |\n| --- | --- |"
    yield from (f"| {state.value} | {MEANINGS[state]} |" for state in states)
    yield "\n| | from | to | when |\n| --- | --- | --- | --- |"
    for number, ((before, after), when) in enumerate(moves.items(), 1):
        yield f"| {number} | {before.value} | {after.value} | {when} |"
    yield ""


def _name(state: State) -> str:
    return str(state.value).replace(" ", "_")
