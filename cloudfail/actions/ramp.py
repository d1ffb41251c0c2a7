"""Move traffic step by step, where the source still serves: a switchover, a failback (safety rule 9).

Each step is one effect, and the next one follows only after every check of the target has passed for the whole hold,
with no look in between that said anything else (invariant I5; `Todo.hold_seconds`). The step is read from the weights
that the world has, never from a count: whoever carries on after a crash goes on from what users are given, skips no
step, and does not begin again below it.

While a check does not pass, traffic goes back to the step before: at once the first time, and further only if it still
does not pass after another hold. What is unknown moves nothing, in neither direction. Nobody is sent back to a region
whose own checks do not pass, or whose database is fenced.

The other way round, a region that stops serving in the middle has nothing left to be gentle with: once its own check
has failed for as long as that takes to count, all of the traffic goes to the target, which must itself be healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.actions.traffic import Switch, failing_checks, follows, read_weights, say, shift
from cloudfail.model.observation import Unknown
from cloudfail.model.states import DnsState, LoadBalancerState, Role
from cloudfail.model.topology import PortName
from cloudfail.ports import Call

# Shares are whole percent; what a balancer rounds is no other step.
HALF = 0.5
_SWITCH = Switch()


class Ramp:
    """traffic.ramp {name, to, steps, hold}: in percent of all traffic. As a compensation: back to the weights that its
    first intent saw, at once. With the one step 100, and once it was done, it is traffic.switch."""

    name = "traffic.ramp"
    port = "traffic"
    verb = "shift"
    undo: str | None = "traffic.ramp"
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        steps = [int(step) for step in context.step.arguments["steps"]]
        if steps == [100] or (context.watching and not context.undoing):
            return _SWITCH.observe(world, context)
        name, to = context.step.arguments["name"], context.step.arguments["to"]
        read = read_weights(world, name)
        if isinstance(read, Unknown):
            return NotKnown(f"{name}: {read.reason}")
        state = read.value
        first = _weights(context.memory) or dict(state.weights)
        if context.undoing:
            back = _todo(f"take {name} back to {say(first)}", state, first)
            return follows(world, name, first, state) if _alike(state.weights, first) else back
        failing = failing_checks(world, to) or _no_target(name, state, to)
        if isinstance(failing, Moving):
            return _back(world, context, state, first, steps, failing)
        return failing or _on(world, context, state, first, steps)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        if "wanted" in seen.memory:
            shift(world, context, seen.memory["wanted"], seen, call)
        else:
            _SWITCH.act(world, context, seen, call)


def _no_target(name: str, state: DnsState | LoadBalancerState, to: str) -> Moving | None:
    """What a balancer itself knows against it; one that counts no targets says nothing."""
    if isinstance(state, LoadBalancerState) and state.healthy.get(to) == 0:
        return Moving(f"{to} gets no traffic while {name} counts no healthy target there")
    return None


def _on(
    world: World,
    context: StepContext,
    state: DnsState | LoadBalancerState,
    first: Mapping[str, int],
    steps: list[int],
) -> Look:
    """The target is healthy: the next step, once this one has been seen by users for its time."""
    name, to = context.step.arguments["name"], context.step.arguments["to"]
    at, began = share(state.weights, to), share(first, to)
    settled = follows(world, name, state.weights, state)
    higher = [step for step in steps if step > at + HALF]
    if not higher:
        return settled
    gone = _gone_seconds(world, [region for region, weight in state.weights.items() if weight and region != to])
    if gone is not None:
        wanted = spread(first, to, 100)
        effect = f"point {name} to {say(wanted)} at once, since checks do not pass where the rest of it goes"
        return replace(_todo(effect, state, wanted), hold_seconds=gone)
    wanted = spread(first, to, higher[0])
    step = _todo(f"point {name} to {say(wanted)}", state, wanted)
    latest = _weights(context.latest)
    if at <= began + HALF and (not latest or share(latest, to) <= began + HALF):
        return step  # nothing of it has been tried: to begin, it is enough that the target is healthy now
    return replace(step, hold_seconds=float(context.step.arguments["hold"])) if isinstance(settled, Done) else settled


def _back(
    world: World,
    context: StepContext,
    state: DnsState | LoadBalancerState,
    first: Mapping[str, int],
    steps: list[int],
    failing: Moving,
) -> Look:
    """A check of the target does not pass: the step before, for those who can be served there."""
    name, to = context.step.arguments["name"], context.step.arguments["to"]
    at, began = share(state.weights, to), share(first, to)
    if at <= began + HALF:
        return failing
    lower = [step for step in steps if began + HALF < step < at - HALF]
    wanted = spread(first, to, lower[-1]) if lower else dict(first)
    taken = [region for region in wanted if share(wanted, region) > share(state.weights, region) + HALF]
    why_not = _cannot_serve(world, taken)
    if why_not:
        return Moving(f"{failing.detail}; {to} keeps what it has, since {why_not}")
    effect = f"take {name} back to {say(wanted)}, since checks do not pass in {to}"
    before = f"{say(state.weights)}; {failing.detail}"
    back = replace(_todo(effect, state, wanted), before=before, takes_back=True)
    latest = _weights(context.latest)
    came_back = bool(latest) and at < share(latest, to) - HALF
    return replace(back, hold_seconds=float(context.step.arguments["hold"])) if came_back else back


def _gone_seconds(world: World, regions: list[str]) -> float | None:
    """For how long it must stay so until none of these regions counts as serving: what their checks take to fail. None
    while one of them serves, or it is unknown whether it does."""
    failing = [failing_checks(world, region) for region in regions]
    if not regions or not all(isinstance(one, Moving) for one in failing):
        return None
    return max(check.every_seconds * check.fall for check in world.topology.checks.values())


def _cannot_serve(world: World, regions: Iterable[str]) -> str:
    """Why no user may be sent back to these regions; "" if they may: every check passes there, and every database there
    takes writes or follows the one that does (invariant I5: never to a region that is fenced)."""
    for region in regions:
        failing = failing_checks(world, region)
        if failing is not None:
            return failing.detail if isinstance(failing, Moving) else failing.reason
        for name, resource in world.topology.resources.items():
            if resource.port is not PortName.DATABASE or region not in resource.members:
                continue
            member = world.database(name).read(region)
            if isinstance(member, Unknown):
                return f"{name} in {region} is unknown: {member.reason}"
            if not (member.value.writable or (member.value.role is Role.REPLICA and member.value.upstream)):
                return f"{name} in {region} is fenced, or follows nobody"
    return ""


def share(weights: Mapping[str, int], region: str) -> float:
    """What that region is given, in percent of all."""
    whole = sum(weights.values())
    return 100.0 * weights.get(region, 0) / whole if whole else 0.0


def spread(first: Mapping[str, int], to: str, percent: int) -> dict[str, int]:
    """`percent` of 100 for `to`, the rest in the proportion that the others had at first. Those that had nothing get
    nothing; where no other had anything, `to` has all."""
    others = {region: weight for region, weight in first.items() if region != to and weight}
    left, whole = 100 - percent, sum(others.values())
    wanted = {**dict.fromkeys(first, 0), to: percent if others else 100}
    exact = {region: left * weight / whole for region, weight in others.items()}
    wanted.update({region: int(value) for region, value in exact.items()})
    short = left - sum(int(value) for value in exact.values())
    for region in sorted(exact, key=lambda one: (int(exact[one]) - exact[one], one))[:short]:
        wanted[region] += 1
    return wanted


def _alike(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return all(abs(share(one, region) - share(other, region)) <= HALF for region in {*one, *other})


def _weights(memory: Mapping[str, Any]) -> dict[str, int]:
    return {region: int(weight) for region, weight in memory.get("weights", {}).items()}


def _todo(effect: str, state: DnsState | LoadBalancerState, wanted: Mapping[str, int]) -> Todo:
    return Todo(
        effect,
        say(state.weights),
        say(wanted),
        expect=state,
        memory={"weights": dict(state.weights), "wanted": dict(wanted)},
    )
