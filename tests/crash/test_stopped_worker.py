"""A worker that is stopped past its lease, exactly inside each verb, while another takes over (invariants I1, I2, I4).

Woken, it starts no new call, and the call that it was in is harmless: refused by a condition or by the mark of a newer
epoch, or, where a backend has neither, put back by watching (design.md §4 rules 6 and 10).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudfail.errors import LeaseLost
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import HOLDER_KINDS, Kind
from tests.crash.moves import BASE, FULL, MOVES, UNCONDITIONAL, effects, entries, intents, stage
from tests.kit import Stage

TEN_MINUTES = 600.0
WHERE = ("before the check", "after the check")


class Stopped:
    """Drives a move with a worker that stands still inside its nth call, while `meanwhile` happens."""

    def __init__(self, made: Stage, nth: int, where: str, meanwhile: Callable[[], None]) -> None:
        self.made = made
        self.asleep = self.woke = False
        self.verb = ""
        self.calls_since = 0
        self._left = nth
        self._meanwhile = meanwhile
        if where == "before the check":
            made.cloud.before_call = self._reached
        else:
            made.cloud.before_effect = self._reached
            made.cloud.before_call = self._called

    def _called(self, _verb: str) -> None:
        self.calls_since += self.woke

    def _reached(self, verb: str) -> None:
        self.calls_since += self.woke
        if self.asleep:
            return
        self._left -= 1
        if self._left == 0:
            self.asleep, self.verb = True, verb
            self._meanwhile()
            self.woke = True


def stop(name: str, nth: int, where: str, seconds: float, *, command: str = "", unconditional: bool = False) -> tuple[
    Stage, str, int, Stopped
]:  # fmt: skip
    made = stage(unconditional=UNCONDITIONAL if unconditional else ())
    run = MOVES[name].open(made)
    since = len(made.cloud.effects)

    def meanwhile() -> None:
        wakes = made.clock.boot() + seconds
        if command:
            made.command(run, command)
        made.drive(worker="w2")
        made.clock.suspend(max(0.0, wakes - made.clock.boot()))

    stopped = Stopped(made, nth, where, meanwhile)
    with pytest.raises(LeaseLost):
        made.drive(worker="w1")
    assert stopped.woke, f"there is no call {nth}"
    assert stopped.calls_since == 0, "woken, it started another call"
    nothing_was_written_after_the_take_over(made)
    return made, run, since, stopped


def nothing_was_written_after_the_take_over(made: Stage) -> None:
    epoch = 0
    for entry in entries(made):
        epoch = entry.seq if entry.kind is Kind.CLAIM else epoch
        assert entry.kind not in HOLDER_KINDS or entry.kind is Kind.CLAIM or entry.epoch == epoch
    assert made.run("r1")


def watch_over(made: Stage, run: str) -> None:
    made.engine("w3").watch_over(run)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("seconds", [40.0, TEN_MINUTES])
@pytest.mark.parametrize("name", MOVES)
def test_a_call_that_lands_after_another_took_over_changes_nothing(name: str, seconds: float, where: str) -> None:
    for nth in range(1, sum(BASE[name].effects.values()) + 1):
        made, run, since, stopped = stop(name, nth, where, seconds)
        told = f"{stopped.verb} ({nth})"
        assert made.run(run).phase is MOVES[name].ends, (told, made.run(run).story[-1])
        assert made.cloud.snapshot() == BASE[name].snapshot, told
        assert effects(made, since) == BASE[name].effects, told
        assert made.cloud.most_writers_at_once() <= 1, told


@pytest.mark.parametrize("name", MOVES)
def test_where_a_backend_has_no_condition_watching_puts_back_what_landed_late(name: str) -> None:
    repaired = 0
    for nth in range(1, sum(BASE[name].effects.values()) + 1):
        made, run, since, stopped = stop(name, nth, "after the check", TEN_MINUTES, unconditional=True)
        told = f"{stopped.verb} ({nth})"
        repaired += made.cloud.snapshot() != BASE[name].snapshot
        watch_over(made, run)
        assert made.run(run).phase is MOVES[name].ends, (told, made.run(run).story[-1])
        assert made.cloud.snapshot() == BASE[name].snapshot, told
        extra = effects(made, since) - BASE[name].effects
        assert sum(extra.values()) <= 2, (told, extra)
        assert made.cloud.most_writers_at_once() <= 1, told
    assert repaired or name != "evacuate", "no late call did any harm, so this test proves nothing"


@pytest.mark.parametrize("unconditional", [False, True])
@pytest.mark.parametrize("where", WHERE)
def test_a_call_that_lands_after_the_undo_is_put_back_too(where: str, unconditional: bool) -> None:
    """A person aborts while the worker sleeps: what it was doing and what undoes it are in conflict."""
    before = stage().cloud.snapshot()
    undone = parked = 0
    for nth in range(1, sum(BASE["evacuate"].effects.values()) + 1):
        made, run, since, stopped = stop(
            "evacuate", nth, where, TEN_MINUTES, command="abort", unconditional=unconditional
        )
        told = f"{stopped.verb} ({nth})"
        state = made.run(run)
        if state.promoted:
            parked += 1
            assert state.phase is Phase.PARKED, (told, state.story[-1])
            assert not [e for e in intents(made, run) if e.data["way"] == "undo"], told
            made.command(run, "resume")
            made.drive(worker="w3")
            watch_over(made, run)
            assert made.run(run).phase is Phase.DONE, (told, made.run(run).story[-1])
            assert made.cloud.snapshot() == BASE["evacuate"].snapshot, told
        else:
            undone += 1
            assert state.phase is Phase.UNDONE, (told, state.story[-1])
            watch_over(made, run)
            assert made.cloud.snapshot() == before, told
        assert made.cloud.most_writers_at_once() <= 1, told
        assert "failover" not in {e.verb for e in made.cloud.effects[since:]} or state.promoted, told
    assert undone >= 5 and parked >= 5


def test_a_run_that_was_taken_back_is_not_done_again_by_watching() -> None:
    made = stage()
    run = MOVES["take back"].open(made)
    made.drive()
    count = len(made.cloud.effects)
    watch_over(made, run)
    assert made.run(run).phase is Phase.UNDONE
    assert len(made.cloud.effects) == count


def test_a_run_that_a_person_closed_as_it_stood_is_left_as_it_stands() -> None:
    made = stage()
    made.cloud.lie("freeze", 1_000_000)
    run = MOVES["evacuate"].open(made)
    made.drive()
    made.command(run, "close")
    made.cloud._lies.clear()
    count = len(made.cloud.effects)
    watch_over(made, run)
    assert made.run(run).phase is Phase.DEGRADED
    assert len(made.cloud.effects) == count


def test_watching_an_old_run_never_works_against_a_newer_one() -> None:
    made = stage()
    first = MOVES["take back"].open(made)
    made.drive()
    second = made.open("evacuate-all", "east", "west", preapproved="")
    made.drive()
    assert made.run(second).phase is Phase.GATED
    count = len(made.cloud.effects)
    watch_over(made, first)
    assert len(made.cloud.effects) == count, "it let go what the open run holds"


def test_what_an_ended_run_changed_is_put_back_however_long_ago_it_ended() -> None:
    made = stage()
    run = MOVES["evacuate"].open(made)
    made.drive()
    made.clock.suspend(300)
    made.cloud.held["web", "west"] = True
    watch_over(made, run)
    assert made.cloud.snapshot() == BASE["evacuate"].snapshot


@pytest.mark.parametrize("seconds", [-TEN_MINUTES, TEN_MINUTES, -2.0, 2.0])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("name", MOVES)
def test_a_wall_clock_that_jumps_loses_the_lease_and_nothing_acts(name: str, where: str, seconds: float) -> None:
    total = sum(BASE[name].effects.values())
    for nth in range(1, total + 1, 1 if FULL else 3):
        made = stage()
        run = MOVES[name].open(made)
        since = len(made.cloud.effects)
        stopped = Stopped(made, nth, where, lambda made=made: made.clock.jump_wall(seconds))  # type: ignore[misc]
        with pytest.raises(LeaseLost):
            made.drive(worker="w1")
        assert stopped.calls_since == 0
        landed = len(made.cloud.effects) - since
        assert landed == (nth - 1 if where == "before the check" else nth)
        made.drive(worker="w1")
        assert made.run(run).phase is MOVES[name].ends, made.run(run).story[-1]
        assert made.cloud.snapshot() == BASE[name].snapshot
        assert effects(made, since) == BASE[name].effects


@pytest.mark.parametrize("seconds", [-TEN_MINUTES, TEN_MINUTES])
def test_a_wall_clock_that_jumps_on_the_other_machine_does_not_make_it_take_over(seconds: float) -> None:
    """A claimant never compares wall clocks: it waits the lease out on its own clock that only grows."""
    made = stage()
    MOVES["evacuate"].open(made)
    tried: list[bool] = []

    def jump_and_try() -> None:
        made.clock.jump_wall(seconds)
        other = made.engine("w2")
        other.drive(until=made.clock.boot() + 20.0)
        tried.append(other._epoch == 0)

    Stopped(made, 3, "after the check", jump_and_try)
    with pytest.raises(LeaseLost):
        made.drive(worker="w1")
    assert tried == [True]
