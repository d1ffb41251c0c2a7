"""What stands before a step: which fences, and what came of them."""

from __future__ import annotations

from cloudfail.execution.state import RunState, Track
from cloudfail.model.plan import PlannedStep


def fence_outcome(run: RunState, step: str) -> str:
    """proven, prevented, or owed: an obligation that was settled since counts as what it was settled to."""
    settled = run.track(Track(step, "owed"))
    return settled.outcome if settled.ended == "done" else run.did(step).outcome or run.did(step).ended


def fence_ended_t(run: RunState, step: str) -> float:
    """When that outcome was seen."""
    settled = run.track(Track(step, "owed"))
    return settled.ended_t if settled.ended == "done" else run.did(step).ended_t


def before(run: RunState, step: PlannedStep) -> set[str]:
    """The names of all that must have ended before this step, near and far."""
    found: set[str] = set()
    queue = list(step.needs)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(run.plan.step(name).needs)
    return found


def fences_before(run: RunState, step: PlannedStep) -> list[str]:
    """The names of the fences among them."""
    return [name for name in before(run, step) if run.plan.step(name).facts.verb == "fence"]


def owed_fence_before(run: RunState, step: PlannedStep) -> bool:
    """Whether one of them is owed."""
    return any(fence_outcome(run, name) == "owed" for name in fences_before(run, step))
