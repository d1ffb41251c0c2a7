"""What an approval must say before a gate passes."""

from __future__ import annotations

from cloudfail.execution.gates import still_missing
from cloudfail.execution.lifecycle import Phase
from cloudfail.testing.simulation.setups import shipped_setups
from tests.kit import Stage, load_local


def test_an_approval_that_does_not_name_the_owed_fence_says_what_is_missing() -> None:
    stage = Stage(load_local(), synchronous=False)
    stage.cloud.cut_off("east")
    run = stage.open("evacuate-local", "east", "west", preapproved="")
    stage.drive(seconds=10)
    assert still_missing(stage.run(run)) == ""
    stage.command(run, "approve", loss_seconds=60.0)
    assert "--accept-owed-fence" in still_missing(stage.run(run))
    stage.drive(seconds=10)
    assert stage.run(run).phase is Phase.GATED
    stage.command(run, "approve", accept_owed_fence=True, loss_seconds=60.0)
    assert still_missing(stage.run(run)) == ""
    stage.drive()
    assert stage.run(run).phase is Phase.DEGRADED


def test_an_approval_of_one_gate_names_the_other_and_asks_nothing_of_a_fence_that_stands() -> None:
    setup = next(setup for setup in shipped_setups() if setup.name == "evacuate-gates")
    stage = Stage(setup.loaded)
    stage.cloud.kill("east")
    run = stage.open("evacuate-gates", "east", "west", preapproved="")
    stage.drive(seconds=10)
    stage.command(run, "approve", gate="ready")
    missing = still_missing(stage.run(run))
    assert missing == f"approve still waits: cloudfail approve {run} --gate approve --reason TEXT"
