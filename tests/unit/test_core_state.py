"""What one entry changes in what a log says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cloudfail.execution.lifecycle import Event, Phase, When, transition
from cloudfail.execution.state import (
    Accepted,
    Agreed,
    Intent,
    Result,
    RunState,
    Sentence,
    StepRecord,
    Track,
    _holds,
    accepts,
    fold,
)
from cloudfail.model.codec import plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.policy import Automation
from tests.unit.logs import (
    DONE_TO_THE_GATE,
    GATE_PASSED,
    PLAN,
    Said,
    claim,
    closed,
    entry,
    gate,
    halt,
    intent,
    log,
    result,
    run_after,
    seen,
    told,
)

# ---- the application


def test_a_claim_says_who_holds_the_lease_for_how_long_and_its_number_is_the_epoch() -> None:
    state = log(claim(7.0, took_over=1))
    assert (state.seq, state.epoch, state.holder, state.holder_seq) == (3, 3, "w1", 3)
    assert (state.lease_seconds, state.quiet_seconds) == (30.0, 5.0)


def test_a_release_frees_the_lease_and_the_run_keeps_its_time() -> None:
    state = log(intent("freeze", 8.0), (Kind.RELEASE, 9.0, {}))
    assert (state.holder, state.run and state.run.t) == ("", 9.0)
    earlier = log(intent("freeze", 8.0), (Kind.RELEASE, 7.0, {}))
    assert earlier.run is not None
    assert earlier.run.t == 8.0
    assert log(intent("freeze", 8.0), (Kind.RELEASE, None, {})).runs["r1"].t == 8.0


def test_a_release_after_the_run_changes_no_run() -> None:
    ended = (*undone(), (Kind.RELEASE, 99.0, {}))
    assert log(*ended).holder == ""
    assert log(*ended).runs == log(*undone()).runs


def test_a_renewal_moves_the_time_of_the_open_run() -> None:
    assert run_after((Kind.RENEW, 12.5, {})).t == 12.5
    assert run_after((Kind.RENEW, None, {})).t == 0.0
    assert log(*undone(), (Kind.RENEW, 99.0, {})).runs == log(*undone()).runs


def test_a_peoples_word_renews_nothing() -> None:
    """Whoever waits for the lease to run out counts from the holder's own entries."""
    assert log(intent("freeze")).holder_seq == 3
    assert log(intent("freeze"), told("pause")).holder_seq == 3
    assert log(intent("freeze"), told("pause")).seq == 4


def test_an_entry_under_an_old_epoch_changes_nothing_and_is_named() -> None:
    before = log(claim(1.0, took_over=1))
    stale = Entry(4, Kind.INTENT, 1, "old", 0.0, 5.0, "", "", {"run": "r1", **intent("freeze")[2]})
    after = fold(before, [stale])
    assert after.runs == before.runs
    assert after.seq == 4
    assert "4" in after.refused and "1" in after.refused
    assert not before.refused
    unleased = Entry(4, Kind.COMMAND, 0, "bob", 0.0, None, "", "", {"run": "r1", "command": "pause"})
    assert fold(before, [unleased]).runs["r1"].phase is Phase.PAUSED


def test_only_a_take_over_counts_the_limits_anew() -> None:
    assert run_after(intent("freeze", 5.0), claim(50.0, took_over=1)).reset_t == 50.0
    assert run_after(intent("freeze", 5.0), claim(50.0, took_over=0)).reset_t == 0.0
    assert run_after(told("pause"), told("resume"), claim(0.0, took_over=1)).reset_t == 0.0
    timeless = (Kind.CLAIM, None, claim(0.0, took_over=1)[2])
    assert run_after(claim(50.0, took_over=1), timeless).reset_t == 50.0


def test_a_claim_without_a_run_is_only_a_claim() -> None:
    assert log(*undone(), claim(50.0, took_over=1)).runs == log(*undone()).runs


def test_what_was_reviewed_is_kept_by_its_checksum_with_when_and_by_whom() -> None:
    state = log((Kind.REVIEWED, None, {"checksum": "ab", "plan": {"a": 1}}))
    state = fold(state, [Entry(4, Kind.REVIEWED, 0, "eve", 9.0, None, "", "", {"checksum": "cd", "plan": {"b": 2}})])
    assert state.reviewed == {"ab": ({"a": 1}, 103.0, "w1"), "cd": ({"b": 2}, 9.0, "eve")}


def test_a_standing_plan_is_the_newest_and_can_be_taken_back() -> None:
    signed = (Kind.STANDING, None, {"checksum": "ab", "expires_seconds": 60})
    assert log(signed).standing == ("ab", 103.0, "w1", 60.0)
    assert log(signed, (Kind.STANDING, None, {"checksum": "", "expires_seconds": 0})).standing is None


def test_samples_are_kept_by_name_the_newest_of_each() -> None:
    state = log((Kind.SAMPLE, None, {"seen": 1, "lag": 2}), (Kind.SAMPLE, None, {"lag": 3}))
    assert {name: state.samples[name] for name in ("seen", "lag")} == {"seen": 1, "lag": 3}


def test_automation_is_paused_and_resumed_by_a_command_without_a_run() -> None:
    paused = log((Kind.COMMAND, None, {"run": "", "command": "pause"}))
    assert paused.automation_paused_by == "bob"
    assert paused.runs["r1"].phase is Phase.RUNNING
    assert log(told("pause", run=""), told("resume", run="")).automation_paused_by == ""
    assert log(told("pause", run=""), told("abort", run="")).automation_paused_by == "bob"
    assert log(told("pause")).automation_paused_by == ""


def test_what_is_said_of_a_run_that_nobody_opened_changes_nothing() -> None:
    before = log()
    after = fold(before, [Entry(3, Kind.COMMAND, 0, "bob", 0.0, None, "", "", {"run": "r9", "command": "pause"})])
    assert after.runs == before.runs
    assert fold(before, [Entry(3, Kind.CLOSED, 1, "w1", 0.0, None, "", "", {"event": "finished"})]).runs == before.runs


# ---- opening and ending


def test_a_run_is_opened_as_its_entry_says() -> None:
    state = log(automation="automatic", preapproved="alice", standing=True, signed_by="carol")
    run = state.runs["r1"]
    assert (state.open_run, state.run) == ("r1", run)
    assert (run.id, run.plan, run.automation, run.opened_by) == ("r1", PLAN, Automation.AUTOMATIC, "alice")
    assert (run.opened_at, run.reason, run.preapproved, run.standing) == (102.0, "east is lost", "alice", True)
    assert (run.signed_by, run.phase, run.t) == ("carol", Phase.RUNNING, 0.0)
    first = run.story[0]
    assert (first.t, first.at, first.phase, first.by) == (0.0, 102.0, Phase.RUNNING, "alice")
    assert "east is lost" in first.text


def test_what_an_opening_does_not_say_is_nobodys_word() -> None:
    run = run_after()
    assert (run.preapproved, run.standing, run.signed_by) == ("", False, "")


def test_while_a_run_is_open_no_other_is_opened() -> None:
    state = log((Kind.OPENED, None, {"run": "r2", "plan": plan_document(PLAN), "automation": "off", "reason": "x"}))
    assert list(state.runs) == ["r1"]
    assert state.open_run == "r1"


def undone() -> tuple[Said, ...]:
    return (told("abort"), closed(Event.UNDO_FINISHED, 5.0))


def test_a_run_that_ended_is_closed_and_another_can_be_opened() -> None:
    state = log(*undone())
    assert (state.open_run, state.run, state.runs["r1"].closed_at) == ("", None, 104.0)
    assert state.runs["r1"].phase is Phase.UNDONE
    again = fold(
        state,
        [
            Entry(5, Kind.OPENED, 0, "alice", 0.0, None, "", "", {
                "run": "r2", "plan": plan_document(PLAN), "automation": "off", "reason": "x",
            })
        ],
    )  # fmt: skip
    assert again.open_run == "r2"
    late = fold(again, [Entry(6, Kind.COMMAND, 0, "bob", 500.0, None, "", "", {"run": "r1", "command": "pause"})])
    assert late.open_run == "r2"
    assert late.runs["r1"].closed_at == 104.0
    assert late.runs["r1"].phase is Phase.UNDONE


def test_the_target_is_primary_from_when_its_promotion_was_seen() -> None:
    assert log(*GATE_PASSED, intent("promote")).primary == ""
    assert log(*GATE_PASSED, intent("promote"), seen("promote")).primary == "west"
    assert log(*GATE_PASSED, seen("promote", "failed")).primary == ""
    assert log(*GATE_PASSED, seen("promote", "done", way="watch")).primary == ""
    assert log(seen("freeze")).primary == ""


# ---- steps


def test_an_intent_is_remembered_until_its_result() -> None:
    record = run_after(intent("freeze", 3.0, attempt=2, effect="freeze deploys", memory={"was": False})).did("freeze")
    assert record == StepRecord(
        attempts=2,
        intent=Intent(3, 1, 3.0, 2, "freeze deploys"),
        ordered=True,
        effect="freeze deploys",
        memory={"was": False},
        latest={"was": False},
    )
    after = run_after(intent("freeze", 3.0), result("freeze", "ok", 4.0, message="fine")).did("freeze")
    assert after == StepRecord(attempts=1, ordered=True, effect="do it", result=Result("ok", 4.0, "fine"))
    again = run_after(intent("freeze", 3.0), result("freeze", "ok", 4.0), intent("freeze", 5.0, attempt=2))
    assert again.did("freeze").result is None


def test_a_result_keeps_how_long_the_provider_asked_to_wait() -> None:
    record = run_after(intent("freeze"), result("freeze", "transient", 4.0, retry_after_seconds=7.0)).did("freeze")
    assert record.result == Result("transient", 4.0, "", 7.0)


def test_the_memory_is_that_of_the_first_intent() -> None:
    twice = (intent("scale", memory={"was": 1}), intent("scale", attempt=2, memory={"was": 4}))
    assert run_after(*twice).did("scale").memory == {"was": 1}
    assert run_after(intent("scale"), intent("scale", memory={"was": 4})).did("scale").memory == {"was": 4}
    assert run_after(intent("scale")).did("scale").memory == {}


def test_a_call_that_was_not_made_is_no_attempt() -> None:
    stopped = run_after(intent("freeze", attempt=2), result("freeze", "stopped")).did("freeze")
    assert (stopped.attempts, stopped.ordered, stopped.intent) == (1, True, None)
    assert run_after(intent("freeze", attempt=2), result("freeze", "unknown")).did("freeze").attempts == 2


def test_what_was_seen_ends_the_track() -> None:
    record = run_after(
        intent("fence", 1.0), seen("fence", "done", 2.0, detail="d", outcome="proven", facts={"a": 1})
    ).did("fence")
    assert (record.ended, record.ended_t, record.intent, record.outcome) == ("done", 2.0, None, "proven")
    assert (record.detail, record.facts, record.attempts) == ("d", {"a": 1}, 1)
    plain = run_after(seen("freeze", "owed")).did("freeze")
    assert (plain.ended, plain.outcome, plain.facts) == ("owed", "", {})


def test_each_way_of_working_on_a_step_is_remembered_by_itself() -> None:
    run = run_after(intent("freeze"), intent("freeze", way="undo", attempt=3), seen("freeze", "owed", way="owed"))
    assert run.did("freeze").attempts == 1
    assert run.track(Track("freeze", "undo")).attempts == 3
    assert run.track(Track("freeze", "owed")).ended == "owed"
    assert run.track(Track("freeze", "watch")) == StepRecord()
    assert (str(Track("freeze", "do")), str(Track("freeze", "undo"))) == ("freeze", "undo freeze")


def test_run_seconds_never_go_back() -> None:
    assert run_after(intent("freeze", 9.0), result("freeze", "ok", 4.0)).t == 9.0
    assert run_after(intent("freeze", 9.0), gate(Event.GATE_OPENED, 3.0)).t == 9.0
    assert run_after(intent("freeze", 2.0), gate(Event.GATE_OPENED, 3.0)).t == 3.0
    assert run_after(intent("freeze", 2.0), told("pause")).t == 2.0


def test_an_entry_without_a_time_is_at_the_beginning() -> None:
    run = run_after((Kind.INTENT, None, intent("freeze")[2]), (Kind.GATE, None, gate(Event.GATE_OPENED)[2]))
    assert run.did("freeze").intent == Intent(3, 1, 0.0, 1, "do it")
    assert run.did("approve").gate_opened_t == 0.0


def test_what_is_done_or_owed_carries_what_needs_it_and_what_failed_does_not() -> None:
    assert [one.name for one in run_after().ready] == ["freeze"]
    for ended in ("done", "owed"):
        assert [one.name for one in run_after(seen("freeze", ended)).ready] == ["fence", "scale"]
    assert run_after(seen("freeze", "failed")).ready == ()
    run = run_after(seen("freeze", "done"), seen("fence", "owed"), seen("scale", "failed"))
    assert run.ended == {"freeze": "done", "fence": "owed", "scale": "failed"}
    assert run.passed == {"freeze", "fence"}
    assert [one.name for one in run_after(*GATE_PASSED, seen("scale")).ready] == ["promote"]
    assert [one.name for one in run_after(*GATE_PASSED, seen("scale"), seen("promote")).ready] == ["switch"]


def test_what_comes_to_be_ready_one_after_the_other_stands_in_the_plans_order() -> None:
    """What is remembered from entry to entry is what would be worked out from the beginning."""
    state = log()
    assert [one.name for one in state.runs["r1"].ready] == ["freeze"]
    for kind, t, data in (seen("freeze"), seen("scale"), seen("fence"), *GATE_PASSED[2:], seen("promote")):
        state = fold(state, [entry(state, kind, t, data)])
        run = state.runs["r1"]
        names = [one.name for one in run.ready]
        assert names == [one.name for one in PLAN.steps if one.name in names]
        assert set(names) == {
            one.name for one in PLAN.steps if one.name not in run.ended and set(one.needs) <= run.passed
        }


def test_what_is_remembered_from_entry_to_entry_is_what_the_tracks_say() -> None:
    """Asked for after each entry, as a worker asks: a step that is seen done twice, one that is taken back."""
    state = log()
    for kind, t, data in (
        seen("freeze"), seen("freeze"), intent("fence"), seen("fence", way="undo"), seen("scale", way="watch"),
        seen("fence"), seen("scale", "owed"), seen("scale", way="owed"),
    ):  # fmt: skip
        run = state.runs["r1"]
        assert (run.ended, run.passed, run.ready, run.owed) == worked_out(run)
        state = fold(state, [entry(state, kind, t, data)])
    run = state.runs["r1"]
    assert (run.ended, run.passed, run.ready, run.owed) == worked_out(run)
    assert run.ended == {"freeze": "done", "fence": "done", "scale": "owed"}


def test_what_ended_before_its_turn_does_not_come_to_be_ready() -> None:
    """A log that another version wrote: the step ended before what it needs."""
    state = log(seen("scale", "failed"))
    assert [one.name for one in state.runs["r1"].ready] == ["freeze"]
    kind, t, data = seen("freeze")
    assert [one.name for one in fold(state, [entry(state, kind, t, data)]).runs["r1"].ready] == ["fence"]


def worked_out(run: RunState) -> tuple[Any, ...]:
    """The same from the tracks alone: a copy remembers nothing."""
    copy = dataclasses.replace(run)
    return copy.ended, copy.passed, copy.ready, copy.owed


def test_an_obligation_stands_until_it_is_settled_or_taken_back() -> None:
    owed = (seen("freeze", "owed"), seen("fence", "owed"))
    assert [one.name for one in run_after(*owed).owed] == ["freeze", "fence"]
    assert [one.name for one in run_after(*owed, seen("freeze", way="owed")).owed] == ["fence"]
    assert [one.name for one in run_after(*owed, seen("freeze", "failed", way="owed")).owed] == ["freeze", "fence"]
    for ended in ("done", "skipped"):
        assert [one.name for one in run_after(*owed, seen("fence", ended, way="undo")).owed] == ["freeze"]
    assert [one.name for one in run_after(*owed, seen("fence", "failed", way="undo")).owed] == ["freeze", "fence"]
    assert run_after(seen("freeze", "done")).owed == ()


def test_obligations_are_those_of_all_runs() -> None:
    state = log(seen("freeze", "owed"))
    assert [(run.id, one.name) for run, one in state.obligations] == [("r1", "freeze")]


def test_a_step_was_ordered_at_its_turn_or_as_an_obligation() -> None:
    assert run_after(intent("fence")).ordered("fence")
    assert run_after(seen("fence", "owed"), intent("fence", way="owed")).ordered("fence")
    assert not run_after(seen("fence", "done")).ordered("fence")
    assert not run_after(intent("fence", way="undo")).ordered("fence")


def test_a_promotion_is_ordered_with_its_intent_whatever_came_of_it() -> None:
    assert not run_after(intent("fence")).promoted
    assert run_after(intent("promote")).promoted
    assert run_after(intent("promote"), result("promote", "permanent"), seen("promote", "failed")).promoted
    assert not run_after(seen("promote", "failed")).promoted


def test_a_fence_is_held_from_its_order_until_it_was_taken_back() -> None:
    assert not run_after(intent("freeze")).holds_fence
    assert run_after(intent("fence")).holds_fence
    assert run_after(seen("fence", "owed"), intent("fence", way="owed")).holds_fence
    assert run_after(intent("fence"), seen("fence", "failed", way="undo")).holds_fence
    assert not run_after(intent("fence"), seen("fence", "done", way="undo")).holds_fence


# ---- gates


def test_a_gate_waits_from_when_it_opened_until_it_passed_or_expired() -> None:
    waiting = run_after(*DONE_TO_THE_GATE)
    assert [one.name for one in waiting.open_gates] == ["approve"]
    assert (waiting.did("approve").gate_opened_t, waiting.did("approve").ended, waiting.phase) == (3.0, "", Phase.GATED)
    passed = run_after(*DONE_TO_THE_GATE, gate(Event.GATE_PASSED, 4.0, detail="by alice"))
    record = passed.did("approve")
    assert (record.ended, record.ended_t, record.detail, passed.phase) == ("done", 4.0, "by alice", Phase.RUNNING)
    assert passed.open_gates == ()
    assert "by alice" in passed.story[-1].text
    expired = run_after(*DONE_TO_THE_GATE, gate(Event.GATE_EXPIRED, 603.0))
    assert (expired.did("approve").ended, expired.phase) == ("failed", Phase.UNDOING)


def test_a_step_that_is_no_gate_is_never_an_open_gate() -> None:
    assert run_after(gate(Event.GATE_OPENED, name="freeze")).open_gates == ()


# ---- people


def test_an_approval_is_kept_with_its_gate_and_what_it_accepts() -> None:
    run = run_after(told("approve", gate="approve", accept_owed_fence=True, loss_seconds=60.0))
    assert run.approvals == (Agreed("approve", "bob", owed_fence=True),)
    assert run.accepted == Accepted("bob", 60.0, "bob")
    assert run_after(told("approve")).approvals == (Agreed("", "bob"),)
    bounded = run_after(told("approve", capacity={"web": 4, "api": 2}, reason="I looked"))
    assert bounded.approvals == (Agreed("", "bob", (("api", 2), ("web", 4))),)
    assert "only with api at least 2 healthy, web at least 4 healthy; I looked" in bounded.story[-1].text
    assert run_after(told("approve")).accepted == Accepted("", None, "bob")
    assert run_after(told("pause", loss_seconds=60.0)).accepted == Accepted()


def test_what_one_approval_accepted_a_later_one_does_not_take_back() -> None:
    first = told("approve", accept_owed_fence=True, loss_seconds=60.0)
    assert run_after(first, told("approve")).accepted == Accepted("bob", 60.0, "bob")
    assert run_after(first, told("approve", loss_seconds=0.0)).accepted.loss_seconds == 0.0
    assert len(run_after(first, told("approve")).approvals) == 2


def test_an_approval_that_moves_nothing_is_told_with_its_reason() -> None:
    line = run_after(told("approve", reason="I looked")).story[-1]
    assert "bob" in line.text and "I looked" in line.text
    assert (line.by, line.at, line.phase) == ("bob", 103.0, Phase.RUNNING)
    later = run_after(intent("freeze", 4.0), told("approve")).story[-1]
    assert (later.t, later.at, later.phase) == (4.0, 104.0, Phase.RUNNING)


def test_a_command_that_means_nothing_changes_nothing_but_the_story() -> None:
    before, after = run_after(), run_after(told("close"))
    assert after.phase is before.phase
    assert len(after.story) == len(before.story) + 1
    assert (after.story[-1].by, after.story[-1].phase) == ("bob", Phase.RUNNING)
    assert "close" in after.story[-1].text
    later = run_after(intent("freeze", 4.0), told("close")).story[-1]
    assert (later.t, later.at) == (4.0, 104.0)


def test_an_event_of_the_workers_that_means_nothing_is_not_told() -> None:
    assert run_after(closed(Event.UNDO_FINISHED)).story == run_after().story


def test_the_story_tells_when_and_by_whom() -> None:
    line = run_after(intent("freeze", 4.0), told("pause", reason="wait")).story[-1]
    assert (line.t, line.at, line.phase, line.by) == (4.0, 104.0, Phase.PAUSED, "bob")
    assert line.text.endswith("wait")
    assert isinstance(line, Sentence)


def test_where_nobody_gave_a_reason_the_table_speaks_alone() -> None:
    for said, phase, event in (
        (told("pause"), Phase.RUNNING, Event.PAUSE),
        (closed(Event.FINISHED), Phase.RUNNING, Event.FINISHED),
    ):
        row = transition(phase, event, frozenset())
        assert row is not None
        assert run_after(said).story[-1].text == row.sentence


@pytest.mark.parametrize(
    ("asks", "accepted", "covered"),
    [
        ({}, Accepted(), True),
        ({"owed_fence": True}, Accepted(), False),
        ({"owed_fence": True}, Accepted(owed_fence="bob"), True),
        ({"owed_fence": True, "loss_seconds": 5.0}, Accepted(owed_fence="bob"), False),
        ({"loss_seconds": 5.0}, Accepted(loss_seconds=5.0), True),
        ({"loss_seconds": 5.0}, Accepted(loss_seconds=4.9), False),
        ({"loss_seconds": 5.0}, Accepted(loss_seconds=60.0), True),
        ({"loss_seconds": 0.0}, Accepted(), False),
        ({"loss_seconds": 0.0}, Accepted(loss_seconds=0.0), False),
        ({"loss_seconds": 0.0}, Accepted(loss_seconds=1.0), True),
    ],
)
def test_what_is_accepted_covers_what_is_asked_for(asks: dict[str, Any], accepted: Accepted, covered: bool) -> None:
    assert accepts(accepted, asks) is covered


# ---- phases that wait for a person


def test_a_halt_says_why_what_to_do_and_what_it_asks() -> None:
    run = run_after(halt(asks={"loss_seconds": 5.0}))
    assert (run.phase, run.halted_because, run.to_do, run.asks) == (
        Phase.HALTED, "because", "do this", {"loss_seconds": 5.0},
    )  # fmt: skip
    assert run_after(halt()).asks == {}
    assert "because" in run.story[-1].text
    blocked = run_after(told("abort"), halt(event=Event.UNDO_BLOCKED))
    assert (blocked.phase, blocked.halted_because, blocked.to_do) == (Phase.PARKED, "because", "do this")


def test_an_approval_that_accepts_what_halted_it_lets_it_go_on() -> None:
    asked = halt(asks={"loss_seconds": 5.0})
    assert run_after(asked, told("approve", loss_seconds=4.0)).phase is Phase.HALTED
    assert run_after(asked, told("approve", loss_seconds=5.0)).phase is Phase.RUNNING
    assert run_after(halt(), told("approve", loss_seconds=5.0)).phase is Phase.HALTED
    assert run_after(*DONE_TO_THE_GATE, asked, told("approve", loss_seconds=5.0)).phase is Phase.GATED


def test_what_failed_is_tried_again_after_a_resume_and_after_an_approval_that_accepts() -> None:
    failed = (
        intent("freeze", 5.0, attempt=4, memory={"was": False}),
        result("freeze", "permanent", 6.0),
        seen("freeze", "failed", 7.0, detail="no"),
        seen("scale", "owed", 7.0),
    )
    for words in (
        (halt(8.0), told("resume")),
        (halt(8.0, asks={"owed_fence": True}), told("approve", accept_owed_fence=True)),
    ):
        run = run_after(*failed, *words)
        record = run.did("freeze")
        assert (record.attempts, record.ended, record.detail, record.result) == (0, "", "", None)
        assert (record.ordered, record.memory) == (True, {"was": False}), "what was ordered stays ordered"
        assert run.did("scale").ended == "owed", "only what failed"
        assert (run.reset_t, run.halted_because, run.to_do, run.asks) == (8.0, "", "", {})


def test_what_failed_before_a_pause_or_a_park_is_tried_again_too() -> None:
    for words in ((told("pause"),), (intent("promote"), told("abort"))):
        run = run_after(seen("scale", "failed", 7.0), *words, told("resume"))
        assert run.phase is Phase.RUNNING
        assert run.did("scale").ended == ""


def test_an_abort_and_a_close_try_nothing_again() -> None:
    for word in ("abort", "close"):
        run = run_after(seen("freeze", "failed", 7.0, detail="no"), halt(8.0), told(word))
        assert (run.did("freeze").ended, run.did("freeze").detail, run.reset_t) == ("failed", "no", 0.0)


def test_a_resume_that_means_nothing_tries_nothing_again() -> None:
    run = run_after(intent("freeze", 5.0), seen("freeze", "failed", 7.0), told("resume"))
    assert run.did("freeze").ended == "failed"
    assert run.reset_t == 0.0


def test_a_gate_a_pause_and_a_park_say_what_helps() -> None:
    for run in (run_after(*DONE_TO_THE_GATE), run_after(told("pause")), run_after(intent("promote"), told("abort"))):
        assert run.halted_because == run.story[-1].text
        assert "cloudfail" in run.to_do and "r1" in run.to_do
    assert "cloudfail approve r1" in run_after(*DONE_TO_THE_GATE).to_do
    assert "cloudfail abort r1" in run_after(*DONE_TO_THE_GATE).to_do
    assert "cloudfail resume r1" in run_after(told("pause")).to_do
    assert "cloudfail abort r1" in run_after(told("pause")).to_do
    parked = run_after(intent("promote"), told("abort"))
    assert parked.phase is Phase.PARKED
    assert "cloudfail resume r1" in parked.to_do and "cloudfail close r1" in parked.to_do


def test_an_approval_of_an_owed_fence_is_asked_for_in_full_and_only_then() -> None:
    owed = (seen("freeze"), seen("fence", "owed"), gate(Event.GATE_OPENED))
    assert "--accept-owed-fence --loss-seconds" in run_after(*owed).to_do
    other = (seen("freeze", "owed"), seen("fence"), gate(Event.GATE_OPENED))
    assert "cloudfail approve r1 --reason" in run_after(*other).to_do


def test_what_an_abort_would_do_is_said_before_it() -> None:
    assert "to take it back" in run_after(told("pause")).to_do
    promoted = run_after(intent("promote"), told("pause")).to_do
    assert "to take it back" not in promoted and "cloudfail abort r1" in promoted


def test_whoever_goes_on_waits_for_nobody() -> None:
    asked = halt(asks={"loss_seconds": 5.0})
    for run in (
        run_after(told("pause"), told("resume")), run_after(*GATE_PASSED), run_after(asked, told("abort")),
        run_after(asked, told("close")),
    ):  # fmt: skip
        assert (run.halted_because, run.to_do, run.asks) == ("", "", {})


def test_the_time_that_a_run_stood_still_is_not_taken_from_its_limits() -> None:
    paused = (intent("freeze", 10.0), told("pause"), (Kind.RENEW, 500.0, {}), told("resume"))
    assert run_after(*paused).reset_t == 500.0
    parked = (intent("promote", 10.0), told("abort"), (Kind.RENEW, 500.0, {}), told("resume"))
    assert run_after(*parked).reset_t == 500.0
    assert run_after(*parked[:-1], told("close")).reset_t == 0.0
    assert run_after(intent("freeze", 10.0), told("pause"), (Kind.RENEW, 500.0, {}), told("abort")).reset_t == 500.0
    assert run_after(*DONE_TO_THE_GATE, gate(Event.GATE_PASSED, 500.0)).reset_t == 0.0
    assert run_after(intent("freeze", 10.0), told("abort")).reset_t == 0.0


def test_once_an_undo_has_begun_a_resume_goes_on_with_it() -> None:
    assert not run_after(told("pause")).undo_begun
    undoing = run_after(told("abort"))
    assert (undoing.phase, undoing.undo_begun) == (Phase.UNDOING, True)
    assert run_after(told("abort"), told("pause"), told("resume")).phase is Phase.UNDOING
    assert run_after(told("abort"), told("pause")).undo_begun
    assert run_after(told("pause"), told("resume")).phase is Phase.RUNNING


def test_the_conditions_of_the_table_are_read_from_the_run() -> None:
    assert _holds(run_after()) == frozenset()
    assert _holds(run_after(intent("promote"))) == {When.PROMOTED}
    assert _holds(run_after(told("abort"))) == {When.UNDO_BEGUN}
    assert _holds(run_after(*DONE_TO_THE_GATE)) == {When.GATE_OPEN}
    assert _holds(run_after(seen("freeze", "owed"))) == {When.OWED}
    asked = halt(asks={"loss_seconds": 5.0})
    assert _holds(run_after(told("approve", loss_seconds=5.0), asked)) == {When.ACCEPTS}
    assert _holds(run_after(told("approve", loss_seconds=4.0), asked)) == frozenset()
    both = (*DONE_TO_THE_GATE, told("approve", loss_seconds=5.0), asked)
    assert _holds(run_after(*both)) == {When.GATE_OPEN, When.ACCEPTS, When.ACCEPTS_AT_GATE}


def test_a_run_ends_done_or_degraded_by_what_is_owed() -> None:
    assert run_after(closed(Event.FINISHED)).phase is Phase.DONE
    assert run_after(seen("freeze", "owed"), closed(Event.FINISHED)).phase is Phase.DEGRADED
    assert run_after(seen("freeze", "owed"), seen("freeze", way="owed"), closed(Event.FINISHED)).phase is Phase.DONE
