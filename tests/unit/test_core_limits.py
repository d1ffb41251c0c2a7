"""The limits of a step and of a whole run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudfail.actions import Look as Seen
from cloudfail.actions import Moving, NotKnown
from cloudfail.execution.commands import AppendEntry, LookAt, WaitUntil
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.next import next_commands, obligation_commands
from cloudfail.execution.state import Track
from cloudfail.model.journal import Kind
from tests.unit.logs import (
    DONE_TO_THE_GATE,
    GATE_PASSED,
    PLAN,
    claim,
    gate,
    intent,
    result,
    run_after,
    seen,
    told,
)
from tests.unit.moments import ALL_DONE, FENCE, FREEZE, TODO, at, entry, of

# ---- limits


@pytest.mark.parametrize(
    ("look", "why"),
    [(TODO, "do it"), (Moving("on its way"), "on its way"), (NotKnown("no answer"), "no answer"), (None, "its call")],
)
def test_a_step_that_is_not_done_within_its_limit_has_failed(look: Seen | None, why: str) -> None:
    run = run_after(seen("freeze", t=100.0), seen("scale", t=150.0))
    looks = {FENCE: look} if look is not None else {}
    busy = (FENCE,) if look is None else ()
    in_time = next_commands(run, at(160.0, looks, busy=busy))
    assert not any(isinstance(command, AppendEntry) for command in in_time)
    data = entry(next_commands(run, at(160.5, looks, busy=busy))).data
    assert (data["step"], data["ended"]) == ("fence", "failed")
    assert "60 s" in data["detail"]
    assert why in data["detail"], "why it is not done"


def test_a_limit_counts_anew_after_a_resume_and_a_take_over() -> None:
    for again in (
        (intent("freeze", 50.0), told("pause"), (Kind.RENEW, 100.0, {}), told("resume")),
        (intent("freeze", 50.0), result("freeze", "conflict", 50.0), claim(100.0, took_over=1)),
    ):
        run = run_after(*again)
        assert not isinstance(next_commands(run, at(160.0, {FREEZE: Moving("")}))[0], AppendEntry)
        assert entry(next_commands(run, at(161.0, {FREEZE: Moving("")}))).data["ended"] == "failed"


def test_the_time_for_an_earlier_workers_call_to_land_is_not_taken_from_a_limit() -> None:
    assert not isinstance(next_commands(run_after(), at(70.0, {FREEZE: Moving("")}, quiet=20.0))[0], AppendEntry)
    late = next_commands(run_after(), at(81.0, {FREEZE: Moving("")}, quiet=20.0))
    assert entry(late).data["ended"] == "failed"


def test_an_obligation_has_no_limit() -> None:
    track = Track("freeze", "owed")
    run = run_after(seen("freeze", "owed"))
    assert of(obligation_commands(run, at(9e5, {track: NotKnown("")})), track) == [
        WaitUntil(9e5 + 2.0, "look again", stay=False, track=track)
    ]


# ---- the limit of the whole run


LIMITED = replace(PLAN, limit_seconds=100.0)


def test_a_run_over_its_limit_halts() -> None:
    run = run_after(plan=LIMITED)
    assert next_commands(run, at(100.0)) == (LookAt(FREEZE),)
    command = entry(next_commands(run, at(100.5)))
    assert (command.kind, command.data["run"], command.data["event"]) == (Kind.HALT, "r1", str(Event.HALT))
    assert command.data["asks"] == {}
    assert "100 s" in command.data["reason"]
    assert "cloudfail resume r1" in command.data["to_do"] and "cloudfail abort r1" in command.data["to_do"]
    assert not isinstance(next_commands(run_after(), at(9e9))[0], AppendEntry)


def test_the_time_at_gates_is_not_the_runs_own() -> None:
    waiting = run_after(*DONE_TO_THE_GATE, seen("scale", t=3.0), plan=replace(LIMITED, limit_seconds=50.0))
    assert isinstance(next_commands(waiting, at(300.0))[0], WaitUntil)
    passed = run_after(*DONE_TO_THE_GATE, gate(Event.GATE_PASSED, 203.0), plan=LIMITED)
    assert not isinstance(next_commands(passed, at(300.0))[0], AppendEntry)
    assert entry(next_commands(passed, at(300.5))).kind is Kind.HALT


def test_a_runs_limit_counts_anew_after_a_resume() -> None:
    paused = (intent("freeze", 50.0), told("pause"), (Kind.RENEW, 500.0, {}), told("resume"))
    run = run_after(*paused, plan=LIMITED)
    assert entry(next_commands(run, at(600.5))).kind is Kind.HALT
    assert not isinstance(next_commands(run, at(520.0))[0], AppendEntry)
    at_a_gate = (*DONE_TO_THE_GATE, told("pause"), (Kind.RENEW, 500.0, {}), told("resume"))
    gated = run_after(*at_a_gate, gate(Event.GATE_PASSED, 550.0), plan=LIMITED)
    assert not isinstance(next_commands(gated, at(650.0))[0], AppendEntry), "fifty of them were at the gate"
    assert entry(next_commands(gated, at(650.5))).kind is Kind.HALT
    before = (*GATE_PASSED, told("pause"), (Kind.RENEW, 500.0, {}), told("resume"))
    gone_on = run_after(*before, plan=LIMITED)
    assert not isinstance(next_commands(gone_on, at(600.0))[0], AppendEntry)
    assert entry(next_commands(gone_on, at(600.5))).kind is Kind.HALT, "a gate that passed before counts for nothing"


def test_only_a_run_that_goes_on_is_over_its_limit() -> None:
    assert next_commands(run_after(told("pause"), plan=LIMITED), at(900.0)) == ()
    undoing = run_after(told("abort"), plan=LIMITED)
    assert entry(next_commands(undoing, at(900.0))).kind is Kind.CLOSED
    ended = run_after(*ALL_DONE, plan=LIMITED)
    assert entry(next_commands(ended, at(900.0))).kind is Kind.CLOSED
