"""The page on delivery says of the states what the tables say that the engine obeys."""

from __future__ import annotations

import re

import pytest

from docs.generator import delivery
from docs.generator.page import REFERENCE
from sendoff.engine.states import MEANINGS, CircuitState, RunPhase, TaskState

#: States that nothing leads out of: all is settled.
ENDS = {
    TaskState.DELIVERED, TaskState.FAILED, TaskState.SPLIT, RunPhase.COMPLETE, RunPhase.INCOMPLETE, RunPhase.DISCARDED,
}  # fmt: skip
PAGE = delivery.PAGE.read_text()


def test_the_states_on_the_page_are_those_of_the_code() -> None:
    assert delivery.text() == PAGE, "run `make docs`"


def test_every_state_has_a_meaning() -> None:
    assert set(MEANINGS) == {*TaskState, *CircuitState, *RunPhase}
    assert all(f"| {state.value} | {meaning} |" in PAGE for state, meaning in MEANINGS.items())


@pytest.mark.parametrize("what", delivery.STATES)
def test_every_state_can_be_reached_and_left_unless_it_is_an_end(what: str) -> None:
    moves, states, begins = delivery.STATES[what]
    left, reached = {before for before, _ in moves}, {after for _, after in moves}
    assert set(states) - left == ENDS & set(states)
    assert set(states) - reached <= set(begins)


def test_the_page_has_a_way_on_from_every_end_of_a_run_with_its_exit_code() -> None:
    rows = re.findall(r"^\| (.+?) \| ([\d, ]*|none) \| (.+?) \|$", PAGE.partition("## A run")[2], re.MULTILINE)
    codes = {int(code) for _, shown, _ in rows for code in re.findall(r"\d+", shown)}
    for state in RunPhase:
        if state not in (RunPhase.RUNNING, RunPhase.DISCARDED):
            assert any(ended.startswith(state.value) for ended, _, _ in rows), state
    listed = re.findall(r"^\| ([\d, ]+) \|", (REFERENCE / "exit-codes.md").read_text(), re.MULTILINE)
    assert codes == {int(code) for line in listed for code in line.split(",")} - {141}
