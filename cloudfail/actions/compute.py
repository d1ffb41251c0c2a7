"""Capacity before traffic: as many workers as the lost region had, counted where the load balancer counts them."""

from __future__ import annotations

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.errors import Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.ports import Call, HasRoom


class Scale:
    """compute.scale {group, count, where}: `like: recorded REGION` was turned into a count while planning. As a
    compensation it goes back to the count that its first intent saw. More than wanted is enough: it never scales in
    during a run, except as that compensation."""

    name = "compute.scale"
    port = "compute"
    verb = "scale"
    undo: str | None = "compute.scale"
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        group, region = context.step.arguments["group"], context.step.arguments["where"]
        count = int(context.memory["wanted"] if context.undoing else context.step.arguments["count"])
        read = world.compute(group).read(region)
        if isinstance(read, Unknown):
            return NotKnown(f"{group} in {region}: {read.reason}")
        state, facts = read.value, {"healthy": read.value.healthy}
        enough = state.wanted == count if context.undoing else state.wanted >= count
        if not enough and state.moving:
            return Moving(f"{group} in {region}: {state.moving}", facts=facts)
        if not enough:
            return Todo(
                f"scale {group} in {region} to {count}",
                f"{state.wanted} wanted, {state.healthy} healthy",
                f"{count} wanted",
                expect=state,
                memory={"wanted": state.wanted},
                facts=facts,
            )
        if state.healthy < min(count, state.wanted):
            return Moving(f"{state.healthy} of {count} healthy in {group} in {region}", facts=facts)
        return Done(f"{state.healthy} healthy of {state.wanted} in {group} in {region}", facts=facts)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        group, region = context.step.arguments["group"], context.step.arguments["where"]
        count = int(context.memory["wanted"] if context.undoing else context.step.arguments["count"])
        compute = world.compute(group)
        if not context.undoing and isinstance(compute, HasRoom):
            _held_against(compute.room(region), seen.expect.wanted, group, region, count, call)
        compute.scale(region, count, expect=seen.expect, call=call)


def _held_against(room: Known[Room] | Unknown, wanted: int, group: str, region: str, count: int, call: Call) -> None:
    """The account's bounds, read once more right before the order; when the plan was made, they allowed it.

    Where fewer may run by now, it is ordered all the same and said so: every worker that still comes serves somebody,
    and the step is done by healthy ones alone. Raises Permanent where nothing at all would come of it. What is not
    known is said, and stops nobody: a quota that cannot be read is not one of zero."""
    if isinstance(room, Unknown):
        call.log(f"how many of {group} may run in {region} is not known: {room.reason}")
    elif count > room.value.at_most:
        said = f"The account may not run {count} of {group} in {region}, but {room.value.in_words()}."
        if room.value.at_most <= wanted:
            to_do = "Raise the quota and resume, or plan anew with a lower count: at the step."
            raise Permanent(said, "Its size was not changed.", to_do)
        call.log(said)


class Hold:
    """compute.hold {group, where, held}: suspend scale-in for the run, and resume it after."""

    name = "compute.hold"
    port = "compute"
    verb = "hold"
    undo: str | None = "compute.hold"
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        group, region = context.step.arguments["group"], context.step.arguments["where"]
        read = world.compute(group).read(region)
        if isinstance(read, Unknown):
            return NotKnown(f"{group} in {region}: {read.reason}")
        held = self._held(context)
        if read.value.scale_in_held is held:
            return Done(f"scale-in {'held' if held else 'free'} in {group} in {region}")
        if read.value.moving:
            return Moving(f"{group} in {region}: {read.value.moving}")
        before, after = ("free", "held") if held else ("held", "free")
        return Todo(f"scale-in of {group} in {region}", before, after, expect=read.value)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        group, region = context.step.arguments["group"], context.step.arguments["where"]
        world.compute(group).hold(region, self._held(context), expect=seen.expect, call=call)

    @staticmethod
    def _held(context: StepContext) -> bool:
        return bool(context.step.arguments.get("held", True)) is not context.undoing
