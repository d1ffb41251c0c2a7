"""What an effect that loses data would lose, and what a person must accept before it (design.md §5, Loss)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.actions import Todo
from cloudfail.execution import fences
from cloudfail.execution.state import RunState
from cloudfail.model.plan import PlannedStep

LOSS_GROWS_SECONDS = 300.0


def _fenced(run: RunState, step: PlannedStep, todo: Todo) -> bool:
    """Whether every fence before it was, and still is, proven or prevented."""
    outcomes = [fences.fence_outcome(run, name) for name in fences.fences_before(run, step)]
    return bool(outcomes) and all(outcome in {"proven", "prevented"} for outcome in (*outcomes, todo.fence))


def loss_seconds(run: RunState, step: PlannedStep, todo: Todo, seen_t: float) -> float | None:
    """The bound on what this effect would lose, seen at run second `seen_t`; None is unknown.

    Without a fence the old side may still acknowledge: `loss_if_alive`. Prevented: it could acknowledge nothing that
    the new side lacks, so `loss_if_dead`. Proven: it answered when it was fenced, so it was alive until then, and
    clients next to it, whom no observer outside sees, may have written all along: `loss_if_alive` as of that moment.
    """
    dead, alive = todo.loss_if_dead_seconds, todo.loss_if_alive_seconds
    if not _fenced(run, step, todo):
        return alive
    proven = [
        fences.fence_ended_t(run, name)
        for name in fences.fences_before(run, step)
        if fences.fence_outcome(run, name) == "proven"
    ]
    if not proven:
        return dead
    return None if alive is None else max(dead or 0.0, alive - max(0.0, seen_t - max(proven)))


def asks_of(run: RunState, step: PlannedStep, todo: Todo, loss: float | None) -> dict[str, Any]:
    """What a person must accept before this effect, which loses data: nothing, if the fence was and still is proven or
    prevented and the loss is within the bound (design.md §5, Loss; invariants I1 and I3)."""
    asks: dict[str, Any] = {}
    if not _fenced(run, step, todo):
        asks["owed_fence"] = True
    if loss is None:
        asks["loss_seconds"] = 0.0
    elif loss > run.plan.bounds.loss_seconds_max:
        asks["loss_seconds"] = loss
    return asks


def loss_to_accept(known_seconds: float, *, growing: bool) -> float:
    """The number to suggest to whoever accepts a loss: with an owed fence the old side may still acknowledge writes, so
    it grows with each second that the person thinks and types."""
    return known_seconds + (LOSS_GROWS_SECONDS if growing else 1.0)


def halt_of(
    run: RunState, step: PlannedStep, todo: Todo, asks: Mapping[str, Any], known: float | None
) -> tuple[str, str]:
    """Why the run halts before it, and what to do."""
    parts = []
    command = f"cloudfail approve {run.id}"
    if asks.get("owed_fence"):
        parts.append("the fence is owed, so the old side may still take writes")
        command += " --accept-owed-fence"
    if "loss_seconds" in asks:
        parts.append("the loss is unknown" if known is None else f"it would lose {known:.1f} s of writes")
        command += " --loss-seconds " + (
            "SECONDS" if known is None else f"{loss_to_accept(known, growing=bool(asks.get('owed_fence'))):.0f}"
        )
    reason = f"{step.name} would {todo.effect}, and {' and '.join(parts)}."
    return reason, f"To accept that by name: {command} --reason TEXT; to undo: cloudfail abort {run.id}"
