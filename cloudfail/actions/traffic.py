"""Move traffic: by DNS or by a load balancer, to a region that was itself seen healthy (invariant I5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cloudfail.actions import Done, Look, Moving, NotKnown, Owed, StepContext, Todo, World
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState, LoadBalancerState
from cloudfail.model.topology import PortName
from cloudfail.ports import Call


class Switch:
    """traffic.switch {name, to, unreachable, beside}: all of it to one region, at once. As a compensation: back to the
    weights that its first intent saw. Done when outside resolvers (DNS) or the balancer itself give the new answer.

    Owed where its provider does not answer, and a name beside it gives the new answer: never where no user would be
    sent there."""

    name = "traffic.switch"
    port = "traffic"
    verb = "shift"
    undo: str | None = "traffic.switch"
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        unhealthy = _unhealthy(world, context)
        seen = _look(world, context, _wanted(world, context))
        if isinstance(seen, NotKnown):
            return _owed(world, context, seen) or seen
        return unhealthy if unhealthy is not None and isinstance(seen, Todo) else seen

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        shift(world, context, _wanted(world, context), seen, call)


class Drain:
    """traffic.drain {name, region}: no new request to that region; the rest keep their weights."""

    name = "traffic.drain"
    port = "traffic"
    verb = "shift"
    undo: str | None = "traffic.drain"
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        return _look(world, context, None)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        weights = dict(seen.expect.weights)
        if context.undoing:
            weights = dict(context.memory["weights"])
        else:
            weights[context.step.arguments["region"]] = 0
        shift(world, context, weights, seen, call)


def _wanted(world: World, context: StepContext) -> Mapping[str, int]:
    if context.undoing:
        return {region: int(weight) for region, weight in context.memory["weights"].items()}
    members = world.topology.resources[context.step.arguments["name"]].members or world.topology.regions
    return {region: 100 if region == context.step.arguments["to"] else 0 for region in members}


def _owed(world: World, context: StepContext, silent: NotKnown) -> Owed | None:
    """What is owed of a name whose provider does not answer, if users are sent to the target by one beside it."""
    if context.undoing or context.step.arguments.get("unreachable") != "owe":
        return None
    for other in context.step.arguments["beside"]:
        named = replace(context.step, arguments={**context.step.arguments, "name": other})
        there = replace(context, step=named)
        seen = _look(world, there, _wanted(world, there))
        if isinstance(seen, Done):
            return Owed(f"{silent.reason}; {seen.detail}{_still(world, context)}")
    return None


def _still(world: World, context: StepContext) -> str:
    """What the name servers of a silent provider go on to answer, as far as they answer at all."""
    name = context.step.arguments["name"]
    if world.topology.resources[name].port is not PortName.DNS:
        return ""
    dns = world.dns(name)
    resolved, expected = dns.resolve(), set(dns.answers(_wanted(world, context)))
    if isinstance(resolved, Unknown):
        return f"; nobody is answered by {name}"
    old = sorted(resolver for resolver, answers in resolved.value.items() if set(answers) - expected)
    return f"; {', '.join(old)} still sends users of {name} elsewhere" if old else ""


def _unhealthy(world: World, context: StepContext) -> Look | None:
    """Why no traffic may go there now, or None. Every check of the target must pass, looked at afresh; with `at_most:
    healthy`, a load balancer must itself count a healthy target there. What those cannot carry, they shed."""
    if context.undoing:
        return None
    region = context.step.arguments["to"]
    failing = failing_checks(world, region)
    if failing is not None:
        return failing
    name = context.step.arguments["name"]
    if context.step.arguments.get("at_most") != "healthy" or world.topology.resources[name].port is PortName.DNS:
        return None
    state = world.loadbalancer(name).read()
    if isinstance(state, Unknown):
        return NotKnown(f"{name}: {state.reason}")
    if region not in state.value.healthy:
        return NotKnown(f"{name} does not say how many targets are healthy in {region}")
    if state.value.healthy[region] < 1:
        return Moving(f"{region} gets no traffic while {name} counts no healthy target there")
    return None


def failing_checks(world: World, region: str) -> Moving | NotKnown | None:
    """The first check that does not pass there, looked at afresh, or of which that is unknown; None if all pass."""
    for check in world.topology.checks_in(region):
        healthy = world.healthy(check, region)
        if isinstance(healthy, Unknown):
            return NotKnown(f"whether {check} passes in {region}: {healthy.reason}")
        if not healthy.value:
            return Moving(f"{region} gets no traffic while {check} does not pass there")
    return None


def read_weights(world: World, name: str) -> Known[DnsState] | Known[LoadBalancerState] | Unknown:
    """Where a name, or a balancer, sends users now."""
    is_dns = world.topology.resources[name].port is PortName.DNS
    return world.dns(name).read() if is_dns else world.loadbalancer(name).read()


def _look(world: World, context: StepContext, wanted: Mapping[str, int] | None) -> Look:
    name = context.step.arguments["name"]
    read = read_weights(world, name)
    if isinstance(read, Unknown):
        return NotKnown(f"{name}: {read.reason}")
    state = read.value
    if wanted is None:
        region = context.step.arguments["region"]
        wanted = dict(context.memory["weights"]) if context.undoing else {**state.weights, region: 0}
    if not any(wanted.values()):
        return NotKnown(f"{name} would answer nobody; that is never published")
    if {region for region, weight in state.weights.items() if weight} != {r for r, w in wanted.items() if w}:
        # Where it takes several effects, each is another one: the machine counts attempts by these words.
        come = f" (now {state.detail})" if isinstance(state, DnsState) and state.detail else ""
        return Todo(
            f"point {name} to {say(wanted)}{come}",
            say(state.weights),
            say(wanted),
            expect=state,
            memory={"weights": dict(state.weights)},
        )
    return follows(world, name, wanted, state)


def follows(world: World, name: str, wanted: Mapping[str, int], state: DnsState | LoadBalancerState) -> Look:
    """Whether users are sent as `state` says, which is as `wanted`: by what resolvers answer, or by the balancer."""
    if not isinstance(state, DnsState):
        return Moving(f"{name}: {state.moving}") if state.moving else Done(_sends(name, wanted, state))
    dns = world.dns(name)
    resolved = dns.resolve()
    if isinstance(resolved, Unknown):
        return NotKnown(f"{name}: {resolved.reason}")
    expected = set(dns.answers(wanted))
    late = [
        resolver
        for resolver, answers in resolved.value.items()
        if not (set(answers) == expected or (state.one_at_a_time and answers and set(answers) <= expected))
    ]
    if late:
        return Moving(f"{name}: {', '.join(sorted(late))} still gives the old answer (TTL)")
    return Done(f"{name} resolves to {say(wanted)} at {', '.join(sorted(resolved.value)) or 'its authority'}")


def shift(world: World, context: StepContext, weights: Mapping[str, int], seen: Todo, call: Call) -> None:
    """The one effect: these weights, if it still is as `seen`."""
    name = context.step.arguments["name"]
    if world.topology.resources[name].port is PortName.DNS:
        world.dns(name).shift(weights, expect=seen.expect, call=call)
    else:
        world.loadbalancer(name).shift(weights, expect=seen.expect, call=call)


def _sends(name: str, weights: Mapping[str, int], state: LoadBalancerState) -> str:
    said = f"{name} sends new requests to {say(weights)}"
    if state.lingering_seconds:
        said += f"; clients that it keeps where they were stay for up to {state.lingering_seconds:.0f} s"
    return said


def say(weights: Mapping[str, int]) -> str:
    """Regions and their weights, in words; those without any are left out."""
    return ", ".join(f"{region} {weight}" for region, weight in sorted(weights.items()) if weight) or "nobody"
