"""What to do now, from the journal's memory and what was just seen. Pure: no clock, no call, no random source.

Why a mutating call is never made twice for one state change: `Act` is only ever the answer to a fresh look that said
`todo`; a look is fresh only if it was taken after the last call of this track came back and the settle time passed
(rules 2 and 3), and never while a call of this track is out. So a second call means that the world was seen, after the
settle time, to be as before the first.
"""

from __future__ import annotations

import hashlib

from cloudfail.actions import Done, Moving, NotKnown, Owed, Todo
from cloudfail.execution import commands, gates, loss
from cloudfail.execution.commands import ActOn, AppendEntry, Command, LookAt, Now, Observed, WaitUntil
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import RunState, StepRecord, Track, accepts
from cloudfail.model.journal import Kind
from cloudfail.model.plan import PlannedStep

# What is owed is looked at often at first; a region that stays away for hours is not asked every two seconds.
OWED_TRIES_SECONDS, OWED_TRIES_SECONDS_MAX, OWED_TRIES = 2.0, 10.0, 15


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
            return [commands.ended(run, track, "skipped", "There is nothing to put back.")]
        if now.busy & {Track(step.name, "do"), Track(step.name, "owed")}:
            return []
    if step.gate:
        return gates.at_gate(run, step, now)
    if track.way == "watch" and record.ended:
        return []
    if track in now.busy:
        return _over_limit(run, step, track, now, f"its call has not come back{_held_back(record)}")
    observed = now.looks.get(track)
    if observed is None:
        due = _look_due(run, step, track, record, now)
        return [LookAt(track)] if now.t >= due else [WaitUntil(due, "settle", track=track)]
    match observed.seen:
        case Done() | Owed() if track.way == "watch":
            return []
        case Done() as done:
            return [commands.ended(run, track, "done", done.detail, outcome=done.outcome, facts=done.facts)]
        case Owed() as owed if track.way == "do":
            return [commands.ended(run, track, "owed", owed.detail)]
        case Todo() as todo:
            return _todo(run, step, track, todo, now)
        case Moving(detail=reason) | NotKnown(reason=reason) | Owed(detail=reason):
            late = _over_limit(run, step, track, now, reason)
            if record.holding and not late:
                return [commands.holding(run, track, "", f"anew: {reason}")]
            return late or _look_again(step, track, observed, now)
    raise AssertionError(observed.seen)


def _todo(run: RunState, step: PlannedStep, track: Track, todo: Todo, now: Now) -> list[Command]:
    record = run.track(track)
    late = _over_limit(run, step, track, now, f"still to do: {todo.effect}{_held_back(record)}")
    if late:
        return late
    if track.way != "owed" and record.result is not None and record.result.outcome == "permanent":
        return [commands.ended(run, track, "failed", record.result.message)]
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
        return [commands.ended(run, track, "failed", f"After {attempts} attempts to {todo.effect}: {why}")]
    if now.t < now.quiet_until:
        return [WaitUntil(now.quiet_until, "an earlier worker's call may still land", track=track)]
    if now.looks[track].t < now.quiet_until:
        return [LookAt(track)]
    if todo.hold_seconds and track.way == "do":
        held = _held(run, step, track, todo, now)
        if held:
            return held
    if step.point_of_no_return and track.way == "do":
        short = gates.short_of_capacity(run, step, todo, now)
        if short is not None:
            return short
    if todo.loses_data and track.way == "do":
        known = loss.loss_seconds(run, step, todo, now.looks[track].t)
        asks = loss.asks_of(run, step, todo, known)
        if asks and not accepts(run.accepted, asks):
            return [commands.halt(run, *loss.halt_of(run, step, todo, asks, known), asks)]
        if asks and now.t < run.own_until_t:
            return [WaitUntil(run.own_until_t, "what its own opener accepted counts then, and anybody may abort")]
    return [ActOn(track, todo, attempts + 1)]


def _held_back(record: StepRecord) -> str:
    return f"; it {record.held}" if record.held else ""


def _held(run: RunState, step: PlannedStep, track: Track, todo: Todo, now: Now) -> list[Command]:
    """What to do until every look has said this same Todo for its time; [] from then on.

    The journal says since when, in run seconds, so that the next turn goes on with it. Whoever takes over from a worker
    that fell silent, or resumes, begins anew (`reset_t`): nobody looked meanwhile. A look that says anything else is
    journaled before another can say this again, so that a break that a worker saw is never forgotten.
    """
    record = run.track(track)
    if record.holding != todo.effect:
        return [commands.holding(run, track, todo.effect, f"{todo.effect}: in {todo.hold_seconds:g} s, if it stays so")]
    due = max(record.holding_t, run.reset_t) + todo.hold_seconds
    if now.looks[track].t >= due:
        return []
    again = _look_again(step, track, now.looks[track], now)
    return [LookAt(track)] if now.t >= due else [*again, WaitUntil(due, "it must stay so", track=track)]


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


def _watched_after(run: RunState, track: Track) -> bool:
    return track.way == "watch" and run.phase.final


def _over_limit(run: RunState, step: PlannedStep, track: Track, now: Now, why: str) -> list[Command]:
    """An obligation has no limit; nor has the watch after a run, which may have to put back the same thing again when
    the next late call lands, and whose run seconds stand still from one tick to the next."""
    if track.way == "owed" or _watched_after(run, track) or now.t <= _since(run, step, track, now) + step.limit_seconds:
        return []
    return [commands.ended(run, track, "failed", f"Not within its limit of {step.limit_seconds:g} s: {why}")]


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
    return commands.halt(run, reason, to_do, {})


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
            return (commands.halt_event(run, Event.UNDO_BLOCKED, details, to_do),)
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
        return (commands.halt_event(run, Event.HALT, details, to_do),)
    if not _all_ended(run):
        # Only a log that this version did not write leads here; a run that says nothing would be worse.
        stuck = [step.name for step in run.plan.steps if run.did(step.name).ended not in {"done", "owed"}]
        to_do = f"Look at the journal: cloudfail audit verify; to take it back: cloudfail abort {run.id}"
        return (commands.halt_event(run, Event.HALT, f"Nothing can move, and {', '.join(stuck)} did not end.", to_do),)
    return (AppendEntry(Kind.CLOSED, {"run": run.id, "event": str(Event.FINISHED)}),)
