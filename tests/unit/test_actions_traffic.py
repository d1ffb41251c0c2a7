"""Traffic goes only where the balancer itself counts a healthy target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from cloudfail.actions import Done, Look, StepContext, Todo
from cloudfail.actions.traffic import Drain
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.observation import Known
from cloudfail.model.states import DnsState
from cloudfail.model.topology import PortName, Resource
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


@dataclass
class Names:
    """A name as a provider reads it; every resolver answers what `heard` says."""

    weights: Mapping[str, int]
    heard: tuple[tuple[str, ...], ...]
    one_at_a_time: bool = False
    detail: str = ""

    def read(self) -> Known[DnsState]:
        state = DnsState(self.weights, self.answers(self.weights), 60.0, "", None, self.one_at_a_time, self.detail)
        return Known(state, 0.0)

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]]:
        return Known({f"resolver {number}": heard for number, heard in enumerate(self.heard)}, 0.0)

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(sorted(f"at {region}" for region, weight in weights.items() if weight))


def looked(names: Names, *, drained: str) -> Look:
    """What a step that drains one region sees."""
    resource = Resource("www", PortName.DNS, "any", "any", None, {})
    world: Any = SimpleNamespace(topology=SimpleNamespace(resources={"www": resource}), dns=lambda _name: names)
    step: Any = SimpleNamespace(arguments={"name": "www", "region": drained})
    return Drain().observe(world, StepContext(step, "run", "east", "west"))


@pytest.mark.parametrize(
    ("heard", "one_at_a_time", "done"),
    [
        ((("at north", "at west"),), False, True),
        ((("at north",),), False, False),
        ((("at north",), ("at west",)), True, True),
        ((("at north",), ("at east",)), True, False),
        (((),), True, False),
    ],
)
def test_a_name_that_gives_one_answer_at_a_time_is_moved_when_no_resolver_gives_one_that_was_left(
    heard: tuple[tuple[str, ...], ...], one_at_a_time: bool, done: bool
) -> None:
    names = Names({"east": 0, "north": 50, "west": 50}, heard, one_at_a_time)
    assert isinstance(looked(names, drained="east"), Done) is done


def test_a_move_of_several_effects_names_each_by_how_far_it_has_come() -> None:
    weights = {"east": 100, "west": 100}
    effects = [looked(Names(weights, (), detail=detail), drained="east") for detail in ("9 left", "4 left", "")]
    assert [effect.effect for effect in effects if isinstance(effect, Todo)] == [
        "point www to west 100 (now 9 left)",
        "point www to west 100 (now 4 left)",
        "point www to west 100",
    ]
