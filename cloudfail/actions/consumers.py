"""Queue and event consumers: off in the lost region before, on in the survivor after the promotion."""

from __future__ import annotations

from cloudfail.actions import Done, Look, NotKnown, Owed, StepContext, Todo, World
from cloudfail.model.observation import Unknown
from cloudfail.ports import Call


class Enable:
    """consumers.enable / consumers.disable {consumers, where, unreachable}."""

    port = "consumers"
    verb = "enable"
    waits_for_source = False

    def __init__(self, name: str, undo: str, *, enabled: bool) -> None:
        self.name = name
        self.undo: str | None = undo
        self.enabled = enabled

    def observe(self, world: World, context: StepContext) -> Look:
        name, region = context.step.arguments["consumers"], context.step.arguments["where"]
        read = world.consumers(name).read(region)
        if isinstance(read, Unknown):
            return _unsettled(f"{name} in {region}: {read.reason}", context)
        if read.value.enabled is self.enabled:
            if not self.enabled and read.value.still:
                return _unsettled(f"{name} in {region}: {read.value.still}", context)
            return Done(f"{name} {'on' if self.enabled else 'off'} in {region}")
        before, after = ("off", "on") if self.enabled else ("on", "off")
        return Todo(f"turn {name} in {region} {after}", before, after, expect=read.value)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        name, region = context.step.arguments["consumers"], context.step.arguments["where"]
        world.consumers(name).enable(region, self.enabled, expect=seen.expect, call=call)


def _unsettled(reason: str, context: StepContext) -> Look:
    return Owed(reason) if context.step.arguments.get("unreachable") == "owe" else NotKnown(reason)
