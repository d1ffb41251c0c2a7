"""What follows from one moment: a run as its log tells it, the second it is, and what was just seen."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.actions import Look as Seen
from cloudfail.execution.commands import ActOn, AppendEntry, Command, LookAt, Now, Observed, WaitUntil
from cloudfail.execution.fences import fence_outcome
from cloudfail.execution.gates import still_missing
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.loss import loss_to_accept
from cloudfail.execution.next import next_commands, obligation_commands, watch_commands, watched
from cloudfail.execution.state import RunState, Track
from cloudfail.model.journal import Kind
from cloudfail.model.plan import Plan, StepFacts
from tests.unit.test_core_state import (
    DONE_TO_THE_GATE,
    GATE_PASSED,
    PLAN,
    Said,
    claim,
    closed,
    gate,
    halt,
    intent,
    result,
    run_after,
    seen,
    step,
    told,
)

FREEZE, UNFREEZE = Track("freeze", "do"), Track("freeze", "undo")
FENCE, PROMOTE, SCALE = Track("fence", "do"), Track("promote", "do"), Track("scale", "do")
TODO = Todo("do it")


def at(
    t: float,
    looks: dict[Track, Seen] | None = None,
    *,
    quiet: float = 0.0,
    busy: tuple[Track, ...] = (),
    looked: float | None = None,
    count: int = 1,
) -> Now:
    """Second `t`, with these looks, asked at `looked` (now, if not said)."""
    when = t if looked is None else looked
    observed = {track: Observed(look, when, count) for track, look in (looks or {}).items()}
    return Now(t, quiet, frozenset(busy), observed)


def of(commands: tuple[Command, ...], track: Track) -> list[Command]:
    """The commands for one track."""
    return [command for command in commands if getattr(command, "track", None) == track]


def entry(commands: tuple[Command, ...]) -> AppendEntry:
    (command,) = commands
    assert isinstance(command, AppendEntry), command
    return command


def due(run: RunState, t: float, track: Track = FREEZE, **more: Any) -> float:
    """When a track that has not been looked at is to be looked at: `t` at once."""
    (command,) = of(next_commands(run, at(t, **more)), track)
    if isinstance(command, LookAt):
        return t
    assert isinstance(command, WaitUntil), command
    return command.t


# ---- look, act, look


def test_a_step_that_was_never_looked_at_is_looked_at_at_once() -> None:
    assert next_commands(run_after(), at(0.0)) == (LookAt(FREEZE),)


def test_what_is_to_do_is_ordered() -> None:
    assert next_commands(run_after(), at(0.0, {FREEZE: TODO})) == (ActOn(FREEZE, TODO, 1),)


def test_branches_that_are_ready_move_at_the_same_moment() -> None:
    commands = next_commands(run_after(seen("freeze")), at(1.0, {FENCE: TODO}))
    assert commands == (ActOn(FENCE, TODO, 1), LookAt(SCALE))


def test_what_is_done_is_appended_with_how_it_was_seen() -> None:
    look = Done("frozen", outcome="proven", facts={"count": 2})
    assert entry(next_commands(run_after(), at(0.0, {FREEZE: look}))) == AppendEntry(
        Kind.SEEN,
        {
            "run": "r1",
            "step": "freeze",
            "way": "do",
            "ended": "done",
            "detail": "frozen",
            "outcome": "proven",
            "facts": {"count": 2},
        },
    )


def test_what_does_not_answer_is_owed() -> None:
    data = entry(next_commands(run_after(), at(0.0, {FREEZE: Owed("no answer")}))).data
    assert (data["ended"], data["detail"], data["outcome"], data["facts"]) == ("owed", "no answer", "", {})


def test_one_entry_is_appended_at_a_time_the_first_in_the_plans_order() -> None:
    run = run_after(seen("freeze"))
    looks: dict[Track, Seen] = {FENCE: Done("a"), SCALE: Done("b")}
    assert entry(next_commands(run, at(1.0, looks))).data["step"] == "fence"


@pytest.mark.parametrize("look", [Moving("on its way"), NotKnown("no answer")])
def test_what_moves_or_is_not_known_is_looked_at_again_and_not_ordered(look: Seen) -> None:
    assert next_commands(run_after(), at(9.0, {FREEZE: look}, looked=9.0)) == (
        WaitUntil(9.05, "look again", track=FREEZE),
    )
    assert next_commands(run_after(), at(9.06, {FREEZE: look}, looked=9.0)) == (LookAt(FREEZE),)
    assert next_commands(run_after(), at(11.0, {FREEZE: look}, looked=9.0, count=20)) == (LookAt(FREEZE),)


@pytest.mark.parametrize(
    ("typical", "count", "pause"),
    [(5.0, 1, 0.05), (5.0, 2, 0.1), (5.0, 4, 0.4), (5.0, 20, 2.0), (0.1, 1, 0.01), (30.0, 1, 0.3), (500.0, 1, 1.0)],
)
def test_it_looks_again_at_a_pace_that_fits_what_is_waited_for(typical: float, count: int, pause: float) -> None:
    plan = with_facts("freeze", typical_seconds=typical)
    (wait,) = next_commands(run_after(plan=plan), at(9.0, {FREEZE: Moving("")}, count=count))
    assert isinstance(wait, WaitUntil)
    assert wait.t == pytest.approx(9.0 + pause)
    assert wait.stay


def with_facts(name: str, **facts: Any) -> Plan:
    return replace(
        PLAN,
        steps=tuple(replace(one, facts=replace(one.facts, **facts)) if one.name == name else one for one in PLAN.steps),
    )


def test_nothing_is_done_with_a_step_whose_call_is_out() -> None:
    assert next_commands(run_after(), at(1.0, {FREEZE: TODO}, busy=(FREEZE,))) == ()


# ---- when a look means something


def test_an_order_that_nobody_answered_for_is_looked_at_after_it_settled() -> None:
    run = run_after(intent("freeze", 10.0))
    assert due(run, 10.5) == 11.0
    assert due(run, 11.0) == 11.0
    assert due(run, 10.5, quiet=15.0) == 15.0
    assert next_commands(run, at(10.5)) == (WaitUntil(11.0, "settle", track=FREEZE),)


def test_what_the_api_said_was_done_is_looked_at_after_it_settled() -> None:
    run = run_after(intent("freeze", 9.0), result("freeze", "ok", 10.0))
    assert (due(run, 10.5), due(run, 11.0)) == (11.0, 11.0)
    assert due(run, 10.5, quiet=15.0) == 11.0, "what came back is not on its way any more"


@pytest.mark.parametrize("outcome", ["conflict", "stopped", "permanent"])
def test_what_had_no_effect_is_looked_at_at_once(outcome: str) -> None:
    assert due(run_after(intent("freeze", 9.0), result("freeze", outcome, 10.0)), 10.0) == 10.0
    assert due(run_after(intent("freeze", 9.0), result("freeze", outcome, 10.0)), 9.0) == 10.0


def test_a_call_that_may_be_tried_again_waits_as_long_as_the_provider_asked() -> None:
    run = run_after(intent("freeze", 9.0), result("freeze", "transient", 10.0, retry_after_seconds=7.0))
    assert due(run, 10.0) == 17.0


@pytest.mark.parametrize(("attempt", "whole"), [(1, 0.2), (2, 0.4), (4, 1.6), (7, 12.8), (8, 20.0), (40, 20.0)])
def test_a_call_is_tried_again_after_a_pause_that_doubles_up_to_twenty_seconds(attempt: int, whole: float) -> None:
    run = run_after(intent("freeze", 9.0, attempt=attempt), result("freeze", "transient", 10.0))
    assert 10.0 + whole / 2 <= due(run, 10.0) <= 10.0 + whole


def test_the_pause_is_the_same_on_every_worker_and_another_for_each_run_step_and_attempt() -> None:
    def pause(run_id: str, name: str, attempt: int) -> float:
        run = run_after(seen("freeze"), intent(name, attempt=attempt), result(name, "transient", 10.0))
        return due(replace(run, id=run_id), 10.0, Track(name, "do")) - 10.0

    assert pause("r1", "fence", 8) == pause("r1", "fence", 8)
    others = {pause("r1", "fence", 8), pause("r2", "fence", 8), pause("r1", "scale", 8), pause("r1", "fence", 9)}
    assert len(others) == 4
    many = [pause(f"r{number}", "fence", 8) for number in range(60)]
    assert 10.0 <= min(many) < 11.0 and 19.0 < max(many) <= 20.0, "they spread over the whole of it"


def test_branches_that_were_refused_together_do_not_come_back_together() -> None:
    """Each step draws its own pause, whatever it waits for."""
    did = (intent("fence", 9.0, attempt=8), intent("scale", 9.0, attempt=8))
    came = (result("fence", "unknown", 10.0), result("scale", "unknown", 10.0))
    run = run_after(seen("freeze"), *did, *came)
    assert due(run, 10.0, FENCE) != due(run, 10.0, SCALE)
    for outcome in ("permanent", "ok"):
        owed = run_after(
            *(seen(name, "owed", 1.0) for name in ("fence", "scale")),
            *(intent(name, 9.0, "owed", 8) for name in ("fence", "scale")),
            *(result(name, outcome, 10.0, "owed") for name in ("fence", "scale")),
        )
        first, second = obligation_commands(owed, at(10.0))
        assert isinstance(first, WaitUntil) and isinstance(second, WaitUntil)
        assert first.t != second.t


def test_a_call_with_an_unknown_outcome_waits_for_the_longer_of_settling_and_the_pause() -> None:
    first = run_after(intent("freeze", 9.0), result("freeze", "unknown", 10.0))
    assert due(first, 10.0) == 11.0
    later = run_after(intent("freeze", 9.0, attempt=7), result("freeze", "unknown", 10.0))
    assert 16.4 <= due(later, 10.0) <= 22.8


def test_an_obligation_is_tried_ever_less_often_and_never_given_up() -> None:
    track = Track("freeze", "owed")
    owed = seen("freeze", "owed", 1.0)
    for outcome in ("permanent", "ok"):
        run = run_after(owed, intent("freeze", 9.0, "owed", 40), result("freeze", outcome, 10.0, "owed"))
        (wait,) = of(obligation_commands(run, at(10.0)), track)
        assert isinstance(wait, WaitUntil)
        assert 20.0 <= wait.t <= 30.0
        assert of(obligation_commands(run, at(900.0, {track: TODO})), track) == [ActOn(track, TODO, 41)]
    few = run_after(owed, intent("freeze", 9.0, "owed", 3), result("freeze", "ok", 10.0, "owed"))
    assert of(obligation_commands(few, at(10.0)), track) == [WaitUntil(11.0, "settle", track=track)]
    fence = Track("fence", "owed")
    unsettled = run_after(seen("fence", "owed"), intent("fence", 9.0, "owed", 3), result("fence", "ok", 10.0, "owed"))
    assert of(obligation_commands(unsettled, at(10.0)), fence) == [LookAt(fence)], "its first tries do not wait"
    many = run_after(intent("freeze", 9.0, attempt=8), result("freeze", "ok", 10.0))
    assert due(many, 10.5) == 11.0, "a step has its retries instead"


# ---- attempts


def test_the_world_gets_its_usual_time_to_follow_before_the_order_is_repeated() -> None:
    for outcome in ("ok", "unknown"):
        run = run_after(intent("freeze", 9.0), result("freeze", outcome, 10.0))
        assert of(next_commands(run, at(15.99, {FREEZE: TODO}, looked=15.98)), FREEZE) == [
            WaitUntil(pytest.approx(16.03), "look again", track=FREEZE)
        ]
        assert next_commands(run, at(16.0, {FREEZE: TODO})) == (ActOn(FREEZE, TODO, 2),)


def test_another_effect_is_ordered_at_once_and_has_its_attempts_anew() -> None:
    run = run_after(intent("freeze", 9.0, attempt=4), result("freeze", "ok", 10.0))
    other = Todo("do another")
    assert next_commands(run, at(10.0, {FREEZE: other})) == (ActOn(FREEZE, other, 1),)


def test_an_order_that_had_no_effect_is_repeated_at_once() -> None:
    run = run_after(intent("freeze", 9.0), result("freeze", "conflict", 10.0))
    assert next_commands(run, at(10.0, {FREEZE: TODO})) == (ActOn(FREEZE, TODO, 2),)


def test_after_its_retries_a_step_has_failed_and_says_why() -> None:
    three = run_after(intent("freeze", 9.0, attempt=3), result("freeze", "transient", 10.0, message="throttled"))
    assert next_commands(three, at(20.0, {FREEZE: TODO})) == (ActOn(FREEZE, TODO, 4),)
    four = run_after(intent("freeze", 9.0, attempt=4), result("freeze", "transient", 10.0, message="throttled"))
    data = entry(next_commands(four, at(20.0, {FREEZE: TODO}))).data
    assert (data["ended"], data["step"], data["way"]) == ("failed", "freeze", "do")
    assert "4" in data["detail"] and "throttled" in data["detail"] and "do it" in data["detail"]


def test_a_world_that_did_not_follow_is_the_reason_where_no_call_gave_one() -> None:
    for last in (result("freeze", "ok", 10.0), None):
        run = run_after(intent("freeze", 9.0, attempt=4), *([last] if last else []))
        data = entry(next_commands(run, at(20.0, {FREEZE: TODO}))).data
        assert data["ended"] == "failed"
        assert data["detail"].endswith("the world did not follow")


def test_what_can_never_work_fails_at_once() -> None:
    run = run_after(intent("freeze", 9.0), result("freeze", "permanent", 10.0, message="no such flag"))
    data = entry(next_commands(run, at(10.0, {FREEZE: TODO}))).data
    assert (data["ended"], data["detail"]) == ("failed", "no such flag")
    assert entry(next_commands(run, at(10.0, {FREEZE: Done("")}))).data["ended"] == "done", "the look has the last word"


# ---- an earlier worker's call


def test_nothing_is_ordered_while_an_earlier_workers_call_may_still_land_nor_on_an_older_look() -> None:
    why = "an earlier worker's call may still land"
    early = at(9.0, {FREEZE: TODO}, quiet=10.0)
    assert next_commands(run_after(), early) == (WaitUntil(10.0, why, track=FREEZE),)
    assert next_commands(run_after(), at(10.0, {FREEZE: TODO}, quiet=10.0, looked=9.9)) == (LookAt(FREEZE),)
    assert next_commands(run_after(), at(10.0, {FREEZE: TODO}, quiet=10.0)) == (ActOn(FREEZE, TODO, 1),)


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


ALL_DONE = (*GATE_PASSED, seen("promote", t=5.0), seen("scale", t=6.0), seen("switch", t=7.0))


# ---- before a promotion


def promotion(*said: Said, **todo: Any) -> tuple[Command, ...]:
    """What is decided on the look at a promotion that would lose data."""
    look = Todo("promote", loses_data=True, **todo)
    done = seen("scale", t=4.0)
    return next_commands(run_after(*said, done), at(5.0, {PROMOTE: look}))


# The fence was seen to stand at 2.0, and the promotion is looked at at 5.0: three seconds in which nothing was written.
FENCED = {"fence": "proven", "loss_if_dead_seconds": 1.0, "loss_if_alive_seconds": 4.0}


def asks(commands: tuple[Command, ...]) -> Any:
    command = entry(commands)
    assert (command.kind, command.data["event"]) == (Kind.HALT, str(Event.HALT))
    return command.data["asks"]


@pytest.mark.parametrize(("fence", "alive"), [("proven", 4.0), ("prevented", 99.0)])
def test_a_promotion_behind_a_fence_and_within_the_bound_needs_nobody(fence: str, alive: float) -> None:
    until = (seen("freeze"), seen("fence", t=2.0, outcome=fence), *GATE_PASSED[2:])
    (command,) = promotion(*until, **{**FENCED, "fence": fence, "loss_if_alive_seconds": alive})
    assert isinstance(command, ActOn)
    assert command.track == PROMOTE


def test_what_loses_no_data_asks_nothing() -> None:
    run = run_after(*GATE_PASSED, seen("scale"))
    assert isinstance(next_commands(run, at(5.0, {PROMOTE: Todo("promote")}))[0], ActOn)


@pytest.mark.parametrize(
    ("loss", "asked"), [(30.0, None), (30.5, {"loss_seconds": 30.5}), (None, {"loss_seconds": 0.0})]
)
def test_a_loss_beyond_the_bound_or_unknown_is_asked_for(loss: float | None, asked: dict[str, Any] | None) -> None:
    prevented = (seen("freeze"), seen("fence", t=2.0, outcome="prevented"), *GATE_PASSED[2:])
    for until, figures in (
        (prevented, {"fence": "prevented", "loss_if_dead_seconds": loss}),
        (GATE_PASSED, {"loss_if_alive_seconds": None if loss is None else loss + 3.0}),
    ):
        commands = promotion(*until, **{**FENCED, **figures})
        if asked is None:
            assert isinstance(commands[0], ActOn)
        else:
            assert asks(commands) == asked


def test_a_source_that_could_be_fenced_was_alive_and_may_have_taken_writes_until_then() -> None:
    """It came back after 35 seconds out of sight, in which clients next to it wrote on; then it was fenced. What the
    last write seen from outside says of the loss is true of a dead source only."""
    assert asks(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": 38.0})) == {"loss_seconds": 35.0}
    owed = (seen("freeze"), seen("fence", "owed"), *GATE_PASSED[2:])
    settled = seen("fence", way="owed", t=4.5, outcome="proven")
    assert asks(promotion(*owed, settled, **{**FENCED, "loss_if_alive_seconds": 38.0})) == {"loss_seconds": 37.5}
    more = {"loss_if_dead_seconds": 31.0, "loss_if_alive_seconds": 32.0}
    assert asks(promotion(*GATE_PASSED, **{**FENCED, **more})) == {"loss_seconds": 31.0}, "the greater one counts"
    no_word = {"loss_if_dead_seconds": None, "loss_if_alive_seconds": 32.0}
    assert isinstance(promotion(*GATE_PASSED, **{**FENCED, **no_word})[0], ActOn), "nobody need have seen the last one"


@pytest.mark.parametrize("now", ["", "none", "owed"])
def test_a_fence_that_does_not_stand_at_this_look_is_asked_for_with_the_greater_loss(now: str) -> None:
    long = {**FENCED, "fence": now, "loss_if_alive_seconds": 99.0}
    assert asks(promotion(*GATE_PASSED, **long)) == {"owed_fence": True, "loss_seconds": 99.0}
    quiet = {**FENCED, "fence": now, "loss_if_alive_seconds": 2.0}
    assert asks(promotion(*GATE_PASSED, **quiet)) == {"owed_fence": True}


def test_a_fence_that_was_owed_is_asked_for_until_it_is_settled() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), *GATE_PASSED[2:])
    assert "owed_fence" in asks(promotion(*owed, **FENCED))
    settled = seen("fence", way="owed", outcome="proven")
    assert isinstance(promotion(*owed, settled, **FENCED)[0], ActOn)
    assert "owed_fence" in asks(promotion(*owed, seen("fence", "failed", way="owed", outcome="proven"), **FENCED))


def test_without_any_fence_before_it_a_promotion_asks_for_one() -> None:
    steps = tuple(replace(one, needs=("freeze",)) if one.name == "promote" else one for one in PLAN.steps)
    run = run_after(seen("freeze"), seen("scale"), plan=replace(PLAN, steps=steps))
    look = Todo("promote", loses_data=True, **FENCED)
    (command,) = next_commands(run, at(5.0, {PROMOTE: look}))
    assert isinstance(command, AppendEntry)
    assert "owed_fence" in command.data["asks"]


def test_what_a_person_accepted_lets_it_be_ordered() -> None:
    beyond = {**FENCED, "loss_if_alive_seconds": 43.0}
    assert isinstance(promotion(*GATE_PASSED, told("approve", loss_seconds=40.0), **beyond)[0], ActOn)
    assert asks(promotion(*GATE_PASSED, told("approve", loss_seconds=39.0), **beyond)) == {"loss_seconds": 40.0}


@pytest.mark.parametrize(
    "todo",
    [
        {**FENCED, "loss_if_alive_seconds": 43.0},
        {**FENCED, "fence": "owed", "loss_if_alive_seconds": 99.0},
        {**FENCED, "fence": "owed", "loss_if_alive_seconds": 3.0},
    ],
)
def test_the_command_that_a_halt_suggests_is_enough(todo: dict[str, Any]) -> None:
    """Typed as it stands, it lets the promotion be ordered: also half a minute later, where the loss grows."""
    data = entry(promotion(*GATE_PASSED, **todo)).data
    typed = data["to_do"].split(": ", 1)[1].split("; ")[0]
    assert typed.startswith("cloudfail approve r1 ")
    assert "cloudfail abort r1" in data["to_do"]
    number = re.search(r"--loss-seconds (\d+)", typed)
    approval: dict[str, Any] = {"accept_owed_fence": "--accept-owed-fence" in typed}
    assert bool(number) is ("loss_seconds" in data["asks"]), "a number is asked for only where one is missing"
    if number:
        approval["loss_seconds"] = float(number[1])
    grows = "owed_fence" in data["asks"] and "loss_seconds" in data["asks"]
    later = {**todo, "loss_if_alive_seconds": todo["loss_if_alive_seconds"] + (30.0 if grows else 0.0)}
    assert isinstance(promotion(*GATE_PASSED, told("approve", **approval), **later)[0], ActOn)


def test_an_unknown_loss_is_asked_for_as_a_number_that_the_person_must_state() -> None:
    data = entry(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": None})).data
    assert "--loss-seconds SECONDS" in data["to_do"]
    assert "--accept-owed-fence" not in data["to_do"]
    alive = {**FENCED, "fence": "owed", "loss_if_alive_seconds": None}
    assert "--accept-owed-fence --loss-seconds SECONDS" in entry(promotion(*GATE_PASSED, **alive)).data["to_do"]


def test_a_halt_before_a_promotion_names_the_step_and_what_would_be_lost() -> None:
    data = entry(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": 43.0})).data
    assert "promote" in data["reason"] and "40.0 s" in data["reason"]
    alive = entry(promotion(*GATE_PASSED, **{**FENCED, "fence": "owed", "loss_if_alive_seconds": 99.0})).data
    assert "99.0 s" in alive["reason"] and "owed" in alive["reason"]
    unknown = entry(promotion(*GATE_PASSED, **{**FENCED, "loss_if_alive_seconds": None})).data
    assert "unknown" in unknown["reason"]


def test_a_loss_that_grows_is_suggested_with_time_to_think() -> None:
    assert loss_to_accept(40.0, growing=False) == 41.0
    assert loss_to_accept(40.0, growing=True) == 340.0


def test_a_fence_counts_as_what_it_was_proven_with_or_settled_to() -> None:
    assert fence_outcome(run_after(seen("fence", outcome="prevented")), "fence") == "prevented"
    assert fence_outcome(run_after(seen("fence", "owed")), "fence") == "owed"
    assert fence_outcome(run_after(seen("fence", "owed"), seen("fence", way="owed", outcome="proven")), "fence") == (
        "proven"
    )


# ---- gates


def test_a_gate_opens_when_what_it_needs_has_ended() -> None:
    command = entry(next_commands(run_after(*DONE_TO_THE_GATE[:2], seen("scale")), at(3.0)))
    assert command.kind is Kind.GATE
    assert {name: command.data[name] for name in ("run", "step", "event")} == {
        "run": "r1", "step": "approve", "event": str(Event.GATE_OPENED),
    }  # fmt: skip
    assert "approve" in command.data["detail"] and "600 s" in command.data["detail"]


def at_the_gate(*said: Said, t: float = 10.0, plan: Plan = PLAN, **opening: Any) -> tuple[Command, ...]:
    return next_commands(run_after(*DONE_TO_THE_GATE, seen("scale"), *said, plan=plan, **opening), at(t))


def passes(commands: tuple[Command, ...]) -> str:
    """By whom the gate was let pass; "" if it waits."""
    (command,) = commands
    if isinstance(command, WaitUntil):
        return ""
    assert isinstance(command, AppendEntry)
    assert command.data["event"] == str(Event.GATE_PASSED), command
    return str(command.data["detail"])


def test_a_gate_waits_for_a_person_and_keeps_no_worker() -> None:
    (wait,) = at_the_gate()
    assert isinstance(wait, WaitUntil)
    assert (wait.t, wait.stay, wait.track) == (603.0, False, None)
    assert "approve" in wait.why


def test_a_gate_passes_for_an_approval_of_it_or_of_any() -> None:
    assert "bob" in passes(at_the_gate(told("approve")))
    assert "bob" in passes(at_the_gate(told("approve", gate="approve")))
    assert not passes(at_the_gate(told("approve", gate="another")))
    assert "bob" in passes(at_the_gate(told("approve", gate="another"), told("approve", gate="approve")))


def test_a_gate_passes_for_an_approval_that_was_given_with_the_start() -> None:
    assert "alice" in passes(at_the_gate(preapproved="alice"))


def test_a_gate_passes_by_itself_only_for_a_plan_that_a_person_signed() -> None:
    assert "carol" in passes(at_the_gate(automation="automatic", standing=True, signed_by="carol"))
    assert "alice" in passes(at_the_gate(automation="automatic", standing=True)), "who opened it, where nobody is named"
    assert not passes(at_the_gate(automation="automatic", signed_by="carol"))
    assert not passes(at_the_gate(automation="stage-1", standing=True, signed_by="carol"))


def test_behind_an_owed_fence_a_gate_passes_only_for_a_named_person_who_says_so() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), gate(Event.GATE_OPENED, 3.0), seen("scale"))
    kwargs: dict[str, Any] = {"automation": "automatic", "standing": True, "preapproved": "alice"}

    def decided(*said: Said) -> str:
        commands = next_commands(run_after(*owed, *said, **kwargs), at(10.0, busy=(Track("fence", "owed"),)))
        return passes(commands)

    assert not decided()
    assert not decided(told("approve"))
    assert "bob" in decided(told("approve", accept_owed_fence=True))
    assert "bob" in decided(seen("fence", way="owed", outcome="proven"), told("approve"))


def test_another_step_that_is_owed_keeps_no_gate() -> None:
    owed = (seen("freeze", "owed"), seen("fence", outcome="proven"), gate(Event.GATE_OPENED, 3.0), seen("scale"))
    commands = next_commands(run_after(*owed, preapproved="alice"), at(10.0, busy=(Track("freeze", "owed"),)))
    assert "alice" in passes(commands)


def test_a_gate_expires_and_its_clock_stands_still_while_it_is_paused() -> None:
    assert isinstance(at_the_gate(t=602.9)[0], WaitUntil)
    command = entry(at_the_gate(t=603.0))
    assert command.data["event"] == str(Event.GATE_EXPIRED)
    assert "600 s" in command.data["detail"]
    paused = (told("pause"), (Kind.RENEW, 500.0, {}), told("resume"))
    (wait,) = at_the_gate(*paused, t=700.0)
    assert isinstance(wait, WaitUntil)
    assert wait.t == 1100.0


def test_an_approval_that_is_not_enough_says_what_is_missing() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), gate(Event.GATE_OPENED, 3.0))
    assert not still_missing(run_after(*owed))
    missing = still_missing(run_after(*owed, told("approve")))
    assert "cloudfail approve r1 --accept-owed-fence" in missing
    assert not still_missing(run_after(*owed, told("approve", accept_owed_fence=True)))
    assert not still_missing(run_after(*DONE_TO_THE_GATE, told("approve")))


# ---- what is owed


def test_an_obligation_is_retried_beside_the_run_and_not_while_it_is_paused_or_taken_back() -> None:
    track = Track("freeze", "owed")
    assert of(next_commands(run_after(seen("freeze", "owed")), at(1.0)), track) == [LookAt(track)]
    assert of(next_commands(run_after(seen("freeze", "owed"), halt()), at(1.0)), track) == [LookAt(track)]
    gated = (seen("freeze", "owed"), seen("fence"), gate(Event.GATE_OPENED, 1.0))
    assert of(next_commands(run_after(*gated), at(1.0)), track) == [LookAt(track)]
    assert not of(next_commands(run_after(seen("freeze", "owed"), told("pause")), at(1.0)), track)
    assert not of(next_commands(run_after(seen("freeze", "owed"), told("abort")), at(1.0)), track)


def test_an_obligation_that_failed_once_is_still_one() -> None:
    run = run_after(seen("freeze", "owed"), seen("freeze", "failed", way="owed"))
    assert obligation_commands(run, at(1.0)) == (LookAt(Track("freeze", "owed")),)


def test_what_still_does_not_answer_is_asked_again_in_two_seconds_and_keeps_no_worker() -> None:
    track = Track("freeze", "owed")
    commands = next_commands(run_after(seen("freeze", "owed")), at(1.0, {track: Owed("no answer")}))
    assert of(commands, track) == [WaitUntil(3.0, "look again", stay=False, track=track)]


def test_a_settled_obligation_is_appended_also_after_the_run() -> None:
    track = Track("freeze", "owed")
    run = run_after(seen("freeze", "owed"))
    for commands in (
        next_commands(run, at(1.0, {track: Done("d")})),
        obligation_commands(run, at(1.0, {track: Done("d")})),
    ):
        data = entry(commands).data
        assert (data["step"], data["way"], data["ended"]) == ("freeze", "owed", "done")
    both = run_after(seen("freeze", "owed"), seen("fence", "owed"))
    looks: dict[Track, Seen] = {Track("fence", "owed"): Done("")}
    assert entry(obligation_commands(both, at(1.0, looks))).data["step"] == "fence"
    assert len(obligation_commands(both, at(1.0))) == 2


def test_an_obligation_does_not_keep_a_run_from_ending() -> None:
    run = run_after(seen("freeze", "owed"), *ALL_DONE[1:])
    track = Track("freeze", "owed")
    command = entry(next_commands(run, at(8.0, {track: Owed("no answer")})))
    assert (command.kind, command.data) == (Kind.CLOSED, {"run": "r1", "event": str(Event.FINISHED)})


# ---- the undo


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


# ---- the end


def test_a_run_whose_steps_are_all_done_is_finished() -> None:
    command = entry(next_commands(run_after(*ALL_DONE), at(8.0)))
    assert (command.kind, command.data) == (Kind.CLOSED, {"run": "r1", "event": str(Event.FINISHED)})


def test_a_run_in_which_a_step_failed_halts_when_nothing_else_moves() -> None:
    failed = (seen("freeze"), seen("fence", "failed", detail="refused"))
    assert next_commands(run_after(*failed), at(1.0)) == (LookAt(SCALE),)
    command = entry(next_commands(run_after(*failed, seen("scale")), at(1.0)))
    assert (command.kind, command.data["event"], command.data["run"]) == (Kind.HALT, str(Event.HALT), "r1")
    assert "fence: refused" in command.data["reason"]
    assert "cloudfail resume r1" in command.data["to_do"] and "cloudfail abort r1" in command.data["to_do"]
    two = (*failed, seen("scale", "failed", detail="too few"))
    assert "fence: refused; scale: too few" in entry(next_commands(run_after(*two), at(1.0))).data["reason"]


def test_it_does_not_halt_while_a_call_is_out() -> None:
    run = run_after(seen("freeze", "failed"))
    assert next_commands(run, at(1.0, busy=(SCALE,))) == ()
    owed = run_after(seen("freeze", "owed"), seen("fence", "failed"), seen("scale", "failed"))
    assert entry(next_commands(owed, at(1.0))).kind is Kind.HALT, "what is owed keeps it from nothing"


def test_after_a_promotion_was_ordered_a_halt_offers_no_undo() -> None:
    run = run_after(*GATE_PASSED, seen("scale"), intent("promote"), seen("promote", "failed"))
    data = entry(next_commands(run, at(5.0))).data
    assert "cloudfail close r1" in data["to_do"] and "cloudfail abort" not in data["to_do"]


def test_a_failed_obligation_halts_nothing() -> None:
    run = run_after(seen("freeze", "owed"), seen("freeze", "failed", way="owed"), *ALL_DONE[1:])
    assert entry(next_commands(run, at(8.0))).kind is Kind.CLOSED


def test_a_log_in_which_nothing_can_move_is_told_to_a_person() -> None:
    run = run_after(seen("freeze", "skipped"))
    command = entry(next_commands(run, at(1.0)))
    assert (command.kind, command.data["event"]) == (Kind.HALT, str(Event.HALT))
    assert "freeze" in command.data["reason"] and "fence" in command.data["reason"]
    assert "cloudfail audit verify" in command.data["to_do"] and "cloudfail abort r1" in command.data["to_do"]
    some = run_after(seen("freeze"), seen("scale", "owed"), seen("fence", "skipped"))
    reason = entry(next_commands(some, at(1.0, busy=()))).data["reason"]
    assert "scale" not in reason and "freeze" not in reason and "fence" in reason


@pytest.mark.parametrize("said", [(told("pause"),), (halt(),), (*GATE_PASSED, intent("promote"), told("abort"))])
def test_a_run_that_waits_for_a_person_does_nothing(said: tuple[Said, ...]) -> None:
    assert next_commands(run_after(*said), at(9.0)) == ()
    assert next_commands(run_after(*said, seen("freeze", "failed")), at(9.0)) == ()


def test_a_run_that_ended_does_nothing() -> None:
    assert next_commands(run_after(*ALL_DONE, closed(Event.FINISHED)), at(9.0)) == ()


# ---- watching what was changed


def watching(*steps: Any) -> Plan:
    return replace(PLAN, steps=steps)


def changed(name: str, t: float = 1.0, way: str = "do") -> tuple[Said, ...]:
    return (intent(name, t, way), result(name, "ok", t, way), seen(name, t=t, way=way))


ONE = step("one", "compute.scale", undo=("compute.scale", {}), facts=StepFacts("scale"), resource="web")
TWO = step("two", "traffic.switch", undo=("traffic.switch", {}), facts=StepFacts("shift"), resource="www")
WATCH_ONE, WATCH_TWO = Track("one", "watch"), Track("two", "watch")


def names_watched(*said: Said, plan: Plan) -> list[str]:
    return [one.name for one in watched(run_after(*said, plan=plan))]


def test_what_no_condition_stops_is_watched_once_it_was_changed() -> None:
    plan = watching(ONE, TWO)
    assert names_watched(*changed("one"), *changed("two"), plan=plan) == ["one", "two"]
    assert names_watched(*changed("one"), seen("two"), plan=plan) == ["one"], "it was so before: nobody ordered it"
    assert names_watched(*changed("one"), intent("two"), plan=plan) == ["one"]
    assert names_watched(*changed("one"), intent("two"), seen("two", "failed"), plan=plan) == ["one"]


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, facts=replace(ONE.facts, fencing="condition")),
        replace(ONE, facts=replace(ONE.facts, fencing="mark")),
        replace(ONE, facts=replace(ONE.facts, reversible=False)),
        replace(ONE, point_of_no_return=True),
    ],
)
def test_what_a_condition_stops_or_cannot_be_put_back_is_not_watched(other: Any) -> None:
    assert names_watched(*changed("one"), *changed("two"), plan=watching(other, TWO)) == ["two"]


def test_of_two_steps_that_set_the_same_thing_the_later_is_watched() -> None:
    def freeze(name: str, where: str, **more: Any) -> Any:
        return step(
            name, "change.freeze", arguments={"where": where}, facts=StepFacts("freeze"), undo=("x", {}), **more
        )

    said = (*changed("one"), *changed("two"))
    assert names_watched(*said, plan=watching(freeze("one", "west"), freeze("two", "west"))) == ["two"]
    assert names_watched(*said, plan=watching(freeze("one", "west"), freeze("two", "east"))) == ["one", "two"]
    a, b = {"identifiers": {"a": {}, "b": {}}}, {"identifiers": {"b": {}, "a": {}}}
    assert names_watched(*said, plan=watching(freeze("one", "west", **a), freeze("two", "west", **b))) == ["two"]
    c = {"identifiers": {"c": {}}}
    assert names_watched(*said, plan=watching(freeze("one", "west", **a), freeze("two", "west", **c))) == ["one", "two"]
    other = replace(freeze("two", "west"), resource="else")
    assert names_watched(*said, plan=watching(freeze("one", "west"), other)) == ["one", "two"]
    unlike = replace(freeze("two", "west"), facts=StepFacts("hold"))
    assert names_watched(*said, plan=watching(freeze("one", "west"), unlike)) == ["one", "two"]
    plain = [replace(freeze(name, "west"), facts=StepFacts()) for name in ("one", "two")]
    assert names_watched(*said, plan=watching(*plain)) == ["one", "two"], "without a verb a step is its own"


def test_after_an_undo_everything_that_was_put_back_is_watched() -> None:
    safe = replace(ONE, facts=replace(ONE.facts, fencing="condition"))
    plan = watching(safe, TWO)
    said = (*changed("one"), *changed("two"), told("abort"))
    put_back = (*changed("two", 5.0, "undo"), *changed("one", 6.0, "undo"))
    assert names_watched(*said, *put_back, plan=plan) == ["two", "one"]
    assert names_watched(*said, *changed("two", 5.0, "undo"), seen("one", "skipped", way="undo"), plan=plan) == ["two"]
    assert names_watched(*said, *changed("two", 5.0, "undo"), plan=plan) == ["two"]


def test_before_it_ends_a_run_looks_once_more_at_what_it_changed() -> None:
    plan = watching(ONE, TWO)
    run = run_after(*changed("one"), *changed("two", 3.0), plan=plan)
    assert next_commands(run, at(4.0)) == (LookAt(WATCH_ONE), LookAt(WATCH_TWO))
    assert next_commands(run, at(4.0, {WATCH_ONE: Done("")}, busy=(WATCH_TWO,))) == ()
    fine: dict[Track, Seen] = {WATCH_ONE: Done(""), WATCH_TWO: Done("")}
    assert entry(next_commands(run, at(4.0, fine))).kind is Kind.CLOSED
    assert watch_commands(run, at(4.0, {**fine, WATCH_TWO: Owed("")})) == ()


def test_a_look_from_before_the_last_step_was_put_back_is_taken_again() -> None:
    run = run_after(*changed("one"), told("abort"), *changed("one", 6.0, "undo"), plan=watching(ONE, TWO))
    assert watch_commands(run, at(7.0, {WATCH_ONE: Done("")}, looked=5.9)) == (LookAt(WATCH_ONE),)
    assert watch_commands(run, at(7.0, {WATCH_ONE: Done("")}, looked=6.0)) == ()


def test_only_a_run_that_is_about_to_end_looks_once_more() -> None:
    done = (*changed("one"), *changed("two", 3.0))
    for words in ((told("pause"),), (halt(),), (closed(Event.FINISHED),)):
        assert next_commands(run_after(*done, *words, plan=watching(ONE, TWO)), at(4.0)) == ()


def test_a_run_in_its_middle_goes_on_and_watches_later() -> None:
    assert next_commands(run_after(*changed("one"), plan=watching(ONE, TWO)), at(4.0)) == (LookAt(Track("two", "do")),)
    back = (*changed("one"), told("abort"), *changed("one", 6.0, "undo"), told("pause"))
    assert next_commands(run_after(*back, plan=watching(ONE, TWO)), at(7.0)) == ()


def test_an_obligation_that_was_settled_makes_no_look_stale() -> None:
    said = (*changed("one"), seen("two", "owed", 2.0), seen("two", t=10.0, way="owed"))
    assert watch_commands(run_after(*said, plan=watching(ONE, TWO)), at(11.0, {WATCH_ONE: Done("")}, looked=5.0)) == ()


def test_an_obligations_call_that_is_out_keeps_no_other_obligation_waiting() -> None:
    owed = (seen("one", "owed"), seen("two", "owed"))
    commands = next_commands(run_after(*owed, plan=watching(ONE, TWO)), at(4.0, busy=(Track("one", "owed"),)))
    assert commands == (LookAt(Track("two", "owed")),)


def test_a_look_from_before_the_last_step_ended_is_taken_again() -> None:
    run = run_after(*changed("one"), *changed("two", 3.0), plan=watching(ONE, TWO))
    fine: dict[Track, Seen] = {WATCH_ONE: Done(""), WATCH_TWO: Done("")}
    assert watch_commands(run, at(4.0, fine, looked=2.9)) == (LookAt(WATCH_ONE), LookAt(WATCH_TWO))
    assert watch_commands(run, at(4.0, fine, looked=3.0)) == ()
    assert watch_commands(run, at(4.0, fine, looked=2.9, busy=(WATCH_ONE,))) == (LookAt(WATCH_TWO),)


def test_what_an_older_call_changed_is_put_back_before_the_run_ends() -> None:
    run = run_after(*changed("one"), *changed("two", 3.0), plan=watching(ONE, TWO))
    looks: dict[Track, Seen] = {WATCH_ONE: TODO, WATCH_TWO: Done("")}
    assert next_commands(run, at(4.0, looks)) == (ActOn(WATCH_ONE, TODO, 1),)
    ordered = run_after(
        *changed("one"), *changed("two", 3.0), intent("one", 5.0, "watch"), result("one", "ok", 5.0, "watch"),
        plan=watching(ONE, TWO),
    )  # fmt: skip
    assert next_commands(ordered, at(5.0, {WATCH_TWO: Done("")})) == (LookAt(WATCH_ONE),)


def test_what_cannot_be_kept_as_it_was_left_halts_the_run() -> None:
    plan = watching(ONE, TWO)
    done = (*changed("one"), *changed("two", 3.0))
    late = next_commands(run_after(*done, plan=plan), at(64.0, {WATCH_ONE: Moving("")}))
    assert (entry(late).data["step"], entry(late).data["way"], entry(late).data["ended"]) == ("one", "watch", "failed")
    in_time = next_commands(run_after(*done, plan=plan), at(63.0, {WATCH_ONE: Moving("")}))
    assert not any(isinstance(command, AppendEntry) for command in in_time)
    failed = run_after(*done, seen("one", "failed", 64.0, "watch", detail="it will not stay"), plan=plan)
    fine: dict[Track, Seen] = {WATCH_TWO: Done("")}
    command = entry(next_commands(failed, at(64.0, fine)))
    assert (command.kind, command.data["event"]) == (Kind.HALT, str(Event.HALT))
    assert "watch one: it will not stay" in command.data["reason"]
    back = run_after(
        *done, told("abort"), *changed("two", 5.0, "undo"), *changed("one", 6.0, "undo"),
        seen("one", "failed", 70.0, "watch"), plan=plan,
    )  # fmt: skip
    assert entry(next_commands(back, at(70.0, fine))).data["event"] == str(Event.UNDO_BLOCKED)


def test_an_undo_is_watched_too_before_it_ends() -> None:
    run = run_after(*changed("one"), told("abort"), *changed("one", 6.0, "undo"), plan=watching(ONE, TWO))
    assert run.phase is Phase.UNDOING
    assert next_commands(run, at(7.0)) == (LookAt(WATCH_ONE),)
    beside = (seen("two"), told("abort"), *changed("one", 6.0, "undo"), seen("two", "skipped", way="undo"))
    assert next_commands(run_after(*changed("one"), *beside, plan=watching(ONE, TWO)), at(7.0)) == (LookAt(WATCH_ONE),)
    assert next_commands(run, at(7.0, busy=(WATCH_ONE,))) == ()
    assert entry(next_commands(run, at(7.0, {WATCH_ONE: Done("")}))).data["event"] == str(Event.UNDO_FINISHED)


def test_the_limit_of_watching_counts_from_the_last_step_or_the_quiet_time_or_a_resume() -> None:
    run = run_after(*changed("one", 3.0), plan=watching(ONE))
    moving: dict[Track, Seen] = {WATCH_ONE: Moving("")}
    assert isinstance(watch_commands(run, at(80.0, moving, quiet=20.0))[0], WaitUntil)
    assert isinstance(watch_commands(run, at(80.5, moving, quiet=20.0))[0], AppendEntry)
    resumed = run_after(*changed("one", 3.0), claim(100.0, took_over=1), plan=watching(ONE))
    assert isinstance(watch_commands(resumed, at(160.0, moving))[0], WaitUntil)
    assert isinstance(watch_commands(resumed, at(160.5, moving))[0], AppendEntry)
