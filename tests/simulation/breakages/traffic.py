"""Traffic: where it may go, when, and that somebody always answers (I5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from cloudfail.actions import Todo
from cloudfail.actions import traffic as traffic_module
from cloudfail.execution import state as state_module
from cloudfail.execution.state import RunState
from cloudfail.testing.fakeworld import _FakeTraffic
from tests.simulation.breakages.breakage import Acted, breaks, having


@breaks("I5", only=having("target unhealthy"))
def traffic_goes_to_a_sick_region(acted: Acted) -> Iterator[None]:
    """Nobody asks whether the target is healthy before traffic is sent there."""
    unhealthy = traffic_module._unhealthy

    def broken(world: Any, context: Any) -> None:
        if unhealthy(world, context) is not None:
            acted()

    with patch.object(traffic_module, "_unhealthy", broken):
        yield


@breaks("I5")
def an_answer_set_is_emptied_first(acted: Acted) -> Iterator[None]:
    """The old region is taken out before the new one is put in, and no port refuses to answer nobody."""
    act = traffic_module.Switch.act
    shift = _FakeTraffic._shift

    def broken_act(self: Any, world: Any, context: Any, seen: Todo, call: Any) -> None:
        acted()
        traffic_module.shift(world, context, dict.fromkeys(seen.expect.weights, 0), seen, call)
        act(self, world, context, seen, call)

    def broken_shift(self: Any, weights: Any, version: str, call: Any) -> None:
        class Full(dict[str, int]):
            def values(self) -> Any:
                return [*super().values(), 1]

        shift(self, Full(weights), version, call)

    with (
        patch.object(traffic_module.Switch, "act", broken_act),
        patch.object(_FakeTraffic, "_shift", broken_shift),
    ):
        yield


@breaks("I5")
def traffic_does_not_wait_for_the_promotion(acted: Acted) -> Iterator[None]:
    """What a traffic step needs is ignored."""

    def ready(run: RunState) -> tuple[Any, ...]:
        real = [step for step in run.plan.steps if step.name not in run.ended and run.passed.issuperset(step.needs)]
        early = [step for step in run.plan.steps if step.facts.verb == "shift" and step.name not in run.ended]
        if any(step not in real for step in early):
            acted()
        return tuple(step for step in run.plan.steps if step in real or step in early)

    with (
        patch.object(RunState, "ready", property(ready)),
        patch.object(state_module, "_one_more_done", lambda *_: {}),
    ):
        yield
