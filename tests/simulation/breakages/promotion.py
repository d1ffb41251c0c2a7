"""Promotion: how much it may lose, that a switchover loses nothing, and that each change happens once (I3, I4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail.actions import Done
from cloudfail.actions.database import Fence
from cloudfail.execution import loss as loss_module
from cloudfail.model.states import FenceOutcome
from cloudfail.testing.fakecloud import FakeCloud, Order
from cloudfail.testing.fakeworld import FakeDatabase
from cloudfail.testing.simulation.ports import SimDatabase
from cloudfail.testing.simulation.scenario import Person, Scenario, Setup
from tests.simulation.breakages.breakage import Acted, breaks, having
from tests.simulation.breakages.made_by_hand import back_from_out_of_sight, evacuation

# ---- I3


@breaks("I3", only=lambda s: not s.synchronous)
def the_loss_bound_is_ignored(acted: Acted) -> Iterator[None]:
    """A promotion is ordered whatever it would lose."""
    asks = loss_module.asks_of

    def broken(run: Any, step: Any, todo: Any, loss: Any) -> dict[str, Any]:
        asked = asks(run, step, todo, loss)
        if "loss_seconds" in asked:
            acted()
        return {name: value for name, value in asked.items() if name != "loss_seconds"}

    with patch.object(loss_module, "asks_of", broken):
        yield


@breaks("I3", only=lambda s: not s.synchronous)
def the_loss_is_counted_as_if_fenced(acted: Acted) -> Iterator[None]:
    """`loss_if_dead` is held against the bound although the fence is only owed, and the old side goes on."""
    bound = loss_module.loss_seconds

    def broken(run: Any, step: Any, todo: Any, seen_t: float) -> Any:
        if bound(run, step, todo, seen_t) == todo.loss_if_alive_seconds:
            acted()
            return todo.loss_if_dead_seconds
        return bound(run, step, todo, seen_t)

    with patch.object(loss_module, "loss_seconds", broken):
        yield


@breaks("I3", by_hand=back_from_out_of_sight, why="a region that comes back after its lag is drawn once in many")
def a_fenced_source_counts_as_dead_all_along(acted: Acted) -> Iterator[None]:
    """`loss_if_dead` is held against the bound although the source could be fenced: so it was alive, and clients next
    to it wrote to it, seen by nobody outside."""
    bound = loss_module.loss_seconds

    def broken(run: Any, step: Any, todo: Any, seen_t: float) -> Any:
        real = bound(run, step, todo, seen_t)
        if todo.fence != "proven" or real == todo.loss_if_dead_seconds:
            return real
        acted()
        return todo.loss_if_dead_seconds

    with patch.object(loss_module, "loss_seconds", broken):
        yield


# ---- I4


@breaks("I4", only=having("late effect"))
def what_was_expected_is_not_checked(acted: Acted) -> Iterator[None]:
    """A port changes the world whether or not it is as it was seen (its contract says that it must not)."""
    land = FakeCloud._land

    def broken(self: FakeCloud, order: Order) -> None:
        def unchecked() -> None:
            try:
                order.condition()
            except Exception:
                acted()

        self._marks.pop(order.resource, None)
        land(self, replace(order, condition=unchecked))

    with patch.object(FakeCloud, "_land", broken):
        yield


def _failback_with_a_lag(setups: Mapping[str, Setup]) -> list[Scenario]:
    setup = setups["failback-local"]
    return [
        evacuation(setup, happenings=(), synchronous=False, preapproved=False, lag_seconds=lag, person=Person(every))
        for lag in (0.3, 2.0)
        for every in (4.0, 8.0)
    ]


@breaks("I4", by_hand=_failback_with_a_lag, why="a switchover under asynchronous replication is not drawn")
def a_switchover_neither_fences_nor_waits(acted: Acted) -> Iterator[None]:
    """The target is promoted before it holds all that was acknowledged, and before the source is fenced."""

    def fenced(_self: Fence, _world: Any, _context: Any) -> Done:
        acted()
        return Done("surely", outcome=str(FenceOutcome.PROVEN))

    with (
        patch.object(Fence, "observe", fenced),
        patch.object(SimDatabase, "switchover_state", FakeDatabase.switchover_state),
    ):
        yield
