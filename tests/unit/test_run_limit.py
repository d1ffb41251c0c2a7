"""The limit of the whole run, gates apart."""

from __future__ import annotations

from dataclasses import replace

from cloudfail.execution.lifecycle import Phase
from tests.kit import Stage, load_local


def stage_with_limit(seconds: float) -> Stage:
    loaded = load_local()
    runbook = replace(loaded.runbooks["evacuate-local"], limit_seconds=seconds)
    return Stage(replace(loaded, runbooks={**loaded.runbooks, "evacuate-local": runbook}))


def test_a_run_that_takes_longer_than_its_limit_halts_and_goes_on_when_resumed() -> None:
    stage = stage_with_limit(2.0)
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west")
    stage.drive()
    assert stage.run(run).phase is Phase.HALTED
    assert "limit of 2 s" in stage.run(run).halted_because
    stage.command(run, "resume")
    stage.drive()
    assert stage.run(run).phase.final


def test_the_time_at_a_gate_does_not_count() -> None:
    stage = stage_with_limit(60.0)
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west", preapproved="")
    stage.clock.at(300.0, lambda: stage.command(run, "approve"))
    stage.engine().drive(until=stage.clock.boot() + 400, wait_for_people=True)
    assert stage.run(run).phase.final
