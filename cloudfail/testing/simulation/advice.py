"""What to change, from what many seeds showed. Each piece of advice carries the figure that it comes from.

Nothing is advised where every seed met the objectives and few runs needed a person: what can be made faster still is no
reason to change a runbook that keeps its promise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from cloudfail.config import durations
from cloudfail.lint import graph
from cloudfail.lint.rto import detection_seconds
from cloudfail.model.plan import Plan, PlannedStep
from cloudfail.model.policy import Scope
from cloudfail.report.phases import phase_of
from cloudfail.report.wording import counted, seconds
from cloudfail.testing.simulation.own import Own
from cloudfail.testing.simulation.results import Advice, Felt, Spread, Trial

ADVICE_MAX = 6
PART_SHARE_MIN = 0.15
"""A part of the outage that is less than this is not where the time was lost."""
ASKED_SHARE_MIN = 0.10
SAVED_SECONDS_MIN = 5.0
FAILED_SHARE_MIN = 0.05
LIMIT = "Not within its limit"
"""How a step's failure begins that its limit stopped."""
SEEDS_MIN = 2
"""One seed alone is no pattern."""
ROOM = 1.25
"""A limit has room where it is this many times the longest that was seen."""
LEAST_HOLD_DOWN_SECONDS = 60.0
STOOD = ("halted", "paused", "parked")
STEP_PARTS = frozenset({"fence", "promote", "scale", "traffic", "verify", "other"})


def advice_on(found: Trial, one: Own) -> tuple[Advice, ...]:
    """In the order of what each would change; () if all met the objectives and few runs needed a person."""
    judged, missed = found.judged, found.missed
    late = [felt for felt in missed if "RTO" in felt.misses(found.objectives)]
    lossy = [felt for felt in missed if "RPO" in felt.misses(found.objectives)]
    asked = [felt for felt in judged if felt.asked]
    # What stops runs until somebody helps is worth a word even where he came in time.
    often = bool(judged) and len(asked) / len(judged) >= ASKED_SHARE_MIN
    stopped = judged if len(late) >= SEEDS_MIN or often else ()
    advice = [
        *_on_loss(lossy, found),
        *_on_parts(late, one),
        *_on_limits(stopped, one),
        *_on_failures(stopped),
        *_on_edges(late, one.plan),
        *(_on_asked(asked, judged) if often else ()),
    ]
    return tuple(advice[:ADVICE_MAX])


# ---- the loss


def _on_loss(lossy: Sequence[Felt], found: Trial) -> Iterator[Advice]:
    if not lossy:
        return
    rpo, many = durations.written(found.objectives.rpo_seconds), counted(len(lossy), "seed")
    owed = [felt for felt in lossy if felt.owed_fence and felt.old_side_seconds > felt.lost_seconds / 2]
    if owed:
        yield Advice(
            "Give the database a fence that needs nothing of the lost region (its storage, its network, its "
            "certificates), so that nobody has to go on with an owed one.",
            f"In {len(owed)} of {many} that lost more than the RPO of {rpo}, a person accepted an owed fence, and "
            f"the old side, which was not dead, went on to take writes: up to "
            f"{seconds(max(felt.old_side_seconds for felt in owed))} of them.",
        )
    apart = [felt for felt in lossy if not felt.synchronous]
    judged = [felt for felt in found.judged if not felt.synchronous]
    if apart:
        yield Advice(
            "Replicate synchronously to the region that takes over, or write a longer rpo.",
            f"{len(apart)} of {many} that lost more than the RPO of {rpo} replicated asynchronously; of all "
            f"{len(judged)} asynchronous ones that is {len(apart) / len(judged):.0%}.",
        )


# ---- the time


def _on_parts(late: Sequence[Felt], one: Own) -> Iterator[Advice]:
    """Where the seeds that missed the RTO spent their outage, the greatest part first."""
    ended = [felt for felt in late if felt.outage_seconds]
    if len(ended) < SEEDS_MIN:
        return
    whole = sum(felt.outage_seconds or 0.0 for felt in ended)
    totals: Counter[str] = Counter()
    for felt in ended:
        totals.update(felt.parts)
    for part, total in totals.most_common():
        if total / whole < PART_SHARE_MIN:
            return
        change = _change(part, one, ended)
        if change:
            yield Advice(
                change,
                f"In {counted(len(ended), 'seed')} that missed the RTO, {_called(part)} took {total / whole:.0%} of "
                f"the outage: {seconds(total / len(ended))} each.",
            )


def _called(part: str) -> str:
    return {
        "detect": "seeing the loss",
        "hold-down": "the hold-down",
        "start": "starting the run",
        "gate": "the gate",
        "clients": "the clients' resolvers",
        "halted": "the halted run",
        "paused": "the paused run",
        "parked": "the parked run",
        "nobody": "waiting for a worker to take the run over",
        "other": "steps of no phase",
    }.get(part, f"the phase {part}")


def _change(part: str, one: Own, felts: Sequence[Felt]) -> str:
    topology, plan = one.topology, one.plan
    policy = topology.policy
    match part:
        case "detect":
            name, check = max(
                topology.checks.items(), key=lambda item: item[1].every_seconds * item[1].fall + item[1].timeout_seconds
            )
            return (
                f"Probe more often: {name} takes {durations.written(detection_seconds(topology))} to see a loss "
                f"(every {durations.written(check.every_seconds)}, fall {check.fall}, timeout "
                f"{durations.written(check.timeout_seconds)})."
            )
        case "hold-down":
            least = LEAST_HOLD_DOWN_SECONDS if policy.scope is Scope.REGION else 0.0
            if policy.hold_down_seconds <= least:
                return ""
            floor = f"; between cloud regions not under {durations.written(least)}" if least else ""
            return f"Write a shorter hold_down than {durations.written(policy.hold_down_seconds)}{floor}."
        case "gate":
            return (
                "Let fewer seconds pass at the gate: sign a plan for automatic use (cloudfail plan --sign-for), or let "
                "whoever starts it approve at once (cloudfail evacuate --plan … --approve)."
            )
        case "clients":
            ttl = one.pace.ttl_seconds
            return f"Write a shorter ttl than {durations.written(ttl)} for the name that is switched." if ttl else ""
        case "halted" | "parked":
            return (
                "Have somebody on call who resumes a run that stands still: it says what it needs (cloudfail status)."
            )
        case "nobody":
            return (
                "Let `cloudfail watch` run on a second machine, outside of both regions: it takes over a run whose "
                "worker died; and shorten policy.lease, after which it may."
            )
        case "paused":
            return "Say in the runbook who may pause a run, and who resumes it."
        case _ if part in STEP_PARTS:
            return _on_steps([step for step in plan.steps if phase_of(step) == part], felts)
    return ""


def _on_steps(steps: Sequence[PlannedStep], felts: Sequence[Felt]) -> str:
    """The step of that phase in which most time was spent."""
    spent = {step.name: sum(felt.steps.get(step.name, 0.0) for felt in felts) for step in steps}
    name = max(spent, key=lambda one: spent[one], default="")
    if not name or not spent[name]:
        return ""
    step = next(step for step in steps if step.name == name)
    usual, longest = step.facts.typical_seconds, step.facts.longest_seconds
    kept = "keep warm what it starts" if phase_of(step) == "scale" else "begin it earlier, or find a quicker way"
    return (
        f"Make the step {name} shorter ({step.action}: usually {durations.written(usual)}, declared up to "
        f"{durations.written(longest)}): {kept}."
    )


def _on_limits(judged: Sequence[Felt], one: Own) -> Iterator[Advice]:
    """A limit that stopped a step, or that is shorter than what one in a hundred takes."""
    stopped: Counter[str] = Counter()
    for felt in judged:
        stopped.update({step for step, detail in felt.failed if detail.startswith(LIMIT)})
    for step in one.plan.steps:
        taken = [felt.steps[step.name] for felt in judged if step.name in felt.steps]
        over = len([each for each in taken if each > step.limit_seconds])
        p99 = Spread.of(taken).p99 or 0.0
        often = stopped[step.name] >= max(SEEDS_MIN, len(judged) * FAILED_SHARE_MIN)
        if step.gate or not (often or (over >= SEEDS_MIN and p99 > step.limit_seconds)):
            continue
        slow = one.pace.ttl_seconds if phase_of(step) == "traffic" else step.facts.longest_seconds
        enough = math.ceil(max(p99, slow) * ROOM / 5) * 5
        yield Advice(
            f"Give the step {step.name} a longer limit than {durations.written(step.limit_seconds)}: "
            f"{durations.written(enough)}, say.",
            f"Its limit stopped it in {stopped[step.name]} of {counted(len(judged), 'run')}"
            + (f", and where it ended its 99th percentile is {seconds(p99)}" if taken else "")
            + (f"; the ttl is {durations.written(slow)}" if phase_of(step) == "traffic" and slow else "")
            + ".",
        )


def _on_failures(judged: Sequence[Felt]) -> Iterator[Advice]:
    """A step that failed for another reason, and so made the run stand still."""
    count: Counter[str] = Counter()
    why: dict[str, Counter[str]] = {}
    for felt in judged:
        failed = [(step, detail) for step, detail in felt.failed if not detail.startswith(LIMIT)]
        for step, detail in failed:
            why.setdefault(step, Counter())[detail] += 1
        count.update({step for step, _ in failed})
    for step, many in count.most_common(2):
        if many < max(SEEDS_MIN, len(judged) * FAILED_SHARE_MIN):
            return
        detail, _ = why[step].most_common(1)[0]
        yield Advice(
            f"Look at the step {step}: more retries, where what stopped it passes by itself.",
            f"It failed in {many} of {counted(len(judged), 'run')}, most often: {detail}",
        )


def _on_asked(asked: Sequence[Felt], judged: Sequence[Felt]) -> Iterator[Advice]:
    stood = Spread.of([sum(felt.waits.get(phase, 0.0) for phase in STOOD) for felt in asked])
    yield Advice(
        "Count on somebody being awake: rehearse with a drill what a run that stands still asks for.",
        f"{len(asked)} of {len(judged)} runs ({len(asked) / len(judged):.0%}) stood still until a person did more than "
        f"approve; half of them for {seconds(stood.p50)} or more.",
    )


def _on_edges(late: Sequence[Felt], plan: Plan) -> Iterator[Advice]:
    """Capacity that waits for what it need not wait for: it can be taken back, so it may start at once."""
    needs = {step.name: step.needs for step in plan.steps}
    before = graph.before(needs)
    for step in plan.steps:
        if step.action != "compute.scale":
            continue
        waits_for = [
            other.name
            for other in plan.steps
            if other.name in before[step.name] and (other.gate or other.point_of_no_return)
        ]
        spent = [felt.steps[step.name] for felt in late if step.name in felt.steps]
        if waits_for and spent and sum(spent) / len(spent) >= SAVED_SECONDS_MIN:
            yield Advice(
                f"Let the step {step.name} need less: it waits for {' and '.join(waits_for)}, and capacity can be made "
                "up before the gate, since it can be taken back.",
                f"It took {seconds(sum(spent) / len(spent))} on average where the RTO was missed, after all of that.",
            )
