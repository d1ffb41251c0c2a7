"""Fences: when one is lifted, and which one lets a promotion pass; what an undo puts back (R11, I1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail.actions import Todo
from cloudfail.execution import commands as commands_module
from cloudfail.execution import fences as fences_module
from cloudfail.execution import next as next_module
from cloudfail.execution import state as state_module
from cloudfail.execution.lifecycle import When
from cloudfail.execution.state import RunState
from cloudfail.model.runbook import Mode
from cloudfail.testing.simulation.scenario import Happening, Person, Scenario, Setup
from tests.simulation.breakages.breakage import Acted, breaks
from tests.simulation.breakages.made_by_hand import evacuation

# ---- R11


@breaks("R11")
def a_fence_is_lifted_after_a_promotion_was_ordered(acted: Acted) -> Iterator[None]:
    """An abort after the promote intent undoes what can be undone, the fence included."""
    holds = state_module._holds

    def broken(run: RunState) -> frozenset[When]:
        if run.promoted:
            acted()
        return holds(run) - {When.PROMOTED}

    with patch.object(state_module, "_holds", broken):
        yield


@breaks("R11")
def the_undo_skips_the_fence(acted: Acted) -> Iterator[None]:
    """An undo leaves the fence where it is."""
    advance = next_module._advance

    def broken(run: Any, step: Any, track: Any, now: Any) -> Any:
        if track.way == "undo" and step.facts.verb == "fence" and run.ordered(step.name):
            acted()
            return [commands_module.ended(run, track, "skipped", "It can stay.")]
        return advance(run, step, track, now)

    with patch.object(next_module, "_advance", broken):
        yield


def _back_before_a_decline(setups: Mapping[str, Setup]) -> list[Scenario]:
    return [
        evacuation(
            setup,
            Happening("region returns", 6.0, {"region": setup.plan.source}),
            synchronous=False,
            preapproved=False,
            person=Person(16.0, "decline"),
        )
        for setup in setups.values()
        if setup.plan.mode is Mode.FAILOVER
    ]


@breaks(
    "R11",
    by_hand=_back_before_a_decline,
    why="a region that answers again at the gate, and a person who then declines, are seldom drawn together",
)
def the_undo_forgets_what_was_owed(acted: Acted) -> Iterator[None]:
    """What was ordered as an obligation, after its turn, is not put back."""

    def broken(self: RunState, step: str) -> bool:
        owed = self.track(state_module.Track(step, "owed")).ordered
        if owed and not self.did(step).ordered:
            acted()
        return self.did(step).ordered

    with patch.object(RunState, "ordered", broken):
        yield


# ---- I1


@breaks("I1", only=lambda s: not s.synchronous)
def an_owed_fence_passes_the_gate(acted: Acted) -> Iterator[None]:
    """A fence that is only owed is as good as a proven one: at the gate, and at the promotion."""
    outcome = fences_module.fence_outcome
    todo = next_module._todo

    def broken(run: RunState, step: str) -> str:
        real = outcome(run, step)
        if real not in {"proven", "prevented"}:
            acted()
        return "proven"

    def broken_todo(run: Any, step: Any, track: Any, seen: Todo, now: Any) -> Any:
        return todo(run, step, track, replace(seen, fence="proven") if seen.loses_data else seen, now)

    with patch.object(fences_module, "fence_outcome", broken), patch.object(next_module, "_todo", broken_todo):
        yield
