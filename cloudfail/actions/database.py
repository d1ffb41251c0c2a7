"""Fence, promote (failover), move without loss (switchover), follow. Each is done when the data plane shows it."""

from __future__ import annotations

from cloudfail.actions import Done, Look, Moving, NotKnown, Owed, StepContext, Todo, World
from cloudfail.model.observation import Unknown
from cloudfail.model.states import FenceOutcome, Progress, Role
from cloudfail.ports import Call


class Fence:
    """database.fence {database, unreachable}: methods are applied one by one, until a write is seen to be refused."""

    name = "database.fence"
    port = "database"
    verb = "fence"
    undo: str | None = "database.unfence"
    waits_for_source = True

    def observe(self, world: World, context: StepContext) -> Look:
        database = context.step.arguments["database"]
        owe = context.step.arguments.get("unreachable") == "owe"
        read = world.database(database).fence_state(context.source, context.target)
        if isinstance(read, Unknown):
            return Owed(read.reason) if owe else NotKnown(read.reason)
        fence = read.value
        if fence.outcome in {FenceOutcome.PROVEN, FenceOutcome.PREVENTED}:
            return Done(f"{fence.outcome}: {fence.evidence}", outcome=str(fence.outcome))
        if fence.methods_left:
            effect = f"fence {database} in {context.source} by {fence.methods_left[0]}"
            return Todo(effect, before=str(fence.outcome), after="fenced", expect=fence)
        if fence.outcome is FenceOutcome.OWED and owe:
            return Owed(fence.evidence)
        return NotKnown(f"{fence.outcome}: {fence.evidence}")

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        database = world.database(context.step.arguments["database"])
        database.fence(context.source, context.target, expect=seen.expect, call=call)


class Unfence:
    """database.unfence {database}: lifts what stands on the source. As a compensation it is asked for only while no
    promotion was ordered (design.md §4 rule 11); the core keeps that, not this action."""

    name = "database.unfence"
    port = "database"
    verb = "fence"
    undo: str | None = "database.fence"
    waits_for_source = True

    def observe(self, world: World, context: StepContext) -> Look:
        database = context.step.arguments["database"]
        port = world.database(database)
        state = port.read(context.source)
        if isinstance(state, Unknown):
            return NotKnown(f"{context.source} does not answer, so its fence cannot be lifted: {state.reason}")
        if state.value.writable or state.value.role is Role.REPLICA:
            return Done(f"{context.source} is {'writable' if state.value.writable else 'a replica'}")
        fence = port.fence_state(context.source, context.target)
        if isinstance(fence, Unknown):
            return NotKnown(fence.reason)
        if fence.value.outcome is FenceOutcome.NONE:
            return Done(f"no fence stands on {context.source}")
        return Todo(
            f"lift the fence from {database} in {context.source}", str(fence.value.outcome), "none", fence.value
        )

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        world.database(context.step.arguments["database"]).unfence(context.source, expect=seen.expect, call=call)


class Failover:
    """database.failover {database}: promote the target, whatever the source still held. The loss is bound at the last
    look before the order, and journaled with it."""

    name = "database.failover"
    port = "database"
    verb = "failover"
    undo: str | None = None
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        name = context.step.arguments["database"]
        database = world.database(name)
        read = database.read(context.target)
        if isinstance(read, Unknown):
            return NotKnown(f"{name} in {context.target}: {read.reason}")
        state = read.value
        if state.role is Role.PRIMARY and state.writable:
            return Done(
                f"{name} in {context.target} takes writes, timeline {state.timeline}, position {state.position}"
            )
        if state.moving:
            return Moving(f"{name} in {context.target}: {state.moving}")
        # Looked at again in this same look: what was proven before a gate may have been undone while it waited.
        fence = database.fence_state(context.source, context.target)
        loss = database.loss(context.source, context.target, world.acknowledged(name, context.source))
        if loss.if_dead_seconds is None or isinstance(fence, Unknown) or fence.value.outcome is FenceOutcome.OWED:
            # A target that has fallen silent meanwhile has no word on either: nobody is asked to accept that.
            again = database.read(context.target)
            if isinstance(again, Unknown):
                return NotKnown(f"{name} in {context.target}: {again.reason}")
        return Todo(
            # Another effect has other words, or it would wait for what the one before may still bring by itself.
            f"promote {name} in {context.target}{': ' if state.next else ''}{state.next}",
            before=f"{state.role}, position {state.position}",
            after="writer",
            expect=state,
            loses_data=True,
            fence="" if isinstance(fence, Unknown) else str(fence.value.outcome),
            loss_if_dead_seconds=loss.if_dead_seconds,
            loss_if_alive_seconds=loss.if_alive_seconds,
            loss_parts=loss.parts,
        )

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        database = world.database(context.step.arguments["database"])
        database.failover(context.source, context.target, expect=seen.expect, call=call)


def _progress(what: str, read: Progress) -> Look:
    if read.done:
        return Done(read.detail)
    if read.next is None:
        return Moving(f"{what}: {read.detail}")
    return Todo(read.next, read.before, read.after, expect=read)


class Switchover:
    """database.switchover {database}: the writer moves, both sides healthy, nothing that was acknowledged is lost."""

    name = "database.switchover"
    port = "database"
    verb = "switchover"
    undo: str | None = None
    waits_for_source = True

    def observe(self, world: World, context: StepContext) -> Look:
        name = context.step.arguments["database"]
        read = world.database(name).switchover_state(context.source, context.target)
        return NotKnown(read.reason) if isinstance(read, Unknown) else _progress(name, read.value)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        database = world.database(context.step.arguments["database"])
        database.switchover(context.source, context.target, expect=seen.expect, call=call)


class Follow:
    """database.follow {database, member, upstream}: the member becomes a replica; what had diverged is kept first."""

    name = "database.follow"
    port = "database"
    verb = "follow"
    undo: str | None = None
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        arguments = context.step.arguments
        read = world.database(arguments["database"]).follow_state(arguments["member"], arguments["upstream"])
        return NotKnown(read.reason) if isinstance(read, Unknown) else _progress(arguments["database"], read.value)

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        arguments = context.step.arguments
        database = world.database(arguments["database"])
        database.follow(arguments["member"], arguments["upstream"], expect=seen.expect, call=call)
