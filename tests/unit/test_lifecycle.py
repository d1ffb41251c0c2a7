"""The table of a run's phases: all reachable, none without a way out, no row that another hides."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from cloudfail.execution.lifecycle import FINAL, PEOPLES, TABLE, Event, Phase, Row, When, transition, ways_out
from cloudfail.execution.state import LogState, RunState, _holds, fold
from cloudfail.model.codec import checksum_of, plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.plan import Bounds, Plan, PlannedStep, StepFacts
from cloudfail.model.runbook import Mode


def step(name: str, needs: tuple[str, ...] = (), **more: Any) -> PlannedStep:
    defaults: dict[str, Any] = {"action": "change.freeze", "gate": None, "arguments": {"where": "west"}}
    defaults |= {"limit_seconds": 60.0, "expires_seconds": 600.0, "retries": 3}
    return PlannedStep(name=name, needs=needs, **{**defaults, **more})


# Two gates before the promotion and one after it, so that every combination of the conditions can come about.
PLAN = Plan(
    application="shop",
    runbook="evacuate",
    mode=Mode.FAILOVER,
    source="east",
    target="west",
    steps=(
        step("fence", action="database.fence", facts=StepFacts(verb="fence"), undo=("database.unfence", {})),
        step("approve", ("fence",), action=None, gate="approval"),
        step("second", ("fence",), action=None, gate="approval"),
        step("promote", ("approve",), action="database.failover", point_of_no_return=True),
        step("late", (), action=None, gate="approval"),
    ),
    bounds=Bounds(30.0),
    checksum="",
    expires_seconds=3600.0,
)
PLAN = replace(PLAN, checksum=checksum_of(PLAN))

Said = tuple[Kind, dict[str, Any]]


def alphabet() -> list[Said]:
    """Every kind of entry that can move a run, for every step."""
    said: list[Said] = []
    for command in sorted(PEOPLES):
        said.append((Kind.COMMAND, {"command": str(command)}))
    said.append((Kind.COMMAND, {"command": "approve", "accept_owed_fence": True, "loss_seconds": 60.0}))
    for gate in ("approve", "second", "late"):
        for event in (Event.GATE_OPENED, Event.GATE_PASSED, Event.GATE_EXPIRED):
            said.append((Kind.GATE, {"step": gate, "event": str(event), "detail": ""}))
    said.append((Kind.INTENT, {"step": "promote", "way": "do", "attempt": 1, "effect": "promote"}))
    said.append((Kind.SEEN, {"step": "fence", "way": "do", "ended": "owed", "detail": ""}))
    for event in (Event.HALT, Event.UNDO_BLOCKED):
        for asks in ({}, {"owed_fence": True, "loss_seconds": 50.0}):
            said.append((Kind.HALT, {"event": str(event), "reason": "because", "to_do": "do this", "asks": asks}))
    for event in (Event.FINISHED, Event.UNDO_FINISHED):
        said.append((Kind.CLOSED, {"event": str(event)}))
    return said


def entry(seq: int, kind: Kind, data: dict[str, Any], epoch: int = 1) -> Entry:
    return Entry(seq, kind, epoch, "bob", 0.0, float(seq), "", "", {"run": "r1", **data})


def opened() -> LogState:
    claim = Entry(1, Kind.CLAIM, 1, "w1", 0.0, 0.0, "", "", {"lease_seconds": 30.0, "quiet_seconds": 0.0})
    data = {"plan": plan_document(PLAN), "automation": "off", "reason": "east is lost"}
    return fold(LogState(), [claim, entry(2, Kind.OPENED, data)])


def situation(run: RunState) -> tuple[Any, ...]:
    """What the table can tell apart."""
    gates = tuple(gate.name for gate in run.open_gates)
    return (
        run.phase,
        _holds(run),
        gates,
        bool(run.asks),
        run.promoted,
        run.undo_begun,
        run.accepted != type(run.accepted)(),
    )


@cache
def walk() -> tuple[dict[Phase, int], set[Row]]:
    """All situations that entries can bring about, breadth first; and the rows that were taken on the way."""
    first = opened()
    waiting: deque[tuple[LogState, int]] = deque([(first, 0)])
    known = {situation(first.runs["r1"])}
    phases: dict[Phase, int] = {Phase.RUNNING: 0}
    taken: set[Row] = set()
    while waiting:
        state, depth = waiting.popleft()
        for kind, data in alphabet():
            before = state.runs["r1"]
            if before.phase.final:
                continue
            after = fold(state, [entry(state.seq + 1, kind, data)]).runs["r1"]
            if len(after.story) > len(before.story):
                event = Event(data.get("event") or data.get("command"))
                sentence = after.story[-1].text
                rows = [
                    row
                    for row in TABLE
                    if (row.phase, row.event, row.next) == (before.phase, event, after.phase)
                    and sentence.startswith(row.sentence)
                ]
                holds = _holds(after)
                taken |= {row for row in rows if row.when is When.ALWAYS or row.when in holds | _holds(before)}
            if situation(after) not in known:
                known.add(situation(after))
                phases.setdefault(after.phase, depth + 1)
                waiting.append((fold(state, [entry(state.seq + 1, kind, data)]), depth + 1))
    return phases, taken


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_is_reached_by_some_log(phase: Phase) -> None:
    phases, _taken = walk()
    assert phase in phases


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.phase}, {row.event}, {row.when or 'always'}")
def test_every_row_is_taken_by_some_log(row: Row) -> None:
    _phases, taken = walk()
    assert row in taken, "no log takes it: it is hidden by another, or what it waits for cannot be"


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.final])
def test_every_phase_that_is_not_final_has_a_way_out_and_one_that_a_person_can_take(phase: Phase) -> None:
    assert {row.next for row in TABLE if row.phase is phase} - {phase}
    assert ways_out(phase)
    for event in ways_out(phase):
        if event is Event.APPROVE and phase is Phase.GATED:
            continue  # An approval lets the gate pass, which the worker then says.
        anything = frozenset(When)
        assert transition(phase, event, anything) or transition(phase, event, frozenset())


@pytest.mark.parametrize("phase", sorted(FINAL))
def test_nothing_leads_out_of_a_final_phase(phase: Phase) -> None:
    assert not [row for row in TABLE if row.phase is phase]


@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.final])
def test_from_every_phase_people_alone_or_the_worker_can_reach_an_end(phase: Phase) -> None:
    reached, waiting = {phase}, [phase]
    while waiting:
        here = waiting.pop()
        for row in TABLE:
            if row.phase is here and row.next not in reached:
                reached.add(row.next)
                waiting.append(row.next)
    assert reached & FINAL


@pytest.mark.parametrize("row", [row for row in TABLE if row.when is When.PROMOTED], ids=lambda row: str(row.phase))
def test_once_a_promotion_was_ordered_nothing_leads_to_an_undo(row: Row) -> None:
    assert row.next is Phase.PARKED
    assert transition(row.phase, row.event, frozenset({When.PROMOTED})) is row


@pytest.mark.parametrize("event", [Event.ABORT, Event.DECLINE, Event.GATE_EXPIRED])
@pytest.mark.parametrize("phase", Phase)
def test_no_phase_undoes_after_a_promotion_was_ordered(phase: Phase, event: Event) -> None:
    row = transition(phase, event, frozenset({When.PROMOTED, When.GATE_OPEN, When.OWED}))
    assert row is None or row.next is not Phase.UNDOING


def test_a_phase_in_which_calls_are_made_is_one_of_three() -> None:
    assert {phase for phase in Phase if phase.may_act} == {Phase.RUNNING, Phase.GATED, Phase.UNDOING}


def test_every_row_has_a_sentence_that_ends() -> None:
    assert all(row.sentence.endswith(".") for row in TABLE)


def test_no_two_rows_say_the_same_of_the_same() -> None:
    keys = [(row.phase, row.event, row.when) for row in TABLE]
    assert len(keys) == len(set(keys))
    for index, row in enumerate(TABLE):
        if row.when is When.ALWAYS:
            later = [other for other in TABLE[index + 1 :] if (other.phase, other.event) == (row.phase, row.event)]
            assert not later, f"{later} can never be taken"
