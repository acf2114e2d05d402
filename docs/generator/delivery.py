"""In the page on delivery: the pictures and tables of states, from those that the engine obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
from .pictures import Arrow, Box, Drawing, Kind

PAGE = DOCS / "delivery.md"
#: What has states: their table, and those it may begin in.
STATES: Mapping[str, tuple[Moves, type[TaskState | CircuitState | RunPhase], Sequence[State]]] = {
    "request": (TASK_MOVES, TaskState, [TaskState.PLANNED]),
    "destination": (DESTINATION_MOVES, CircuitState, [CircuitState.UNPROVEN, CircuitState.OPEN]),
    "run": (RUN_MOVES, RunPhase, [RunPhase.RUNNING]),
}

_T, _C, _R = TaskState, CircuitState, RunPhase
#: Where each state is in its picture.
PLACES: Mapping[State, tuple[float, float]] = {
    _T.PLANNED: (0, 120), _T.READY: (150, 120), _T.IN_FLIGHT: (310, 120), _T.BACKOFF: (310, 320), _T.HELD: (490, 320),
    _T.SPLIT: (680, 20), _T.DELIVERED: (680, 120), _T.FAILED: (680, 215),
    _C.UNPROVEN: (0, 0), _C.CLOSED: (300, 0), _C.OPEN: (150, 150),
    _R.RUNNING: (0, 110), _R.COMPLETE: (330, 0), _R.INCOMPLETE: (330, 65), _R.STOPPED: (330, 160), _R.INTERRUPTED: (330, 270),
    _R.DISCARDED: (580, 215),
}  # fmt: skip
#: Arrows that would be in the way of something else if they were straight.
BENDS: Mapping[tuple[State, State], float] = {
    (_T.READY, _T.SPLIT): 40, (_T.READY, _T.FAILED): -16, (_T.HELD, _T.SPLIT): 26, (_T.IN_FLIGHT, _T.FAILED): 8,
    (_R.RUNNING, _R.INTERRUPTED): 6, (_R.INTERRUPTED, _R.RUNNING): 30,
}  # fmt: skip
KINDS: Mapping[State, Kind] = {
    _T.DELIVERED: "good", _R.COMPLETE: "good", _C.CLOSED: "good", _T.FAILED: "bad", _R.INCOMPLETE: "bad", _C.OPEN: "bad",
}  # fmt: skip


def text() -> str:
    """The page on delivery, with the states as they should be."""
    page = PAGE.read_text()
    for what, (moves, states, _) in STATES.items():
        begin, end = f"<!-- states of a {what}: made by `make docs` -->\n", "<!-- end of states -->"
        before, _, rest = page.partition(begin)
        page = before + begin + "\n".join(_states(what, moves, list(states))) + "\n" + end + rest.partition(end)[2]
    return page


def _states(what: str, moves: Moves, states: Sequence[State]) -> Iterator[str]:
    """A picture whose arrows are numbered, what each state means, and the moves by their numbers."""
    yield f"\n![The states of a {what}, and the moves between them: see the tables](states/{what}.svg)\n"
    yield "| state | what it means |\n| --- | --- |"
    yield from (f"| {state.value} | {MEANINGS[state]} |" for state in states)
    yield "\n| | from | to | when |\n| --- | --- | --- | --- |"
    for number, ((before, after), when) in enumerate(moves.items(), 1):
        yield f"| {number} | {before.value} | {after.value} | {when} |"
    yield ""


def pictures() -> dict[Path, str]:
    """The pictures of the states."""
    return {PAGE.parent / f"states/{what}.svg": _picture(what).svg() for what in STATES}


def _picture(what: str) -> Drawing:
    moves, states, begins = STATES[what]
    boxes = {state.value: Box(*PLACES[state], state.value, KINDS.get(state, "plain")) for state in states}
    arrows = [
        Arrow(before.value, after.value, str(number), BENDS.get((before, after), 16 if (after, before) in moves else 0))
        for number, (before, after) in enumerate(moves, 1)
    ]
    return Drawing(f"The states of a {what}", boxes, arrows, [state.value for state in begins])
