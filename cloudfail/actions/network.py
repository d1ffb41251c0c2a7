"""Move a path or an address to the region that takes over: by a route, by a prefix list, by an address that moves.

What an API says of a route is not what packets do. So a step is done when something answers through it, where the
resource names what must (`reach`). Where it names nothing, the step is done by the description alone, and says so in
its result: lint warns of it before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.actions.traffic import failing_checks
from cloudfail.model.observation import Unknown
from cloudfail.model.states import NetworkState
from cloudfail.ports import Call

UNPROVEN = "nothing was asked through it: only what is set was read"
Points = Mapping[str, tuple[str, ...]]


class Lead:
    """network.route and network.move_address {network, to}: every part of it to one region. As a compensation: each
    part back to where the first intent saw it lead, which may be nowhere.

    It moves towards a region only while every check passes there, and orders nothing while something is under way. One
    call makes one effect; the words of the effect say how far the whole has come, for the machine counts attempts by
    these words."""

    port = "network"
    waits_for_source = False

    def __init__(self, name: str, verb: str) -> None:
        self.name = name
        self.verb = verb
        self.undo: str | None = name

    def observe(self, world: World, context: StepContext) -> Look:
        name = str(context.step.arguments["network"])
        read = world.network(name).read()
        if isinstance(read, Unknown):
            return NotKnown(f"{name}: {read.reason}")
        state = read.value
        if not state.points:
            return NotKnown(f"{name} says of no part where it leads")
        wanted = _wanted(context, state)
        if state.moving:
            return Moving(f"{name}: {state.moving}")
        if any(state.points.get(part) != regions for part, regions in wanted.items()):
            unserved = None if context.undoing else failing_checks(world, str(context.step.arguments["to"]))
            return unserved or self._todo(name, wanted, state)
        if context.undoing:
            return Done(f"{name} leads to {say(state.points)} again")
        if state.obstacle:
            return Moving(f"{name} is set to {say(state.points)}, and carries nothing: {state.obstacle}")
        return _proven(world, name, str(context.step.arguments["to"]))

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        network = world.network(str(context.step.arguments["network"]))
        order = network.route if self.verb == "route" else network.move_address
        order(_wanted(context, seen.expect), expect=seen.expect, call=call)

    def _todo(self, name: str, wanted: Points, state: NetworkState) -> Todo:
        before, after = say(state.points), say(wanted)
        does = "lead" if self.verb == "route" else "give"
        memory = {"points": {part: list(regions) for part, regions in state.points.items()}}
        return Todo(f"{does} {name} to {after} (now {before})", before, after, expect=state, memory=memory)


def _wanted(context: StepContext, state: NetworkState) -> Points:
    if context.undoing:
        return {part: tuple(regions) for part, regions in context.memory["points"].items()}
    return dict.fromkeys(state.points, (str(context.step.arguments["to"]),))


def _proven(world: World, name: str, region: str) -> Look:
    reached = world.network(name).reach(region)
    if isinstance(reached, Unknown):
        return NotKnown(f"{name} is set to {region}; whether anything answers through it: {reached.reason}")
    if reached.value.answers is None:
        return Done(f"{name} is set to {region}; {reached.value.what or UNPROVEN}")
    if not reached.value.answers:
        return Moving(f"{name} is set to {region}, and does not lead there: {reached.value.what}")
    return Done(f"{name} leads to {region}: {reached.value.what}")


def say(points: Points) -> str:
    """`west`, `nowhere`, or how many parts lead where: `east 3 of 4, west 1 of 4`."""
    counted = Counter(" and ".join(regions) or "nowhere" for regions in points.values())
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{where} {count} of {len(points)}" for where, count in sorted(counted.items()))
