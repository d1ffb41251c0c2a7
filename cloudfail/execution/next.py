"""What to do now, from the journal's memory and what was just seen. Pure: no clock, no call, no random source.

Why a mutating call is never made twice for one state change: `Act` is only ever the answer to a fresh look that said
`todo`; a look is fresh only if it was taken after the last call of this track came back and the settle time passed
(rules 2 and 3), and never while a call of this track is out. So a second call means that the world was seen, after the
settle time, to be as before the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.actions import Look as Seen
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import Agreed, RunState, StepRecord, Track, accepts
from cloudfail.model.capacity import Capacity, allows, in_words
from cloudfail.model.journal import Kind
from cloudfail.model.plan import PlannedStep
from cloudfail.model.policy import Automation

# What is owed is looked at often at first; a region that stays away for hours is not asked every two seconds.
OWED_TRIES_SECONDS, OWED_TRIES_SECONDS_MAX, OWED_TRIES = 2.0, 10.0, 15
# What runs is counted again after so long, and a count counts for so long.
COUNT_SECONDS, COUNT_SECONDS_MAX = 2.0, 30.0


@dataclass(frozen=True)
class Observed:
    """What a look said, and at which run second it was asked. `count`: how many looks in a row this track has had."""

    seen: Seen
    t: float
    count: int


@dataclass(frozen=True)
class LookAt:
    track: Track


@dataclass(frozen=True)
class ActOn:
    track: Track
    todo: Todo
    attempt: int


@dataclass(frozen=True)
class AppendEntry:
    kind: Kind
    data: Mapping[str, Any]


@dataclass(frozen=True)
class WaitUntil:
    """`stay`: whether a worker that does not wait for people stays for it (a gate and what is owed can wait)."""

    t: float
    why: str
    stay: bool = True
    track: Track | None = None


Command = LookAt | ActOn | AppendEntry | WaitUntil


@dataclass(frozen=True)
class Now:
    """The moment that a decision is made in. t: run seconds. quiet_until: after a take-over nothing is changed before
    (rule 10). busy: tracks with a call out. looks: the newest look of each track that is still to be used."""

    t: float
    quiet_until: float
    busy: frozenset[Track]
    looks: Mapping[Track, Observed]


def next_commands(run: RunState, now: Now) -> tuple[Command, ...]:
    """Everything that may be done now. An AppendEntry comes alone and first: it changes what is decided next."""
    late = _run_over_limit(run, now)
    if late:
        return (late,)
    if (run.phase is Phase.RUNNING and _all_ended(run)) or (run.phase is Phase.UNDOING and _all_undone(run)):
        watching = watch_commands(run, now)
        if watching or any(track.way == "watch" for track in now.busy):
            return watching
    own = [command for track, step in _tracks(run) for command in _advance(run, step, track, now)]
    extra = [command for track, step in _owed(run) for command in _advance(run, step, track, now)]
    appends = [command for command in own + extra if isinstance(command, AppendEntry)]
    if appends:
        return (appends[0],)
    if not own and not now.busy:
        return _rest(run) or tuple(extra)
    return tuple(own + extra)


def _tracks(run: RunState) -> list[tuple[Track, PlannedStep]]:
    """The tracks that may move in this phase, in the plan's order (the undo in reverse)."""
    if run.phase in {Phase.RUNNING, Phase.GATED}:
        return [(Track(step.name, "do"), step) for step in run.ready]
    if run.phase is Phase.UNDOING:
        return [(Track(step.name, "undo"), step) for step in reversed(run.plan.steps) if _undo_ready(run, step)]
    return []


def _owed(run: RunState) -> list[tuple[Track, PlannedStep]]:
    """What is owed is retried as long as nobody paused the run or took it back."""
    if run.phase not in {Phase.RUNNING, Phase.GATED, Phase.HALTED}:
        return []
    return [(Track(step.name, "owed"), step) for step in run.owed]


def _all_ended(run: RunState) -> bool:
    return len(run.passed) == len(run.plan.steps)


def _all_undone(run: RunState) -> bool:
    return all(
        run.track(Track(step.name, "undo")).ended in {"done", "skipped"} for step in run.plan.steps if _begun(run, step)
    )


def watched(run: RunState) -> list[PlannedStep]:
    """What a call of an older epoch could still change (rule 10). After a move: what no condition of the provider's
    stops. After an undo: everything that could be put back, since a condition that was seen before the move holds
    again after it was taken back, and an undo that found nothing to do left no newer mark."""
    if run.undo_begun:
        steps = [
            step
            for step in reversed(run.plan.steps)
            if step.undo is not None and run.track(Track(step.name, "undo")).ended == "done"
        ]
    else:
        steps = [
            step
            for step in run.plan.steps
            if step.facts.fencing == "watching"
            and step.facts.reversible
            and not step.point_of_no_return
            and run.did(step.name).ordered
            and run.did(step.name).ended == "done"
        ]
    last = {_touched(step): step.name for step in steps}
    return [step for step in steps if last[_touched(step)] == step.name]


def _touched(step: PlannedStep) -> tuple[str, ...]:
    """What a step sets: of two steps that set the same thing (freeze, unfreeze), only the later one's value is kept."""
    where = str(step.arguments.get("where", ""))
    return (step.facts.verb or step.name, where, *(sorted(step.identifiers) or [step.resource]))


def watch_commands(run: RunState, now: Now) -> tuple[Command, ...]:
    """Look once more at what the run changed, and put back what an older epoch changed since. Nothing to do: ()."""
    ended = _steps_ended_t(run)
    commands: list[Command] = []
    for step in watched(run):
        track = Track(step.name, "watch")
        observed = now.looks.get(track)
        if observed is not None and observed.t < ended and track not in now.busy:
            commands.append(LookAt(track))
        else:
            commands.extend(_advance(run, step, track, now))
    appends = [command for command in commands if isinstance(command, AppendEntry)]
    return (appends[0],) if appends else tuple(commands)


def _steps_ended_t(run: RunState) -> float:
    return max((record.ended_t for track, record in run.tracks.items() if track.way in {"do", "undo"}), default=0.0)


def obligation_commands(run: RunState, now: Now) -> tuple[Command, ...]:
    """The same for what a run that has ended still owes."""
    commands: list[Command] = []
    for step in run.owed:
        commands.extend(_advance(run, step, Track(step.name, "owed"), now))
    appends = [command for command in commands if isinstance(command, AppendEntry)]
    return (appends[0],) if appends else tuple(commands)


def _undo_ready(run: RunState, step: PlannedStep) -> bool:
    """A step is put back only after everything that was built on it was."""
    if run.track(Track(step.name, "undo")).ended or not _begun(run, step):
        return False
    later = [other for other in run.plan.steps if step.name in other.needs]
    return all(
        run.track(Track(other.name, "undo")).ended in {"done", "skipped"} or not _begun(run, other) for other in later
    )


def _begun(run: RunState, step: PlannedStep) -> bool:
    return run.ordered(step.name) or bool(run.did(step.name).ended)


def _advance(run: RunState, step: PlannedStep, track: Track, now: Now) -> list[Command]:
    record = run.track(track)
    if track.way == "undo":
        if step.gate or step.undo is None or not run.ordered(step.name):
            return [_ended(run, track, "skipped", "There is nothing to put back.")]
        if now.busy & {Track(step.name, "do"), Track(step.name, "owed")}:
            return []
    if step.gate:
        return _gate(run, step, now)
    if track.way == "watch" and record.ended:
        return []
    if track in now.busy:
        return _over_limit(run, step, track, now, "its call has not come back")
    observed = now.looks.get(track)
    if observed is None:
        due = _look_due(run, step, track, record, now)
        return [LookAt(track)] if now.t >= due else [WaitUntil(due, "settle", track=track)]
    match observed.seen:
        case Done() | Owed() if track.way == "watch":
            return []
        case Done() as done:
            return [_ended(run, track, "done", done.detail, outcome=done.outcome, facts=done.facts)]
        case Owed() as owed if track.way == "do":
            return [_ended(run, track, "owed", owed.detail)]
        case Todo() as todo:
            return _todo(run, step, track, todo, now)
        case Moving(detail=detail):
            return _over_limit(run, step, track, now, detail) or _look_again(step, track, observed, now)
        case NotKnown(reason=reason) | Owed(detail=reason):
            return _over_limit(run, step, track, now, reason) or _look_again(step, track, observed, now)
    raise AssertionError(observed.seen)


def _todo(run: RunState, step: PlannedStep, track: Track, todo: Todo, now: Now) -> list[Command]:
    record = run.track(track)
    late = _over_limit(run, step, track, now, f"still to do: {todo.effect}")
    if late:
        return late
    if track.way != "owed" and record.result is not None and record.result.outcome == "permanent":
        return [_ended(run, track, "failed", record.result.message)]
    follows_by = _follows_by(run, step, track, todo)
    if now.t < follows_by:
        # "The API said done", and the world is still as before: it gets its usual time before the order is repeated.
        return _look_again(step, track, now.looks[track], now)
    if now.looks[track].t < follows_by:
        return [LookAt(track)]  # what was seen before that time was up says nothing about after it
    # A verb of several effects (a switchover, several tools to hold) has its attempts for each of them; what goes round
    # in circles is ended by the step's limit.
    attempts = record.attempts if record.effect == todo.effect else 0
    if attempts > step.retries and track.way != "owed":
        why = record.result.message if record.result and record.result.message else "the world did not follow"
        return [_ended(run, track, "failed", f"After {attempts} attempts to {todo.effect}: {why}")]
    if now.t < now.quiet_until:
        return [WaitUntil(now.quiet_until, "an earlier worker's call may still land", track=track)]
    if now.looks[track].t < now.quiet_until:
        return [LookAt(track)]
    if step.point_of_no_return and track.way == "do":
        short = _short_of_capacity(run, step, todo, now)
        if short is not None:
            return short
    if todo.loses_data and track.way == "do":
        loss = _loss_seconds(run, step, todo, now.looks[track].t)
        asks = _asks(run, step, todo, loss)
        if asks and not accepts(run.accepted, asks):
            return [_halt(run, *_bounds_halt(run, step, todo, asks, loss), asks)]
        if asks and now.t < run.own_until_t:
            return [WaitUntil(run.own_until_t, "what its own opener accepted counts then, and anybody may abort")]
    return [ActOn(track, todo, attempts + 1)]


def _follows_by(run: RunState, step: PlannedStep, track: Track, todo: Todo) -> float:
    """Until when the world may still follow the last order of this same effect by itself."""
    record = run.track(track)
    result = record.result
    if result is None or result.outcome not in {"ok", "unknown"} or record.effect != todo.effect:
        return 0.0
    if _watched_after(run, track):
        # It may have followed long ago, and been changed again since: run seconds stand still between two ticks.
        return result.t + step.facts.settle_seconds
    return result.t + step.facts.settle_seconds + step.facts.typical_seconds


def _fenced(run: RunState, step: PlannedStep, todo: Todo) -> bool:
    """Whether every fence before it was, and still is, proven or prevented."""
    fences = [fence_outcome(run, name) for name in _fences_before(run, step)]
    return bool(fences) and all(outcome in {"proven", "prevented"} for outcome in (*fences, todo.fence))


def _loss_seconds(run: RunState, step: PlannedStep, todo: Todo, seen_t: float) -> float | None:
    """The bound on what this effect would lose, seen at run second `seen_t`; None is unknown.

    Without a fence the old side may still acknowledge: `loss_if_alive`. Prevented: it could acknowledge nothing that
    the new side lacks, so `loss_if_dead`. Proven: it answered when it was fenced, so it was alive until then, and
    clients next to it, whom no observer outside sees, may have written all along: `loss_if_alive` as of that moment.
    """
    dead, alive = todo.loss_if_dead_seconds, todo.loss_if_alive_seconds
    if not _fenced(run, step, todo):
        return alive
    proven = [_fence_ended_t(run, name) for name in _fences_before(run, step) if fence_outcome(run, name) == "proven"]
    if not proven:
        return dead
    return None if alive is None else max(dead or 0.0, alive - max(0.0, seen_t - max(proven)))


def _asks(run: RunState, step: PlannedStep, todo: Todo, loss: float | None) -> dict[str, Any]:
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


def fence_outcome(run: RunState, step: str) -> str:
    """proven, prevented, or owed: an obligation that was settled since counts as what it was settled to."""
    settled = run.track(Track(step, "owed"))
    return settled.outcome if settled.ended == "done" else run.did(step).outcome or run.did(step).ended


def _fence_ended_t(run: RunState, step: str) -> float:
    """When that outcome was seen."""
    settled = run.track(Track(step, "owed"))
    return settled.ended_t if settled.ended == "done" else run.did(step).ended_t


def _before(run: RunState, step: PlannedStep) -> set[str]:
    found: set[str] = set()
    queue = list(step.needs)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(run.plan.step(name).needs)
    return found


LOSS_GROWS_SECONDS = 300.0


def loss_to_accept(known_seconds: float, *, growing: bool) -> float:
    """The number to suggest to whoever accepts a loss: with an owed fence the old side may still acknowledge writes, so
    it grows with each second that the person thinks and types."""
    return known_seconds + (LOSS_GROWS_SECONDS if growing else 1.0)


def _bounds_halt(
    run: RunState, step: PlannedStep, todo: Todo, asks: Mapping[str, Any], known: float | None
) -> tuple[str, str]:
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


def _gate(run: RunState, step: PlannedStep, now: Now) -> list[Command]:
    record = run.did(step.name)
    if record.gate_opened_t is None:
        detail = f"{step.name}: {step.gate}, expires in {step.expires_seconds:.0f} s."
        return [_gate_entry(run, step, Event.GATE_OPENED, detail)]
    approver = _approved(run, step, lambda capacity: allows(capacity, _healthy(run, capacity, now)))
    if approver and now.t < run.own_until_t:
        return [WaitUntil(run.own_until_t, f"{approver} approved their own run, and anybody may decline until then")]
    if approver:
        return [_gate_entry(run, step, Event.GATE_PASSED, f"{step.name}: approved by {approver}.")]
    # Not `reset_t`: under ticks that die one after the other each take-over would begin it anew, and it never expired.
    expires = max(record.gate_opened_t, run.resumed_t) + step.expires_seconds
    if now.t >= expires:
        return [
            _gate_entry(run, step, Event.GATE_EXPIRED, f"{step.name}: no approval within {step.expires_seconds:.0f} s.")
        ]
    waits = WaitUntil(expires, f"{step.name} waits for a person", stay=False)
    return [*_counts(run, [agreed.capacity for agreed in _agreeing(run, step)], now), waits]


def _agreeing(run: RunState, gate: PlannedStep) -> list[Agreed]:
    """The approvals on which this gate may pass. With an owed fence those since somebody accepted it: what was said
    before was said of another world."""
    approvals = list(run.approvals)
    if _owed_fence_before(run, gate):
        first = next((place for place, agreed in enumerate(approvals) if agreed.owed_fence), len(approvals))
        return [agreed for agreed in approvals[first:] if agreed.owed_fence or agreed.gate in {"", gate.name}]
    return [agreed for agreed in approvals if agreed.gate in {"", gate.name}]


def _approved(run: RunState, gate: PlannedStep, holds: Callable[[Capacity], bool] = lambda _: True) -> str:
    """Who let this gate pass, or "". An owed fence needs a named person who says so (invariant I1); without one,
    the standing plan's signer or an approval given with the start is enough. holds: whether that capacity is there;
    without it, who would let it pass if it were."""
    agreeing = [agreed for agreed in _agreeing(run, gate) if holds(agreed.capacity)]
    if _owed_fence_before(run, gate):
        return run.accepted.owed_fence if agreeing else ""
    if agreeing:
        return agreeing[0].by
    if any(run.did(name).ended == "owed" for name in _fences_before(run, gate)):
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
            wanted = " or ".join(in_words(agreed.capacity) for agreed in _agreeing(run, gate))
            return f"{gate.name} waits until this is counted: {wanted}. See: cloudfail status {run.id}"
        if _owed_fence_before(run, gate):
            return (
                "The gate still waits: the fence is owed, and a named person must say that the old side takes no "
                f"writes: cloudfail approve {run.id} --accept-owed-fence --loss-seconds SECONDS --reason TEXT"
            )
        return f"{gate.name} still waits: cloudfail approve {run.id} --gate {gate.name} --reason TEXT"
    return ""


def _short_of_capacity(run: RunState, step: PlannedStep, todo: Todo, now: Now) -> list[Command] | None:
    """What a person agreed to at a gate is read again before the step behind which there is no way back (invariant
    I10): count, or halt where too few are healthy. None: there are enough, or nobody stated a figure."""
    before = _before(run, step)
    for gate in (other for other in run.plan.steps if other.gate and other.name in before):
        stated = [agreed.capacity for agreed in _agreeing(run, gate)]
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
        return [_halt(run, reason, to_do, {"capacity": short})]
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
    commands: list[Command] = []
    for track in dict.fromkeys(_counting(run, group) for capacity in capacities for group, _ in capacity):
        if track is None or track in now.busy:
            continue
        observed = now.looks.get(track)
        due = now.t if observed is None else observed.t + COUNT_SECONDS
        again = WaitUntil(due, f"{track.step} is counted again", track=track)
        commands.append(LookAt(track) if now.t >= due else again)
    return commands


def _fences_before(run: RunState, step: PlannedStep) -> list[str]:
    return [name for name in _before(run, step) if run.plan.step(name).facts.verb == "fence"]


def _owed_fence_before(run: RunState, step: PlannedStep) -> bool:
    return any(fence_outcome(run, name) == "owed" for name in _fences_before(run, step))


def _watched_after(run: RunState, track: Track) -> bool:
    return track.way == "watch" and run.phase.final


def _over_limit(run: RunState, step: PlannedStep, track: Track, now: Now, why: str) -> list[Command]:
    """An obligation has no limit; nor has the watch after a run, which may have to put back the same thing again when
    the next late call lands, and whose run seconds stand still from one tick to the next."""
    if track.way == "owed" or _watched_after(run, track) or now.t <= _since(run, step, track, now) + step.limit_seconds:
        return []
    return [_ended(run, track, "failed", f"Not within its limit of {step.limit_seconds:g} s: {why}")]


def _run_over_limit(run: RunState, now: Now) -> AppendEntry | None:
    """A halt once the whole run, gates apart, takes longer than its limit since it was opened or resumed."""
    limit = run.plan.limit_seconds
    if limit is None or run.phase not in {Phase.RUNNING, Phase.GATED} or _all_ended(run):
        return None
    gates = [run.did(step.name) for step in run.plan.steps if step.gate]
    waited = sum(
        (record.ended_t if record.ended else now.t) - max(record.gate_opened_t, run.reset_t)
        for record in gates
        if record.gate_opened_t is not None and (not record.ended or record.ended_t > run.reset_t)
    )
    if now.t - run.reset_t - waited <= limit:
        return None
    reason = f"The run is not done within its limit of {limit:g} s, gates apart."
    to_do = f"Go on anew: cloudfail resume {run.id}; to take back what can be: cloudfail abort {run.id}"
    return _halt(run, reason, to_do, {})


def _since(run: RunState, step: PlannedStep, track: Track, now: Now) -> float:
    """When the step could first have moved: its limit counts from here, and anew after a resume or a take-over."""
    if track.way == "undo":
        later = [run.track(Track(other.name, "undo")).ended_t for other in run.plan.steps if step.name in other.needs]
        return max([run.reset_t, _undo_began(run), *later])
    quiet = min(now.quiet_until, now.t)
    if track.way == "watch":
        return max(run.reset_t, quiet, _steps_ended_t(run))
    return max([run.reset_t, quiet, *(run.did(need).ended_t for need in step.needs)])


def _undo_began(run: RunState) -> float:
    """When it was last begun or resumed: commands that meant nothing since are told in the same phase."""
    began = None
    for line in reversed(run.story):
        if line.phase is Phase.UNDOING:
            began = line.t
        elif began is not None:
            break
    return began or 0.0


def _look_due(run: RunState, step: PlannedStep, track: Track, record: StepRecord, now: Now) -> float:
    """The earliest run second at which a look means something (rules 3 and 10)."""
    if track.way in {"undo", "watch"} and record.intent is None and record.result is None:
        return _after_the_other_ways(run, step, track, now)
    if record.intent is not None:
        # An intent with no result: its caller died, or was taken over. What it ordered may still be on its way.
        return max(record.intent.t + step.facts.settle_seconds, now.quiet_until)
    result = record.result
    if result is None:
        return 0.0
    match result.outcome:
        case "transient":
            return result.t + max(result.retry_after_seconds, _backoff(run, track, record.attempts))
        case "permanent" if track.way == "owed":
            # An obligation is never given up, only tried less often.
            return result.t + _backoff(run, track, record.attempts)
        case "unknown":
            return result.t + max(step.facts.settle_seconds, _backoff(run, track, record.attempts))
        case "ok" if track.way == "owed" and record.attempts > step.retries:
            return result.t + max(step.facts.settle_seconds, _backoff(run, track, record.attempts))
        case "ok":
            return result.t + step.facts.settle_seconds
        case _:
            return result.t


def _after_the_other_ways(run: RunState, step: PlannedStep, track: Track, now: Now) -> float:
    """Rule 3 for the first look of an undo or a watch: what another track of this step ordered must have settled too,
    or a freeze that landed is read as never made, and what undoes it finds nothing to put back."""
    ways = ("do", "owed") if track.way == "undo" else ("do", "owed", "undo")
    due = 0.0
    for other in (run.track(Track(step.name, way)) for way in ways):
        if other.intent is not None:
            due = max(due, other.intent.t + step.facts.settle_seconds, now.quiet_until)
        elif other.result is not None:
            due = max(due, other.result.t + step.facts.settle_seconds)
    return due


def _backoff(run: RunState, track: Track, attempts: int) -> float:
    """Full jitter in [half, whole] of 0.2 s doubled per attempt, at most 20 s; drawn from the run's id, so that it is
    the same on every worker and different between runs."""
    whole = min(20.0, 0.2 * 2 ** min(max(0, attempts - 1), 16))
    draw = hashlib.sha256(f"{run.id}/{track}/{attempts}".encode()).digest()[0] / 255
    return float(whole * (0.5 + draw / 2))


def _look_again(step: PlannedStep, track: Track, observed: Observed, now: Now) -> list[Command]:
    """Poll at a pace that fits what is waited for: from a hundredth of its typical time, doubling, at most 2 s."""
    first = min(max(0.01, step.facts.typical_seconds / 100), 1.0)
    pause = min(2.0, first * 2 ** min(observed.count - 1, 16))
    if track.way == "owed":
        pause = min(OWED_TRIES_SECONDS_MAX, OWED_TRIES_SECONDS * 2 ** min(observed.count // OWED_TRIES, 16))
    due = observed.t + pause
    if now.t >= due:
        return [LookAt(track)]
    return [WaitUntil(due, "look again", stay=track.way != "owed", track=track)]


def _rest(run: RunState) -> tuple[Command, ...]:
    """Nothing can move: the run ends, or needs a person."""
    if run.phase is Phase.UNDOING:
        blocked = [
            track for track, record in run.tracks.items() if track.way in {"undo", "watch"} and record.ended == "failed"
        ]
        if blocked:
            details = "; ".join(f"{track}: {run.track(track).detail}" for track in blocked)
            to_do = f"Try again: cloudfail resume {run.id}; or leave it so: cloudfail close {run.id} --reason TEXT"
            return (_halt_event(run, Event.UNDO_BLOCKED, details, to_do),)
        return (AppendEntry(Kind.CLOSED, {"run": run.id, "event": str(Event.UNDO_FINISHED)}),)
    if run.phase is not Phase.RUNNING:
        return ()
    failed = [
        track for track, record in run.tracks.items() if record.ended == "failed" and track.way in {"do", "watch"}
    ]
    if failed:
        details = "; ".join(f"{track}: {run.track(track).detail}" for track in failed)
        back = f"to take it back: cloudfail abort {run.id}"
        if run.promoted:
            back = f"a promotion was ordered, so to leave it as it stands: cloudfail close {run.id} --reason TEXT"
        to_do = f"Mend the cause, then: cloudfail resume {run.id}; {back}"
        return (_halt_event(run, Event.HALT, details, to_do),)
    if not _all_ended(run):
        # Only a log that this version did not write leads here; a run that says nothing would be worse.
        stuck = [step.name for step in run.plan.steps if run.did(step.name).ended not in {"done", "owed"}]
        to_do = f"Look at the journal: cloudfail audit verify; to take it back: cloudfail abort {run.id}"
        return (_halt_event(run, Event.HALT, f"Nothing can move, and {', '.join(stuck)} did not end.", to_do),)
    return (AppendEntry(Kind.CLOSED, {"run": run.id, "event": str(Event.FINISHED)}),)


def _ended(
    run: RunState, track: Track, ended: str, detail: str, *, outcome: str = "", facts: Mapping[str, Any] | None = None
) -> AppendEntry:
    return AppendEntry(
        Kind.SEEN,
        {
            "run": run.id,
            "step": track.step,
            "way": track.way,
            "ended": ended,
            "detail": detail,
            "outcome": outcome,
            "facts": dict(facts or {}),
        },
    )


def _gate_entry(run: RunState, step: PlannedStep, event: Event, detail: str) -> AppendEntry:
    return AppendEntry(Kind.GATE, {"run": run.id, "step": step.name, "event": str(event), "detail": detail})


def _halt(run: RunState, reason: str, to_do: str, asks: Mapping[str, Any]) -> AppendEntry:
    data = {"run": run.id, "event": str(Event.HALT), "reason": reason, "to_do": to_do, "asks": dict(asks)}
    return AppendEntry(Kind.HALT, data)


def _halt_event(run: RunState, event: Event, reason: str, to_do: str) -> AppendEntry:
    return AppendEntry(Kind.HALT, {"run": run.id, "event": str(event), "reason": reason, "to_do": to_do})
