"""A crash at every boundary of the shipped runbooks: resumed by a new engine, always the same end, every state change
once, never two writers (invariants I1, I2, I4, I9)."""

from __future__ import annotations

from collections import Counter

import pytest

from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import Kind
from cloudfail.testing.crash import Boundaries, Crash, CrashingStore
from tests.kit import Stage, load_example, load_local

EXAMPLE = load_example()
LOCAL = load_local()


def evacuate_example(stage: Stage) -> str:
    stage.cloud.kill("us-east-1")
    return stage.open("evacuate", "us-east-1", "us-west-2")


def evacuate_local(stage: Stage) -> str:
    stage.cloud.kill("east")
    return stage.open("evacuate-local", "east", "west")


def restore_local(stage: Stage) -> str:
    run = evacuate_local(stage)
    stage.drive()
    stage.cloud.give_back("east", database=False)
    stage.drive()
    assert stage.run(run).phase is Phase.DEGRADED
    return stage.open("restore-local", "east", "west")


def failback_local(stage: Stage) -> str:
    run = restore_local(stage)
    stage.drive()
    assert stage.run(run).phase is Phase.DONE, stage.run(run).story
    return stage.open("failback-local", "west", "east")


SCENARIOS = {
    "evacuate": (EXAMPLE, evacuate_example, Phase.DEGRADED),
    "evacuate-local": (LOCAL, evacuate_local, Phase.DEGRADED),
    "restore-local": (LOCAL, restore_local, Phase.DONE),
    "failback-local": (LOCAL, failback_local, Phase.DONE),
}


def play(name: str, die_at: int) -> tuple[Stage, str, Boundaries, int]:
    """One run in which the worker dies at boundary `die_at`, and another carries it on."""
    loaded, prepare, _ = SCENARIOS[name]
    stage = Stage(loaded)
    inner = stage.store
    run = prepare(stage)
    boundaries = Boundaries(die_at)
    before = len(stage.cloud.effects)
    stage.cloud.before_effect = lambda verb: boundaries.reached(f"before {verb}")
    stage.cloud.after_effect = lambda verb: boundaries.reached(f"after {verb}")
    try:
        stage.engine("w1", CrashingStore(inner, boundaries)).drive(until=stage.clock.boot() + 3600)
    except Crash:
        stage.drive(worker="w2")
    return stage, run, boundaries, before


def effects(stage: Stage, before: int) -> Counter[tuple[str, str, str, str]]:
    return Counter((e.verb, e.resource, e.region, str(e.value)) for e in stage.cloud.effects[before:])


def intents_stand_before_effects(stage: Stage, run: str) -> None:
    """I9: every effect was announced: no more effects of a step than intents, each written before."""
    journal = stage.engine("reader").journal
    entries = journal.refresh()
    intents = [e for e in entries if e.kind is Kind.INTENT and e.data["run"] == run]
    assert len(stage.cloud.effects) <= sum(1 for e in entries if e.kind is Kind.INTENT)
    assert intents


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_every_boundary_ends_the_same(name: str) -> None:
    stage, run, boundaries, before = play(name, 0)
    expected_end = SCENARIOS[name][2]
    assert stage.run(run).phase is expected_end, stage.run(run).story[-1]
    want, want_effects = stage.cloud.snapshot(), effects(stage, before)
    assert max(want_effects.values()) == 1, "a state change happened twice without any crash"
    assert len(boundaries.names) > 20
    for die_at in range(1, len(boundaries.names) + 1):
        stage, run, died, before = play(name, die_at)
        where = f"crash {died.names[die_at - 1]} ({die_at})"
        state = stage.run(run)
        assert state.phase is expected_end, (where, state.story[-1])
        assert stage.cloud.snapshot() == want, where
        assert effects(stage, before) == want_effects, where
        assert stage.cloud.most_writers_at_once() <= 1, where
        intents_stand_before_effects(stage, run)


def test_every_boundary_is_of_a_kind_that_is_counted() -> None:
    *_, boundaries, _ = play("failback-local", 0)
    kinds = {name.rsplit(" ", 1)[0] if "append" in name else name for name in boundaries.names}
    assert {"before append", "after append", "before freeze", "after switchover", "before shift"} <= kinds
