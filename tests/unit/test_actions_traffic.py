"""Traffic goes only where the balancer itself counts a healthy target."""

from __future__ import annotations

from cloudfail.execution.lifecycle import Phase
from tests.kit import Stage, load_local


def test_no_traffic_while_the_balancer_counts_no_healthy_target() -> None:
    stage = Stage(load_local())
    stage.cloud.kill("east")
    stage.cloud.targets_down.add("west")
    run = stage.open("evacuate-local", "east", "west")
    stage.clock.at(5.0, lambda: stage.cloud.targets_down.discard("west"))
    stage.drive(seconds=4.5)
    assert stage.cloud.weights["edge"] == {"east": 100, "west": 0}
    stage.drive()
    assert stage.cloud.weights["edge"] == {"east": 0, "west": 100}
    assert stage.run(run).phase.final
    assert stage.run(run).phase is not Phase.UNDONE
