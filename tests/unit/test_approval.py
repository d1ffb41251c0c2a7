"""What an approval must say before a gate passes."""

from __future__ import annotations

from cloudfail.execution.lifecycle import Phase
from cloudfail.execution.next import still_missing
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
