"""Gates: who let one pass, from which capacity on, and what is still missing."""

from __future__ import annotations

from collections.abc import Callable

from cloudfail.actions import Todo
from cloudfail.execution import commands, fences
from cloudfail.execution.commands import Command, LookAt, Now, WaitUntil
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.state import Agreed, RunState, Track
from cloudfail.model.capacity import Capacity, allows, in_words
from cloudfail.model.plan import PlannedStep
from cloudfail.model.policy import Automation

# What runs is counted again after so long, and a count counts for so long.
COUNT_SECONDS, COUNT_SECONDS_MAX = 2.0, 30.0


def at_gate(run: RunState, step: PlannedStep, now: Now) -> list[Command]:
    """Open it, pass it, let it expire, or wait for a person."""
    record = run.did(step.name)
    if record.gate_opened_t is None:
        detail = f"{step.name}: {step.gate}, expires in {step.expires_seconds:.0f} s."
        return [commands.gate_entry(run, step, Event.GATE_OPENED, detail)]
    approver = _approved(run, step, lambda capacity: allows(capacity, _healthy(run, capacity, now)))
    if approver and now.t < run.own_until_t:
        return [WaitUntil(run.own_until_t, f"{approver} approved their own run, and anybody may decline until then")]
    if approver:
        return [commands.gate_entry(run, step, Event.GATE_PASSED, f"{step.name}: approved by {approver}.")]
    # Not `reset_t`: under ticks that die one after the other each take-over would begin it anew, and it never expired.
    expires = max(record.gate_opened_t, run.resumed_t) + step.expires_seconds
    if now.t >= expires:
        late = f"{step.name}: no approval within {step.expires_seconds:.0f} s."
        return [commands.gate_entry(run, step, Event.GATE_EXPIRED, late)]
    waits = WaitUntil(expires, f"{step.name} waits for a person", stay=False)
    return [*_counts(run, [agreed.capacity for agreed in agreeing(run, step)], now), waits]


def agreeing(run: RunState, gate: PlannedStep) -> list[Agreed]:
    """The approvals on which this gate may pass. With an owed fence those since somebody accepted it: what was said
    before was said of another world."""
    approvals = list(run.approvals)
    if fences.owed_fence_before(run, gate):
        first = next((place for place, agreed in enumerate(approvals) if agreed.owed_fence), len(approvals))
        return [agreed for agreed in approvals[first:] if agreed.owed_fence or agreed.gate in {"", gate.name}]
    return [agreed for agreed in approvals if agreed.gate in {"", gate.name}]


def _approved(run: RunState, gate: PlannedStep, holds: Callable[[Capacity], bool] = lambda _: True) -> str:
    """Who let this gate pass, or "". An owed fence needs a named person who says so (invariant I1); without one,
    the standing plan's signer or an approval given with the start is enough. holds: whether that capacity is there;
    without it, who would let it pass if it were."""
    given = [agreed for agreed in agreeing(run, gate) if holds(agreed.capacity)]
    if fences.owed_fence_before(run, gate):
        return run.accepted.owed_fence if given else ""
    if given:
        return given[0].by
    if any(run.did(name).ended == "owed" for name in fences.fences_before(run, gate)):
        # It could be fenced since the source answers again: what was agreed to before speaks of a source that is lost,
        # and undo comes first (rule 11).
        return ""
    if run.preapproved:
        return run.preapproved
    if run.automation is Automation.AUTOMATIC and run.standing:
        return f"the standing plan signed by {run.signed_by or run.opened_by}"
    return ""


def still_missing(run: RunState) -> str:
    """Why an open gate does not pass although somebody approved, or "": what an approval must also say."""
    if not run.approvals:
        return ""
    if run.own_until_t > run.t:
        return (
            f"{run.accepted.by} opened this run: the approval counts in {run.own_until_t - run.t:.0f} s, unless "
            f"somebody declines: cloudfail decline {run.id}"
        )
    for gate in run.open_gates:
        if _approved(run, gate, lambda capacity: not capacity):
            continue
        if _approved(run, gate):
            wanted = " or ".join(in_words(agreed.capacity) for agreed in agreeing(run, gate))
            return f"{gate.name} waits until this is counted: {wanted}. See: cloudfail status {run.id}"
        if fences.owed_fence_before(run, gate):
            return (
                "The gate still waits: the fence is owed, and a named person must say that the old side takes no "
                f"writes: cloudfail approve {run.id} --accept-owed-fence --loss-seconds SECONDS --reason TEXT"
            )
        return f"{gate.name} still waits: cloudfail approve {run.id} --gate {gate.name} --reason TEXT"
    return ""


def short_of_capacity(run: RunState, step: PlannedStep, todo: Todo, now: Now) -> list[Command] | None:
    """What a person agreed to at a gate is read again before the step behind which there is no way back (invariant
    I10): count, or halt where too few are healthy. None: there are enough, or nobody stated a figure."""
    earlier = fences.before(run, step)
    for gate in (other for other in run.plan.steps if other.gate and other.name in earlier):
        stated = [agreed.capacity for agreed in agreeing(run, gate)]
        healthy = {group: count for one in stated for group, count in _healthy(run, one, now).items()}
        if not stated or any(allows(one, healthy) for one in stated):
            continue
        if None in healthy.values():
            return _counts(run, stated, now)
        short = {group: have for one in stated for group, least in one if (have := healthy[group] or 0) < least}
        counted = ", ".join(f"{group} has {have} healthy" for group, have in sorted(short.items()))
        wanted = " or ".join(in_words(one) for one in stated)
        reason = f"{step.name} would {todo.effect}, and {counted}; what was agreed to is {wanted}."
        to_do = (
            f"When they are healthy: cloudfail resume {run.id}; to accept that by name: cloudfail approve {run.id} "
            f"--reason TEXT; to undo: cloudfail abort {run.id}"
        )
        return [commands.halt(run, reason, to_do, {"capacity": short})]
    return None


def _counting(run: RunState, group: str) -> Track | None:
    """The look that counts this group's workers. "watch": the step's own track may have ended, or not begun."""
    named = [step for step in run.plan.steps if step.action == "compute.scale" and step.arguments.get("group") == group]
    return Track(named[-1].name, "watch") if named else None


def _healthy(run: RunState, capacity: Capacity, now: Now) -> dict[str, int | None]:
    """So many were counted a moment ago; None is unknown. Of a group that the plan does not know there are none."""
    found: dict[str, int | None] = {}
    for group, _ in capacity:
        track = _counting(run, group)
        observed = now.looks.get(track) if track else None
        facts = getattr(observed.seen, "facts", {}) if observed and now.t - observed.t <= COUNT_SECONDS_MAX else {}
        found[group] = facts.get("healthy") if track else 0
    return found


def _counts(run: RunState, capacities: list[Capacity], now: Now) -> list[Command]:
    """Count the workers of these groups, and again after a moment. A worker stays for it: the person has spoken."""
    found: list[Command] = []
    for track in dict.fromkeys(_counting(run, group) for capacity in capacities for group, _ in capacity):
        if track is None or track in now.busy:
            continue
        observed = now.looks.get(track)
        due = now.t if observed is None else observed.t + COUNT_SECONDS
        again = WaitUntil(due, f"{track.step} is counted again", track=track)
        found.append(LookAt(track) if now.t >= due else again)
    return found
