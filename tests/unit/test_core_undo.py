"""What is put back after an abort, in which order, and for how long it is tried."""

from __future__ import annotations

from dataclasses import replace

from cloudfail.actions import Moving, Owed, Todo
from cloudfail.execution.commands import ActOn, AppendEntry, Command, LookAt, WaitUntil
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.next import next_commands
from cloudfail.execution.state import Track
from cloudfail.model.journal import Kind
from tests.unit.logs import (
    DONE_TO_THE_GATE,
    GATE_PASSED,
    PLAN,
    intent,
    result,
    run_after,
    seen,
    told,
)
from tests.unit.moments import FREEZE, SCALE, TODO, UNFREEZE, at, due, entry, of

UNDO_FENCE = Track("fence", "undo")
ORDERED = (intent("freeze", 1.0), result("freeze", "ok", 1.0), seen("freeze", t=2.0))
TWO_ORDERED = (*ORDERED, intent("fence", 3.0), result("fence", "ok", 3.0), seen("fence", t=4.0))


def test_what_was_built_on_a_step_is_put_back_before_it() -> None:
    run = run_after(*TWO_ORDERED, told("abort"))
    assert next_commands(run, at(5.0)) == (LookAt(UNDO_FENCE),)
    for ended in ("done", "skipped"):
        after = run_after(*TWO_ORDERED, told("abort"), seen("fence", ended, 5.0, "undo"))
        assert next_commands(after, at(6.0)) == (LookAt(UNFREEZE),)
    failed = run_after(*TWO_ORDERED, told("abort"), seen("fence", "failed", 5.0, "undo"))
    assert not of(next_commands(failed, at(6.0)), UNFREEZE)


def test_branches_are_put_back_at_the_same_moment_the_last_first() -> None:
    both = (*TWO_ORDERED, intent("scale", 3.0), result("scale", "ok", 3.0), seen("scale", t=4.0))
    assert next_commands(run_after(*both, told("abort")), at(5.0)) == (
        LookAt(Track("scale", "undo")),
        LookAt(UNDO_FENCE),
    )


def skipped(commands: tuple[Command, ...]) -> list[str]:
    return [
        str(command.data["step"])
        for command in commands
        if isinstance(command, AppendEntry) and command.data["way"] == "undo" and command.data["ended"] == "skipped"
        if command.data["detail"]
    ]


def test_a_step_that_changed_nothing_has_nothing_to_put_back() -> None:
    assert skipped(next_commands(run_after(seen("freeze"), told("abort")), at(5.0))) == ["freeze"]
    gated = run_after(*DONE_TO_THE_GATE, told("abort"))
    assert skipped(next_commands(gated, at(5.0))) == ["fence"], "the gate was not passed, so it was not begun"
    passed = run_after(*GATE_PASSED, told("abort"))
    assert skipped(next_commands(passed, at(5.0))) == ["approve"]
    steps = tuple(replace(one, undo=None) if one.name == "freeze" else one for one in PLAN.steps)
    run = run_after(*ORDERED, told("abort"), plan=replace(PLAN, steps=steps))
    assert skipped(next_commands(run, at(5.0))) == ["freeze"]


def test_what_was_ordered_as_an_obligation_is_put_back_too() -> None:
    run = run_after(seen("freeze", "owed"), intent("freeze", 3.0, "owed"), told("abort"))
    assert next_commands(run, at(10.0)) == (LookAt(UNFREEZE),)


def test_an_undo_waits_for_the_call_that_it_would_undo() -> None:
    run = run_after(intent("freeze", 1.0), told("abort"))
    for out in (FREEZE, Track("freeze", "owed")):
        assert next_commands(run, at(9.0, {UNFREEZE: TODO}, busy=(out,))) == ()
    assert isinstance(next_commands(run, at(9.0, {UNFREEZE: TODO}, busy=(SCALE,)))[0], ActOn)


def test_what_is_taken_back_is_looked_at_after_what_was_ordered_settled() -> None:
    run = run_after(intent("freeze", 10.0), told("abort"))
    assert due(run, 10.5, UNFREEZE) == 11.0
    assert due(run, 10.5, UNFREEZE, quiet=15.0) == 15.0
    owed = run_after(seen("freeze", "owed"), intent("freeze", 20.0, "owed"), told("abort"))
    assert due(owed, 20.5, UNFREEZE) == 21.0
    answered = run_after(intent("freeze", 10.0), result("freeze", "ok", 10.1), told("abort"))
    assert due(answered, 10.5, UNFREEZE) == 11.1
    ordered_back = run_after(intent("freeze", 10.0), told("abort"), intent("freeze", 30.0, "undo"))
    assert due(ordered_back, 30.5, UNFREEZE) == 31.0
    came_back = run_after(
        intent("freeze", 10.0),
        told("abort"),
        intent("freeze", 30.0, "undo"),
        result("freeze", "conflict", 30.2, "undo"),
    )
    assert due(came_back, 30.2, UNFREEZE) == 30.2
    back = (intent("freeze", 30.0, "undo"), result("freeze", "ok", 30.2, "undo"))
    assert due(run_after(intent("freeze", 10.0), told("abort"), *back), 30.2, UNFREEZE) == 31.2


def test_the_limit_of_an_undo_counts_from_when_it_could_begin() -> None:
    run = run_after(intent("freeze", 1.0), (Kind.RENEW, 100.0, {}), told("abort"))
    assert not isinstance(next_commands(run, at(160.0, {UNFREEZE: Moving("")}))[0], AppendEntry)
    data = entry(next_commands(run, at(161.0, {UNFREEZE: Moving("")}))).data
    assert (data["step"], data["way"], data["ended"]) == ("freeze", "undo", "failed")
    after = run_after(*TWO_ORDERED, told("abort"), seen("fence", t=200.0, way="undo"))
    assert not isinstance(next_commands(after, at(260.0, {UNFREEZE: Moving("")}))[0], AppendEntry)
    assert entry(next_commands(after, at(261.0, {UNFREEZE: Moving("")}))).data["ended"] == "failed"
    beside = (*TWO_ORDERED, intent("scale", 5.0), (Kind.RENEW, 100.0, {}), told("abort"))
    branches = run_after(*beside, seen("scale", t=150.0, way="undo"))
    late = next_commands(branches, at(161.0, {UNDO_FENCE: Moving("")}))
    assert (entry(late).data["step"], entry(late).data["ended"]) == ("fence", "failed"), "another branch is no excuse"
    resumed = run_after(intent("freeze", 1.0), told("abort"), told("pause"), (Kind.RENEW, 300.0, {}), told("resume"))
    assert not isinstance(next_commands(resumed, at(360.0, {UNFREEZE: Moving("")}))[0], AppendEntry)


def test_a_data_loss_is_asked_for_only_on_the_way_forth() -> None:
    run = run_after(*ORDERED, told("abort"))
    look = Todo("unfreeze", loses_data=True)
    assert next_commands(run, at(5.0, {UNFREEZE: look})) == (ActOn(UNFREEZE, look, 1),)


def test_an_undo_never_ends_as_owed() -> None:
    run = run_after(*ORDERED, told("abort"))
    (wait,) = next_commands(run, at(5.0, {UNFREEZE: Owed("no answer")}))
    assert isinstance(wait, WaitUntil)


def test_an_undo_ends_when_everything_was_put_back() -> None:
    command = entry(next_commands(run_after(told("abort")), at(1.0)))
    assert (command.kind, command.data) == (Kind.CLOSED, {"run": "r1", "event": str(Event.UNDO_FINISHED)})


def test_an_undo_that_is_blocked_says_by_what() -> None:
    run = run_after(*ORDERED, told("abort"), seen("freeze", "failed", 5.0, "undo", detail="no such flag"))
    command = entry(next_commands(run, at(6.0)))
    assert (command.kind, command.data["event"], command.data["run"]) == (Kind.HALT, str(Event.UNDO_BLOCKED), "r1")
    assert "undo freeze" in command.data["reason"] and "no such flag" in command.data["reason"]
    assert "cloudfail resume r1" in command.data["to_do"] and "cloudfail close r1" in command.data["to_do"]
    both = (seen("scale", t=4.0), told("abort"), seen("freeze", "failed", 5.0, "undo", detail="a"))
    blocked = run_after(*ORDERED, intent("scale"), *both, seen("scale", "failed", 5.0, "undo", detail="b"))
    assert "undo freeze: a; undo scale: b" in entry(next_commands(blocked, at(6.0))).data["reason"]
    forth = run_after(seen("freeze", "failed"), told("abort"), seen("freeze", "skipped", way="undo"))
    assert entry(next_commands(forth, at(6.0))).kind is Kind.CLOSED, "what failed on the way forth blocks nothing"


def test_a_word_that_means_nothing_does_not_begin_the_limit_of_an_undo_anew() -> None:
    begun = (intent("freeze", 1.0), told("abort"))
    for again in ("abort", "resume", "approve"):
        run = run_after(*begun, (Kind.RENEW, 50.0, {}), told(again))
        (command,) = next_commands(run, at(62.0, {UNFREEZE: Moving("")}))
        assert isinstance(command, AppendEntry), again  # its limit of 60 s is over
