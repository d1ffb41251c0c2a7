"""Hold what else changes a region (deploys, schedulers, infrastructure tools), and let it go: first and last step."""

from __future__ import annotations

from cloudfail.actions import Done, Look, NotKnown, Owed, StepContext, Todo, World
from cloudfail.model.observation import Unknown
from cloudfail.ports import Call


class Freeze:
    """change.freeze {where, unreachable} and, with `frozen` False, change.unfreeze. Several tools may hold a region;
    one effect sets one of them."""

    port = "change"
    verb = "freeze"
    waits_for_source = False

    def __init__(self, name: str, undo: str, *, frozen: bool) -> None:
        self.name = name
        self.undo: str | None = undo
        self.frozen = frozen

    def observe(self, world: World, context: StepContext) -> Look:
        region = context.step.arguments["where"]
        done = []
        for name, change in world.changes(region).items():
            state = change.read(region)
            if isinstance(state, Unknown):
                if context.step.arguments.get("unreachable") == "owe":
                    return Owed(f"{name} in {region} does not answer: {state.reason}")
                return NotKnown(f"{name} in {region}: {state.reason}")
            if state.value.frozen is not self.frozen:
                before, after = ("free", "held") if self.frozen else ("held", "free")
                effect = f"{'hold' if self.frozen else 'let go'} {name} in {region}"
                return Todo(effect, before, after, expect=(name, state.value))
            done.append(name)
        return Done(f"{', '.join(done) or 'nothing'} {'held' if self.frozen else 'free'} in {region}")

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        name, state = seen.expect
        region = context.step.arguments["where"]
        world.changes(region)[name].freeze(region, self.frozen, expect=state, call=call)
