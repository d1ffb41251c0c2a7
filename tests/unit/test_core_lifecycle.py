"""The table of phases, told once more as stories: after these words a run is in that phase."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudfail.execution.lifecycle import FINAL, PEOPLES, Event, Phase, When, transition, ways_out
from tests.unit.logs import (
    DONE_TO_THE_GATE,
    GATE_PASSED,
    PLAN,
    Said,
    closed,
    gate,
    halt,
    intent,
    run_after,
    seen,
    step,
    told,
)

PROMOTED = (*GATE_PASSED, intent("promote"))
LATE_GATE = (*PROMOTED, gate(Event.GATE_OPENED, name="late"))
PARKED = (*PROMOTED, told("abort"))
HALTED = halt()
ASKED = halt(asks={"loss_seconds": 5.0})
ACCEPTED = told("approve", loss_seconds=5.0)
BLOCKED = (told("abort"), halt(event=Event.UNDO_BLOCKED))

STORIES: list[tuple[str, tuple[Said, ...], Phase]] = [
    ("opened", (), Phase.RUNNING),
    ("a gate opened", DONE_TO_THE_GATE, Phase.GATED),
    ("paused", (told("pause"),), Phase.PAUSED),
    ("aborted", (told("abort"),), Phase.UNDOING),
    ("aborted after a promotion was ordered", PARKED, Phase.PARKED),
    ("halted", (HALTED,), Phase.HALTED),
    ("finished", (closed(Event.FINISHED),), Phase.DONE),
    ("finished while something is owed", (seen("freeze", "owed"), closed(Event.FINISHED)), Phase.DEGRADED),
    ("declined with no gate", (told("decline"),), Phase.RUNNING),
    ("resumed while it runs", (told("resume"),), Phase.RUNNING),
    ("closed while it runs", (told("close"),), Phase.RUNNING),
    ("a second gate opened", (*DONE_TO_THE_GATE, gate(Event.GATE_OPENED)), Phase.GATED),
    ("the gate passed", GATE_PASSED, Phase.RUNNING),
    ("the gate expired", (*DONE_TO_THE_GATE, gate(Event.GATE_EXPIRED)), Phase.UNDOING),
    ("a gate expired after a promotion", (*LATE_GATE, gate(Event.GATE_EXPIRED, name="late")), Phase.PARKED),
    ("declined", (*DONE_TO_THE_GATE, told("decline")), Phase.UNDOING),
    ("declined after a promotion", (*LATE_GATE, told("decline")), Phase.PARKED),
    ("paused at a gate", (*DONE_TO_THE_GATE, told("pause")), Phase.PAUSED),
    ("aborted at a gate", (*DONE_TO_THE_GATE, told("abort")), Phase.UNDOING),
    ("aborted at a gate after a promotion", (*LATE_GATE, told("abort")), Phase.PARKED),
    ("halted at a gate", (*DONE_TO_THE_GATE, HALTED), Phase.HALTED),
    ("approved at a gate", (*DONE_TO_THE_GATE, told("approve")), Phase.GATED),
    ("resumed", (told("pause"), told("resume")), Phase.RUNNING),
    ("resumed at a gate", (*DONE_TO_THE_GATE, told("pause"), told("resume")), Phase.GATED),
    ("resumed in the undo", (told("abort"), told("pause"), told("resume")), Phase.UNDOING),
    ("aborted while paused", (told("pause"), told("abort")), Phase.UNDOING),
    ("aborted while paused after a promotion", (*PROMOTED, told("pause"), told("abort")), Phase.PARKED),
    ("closed while paused", (told("pause"), told("close")), Phase.PAUSED),
    ("resumed after a halt", (HALTED, told("resume")), Phase.RUNNING),
    ("resumed after a halt at a gate", (*DONE_TO_THE_GATE, HALTED, told("resume")), Phase.GATED),
    ("accepted", (ASKED, ACCEPTED), Phase.RUNNING),
    ("accepted at a gate", (*DONE_TO_THE_GATE, ASKED, ACCEPTED), Phase.GATED),
    ("approved, and not what was asked", (ASKED, told("approve")), Phase.HALTED),
    ("aborted after a halt", (HALTED, told("abort")), Phase.UNDOING),
    ("aborted after a halt after a promotion", (*PROMOTED, HALTED, told("abort")), Phase.PARKED),
    ("closed after a halt", (HALTED, told("close")), Phase.DEGRADED),
    ("paused after a halt", (HALTED, told("pause")), Phase.HALTED),
    ("put back", (told("abort"), closed(Event.UNDO_FINISHED)), Phase.UNDONE),
    ("the undo is blocked", BLOCKED, Phase.PARKED),
    ("paused in the undo", (told("abort"), told("pause")), Phase.PAUSED),
    ("aborted in the undo", (told("abort"), told("abort")), Phase.UNDOING),
    ("resumed after a blocked undo", (*BLOCKED, told("resume")), Phase.UNDOING),
    ("resumed after it was parked", (*PARKED, told("resume")), Phase.RUNNING),
    ("resumed at a gate after it was parked", (*LATE_GATE, told("abort"), told("resume")), Phase.GATED),
    ("closed after it was parked", (*PARKED, told("close")), Phase.DEGRADED),
    ("aborted after it was parked", (*PARKED, told("abort")), Phase.PARKED),
    ("aborted after it ended", (closed(Event.FINISHED), told("abort")), Phase.DONE),
]


LATE = replace(PLAN, steps=(*PLAN.steps, step("late", None, gate="approval")))


@pytest.mark.parametrize(("story", "said", "phase"), STORIES, ids=[name for name, _, _ in STORIES])
def test_after_these_words_a_run_is_in_this_phase(story: str, said: tuple[Said, ...], phase: Phase) -> None:
    assert run_after(*said, plan=LATE).phase is phase, story


def test_of_two_gates_that_wait_one_passes_and_the_other_still_waits() -> None:
    both = (*DONE_TO_THE_GATE, gate(Event.GATE_OPENED, name="late"))
    one = run_after(*both, gate(Event.GATE_PASSED, name="late"), plan=LATE)
    assert (one.phase, [waiting.name for waiting in one.open_gates]) == (Phase.GATED, ["approve"])
    none = run_after(*both, gate(Event.GATE_PASSED), gate(Event.GATE_PASSED, name="late"), plan=LATE)
    assert none.phase is Phase.RUNNING


def test_three_phases_are_final() -> None:
    assert {phase for phase in Phase if phase.final} == FINAL == {Phase.DONE, Phase.DEGRADED, Phase.UNDONE}


def test_six_words_are_peoples() -> None:
    assert {str(event) for event in PEOPLES} == {"approve", "decline", "pause", "resume", "abort", "close"}


WAYS_OUT = {
    Phase.RUNNING: "pause abort",
    Phase.GATED: "decline pause abort approve",
    Phase.PAUSED: "resume abort",
    Phase.HALTED: "resume approve abort close",
    Phase.UNDOING: "pause",
    Phase.PARKED: "resume close",
    Phase.DONE: "",
    Phase.DEGRADED: "",
    Phase.UNDONE: "",
}


@pytest.mark.parametrize("phase", Phase)
def test_what_a_person_may_say_in_each_phase(phase: Phase) -> None:
    assert " ".join(ways_out(phase)) == WAYS_OUT[phase]


def test_a_row_with_a_condition_is_taken_only_where_it_holds() -> None:
    assert transition(Phase.RUNNING, Event.GATE_PASSED, frozenset(When)) is None
    undoing = transition(Phase.RUNNING, Event.ABORT, frozenset())
    parked = transition(Phase.RUNNING, Event.ABORT, frozenset({When.PROMOTED}))
    assert undoing is not None and undoing.next is Phase.UNDOING
    assert parked is not None and parked.next is Phase.PARKED
