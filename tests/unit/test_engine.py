"""The loop: who may drive, for how long, and what a store that does not answer means."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading

import pytest

from cloudfail.actions.catalog import ACTIONS
from cloudfail.calls import ThreadCalls
from cloudfail.clock import SystemClock
from cloudfail.engine import CALL_SECONDS_MIN, Engine
from cloudfail.errors import LeaseLost, StoreUnavailable
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import Kind
from cloudfail.ports import Store, StoredEntry
from cloudfail.testing.crash import Boundaries, Crash, CrashingStore
from cloudfail.testing.fakeworld import FakeWorld
from tests.crash.moves import BASE, FULL, effects, entries, stage
from tests.kit import Stage, load_example

LAPSE = 30.0 * 1.25


class Failing:
    """A store whose nth append fails: before it landed, or after."""

    def __init__(self, store: Store, nth: int, *, landed: bool) -> None:
        self.store = store
        self.left = nth
        self.landed = landed

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self.left -= 1
        if self.left != 0:
            return self.store.append(log, seq, body)
        if self.landed:
            self.store.append(log, seq, body)
        raise StoreUnavailable("The connection was reset.")


def appends() -> int:
    made = stage()
    made.open("evacuate-all", "east", "west")
    before = len(entries(made))
    made.drive()
    return len(entries(made)) - before


def opened() -> tuple[Stage, str]:
    made = stage()
    return made, made.open("evacuate-all", "east", "west")


def ends_as_undisturbed(made: Stage, run: str) -> None:
    assert made.run(run).phase is Phase.DONE, made.run(run).story[-1]
    assert made.cloud.snapshot() == BASE["evacuate"].snapshot
    assert effects(made) == BASE["evacuate"].effects


def test_an_append_that_landed_and_whose_answer_was_lost_is_known_as_ones_own() -> None:
    for nth in range(1, appends() + 1, 1 if FULL else 2):
        made, run = opened()
        made.engine("w1", Failing(made.store, nth, landed=True)).drive(until=made.clock.boot() + 3600)
        ends_as_undisturbed(made, run)


def test_without_a_store_nothing_is_changed_and_whoever_comes_next_finishes() -> None:
    for nth in range(1, appends() + 1, 1 if FULL else 2):
        made, run = opened()
        store = Failing(made.store, nth, landed=False)
        try:
            made.engine("w1", store).drive(until=made.clock.boot() + 3600)
        except StoreUnavailable:
            assert len(made.cloud.effects) <= sum(entry.kind is Kind.INTENT for entry in entries(made))
        made.drive(worker="w2")
        ends_as_undisturbed(made, run)


def test_a_worker_that_fell_silent_is_taken_over_after_its_lease_and_the_margin_and_not_before() -> None:
    made, run = opened()
    boundaries = Boundaries(20)
    with pytest.raises(Crash):
        made.engine("w1", CrashingStore(made.store, boundaries)).drive()
    died = made.clock.boot()
    made.drive(LAPSE - 1.0, worker="w2")
    assert made.engine().read().holder == "w1", "it took over too early"
    made.clock.suspend(0.0)
    made.drive(worker="w3")
    log = entries(made)
    claims = [entry for entry in log if entry.kind is Kind.CLAIM]
    assert [entry.by for entry in claims] == ["w1", "w3"]
    assert claims[1].at - 1_000_000.0 + 1000.0 >= died + LAPSE
    assert claims[1].data["took_over"] == claims[0].epoch
    ends_as_undisturbed(made, run)


def test_after_a_take_over_nothing_is_changed_before_an_earlier_call_must_have_landed() -> None:
    made, run = opened()
    boundaries = Boundaries(9)
    with pytest.raises(Crash):
        made.engine("w1", CrashingStore(made.store, boundaries)).drive()
    count = len(made.cloud.effects)
    made.drive(worker="w2")
    claim = next(entry for entry in entries(made) if entry.kind is Kind.CLAIM and entry.by == "w2")
    assert claim.data["quiet_seconds"] >= 10.0
    first = made.cloud.effects[count]
    assert first.at - 1000.0 >= claim.at - 1_000_000.0 + claim.data["quiet_seconds"]
    ends_as_undisturbed(made, run)


def test_a_holder_that_only_waits_renews_and_nobody_takes_over() -> None:
    made, _run = opened()
    made.cloud.workers_start_seconds = 200.0
    others: list[str] = []

    def try_to_take_over() -> None:
        other = made.engine("w2")
        other.read()
        others.append(other.state.holder)
        made.clock.at(10.0, try_to_take_over)

    made.clock.at(10.0, try_to_take_over)
    made.drive(150.0, worker="w1")
    log = entries(made)
    held = [entry for entry in log if entry.by == "w1"]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(held)]
    assert max(gaps) <= 16.0, "a renewal came later than half of the lease"
    assert set(others) == {"w1"}
    assert any(entry.kind is Kind.RENEW for entry in log)


def test_a_turn_ends_in_time_and_the_next_one_goes_on() -> None:
    made, run = opened()
    for turn in range(100):
        start = made.clock.boot()
        made.drive(0.5, worker=f"w{turn}")
        assert made.clock.boot() - start <= 1.0
        if made.run(run).phase.final:
            break
    ends_as_undisturbed(made, run)
    assert turn >= 3


def test_a_worker_that_reads_that_another_took_over_stops() -> None:
    made, run = opened()

    def another(verb: str) -> None:
        if verb == "failover":
            made.cloud.after_effect = lambda _verb: None
            made.clock.suspend(LAPSE + 1.0)
            made.drive(worker="w2")

    made.cloud.after_effect = another
    with pytest.raises(LeaseLost) as raised:
        made.drive(worker="w1")
    assert raised.value.to_do
    ends_as_undisturbed(made, run)


def test_a_look_that_breaks_is_unknown_and_not_the_end_of_the_loop() -> None:
    made, run = opened()
    weights = made.cloud.weights.pop("www")
    made.clock.at(20.0, lambda: made.cloud.weights.update(www=weights))
    made.drive()
    ends_as_undisturbed(made, run)


def test_driving_when_nothing_is_open_writes_nothing() -> None:
    made = stage()
    made.drive()
    assert entries(made) == []
    made, run = opened()
    made.drive()
    count = len(entries(made))
    made.drive()
    made.engine("w2").watch_over(run)
    assert len(entries(made)) == count


# ---- a process that will be ended from outside


def test_no_call_is_begun_that_would_not_come_back_in_time() -> None:
    """A function that is about to be ended orders nothing more; the next one does, and nothing is lost between."""
    made, run = opened()
    engine = made.engine()
    engine._over_by = made.clock.boot() + CALL_SECONDS_MIN / 2
    engine.drive(until=made.clock.boot() + CALL_SECONDS_MIN / 2)
    assert not made.cloud.effects
    made.drive()
    ends_as_undisturbed(made, run)


def test_a_call_has_no_longer_than_its_process() -> None:
    made, _ = opened()
    engine = made.engine()
    assert engine._call_timeout(10.0) == 10.0
    engine._over_by = made.clock.boot() + 4.0
    assert engine._call_timeout(10.0) == 4.0
    made.clock.sleep(5.0)
    assert engine._call_timeout(10.0) == 0.0


def test_a_call_that_never_came_back_is_known_and_the_lease_is_left_to_run_out() -> None:
    """Whoever is next must wait as after a worker that fell silent, and this process must not be kept."""
    made, _ = opened()
    clock, hung = SystemClock(), threading.Event()
    made.cloud.before_call = lambda _name: hung.wait(20.0) and None
    engine = Engine(
        store=made.store, application=made.application, world=FakeWorld(made.cloud), actions=ACTIONS, clock=clock,
        calls=ThreadCalls(), worker="w1", lease_seconds=30.0, over_by=clock.boot() + 1.5,
    )  # fmt: skip
    began = clock.boot()
    engine.drive(until=clock.boot() + 0.7)
    assert engine.calls_out >= 1
    assert clock.boot() - began < 10.0
    assert entries(made)[-1].kind is not Kind.RELEASE
    hung.set()


def test_a_process_whose_calls_are_out_is_ended_and_not_kept() -> None:
    ending = "serving._end_if_calls_are_out(SimpleNamespace(calls_out={}), print); print('goes on', flush=True)"
    code = "from types import SimpleNamespace; from cloudfail.entrypoints import serving; "
    code += "; ".join(ending.format(calls) for calls in (0, 2))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 70
    assert ended.stdout.count("goes on") == 1 and "2 calls have not come back" in ended.stdout


class Slow:
    """A store on which each append takes its time."""

    def __init__(self, made: Stage, seconds: float) -> None:
        self.made, self.seconds = made, seconds

    def read(self, log: str, after: int) -> list[StoredEntry]:
        return self.made.store.read(log, after)

    def append(self, log: str, seq: int, body: bytes) -> bool:
        self.made.clock.sleep(self.seconds)
        return self.made.store.append(log, seq, body)


def test_what_is_owed_is_settled_also_where_the_claim_took_all_the_time_that_there_was() -> None:
    """Else a watch beside a slow store claims and releases for ever, and settles nothing."""
    made = Stage(load_example())
    made.cloud.kill("us-east-1")
    run = made.open("evacuate", "us-east-1", "us-west-2")
    made.drive()
    made.cloud.give_back("us-east-1")
    assert made.run(run).phase is Phase.DEGRADED
    made.engine("w2", Slow(made, 6.0)).drive(until=made.clock.boot() + 5.0)
    assert not made.engine("reader").read().obligations
