"""The plan: what its steps say of themselves, and that what was reviewed or signed is what is started (R8, I10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail import app as app_module
from cloudfail import plan as plan_module
from cloudfail.actions import Todo
from cloudfail.actions.database import Failover
from cloudfail.model.codec import checksum_of
from tests.simulation.breakages.breakage import Acted, breaks
from tests.simulation.breakages.made_by_hand import FilesChanged

# ---- R8


@breaks("R8", binds=True)
def the_plan_says_no_undo(acted: Acted) -> Iterator[None]:
    """No step says what takes it back."""
    step = plan_module._step

    def broken(*of: Any) -> Any:
        planned = step(*of)
        if planned.undo is not None:
            acted()
        return replace(planned, undo=None)

    with patch.object(plan_module, "_step", broken):
        yield


@breaks("R8", binds=True)
def the_plan_says_no_point_of_no_return(acted: Acted) -> Iterator[None]:
    """No step says that it cannot be taken back."""
    acted()
    with patch.object(plan_module, "PROMOTES", frozenset()):
        yield


@breaks("R8")
def a_promotion_says_that_it_loses_nothing(acted: Acted) -> Iterator[None]:
    """The promotion does not say that it may lose data, so nobody asks how much."""
    observe = Failover.observe

    def broken(self: Failover, world: Any, context: Any) -> Any:
        seen = observe(self, world, context)
        if not isinstance(seen, Todo):
            return seen
        acted()
        return replace(seen, loses_data=False)

    with patch.object(Failover, "observe", broken):
        yield


# ---- I10


@breaks("I10", binds=True)
def the_checksum_does_not_cover_the_bounds(acted: Acted) -> Iterator[None]:
    """Two plans that differ only in how much may be lost have one checksum."""

    def broken(plan: Any) -> str:
        acted()
        return checksum_of(replace(plan, bounds=replace(plan.bounds, loss_seconds_max=0.0, records_max=0)))

    with patch.object(plan_module, "checksum_of", broken):
        yield


@breaks("I10", playing=FilesChanged, why="the files change between the review and the start")
def what_was_reviewed_is_not_compared(acted: Acted) -> Iterator[None]:
    """The plan that the files give now is started, whatever was reviewed."""

    def broken(self: Any, checksum: str) -> Any:
        acted()
        document = next(kept[0] for sha, kept in self.log().reviewed.items() if sha.startswith(checksum))
        return self.bind(document["source"], document["target"], document["runbook"])

    with patch.object(app_module.App, "reviewed", broken):
        yield


@breaks(
    "I10",
    only=lambda s: s.automation == "automatic" and s.setup == "evacuate-local",
    playing=FilesChanged,
    why="the files change between the signature and the loss",
)
def what_was_signed_is_not_compared(acted: Acted) -> Iterator[None]:
    """Automation starts the plan that the files give now, whatever a person signed."""

    class AnyChecksum(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            acted()
            return True

        def __ne__(self, other: object) -> bool:
            acted()
            return False

        __hash__ = str.__hash__

    fold = app_module.fold

    def broken(state: Any, entries: Any) -> Any:
        after = fold(state, entries)
        standing = after.standing
        if standing is None or isinstance(standing[0], AnyChecksum):
            return after
        return replace(after, standing=(AnyChecksum(standing[0]), *standing[1:]))

    with patch.object(app_module, "fold", broken):
        yield
