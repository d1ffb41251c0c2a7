"""Consumers are off once nothing is delivered any more, and can be turned on at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from cloudfail.actions import Done, NotKnown, Owed, StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.states import ConsumersState

ON, OFF = ConsumersState(True), ConsumersState(False)
STILL = ConsumersState(False, still="it goes on delivering")


@dataclass
class World:
    told: Known[ConsumersState] | Unknown

    def consumers(self, _name: str) -> Any:
        return self

    def read(self, _region: str) -> Known[ConsumersState] | Unknown:
        return self.told


def look(told: ConsumersState | None, action: str, **more: str) -> Any:
    arguments = {"consumers": "orders", "where": "east", **more}
    step = PlannedStep("step", action, None, arguments, (), 60.0, 60.0, 0)
    world: Any = World(Unknown("", 0.0) if told is None else Known(told, 0.0))
    return ACTIONS[action].observe(world, StepContext(step, "r1", "east", "west"))


@pytest.mark.parametrize(
    ("told", "disable", "owing", "enable"),
    [
        (ON, Todo, Todo, Done),
        (OFF, Done, Done, Todo),
        (STILL, NotKnown, Owed, Todo),
        (None, NotKnown, Owed, NotKnown),
    ],
)
def test_what_a_step_sees(told: ConsumersState | None, disable: type, owing: type, enable: type) -> None:
    assert type(look(told, "consumers.disable")) is disable
    assert type(look(told, "consumers.disable", unreachable="owe")) is owing
    assert type(look(told, "consumers.enable")) is enable


def test_why_it_is_not_off_is_said() -> None:
    assert "orders in east: it goes on delivering" in str(look(STILL, "consumers.disable"))
