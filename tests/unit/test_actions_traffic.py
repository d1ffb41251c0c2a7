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


def traffic(stage: Stage, run: str) -> tuple[str, str]:
    """How the balancer's step ended, and what it said."""
    state = stage.run(run)
    name = next(step.name for step in state.plan.steps if step.arguments.get("name") == "edge")
    did = state.did(name)
    return did.ended or "", did.detail


def test_weights_that_were_accepted_and_are_not_deployed_complete_nothing() -> None:
    stage = Stage(load_local())
    stage.cloud.kill("east")
    run = stage.open("evacuate-local", "east", "west")
    stage.cloud.deploying.add("edge")
    stage.clock.at(8.0, lambda: stage.cloud.deploying.discard("edge"))
    stage.drive(seconds=7.5)
    assert stage.cloud.weights["edge"] == {"east": 0, "west": 100}
    assert traffic(stage, run)[0] == ""
    stage.drive()
    assert traffic(stage, run)[0] == "done"


def test_clients_that_a_balancer_keeps_where_they_were_are_told_of() -> None:
    stage = Stage(load_local())
    stage.cloud.kill("east")
    stage.cloud.lingering["edge"] = 3600.0
    run = stage.open("evacuate-local", "east", "west")
    stage.drive()
    assert traffic(stage, run) == (
        "done",
        "edge sends new requests to west 100; clients that it keeps where they were stay for up to 3600 s",
    )
