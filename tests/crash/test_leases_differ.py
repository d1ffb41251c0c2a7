"""A worker takes over from one whose lease was longer than its own (policy.lease was changed in between)."""

from __future__ import annotations

import pytest

from cloudfail.engine import CALL_SHARE
from cloudfail.errors import LeaseLost
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.journal import Kind
from cloudfail.testing.crash import Crash
from tests.kit import Stage, load_local

LONG, SHORT = 30.0, 3.0


def test_nothing_is_changed_before_the_silent_holder_s_longest_call_is_over() -> None:
    stage = Stage(load_local(), lease_seconds=LONG)
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west")

    def die(verb: str) -> None:
        if verb == "failover":
            stage.cloud.before_effect = lambda _verb: None
            raise Crash(verb)

    stage.cloud.before_effect = die
    with pytest.raises(Crash):
        stage.engine("w1").drive(until=stage.clock.boot() + 600)
    stage.lease_seconds = SHORT
    stage.drive(worker="w2")
    assert stage.run(run).phase is Phase.DEGRADED, stage.run(run).story
    claim = [entry for entry in stage.engine("reader").journal.refresh() if entry.kind is Kind.CLAIM][-1]
    longest = max(step.facts.call_timeout_seconds for step in stage.run(run).plan.steps)
    assert claim.data["took_over"]
    assert claim.data["quiet_seconds"] >= min(longest, CALL_SHARE * LONG) > CALL_SHARE * SHORT


def test_a_worker_that_slept_past_its_lease_says_who_went_on_meanwhile() -> None:
    stage = Stage(load_local(), lease_seconds=SHORT)
    stage.cloud.kill("east")
    stage.open("evacuate-local", "east", "west")
    sleeper = stage.engine("w1")

    def sleep_through(verb: str) -> None:
        if verb == "failover":
            stage.cloud.before_effect = lambda _verb: None
            stage.clock.sleep(SHORT * 2)
            stage.drive(worker="w2")

    stage.cloud.before_effect = sleep_through
    with pytest.raises(LeaseLost) as lost:
        sleeper.drive(until=stage.clock.boot() + 600)
    assert "took over" in str(lost.value) or "goes on there" in str(lost.value), str(lost.value)
    assert "cloudfail resume" not in str(lost.value)
