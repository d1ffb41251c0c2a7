"""The run protocol, searched: nothing is violated by the engine as it is, and each way to break it is found.

The bounds here are counted in states, so that a slow machine finds the same. CLOUDFAIL_FULL=1 searches on, to hundreds
of thousands.
"""

from __future__ import annotations

import os

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.testing.simulation.search import KINDS, Bounds, main, replay, search
from cloudfail.testing.simulation.search_play import Play
from cloudfail.testing.simulation.search_worker import Setting
from tests.simulation.breakages_search import BREAKAGES

FULL = bool(os.environ.get("CLOUDFAIL_FULL"))
STATES = 300_000 if FULL else 12_000
STATES_TO_FIND = 30_000
FRESH = Setting(stale=False)
STALE = Setting(stale=True)
# What each breakage is seen by. One of several may come first, so it is the invariants that are named, not the history.
SEEN_BY = {
    "the_intent_is_appended_after_the_call_was_started": {"I9"},
    "a_replayed_intent_is_permission_to_act_again": {"I4"},
    "neither_the_settle_time_nor_the_usual_time_is_waited_for": {"I4"},
    "there_is_no_quiet_time_after_a_take_over": {"I2"},
    "the_last_check_does_not_read_the_tail": {"I2", "I7"},
    "the_lease_never_runs_out": {"I2"},
    "the_lease_is_counted_from_after_the_append": {"I2"},
    "a_lapse_is_not_waited_for": {"I2"},
    "what_moves_is_ordered_again": {"rule 4"},
    "what_is_unknown_is_taken_for_done": {"rule 5"},
    "an_ordered_promotion_is_no_point_of_no_return": {"I1", "rule 11"},
    "a_refused_append_is_taken_for_ones_own": {"I9", "L1"},
}


@pytest.mark.timeout(14_400 if FULL else 280)
def test_no_history_within_the_bounds_violates_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    found = search(Bounds(preemptions=2, faults=2, states_max=STATES), FRESH)
    with capsys.disabled():
        print(f"\n{found}")
    assert found.violation is None, str(found)
    assert found.complete or found.states >= STATES
    assert all(found.events[kind] for kind in KINDS if kind != "resume"), found.events
    assert found.ends[str(Phase.DONE)] and found.ends[str(Phase.UNDONE)]


@pytest.mark.timeout(14_400 if FULL else 280)
def test_reads_as_old_as_the_declared_settle_time_violate_nothing_either() -> None:
    found = search(Bounds(preemptions=1, faults=1, states_max=STATES // 3), STALE)
    assert found.violation is None, str(found)


def test_an_undo_waits_for_what_it_undoes_to_be_seen() -> None:
    """Found by the search: an abort in the moment in which a freeze landed was read as nothing to put back."""
    lines, violation = replay(((8, "a person aborts"),), STALE)
    assert violation is None, lines


def test_an_order_is_repeated_only_on_a_look_after_the_wait_was_over() -> None:
    """Found by the search: the look was as old as the pause between two looks."""
    lines, violation = replay(((33, "w1's failover is held up"), (42, "w1's failover at last lands")), STALE)
    assert violation is None, lines


def test_a_third_region_changes_nothing() -> None:
    found = search(Bounds(preemptions=1, faults=1, states_max=STATES // 4), Setting(regions=3, stale=False))
    assert found.violation is None, str(found)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", SEEN_BY)
def test_each_way_to_break_the_protocol_is_found(name: str) -> None:
    setting = STALE if "settle" in name else FRESH
    with BREAKAGES[name]():
        found = search(Bounds(preemptions=2, faults=2, states_max=STATES_TO_FIND), setting)
        assert found.violation is not None, str(found)
        assert found.violation.invariant in SEEN_BY[name], str(found)
        choices = found.violations[found.violation]
        assert replay(choices, setting)[1] == found.violation, "the choices do not play the same history again"
    lines, violation = replay((), setting)
    assert violation is None, lines


def test_the_same_bounds_give_the_same_figures() -> None:
    first, second = (search(Bounds(preemptions=1, faults=1, states_max=1500), FRESH) for _ in range(2))
    assert first.states == second.states
    assert (first.played, first.pruned, first.steps, first.events) == (
        second.played, second.pruned, second.steps, second.events,
    )  # fmt: skip


def test_a_history_without_deviations_ends_done_and_every_step_had_its_effect_once() -> None:
    play = Play(FRESH)
    try:
        while (option := play.default()) is not None:
            play.take(option)
        assert play.phase is Phase.DONE
        assert [effect.verb for effect in play.cloud.effects] == ["freeze", "fence", "failover", "shift"]
    finally:
        play.close()


def test_the_story_marks_what_was_not_as_usual() -> None:
    lines, violation = replay(((3, "w1 dies"),), FRESH)
    assert violation is None
    assert [line.split("s  ", 1)[1] for line in lines if line.startswith("->")] == ["w1 dies"]
    assert any("w2 goes on: appends claim" in line for line in lines)


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--preemptions", "2", "--faults", "0", "--fresh-reads"]) == 0
    out = capsys.readouterr().out
    assert "all of it" in out
    for word in ("states", "histories played", "steps", "deviations", "ends"):
        assert word in out
