"""A run as a person reads it, with what can be typed; status, runs and progress lines. All from real runs."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.state import LogState, RunState, StepRecord, Track, fold
from cloudfail.model.journal import Entry, Kind
from cloudfail.report import run as report
from cloudfail.report.layout import cells
from tests.kit import Stage, load_local

LOCAL = load_local()


def log_of(stage: Stage) -> tuple[LogState, list[str], list[Entry]]:
    """The log's state, its progress lines, its entries."""
    state, lines = LogState(), []
    entries = stage.engine("reader").journal.refresh()
    for entry in entries:
        state = fold(state, [entry])
        line = report.line_for(entry, state)
        if line is not None:
            lines.append(line)
    return state, lines, entries


def evacuated() -> tuple[Stage, str]:
    stage = Stage(LOCAL)
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west")
    stage.drive()
    return stage, run


def at_the_gate(**how: bool) -> tuple[Stage, str]:
    """A switchover with its fence proven, or (`cut`) a failover with its fence owed, waiting for approval."""
    stage = Stage(LOCAL, synchronous=not how.get("cut"))
    if how.get("cut"):
        stage.cloud.cut_off("east")
    run = stage.open("evacuate-local" if how.get("cut") else "failback-local", "east", "west", preapproved="")
    stage.drive(seconds=60)
    assert stage.run(run).phase is Phase.GATED
    return stage, run


def first(text: str) -> str:
    return text.splitlines()[0]


def test_a_degraded_end_names_what_is_owed_in_its_first_line() -> None:
    stage, run = evacuated()
    text = report.as_text(stage.run(run))
    assert first(text) == (
        "Run r1 ended DEGRADED: shop was moved from east to west (failover), and freeze_old is still owed."
    )
    assert "Owed, and tried again until it is settled:" in text
    assert "What you can do now" not in text


def test_a_gate_with_a_fence_says_in_its_first_line_that_nobody_may_be_able_to_write() -> None:
    stage, run = at_the_gate()
    line = first(report.as_text(stage.run(run)))
    assert "WAITS FOR A PERSON at approve" in line
    assert "It HOLDS A FENCE on east" in line
    assert "NO WRITES ANYWHERE" in line


@pytest.mark.parametrize("command", ["pause", "abort"])
def test_a_paused_run_says_so_and_an_undone_one_holds_nothing(command: str) -> None:
    stage, run = at_the_gate()
    stage.command(run, command)
    if command == "abort":
        stage.drive()
        line = report.headline(stage.run(run))
        assert line == "Run r1 was undone: everything was put back as it was, east stays the primary."
    else:
        line = report.headline(stage.run(run))
        assert line.startswith("Run r1 is PAUSED")
        assert "It HOLDS A FENCE on east" in line
        assert "its clock stands still" in report.as_text(stage.run(run))


def test_after_the_promotion_nothing_offers_to_lift_the_fence() -> None:
    stage, run = at_the_gate()
    state = stage.run(run)
    tracks = {**state.tracks, Track("promote", "do"): StepRecord(ordered=True, effect="stop orders in east")}
    parked = replace(state, phase=Phase.PAUSED, tracks=tracks)
    assert "a promotion was ordered: orders is not unfenced any more" in report.headline(parked)
    abort = next(way for way in report.commands_now(parked) if " abort " in way.command)
    assert "nothing is undone" in abort.meaning


def test_the_commands_that_are_shown_are_those_that_the_lifecycle_knows() -> None:
    stage, run = at_the_gate()
    commands = [way.command for way in report.commands_now(stage.run(run))]
    assert commands == [
        "cloudfail approve r1 --reason TEXT",
        "cloudfail decline r1 --reason TEXT",
        "cloudfail pause r1",
        "cloudfail abort r1 --reason TEXT",
    ]
    text = report.as_text(stage.run(run))
    assert all(command in text for command in commands)


def test_an_owed_fence_is_accepted_by_its_own_flag_and_the_reader_is_told_what_that_means() -> None:
    stage, run = at_the_gate(cut=True)
    way = report.commands_now(stage.run(run))[0]
    assert way.command == "cloudfail approve r1 --accept-owed-fence --loss-seconds SECONDS --reason TEXT"
    assert "nothing proves it" in way.meaning


def test_a_halt_says_why_and_which_number_of_seconds_it_asks_for() -> None:
    stage, run = at_the_gate(cut=True)
    halted = replace(
        stage.run(run),
        phase=Phase.HALTED,
        halted_because="promote would promote orders in west, and the loss is unknown.",
        to_do="Mend it.",
        asks={"owed_fence": True, "loss_seconds": 0.0},
    )
    text = report.as_text(halted, 160)
    assert first(text).startswith("Run r1 is HALTED and cannot go on without a person")
    assert "Because: promote would promote orders in west, and the loss is unknown." in text
    assert "--accept-owed-fence --loss-seconds SECONDS --reason TEXT" in text
    assert "the loss is unknown; say how many seconds" in " ".join(text.split())
    known = replace(halted, asks={"loss_seconds": 41.2})
    assert "--loss-seconds 42 " in report.as_text(known)
    silent = replace(halted, asks={})
    assert not [way for way in report.commands_now(silent) if "approve" in way.command]


def test_every_step_has_its_state_and_what_it_waits_for() -> None:
    stage, run = at_the_gate()
    text = report.as_text(stage.run(run), 140)
    assert "proven: a write over an old and over a new connection was refused" in text
    assert any(line.split()[:2] == ["waits", "promote"] and "for approve" in line for line in text.splitlines())
    stage.command(run, "abort")
    stage.drive()
    text = report.as_text(stage.run(run), 140)
    assert any(line.split()[:3] == ["done", "undo", "fence"] for line in text.splitlines())
    assert any(line.split()[:3] == ["never", "begun", "promote"] for line in text.splitlines())


def test_progress_lines_tell_the_run_and_leave_out_what_nobody_waits_for() -> None:
    stage, _ = evacuated()
    _, lines, entries = log_of(stage)
    assert "13:46:40 +0.0s fence  done  prevented: east cannot acknowledge without west" in lines
    assert "13:46:40 +0.0s promote  ordered  promote orders in west" in lines
    assert lines[-1].endswith("freeze_old is still owed.")
    silent = {Kind.RENEW, Kind.RELEASE, Kind.SAMPLE}
    state = LogState()
    for entry in entries:
        state = fold(state, [entry])
        assert entry.kind not in silent or report.line_for(entry, state) is None
        line = report.line_for(entry, state)
        assert line is None or "\n" not in line


def test_peoples_commands_and_gates_are_lines_too() -> None:
    stage, run = at_the_gate(cut=True)
    stage.command(run, "approve", accept_owed_fence=True, loss_seconds=60.0)
    stage.drive()
    _, lines, _ = log_of(stage)
    assert any(
        line.endswith("bob says approve, accepts the owed fence, accepts the loss of 60 s of writes: test")
        for line in lines
    )
    assert any("approve  gate opened" in line for line in lines)
    assert any("approve  gate passed" in line for line in lines)


def test_a_call_that_failed_is_a_line_and_one_that_only_said_ok_is_none() -> None:
    stage, run = evacuated()
    state = log_of(stage)[0]
    data = {"run": run, "step": "edge", "way": "do", "outcome": "transient", "message": "no\x1b[31m answer"}
    entry = Entry(99, Kind.RESULT, 1, "w1", 1_000_000.0, 2.5, "n", "p", data)
    assert report.line_for(entry, state) == "13:46:40 +2.5s edge  transient  no [31m answer"
    assert report.line_for(replace(entry, data=data | {"outcome": "ok"}), state) is None


def test_status_says_degraded_first_and_names_who_is_primary_now() -> None:
    stage, _ = evacuated()
    state, _, _ = log_of(stage)
    text = report.status_text(state, LOCAL.topology)
    assert first(text) == "shop is DEGRADED: the primary is west, and freeze_old is still owed."
    assert "DEGRADED: 1 obligation" in text
    assert "west (cloudfail.yaml says east)" in text


def test_status_of_a_waiting_run_shows_the_fence_and_the_commands() -> None:
    stage, run = at_the_gate()
    text = report.status_text(log_of(stage)[0], LOCAL.topology)
    assert first(text).startswith("shop: Run r1 WAITS FOR A PERSON")
    assert "HOLDS A FENCE" in first(text)
    assert "cloudfail approve r1 --reason TEXT" in text
    assert f"none holds the lease; to carry run {run} on: cloudfail resume {run}" in " ".join(text.split())


def test_status_shows_a_pause_and_a_standing_plan() -> None:
    calm = report.status_text(LogState(), LOCAL.topology)
    assert first(calm) == "shop: no run is open; the primary is east."
    state = LogState(automation_paused_by="bob", standing=("7c1f" + "0" * 60, 1_000_000.0, "alice", 3600.0))
    text = report.status_text(state, LOCAL.topology)
    assert "PAUSED by bob; to go on: cloudfail resume --automation" in text
    assert "7c1f, signed by alice at 1970-01-12 13:46:40 UTC, until 1970-01-12 14:46:40 UTC" in text


def test_runs_are_a_table_with_the_newest_first() -> None:
    stage, run = evacuated()
    text = report.runs_text(log_of(stage)[0])
    assert text.splitlines()[1].split()[0] == run
    assert "east → west" in text
    assert report.runs_text(LogState()) == "There was no run yet.\n"


def test_phases_add_up_to_the_whole_from_the_fault_to_the_last_step() -> None:
    stage, run = evacuated()
    state = stage.run(run)
    found = report.phases(state, fault_at=state.opened_at - 3, detected_at=state.opened_at - 1)
    assert list(found) == ["detect", "decide", "fence", "gate", "promote", "scale", "traffic", "verify", "other"]
    assert found["detect"] == 2.0
    assert found["decide"] == 1.0
    last = max(state.did(step.name).ended_t for step in state.plan.steps)
    assert sum(value for value in found.values() if value is not None) == pytest.approx(3.0 + last)
    spans = report.phase_spans(state, fault_at=state.opened_at - 3, detected_at=state.opened_at - 1)
    assert all(before.ended == after.began for before, after in pairwise(spans))


def test_a_phase_that_has_not_ended_is_unknown_and_one_without_a_step_is_absent() -> None:
    stage, run = at_the_gate()
    found = report.phases(stage.run(run))
    assert "detect" not in found
    assert found["fence"] == 0.0
    assert found["promote"] is None
    assert found["traffic"] is None
    fault_only = report.phases(stage.run(run), fault_at=stage.run(run).opened_at - 1)
    assert fault_only["detect"] is None
    assert fault_only["decide"] is None


def test_the_loss_at_promotion_is_the_one_that_was_journaled_with_its_intent() -> None:
    stage, run = evacuated()
    loss = report.loss_at_promotion(stage.run(run), log_of(stage)[2])
    assert loss is not None
    assert loss.if_dead_seconds == 0.0
    stage, run = at_the_gate()
    assert report.loss_at_promotion(stage.run(run), log_of(stage)[2]) is None


def large(run: RunState) -> RunState:
    """The same run with 200 steps, their names in wide letters."""
    step = run.plan.steps[0]
    steps = tuple(
        replace(step, name=f"段階-{number}", needs=(f"段階-{number - 1}",) if number else ()) for number in range(200)
    )
    done = StepRecord(attempts=2, ordered=True, ended="done", ended_t=1.5, detail="詳細" * 40)
    tracks = {Track(one.name, "do"): done for one in steps[:120]}
    return replace(run, plan=replace(run.plan, steps=steps), tracks=tracks, phase=Phase.RUNNING)


@pytest.mark.parametrize("width", [60, 110])
def test_200_steps_in_wide_letters_stay_inside_the_width(width: int) -> None:
    stage, run = evacuated()
    state = large(stage.run(run))
    text = report.as_text(state, width)
    assert first(text).startswith("Run r1 moves shop from east to west (failover): 120 of 200 steps ended")
    assert max(cells(line) for line in text.splitlines()[1:]) <= width
    assert len(report.as_json(state)["steps"]) == 200


def test_json_and_markdown_carry_the_same() -> None:
    stage, run = at_the_gate()
    state = stage.run(run)
    document = json.loads(json.dumps(report.as_json(state)))
    assert document["headline"] == report.headline(state)
    assert document["holds_fence"] is True
    assert document["phases"]["promote"] is None
    assert document["commands"][0]["command"] == "cloudfail approve r1 --reason TEXT"
    markdown = report.as_markdown(replace(state, reason="<script>alert(1)</script> | x"))
    assert "<script>" not in markdown
    assert "`cloudfail approve r1 --reason TEXT`" in markdown
