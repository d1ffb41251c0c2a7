"""Where a run's seconds went, from the journal's `t` alone.

One axis: seconds since the run was opened. A step is *under way* from the moment when the last of its `needs` ended
(0 if it has none) to its own end; its first look follows at once, and looks are not journaled. Every moment of the run
belongs to exactly one phase, so that the phases add up to the whole:

    detect    from the fault to the verdict that led to the run           (given; negative seconds on this axis)
    decide    from that verdict to the opening of the run: hold-down, decision, plan                      (given)
    fence     a fence is under way                                                   (verb fence, not the unfence)
    gate      else, a gate waits for a person
    promote   else, a step that is a point of no return is under way
    scale     else, a compute.* step is under way
    traffic   else, a traffic.*, network.* or consumers.* step is under way
    verify    else, a verify.* step is under way
    other     else: freeze, follow, unfence … alone, or nothing

So a phase is the time for which the run waited on that work and on none above it in the list. A phase that the runbook
has no step for is absent. A phase with a step that has not ended is None, which is unknown; so is `detect` (`decide`)
where the fault's time (the verdict's) is not known. The engine's watch over what it changed, after the last step, is
in no phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from cloudfail.execution.state import RunState, Track
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.plan import PlannedStep
from cloudfail.model.states import LossBound

PHASES = ("detect", "decide", "fence", "gate", "promote", "scale", "traffic", "verify", "other")


@dataclass(frozen=True)
class Span:
    """Something that took from `began` to `ended` (None: it has not ended), in seconds on the reader's axis. `state`
    is done, owed, failed, skipped, "" (under way) or, for a phase, "phase". `detail` is a sentence for people."""

    name: str
    began: float
    ended: float | None
    state: str = ""
    detail: str = ""
    point_of_no_return: bool = False


def phase_of(step: PlannedStep) -> str:
    """The phase that a step's work belongs to."""
    action = step.action or ""
    if step.gate is not None:
        return "gate"
    if step.point_of_no_return:
        return "promote"
    if action == "database.fence":
        return "fence"
    family = action.split(".", 1)[0]
    if family in ("traffic", "network", "consumers"):
        return "traffic"
    return {"compute": "scale", "verify": "verify"}.get(family, "other")


def began_t(run: RunState, step: PlannedStep) -> float | None:
    """When the step could first move, in run seconds; None while something that it needs has not ended."""
    needed = [run.did(need) for need in step.needs]
    if any(record.ended not in {"done", "owed"} for record in needed):
        return None
    return max((record.ended_t for record in needed), default=0.0)


def step_spans(run: RunState, *, opened: float = 0.0) -> tuple[Span, ...]:
    """The steps that have begun, in the plan's order, on an axis where the run was opened at `opened`."""
    spans = []
    for step in run.plan.steps:
        began = began_t(run, step)
        record = run.did(step.name)
        if began is None:
            continue
        ended = record.ended_t + opened if record.ended else None
        spans.append(
            Span(step.name, began + opened, ended, record.ended, record.detail, point_of_no_return=_promotes(run, step))
        )
        undone = run.track(Track(step.name, "undo"))
        if undone.ended == "done":
            spans.append(Span(f"undo {step.name}", undone.ended_t + opened, undone.ended_t + opened, "done"))
    return tuple(spans)


def _promotes(run: RunState, step: PlannedStep) -> bool:
    return next((one.name for one in run.plan.steps if one.point_of_no_return), "") == step.name


def phase_spans(
    run: RunState, *, fault_at: float | None = None, detected_at: float | None = None, opened: float = 0.0
) -> tuple[Span, ...]:
    """The phases as they followed one another, on an axis where the run was opened at `opened`. A phase that was
    interrupted by another one comes more than once. `fault_at` and `detected_at` are wall time, as `run.opened_at`."""
    spans = []
    if fault_at is not None and detected_at is not None:
        spans.append(_span("detect", fault_at - run.opened_at, detected_at - run.opened_at, opened))
    if detected_at is not None:
        spans.append(_span("decide", detected_at - run.opened_at, 0.0, opened))
    under_way = [
        (phase_of(step), began, run.did(step.name).ended_t if run.did(step.name).ended else run.t)
        for step in run.plan.steps
        if (began := began_t(run, step)) is not None
    ]
    edges = sorted({0.0} | {edge for _, began, ended in under_way for edge in (began, ended)})
    for began, ended in pairwise(edges):
        now = {phase for phase, first, last in under_way if first <= began and ended <= last}
        name = min(now or {"other"}, key=PHASES.index)
        if spans and spans[-1].name == name and spans[-1].ended == began + opened:
            spans[-1] = _span(name, spans[-1].began - opened, ended, opened)
        else:
            spans.append(_span(name, began, ended, opened))
    return tuple(spans)


def _span(name: str, began: float, ended: float, opened: float) -> Span:
    return Span(name, round(began + opened, 6), round(ended + opened, 6), "phase")


def phases(
    run: RunState, *, fault_at: float | None = None, detected_at: float | None = None
) -> dict[str, float | None]:
    """Seconds of each phase, as the module's text defines them. `fault_at` (when the fault hit) and `detected_at`
    (when the verdict became `down`) are wall time on the clock of `run.opened_at`; a move that a person asked for has
    neither, and then no `detect` and no `decide`."""
    found: dict[str, float | None] = {}
    if fault_at is not None or detected_at is not None:
        found["detect"] = found["decide"] = None
    open_phases = {phase_of(step) for step in run.plan.steps if not run.did(step.name).ended}
    for name in PHASES:
        if any(phase_of(step) == name for step in run.plan.steps):
            found[name] = None if name in open_phases else 0.0
    for span in phase_spans(run, fault_at=fault_at, detected_at=detected_at):
        before = found.get(span.name)
        if span.name in open_phases or span.ended is None:
            continue
        found[span.name] = round((before or 0.0) + span.ended - span.began, 6)
    return {name: found[name] for name in PHASES if name in found}


def loss_at_promotion(run: RunState, entries: Iterable[Entry]) -> LossBound | None:
    """The loss bound of the last look before the promotion was ordered, as its intent carries it; None where no
    promotion was ordered, or where the promotion was one that can lose nothing."""
    promotes = {step.name for step in run.plan.steps if step.point_of_no_return}
    for entry in entries:
        data = entry.data
        if entry.kind is Kind.INTENT and data["run"] == run.id and data["step"] in promotes and data["way"] == "do":
            dead, alive, parts = data.get("loss") or (None, None, ())
            if dead is not None or alive is not None or parts:
                return LossBound(dead, alive, tuple(parts))
    return None
