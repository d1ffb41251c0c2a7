"""Custom actions: what only the site knows how to do. A command's exit status, a function's answer and an API's
"success" complete nothing: what the site's own `observe` says does, or a check of the topology.
"""

from __future__ import annotations

from cloudfail.actions import Done, Look, Moving, NotKnown, Owed, StepContext, Todo, World
from cloudfail.model.observation import Unknown
from cloudfail.model.states import CustomState, CustomWord
from cloudfail.ports import Call


class Run:
    """custom.run {name, where, check, unreachable}. What takes it back is another custom resource, which its own names
    (`undo:` in cloudfail.yaml); the plan writes it out.

    It is a state that is wanted, not an event: a second step that names the same resource in the same region finds it
    done. What is under way, whoever ordered it, is not ordered again.
    """

    name = "custom.run"
    port = "custom"
    verb = "run"
    undo: str | None = None
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        name, region = context.step.arguments["name"], context.step.arguments["where"]
        read = world.custom(name).read(region, context.run)
        if isinstance(read, Unknown):
            reason = f"{name} in {region}: {read.reason}"
            return Owed(reason) if context.step.arguments.get("unreachable") == "owe" else NotKnown(reason)
        state = read.value
        if state.under_way:
            return Moving(f"{name} in {region}: {state.under_way}")
        match state.word:
            case CustomWord.DONE:
                return self._checked(world, context, f"{name} in {region}: {state.detail or 'done'}")
            case CustomWord.MOVING:
                return Moving(f"{name} in {region}: {state.detail or 'moving'}")
            case CustomWord.UNSEEN if context.step.arguments.get("check") is None:
                return NotKnown(f"{name} has no observe, and the step names no check: nothing can say that it is done")
            case CustomWord.UNSEEN if state.ended:
                return self._checked(world, context, f"{name} in {region} ended")
        return Todo(f"run {name} in {region}", _before(state), "done", expect=state)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        name, region = context.step.arguments["name"], context.step.arguments["where"]
        world.custom(name).invoke(region, expect=seen.expect, call=call)

    @staticmethod
    def _checked(world: World, context: StepContext, said: str) -> Look:
        """Done, unless the step's check says otherwise."""
        check, region = context.step.arguments.get("check"), context.step.arguments["where"]
        if check is None:
            return Done(said)
        healthy = world.healthy(check, region)
        if isinstance(healthy, Unknown):
            return NotKnown(f"{said}; whether {check} passes there: {healthy.reason}")
        return Done(f"{said}; {check} passes") if healthy.value else Moving(f"{said}; {check} does not pass there yet")


def _before(state: CustomState) -> str:
    if state.ended is None:
        return state.detail or "not done"
    how = "ended well" if state.ended else "did not end well"
    return f"what this run ordered {how}, and it is not done" + (f": {state.detail}" if state.detail else "")
