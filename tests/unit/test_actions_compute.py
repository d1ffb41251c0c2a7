"""Workers on which something is under way: nothing is ordered on top of it, and what is so already is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Look, Moving, StepContext, Todo
from cloudfail.actions.compute import Hold, Scale
from cloudfail.model.observation import Known
from cloudfail.model.plan import PlannedStep
from cloudfail.model.states import ComputeState

STATE = ComputeState(2, 2, 2, moving="an upgrade is RUNNING")


class Around:
    """A world with one group, which is as it is said."""

    def __init__(self, state: ComputeState) -> None:
        self.state = state

    def compute(self, _name: str) -> Around:
        return self

    def read(self, _region: str) -> Known[ComputeState]:
        return Known(self.state, 0.0)


def look(action: Any, state: ComputeState, **arguments: Any) -> Look:
    written = {"group": "web", "where": "west", **arguments}
    step = PlannedStep("workers", action.name, None, written, (), 60.0, 0.0, 0)
    found: Look = action.observe(Around(state), StepContext(step, "r1", "east", "west"))
    return found


def test_more_workers_wait_for_what_is_under_way() -> None:
    found = look(Scale(), STATE, count=4)
    assert isinstance(found, Moving)
    assert "an upgrade is RUNNING" in str(found)
    assert isinstance(look(Scale(), replace(STATE, moving=""), count=4), Todo)


def test_enough_workers_are_enough_whatever_is_under_way() -> None:
    assert isinstance(look(Scale(), STATE, count=2), Done)


@pytest.mark.parametrize(("held", "kind"), [(True, Done), (False, Moving)])
def test_a_hold_waits_too_unless_it_is_held(held: bool, kind: type[Look]) -> None:
    assert isinstance(look(Hold(), replace(STATE, scale_in_held=held)), kind)
