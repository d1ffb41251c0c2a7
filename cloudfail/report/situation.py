"""What a run is doing, what it holds, what it owes, and what a person can type now.

The headline is a sentence that says the phase. A run that cannot go on by itself while it holds a fence says so there:
as long as the fence stands and nothing was promoted, perhaps nobody can write (design.md §4 rule 11).
"""

from __future__ import annotations

from typing import NamedTuple

from cloudfail.execution.fences import fence_outcome
from cloudfail.execution.lifecycle import Event, Phase, When, transition, ways_out
from cloudfail.execution.loss import loss_to_accept
from cloudfail.execution.state import RunState, StepRecord, Track
from cloudfail.model.plan import Plan, PlannedStep
from cloudfail.model.runbook import Mode
from cloudfail.report.phases import began_t
from cloudfail.report.wording import command, counted, listed, offset, plain, seconds


class Way(NamedTuple):
    """Something that a person can do now: the command, and what follows from it."""

    command: str
    meaning: str


class StepState(NamedTuple):
    """A step in one word, and a sentence where there is more to say."""

    word: str
    detail: str


def headline(run: RunState) -> str:
    """The phase in a sentence; with what it holds, where that matters now."""
    said = f"Run {plain(run.id)} {_doing(run)}"
    if run.phase in {Phase.PAUSED, Phase.HALTED, Phase.PARKED, Phase.GATED} and run.holds_fence:
        return f"{said} {held(run)}"
    return said


def _doing(run: RunState) -> str:
    plan = run.plan
    ended = sum(1 for step in plan.steps if run.did(step.name).ended in {"done", "owed"})
    progress = f"{ended} of {counted(len(plan.steps), 'step')} ended"
    now = [step.name for step in plan.steps if _under_way(run, step)]
    match run.phase:
        case Phase.RUNNING:
            return f"{moves(plan)}: {progress}" + (f"; under way: {listed(now)}." if now else ".")
        case Phase.GATED:
            return f"WAITS FOR A PERSON at {listed([plain(gate.name) for gate in run.open_gates])}: {progress}."
        case Phase.PAUSED:
            return f"is PAUSED: no new call is made until it is resumed; {progress}."
        case Phase.HALTED:
            return f"is HALTED and cannot go on without a person; {progress}."
        case Phase.PARKED:
            return f"is PARKED half-way, and a person must say how it ends; {progress}."
        case Phase.UNDOING:
            return f"is being UNDONE: what it changed is being put back, {plain(plan.source)} stays the primary."
        case Phase.DONE:
            return f"is done: {moved(plan)}, each step seen from the data plane."
        case Phase.UNDONE:
            return f"was undone: everything was put back as it was, {plain(plan.source)} stays the primary."
        case Phase.DEGRADED:
            owed = [plain(step.name) for step in run.owed]
            went = moved(plan) if _finished(run) else "a person closed it as it stands, and not all is done"
            return f"ended DEGRADED: {went}" + (f", and {owes(owed)}." if owed else ".")
    raise AssertionError(run.phase)


def owes(names: list[str]) -> str:
    """`fence is still owed`, `fence and freeze_old are still owed`."""
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} still owed"


def _finished(run: RunState) -> bool:
    return all(run.did(step.name).ended in {"done", "owed"} for step in run.plan.steps)


def moves(plan: Plan) -> str:
    source, target = plain(plan.source), plain(plan.target)
    if plan.mode is Mode.RESTORE:
        return f"rebuilds redundancy of {plain(plan.application)} in {source}"
    return f"moves {plain(plan.application)} from {source} to {target} ({plan.mode})"


def moved(plan: Plan) -> str:
    source, target = plain(plan.source), plain(plan.target)
    if plan.mode is Mode.RESTORE:
        return f"redundancy of {plain(plan.application)} in {source} was rebuilt"
    return f"{plain(plan.application)} was moved from {source} to {target} ({plan.mode})"


def held(run: RunState) -> str:
    """What the fence that this run holds means now."""
    fences = [step for step in run.plan.steps if step.facts.verb == "fence" and run.did(step.name).ordered]
    what = listed(list(dict.fromkeys(plain(step.resource or step.name) for step in fences)))
    sure = all(run.did(step.name).ended == "done" for step in fences)
    holds = f"It {'HOLDS' if sure else 'MAY HOLD'} A FENCE on {plain(run.plan.source)}"
    if run.promoted:
        return f"{holds}, and a promotion was ordered: {what} is not unfenced any more."
    return f"{holds} and nothing was promoted: {what} may take NO WRITES ANYWHERE until this goes on or is undone."


def _under_way(run: RunState, step: PlannedStep) -> bool:
    return not run.did(step.name).ended and began_t(run, step) is not None and not step.gate


def state_of(run: RunState, track: Track) -> StepState:
    """One track of a step, as the journal remembers it."""
    record, step = run.track(track), run.plan.step(track.step)
    detail = plain(record.detail).removeprefix(f"{plain(track.step)}: ")
    if record.ended == "owed" and run.track(Track(track.step, "owed")).ended == "done":
        return StepState("settled", detail)
    if record.ended:
        return StepState(record.ended, detail)
    if run.phase.final and record.intent is None and record.result is None:
        return StepState("never begun", "") if record.gate_opened_t is None else StepState("not passed", "")
    if record.gate_opened_t is not None:
        until = max(record.gate_opened_t, run.resumed_t) + step.expires_seconds
        stands = "its clock stands still" if run.phase is Phase.PAUSED else f"expires at {offset(until)}"
        return StepState("waits", f"for a person since {offset(record.gate_opened_t)}; {stands}")
    if record.intent is not None:
        return StepState("ordered", f"{plain(record.effect)}: its call has not come back")
    if record.holding:
        return StepState("holds", f"since {offset(record.holding_t)}, and if it stays so: {plain(record.holding)}")
    if record.result is not None:
        return _after_a_call(record)
    if track.way != "do":
        return StepState("to do", "")
    waiting = [need for need in step.needs if run.did(need).ended not in {"done", "owed"}]
    if waiting:
        return StepState("waits", f"for {listed([plain(need) for need in waiting])}")
    return StepState("looking" if run.phase.may_act else "to do", "")


def _after_a_call(record: StepRecord) -> StepState:
    assert record.result is not None
    message, effect = plain(record.result.message), plain(record.effect)
    match record.result.outcome:
        case "ok":
            return StepState("ordered", f"{effect}: not yet seen to be so")
        case "held":
            return StepState("waits", message.removeprefix("waits "))
        case "stopped":
            return StepState("stopped", message or f"{effect}: its call was not made")
        case "unknown":
            return StepState("unknown", f"{effect}: whether it took effect is unknown; {message or 'looking'}")
        case outcome:
            return StepState("again", f"{effect}: {outcome} ({message or 'no reason given'})")


def commands_now(run: RunState) -> tuple[Way, ...]:
    """What a person can type now, with what it leads to in the words of the lifecycle's own table."""
    holds = {
        When.PROMOTED: run.promoted,
        When.UNDO_BEGUN: run.undo_begun,
        When.GATE_OPEN: bool(run.open_gates),
        When.OWED: bool(run.owed),
        When.ACCEPTS: True,
        When.ACCEPTS_AT_GATE: bool(run.open_gates),
    }
    found = []
    for event in dict.fromkeys(ways_out(run.phase)):
        if event is Event.APPROVE:
            found += _approvals(run)
            continue
        row = transition(run.phase, event, frozenset(when for when, true in holds.items() if true))
        if row is not None:
            reason = ("--reason", "TEXT") if event in {Event.DECLINE, Event.ABORT, Event.CLOSE} else ()
            found.append(Way(command("cloudfail", str(event), run.id, *reason), row.sentence))
    return tuple(sorted(found, key=lambda way: "cloudfail approve" not in way.command))


def _approvals(run: RunState) -> list[Way]:
    if run.phase is Phase.HALTED:
        if not run.asks:
            return []
        said, means = _accepting(bool(run.asks.get("owed_fence")), run.asks.get("loss_seconds"))
        counted = run.asks.get("capacity", {})
        means = means or ", ".join(f"{count} healthy in {plain(group)} are enough" for group, count in counted.items())
        return [Way(command("cloudfail", "approve", run.id, *said, "--reason", "TEXT"), f"It goes on: {means}.")]
    ways = []
    for gate in run.open_gates:
        owed = any(fence_outcome(run, name) == "owed" for name in fences_before(run.plan, gate))
        # With an owed fence the loss grows while people think: ask for it now, not in a second halt.
        said, means = _accepting(owed, 0.0 if owed else None)
        which = ("--gate", gate.name) if len(run.open_gates) > 1 else ()
        meaning = f"{plain(gate.name)} passes" + (f": {means}." if means else ".")
        ways.append(Way(command("cloudfail", "approve", run.id, *which, *said, "--reason", "TEXT"), meaning))
    return ways


def _accepting(owed_fence: bool, loss_seconds: float | None) -> tuple[tuple[str, ...], str]:
    """The flags that accept what is asked for, and what the person who types them answers for."""
    flags, means = [], []
    if owed_fence:
        flags.append("--accept-owed-fence")
        means.append("you answer for it that the old side takes no writes, though nothing proves it")
    if loss_seconds is not None:
        known = loss_seconds > 0
        flags += ["--loss-seconds", f"{loss_to_accept(loss_seconds, growing=owed_fence):.0f}" if known else "SECONDS"]
        means.append(
            f"up to {seconds(loss_seconds)} of acknowledged writes may be lost"
            if known
            else "the loss is unknown; say how many seconds of acknowledged writes may be lost"
        )
    return tuple(flags), "; ".join(means)


def fences_before(plan: Plan, step: PlannedStep) -> list[str]:
    """The fences that this step's needs lead back to."""
    found: set[str] = set()
    queue = list(step.needs)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(plan.step(name).needs)
    return [one.name for one in plan.steps if one.name in found and one.facts.verb == "fence"]


def owed_sentences(run: RunState) -> list[str]:
    """One sentence for each obligation that stands."""
    return [
        f"{plain(step.name)}{f' ({plain(step.resource)})' if step.resource else ''} in {plain(run.plan.source)}: "
        f"{plain(run.did(step.name).detail) or 'it did not answer'}"
        for step in run.owed
    ]
