"""What follows from one moment: a run as its log tells it, the second it is, and what was just seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.actions import Look as Seen
from cloudfail.execution.commands import ActOn, AppendEntry, LookAt, WaitUntil
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.next import next_commands, obligation_commands
from cloudfail.execution.state import Track
from cloudfail.model.journal import Kind
from cloudfail.model.plan import Plan
from tests.unit.logs import (
    GATE_PASSED,
    PLAN,
    Said,
    closed,
    gate,
    halt,
    intent,
    result,
    run_after,
    seen,
    told,
)
from tests.unit.moments import ALL_DONE, FENCE, FREEZE, SCALE, TODO, at, due, entry, of

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
