"""Two thousand seeds in every run (CLOUDFAIL_FULL=1: twenty thousand): no violation, nothing that is not exercised."""

from __future__ import annotations

import os

import pytest

from cloudfail.testing.simulation.checkers import judge
from cloudfail.testing.simulation.play import play
from cloudfail.testing.simulation.scenario import draw
from cloudfail.testing.simulation.setups import shipped_setups
from cloudfail.testing.simulation.swarm import Swarm, kept, replayed, run_swarm, shrink

SEEDS = 20_000 if os.environ.get("CLOUDFAIL_FULL") else 2_000


@pytest.fixture(scope="module")
def swarm() -> Swarm:
    return run_swarm(0, SEEDS, shipped_setups, processes=os.cpu_count() or 1)


@pytest.mark.timeout(1800)
def test_no_seed_breaks_an_invariant(swarm: Swarm) -> None:
    assert swarm.seeds == SEEDS
    assert [f"seed {seed} ({setup}) {violation}" for seed, setup, violation in swarm.violations] == []


def test_every_fault_takes_effect_in_one_seed_of_a_hundred(swarm: Swarm) -> None:
    assert swarm.rare_faults() == []


def test_every_row_of_the_state_table_is_taken(swarm: Swarm) -> None:
    assert swarm.rows_never_taken() == []


def test_runs_end_in_every_way_that_a_run_may_end(swarm: Swarm) -> None:
    assert {"done", "degraded", "undone"} <= set(swarm.ends) <= {"done", "degraded", "undone", "no run"}
    assert swarm.ends["done"] > SEEDS / 5


def test_a_seed_is_played_the_same_twice() -> None:
    setups = {setup.name: setup for setup in shipped_setups()}
    for seed in (3, 17, 101):
        scenario = draw(seed, setups.values())
        first, second = (play(scenario, setups[scenario.setup]) for _ in range(2))
        assert [(at, e.kind, e.by, e.data) for at, e in first.entries] == [
            (at, e.kind, e.by, e.data) for at, e in second.entries
        ]
        assert first.cloud.snapshot() == second.cloud.snapshot()
        assert first.events == second.events


def test_a_violation_is_cut_down_to_what_causes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lease that never ends for its holder, a stopped worker acts beside its successor."""
    monkeypatch.setattr("cloudfail.lease.Lease.remaining", lambda _lease: 1e9)
    monkeypatch.setattr("cloudfail.engine._Guard.check", lambda _guard: None)
    setups = shipped_setups()
    by_name = {setup.name: setup for setup in setups}
    for seed in range(400):
        scenario = draw(seed, setups)
        if len(scenario.happenings) < 4 or not any(h.kind == "stop" for h in scenario.happenings):
            continue
        found = judge(play(scenario, by_name[scenario.setup]))
        if found:
            break
    small = shrink(scenario, by_name[scenario.setup], found[0].invariant)
    assert len(small.happenings) < len(scenario.happenings)
    again = replayed(seed, setups, kept(scenario, small))
    assert again.happenings == small.happenings
    assert any(v.invariant == found[0].invariant for v in judge(play(again, by_name[scenario.setup])))
