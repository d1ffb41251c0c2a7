"""The state machine of a run, written as a table whose rows carry the sentence that the operator reads.

Read it aloud: in PHASE, when EVENT (and WHEN holds), go to NEXT: "SENTENCE". The first row that fits is taken; an event
with no row changes nothing. tests/unit/test_lifecycle.py proves that every phase is reachable, that every phase that is
not final has a way out, and one that a person can take.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """OPEN phases: RUNNING, GATED (a gate waits; other branches go on), PAUSED, HALTED (cannot go on without a person),
    UNDOING, PARKED (stopped half-way on purpose). FINAL: DONE, DEGRADED (done, with obligations open), UNDONE."""

    RUNNING = "running"
    GATED = "gated"
    PAUSED = "paused"
    HALTED = "halted"
    UNDOING = "undoing"
    PARKED = "parked"
    DONE = "done"
    DEGRADED = "degraded"
    UNDONE = "undone"

    @property
    def final(self) -> bool:
        return self in FINAL

    @property
    def may_act(self) -> bool:
        """Whether the engine may start a mutating call for the run's own steps."""
        return self in {Phase.RUNNING, Phase.GATED, Phase.UNDOING}


FINAL = frozenset({Phase.DONE, Phase.DEGRADED, Phase.UNDONE})


class Event(StrEnum):
    GATE_OPENED = "gate opened"
    GATE_PASSED = "gate passed"
    GATE_EXPIRED = "gate expired"
    HALT = "halt"
    FINISHED = "finished"
    UNDO_FINISHED = "undo finished"
    UNDO_BLOCKED = "undo blocked"
    # People's commands (design.md §4 rule 9): appended by any authorised identity, without the lease.
    APPROVE = "approve"
    DECLINE = "decline"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    CLOSE = "close"


PEOPLES = frozenset({Event.APPROVE, Event.DECLINE, Event.PAUSE, Event.RESUME, Event.ABORT, Event.CLOSE})


class When(StrEnum):
    ALWAYS = ""
    PROMOTED = "a promotion was ordered"
    UNDO_BEGUN = "the undo had begun"
    GATE_OPEN = "a gate is open"
    OWED = "something is owed"
    ACCEPTS = "the approval accepts what halted it"
    ACCEPTS_AT_GATE = "the approval accepts what halted it, and a gate is open"


@dataclass(frozen=True)
class Row:
    phase: Phase
    event: Event
    when: When
    next: Phase
    sentence: str


_UNDO = "Everything that was changed is being put back, the fence included."
_NO_WAY_BACK = "A promotion was ordered, so nothing is undone: resume to finish, or close it as it stands."

TABLE: tuple[Row, ...] = (
    Row(Phase.RUNNING, Event.GATE_OPENED, When.ALWAYS, Phase.GATED, "It waits at a gate for a person."),
    Row(Phase.RUNNING, Event.PAUSE, When.ALWAYS, Phase.PAUSED, "Paused: no new call is made until resume."),
    Row(Phase.RUNNING, Event.ABORT, When.PROMOTED, Phase.PARKED, _NO_WAY_BACK),
    Row(Phase.RUNNING, Event.ABORT, When.ALWAYS, Phase.UNDOING, _UNDO),
    Row(Phase.RUNNING, Event.HALT, When.ALWAYS, Phase.HALTED, "It cannot go on without a person."),
    Row(Phase.RUNNING, Event.FINISHED, When.OWED, Phase.DEGRADED, "All steps ended, but something is still owed."),
    Row(Phase.RUNNING, Event.FINISHED, When.ALWAYS, Phase.DONE, "All steps are done, each seen from the data plane."),
    Row(Phase.GATED, Event.GATE_OPENED, When.ALWAYS, Phase.GATED, "It waits at more than one gate."),
    Row(Phase.GATED, Event.GATE_PASSED, When.GATE_OPEN, Phase.GATED, "One gate passed; another still waits."),
    Row(Phase.GATED, Event.GATE_PASSED, When.ALWAYS, Phase.RUNNING, "The gate passed; it goes on."),
    Row(Phase.GATED, Event.GATE_EXPIRED, When.PROMOTED, Phase.PARKED, _NO_WAY_BACK),
    Row(Phase.GATED, Event.GATE_EXPIRED, When.ALWAYS, Phase.UNDOING, "Nobody approved in time. " + _UNDO),
    Row(Phase.GATED, Event.DECLINE, When.PROMOTED, Phase.PARKED, _NO_WAY_BACK),
    Row(Phase.GATED, Event.DECLINE, When.ALWAYS, Phase.UNDOING, "Declined. " + _UNDO),
    Row(Phase.GATED, Event.PAUSE, When.ALWAYS, Phase.PAUSED, "Paused at a gate: its clock stands still."),
    Row(Phase.GATED, Event.ABORT, When.PROMOTED, Phase.PARKED, _NO_WAY_BACK),
    Row(Phase.GATED, Event.ABORT, When.ALWAYS, Phase.UNDOING, _UNDO),
    Row(Phase.GATED, Event.HALT, When.ALWAYS, Phase.HALTED, "It cannot go on without a person."),
    Row(Phase.PAUSED, Event.RESUME, When.UNDO_BEGUN, Phase.UNDOING, "Resumed: " + _UNDO),
    Row(Phase.PAUSED, Event.RESUME, When.GATE_OPEN, Phase.GATED, "Resumed; it waits at a gate for a person."),
    Row(Phase.PAUSED, Event.RESUME, When.ALWAYS, Phase.RUNNING, "Resumed."),
    Row(Phase.PAUSED, Event.ABORT, When.PROMOTED, Phase.PARKED, _NO_WAY_BACK),
    Row(Phase.PAUSED, Event.ABORT, When.ALWAYS, Phase.UNDOING, _UNDO),
    Row(Phase.HALTED, Event.RESUME, When.GATE_OPEN, Phase.GATED, "Resumed; it waits at a gate for a person."),
    Row(Phase.HALTED, Event.RESUME, When.ALWAYS, Phase.RUNNING, "Resumed: what failed is tried again."),
    Row(Phase.HALTED, Event.APPROVE, When.ACCEPTS_AT_GATE, Phase.GATED, "A person accepted what halted it."),
    Row(Phase.HALTED, Event.APPROVE, When.ACCEPTS, Phase.RUNNING, "A person accepted what halted it; it goes on."),
    Row(Phase.HALTED, Event.ABORT, When.PROMOTED, Phase.PARKED, _NO_WAY_BACK),
    Row(Phase.HALTED, Event.ABORT, When.ALWAYS, Phase.UNDOING, _UNDO),
    Row(Phase.HALTED, Event.CLOSE, When.ALWAYS, Phase.DEGRADED, "Closed by a person as it stands; not all is done."),
    Row(Phase.UNDOING, Event.UNDO_FINISHED, When.ALWAYS, Phase.UNDONE, "Everything was put back as it was."),
    Row(Phase.UNDOING, Event.UNDO_BLOCKED, When.ALWAYS, Phase.PARKED, "Not all could be put back; a person must look."),
    Row(Phase.UNDOING, Event.PAUSE, When.ALWAYS, Phase.PAUSED, "Paused in the middle of the undo."),
    Row(Phase.PARKED, Event.RESUME, When.UNDO_BEGUN, Phase.UNDOING, "Resumed: " + _UNDO),
    Row(Phase.PARKED, Event.RESUME, When.GATE_OPEN, Phase.GATED, "Resumed; it waits at a gate for a person."),
    Row(Phase.PARKED, Event.RESUME, When.ALWAYS, Phase.RUNNING, "Resumed: it goes on to the end."),
    Row(Phase.PARKED, Event.CLOSE, When.ALWAYS, Phase.DEGRADED, "Closed by a person as it stands; not all is done."),
)


def transition(phase: Phase, event: Event, holds: frozenset[When]) -> Row | None:
    """The first row that fits, or None: the event means nothing in this phase."""
    for row in TABLE:
        if row.phase is phase and row.event is event and (row.when is When.ALWAYS or row.when in holds):
            return row
    return None


def ways_out(phase: Phase) -> tuple[Event, ...]:
    """What a person may command in this phase, in the table's order; abort is never slower than one call."""
    return tuple(dict.fromkeys(row.event for row in TABLE if row.phase is phase and row.event in PEOPLES)) + (
        (Event.APPROVE,) if phase is Phase.GATED else ()
    )
