"""Done means verified by use: a write that succeeds on the new primary, users who are served (safety rule 14)."""

from __future__ import annotations

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.model.observation import Unknown
from cloudfail.ports import Call


class Write:
    """verify.write {database, where}: write a row as an application would, and read it back."""

    name = "verify.write"
    port = "database"
    verb = "canary"
    undo: str | None = None
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        name, region = context.step.arguments["database"], context.step.arguments["where"]
        database = world.database(name)
        read = database.read_canary(region, self._token(context))
        if isinstance(read, Unknown):
            return NotKnown(f"{name} in {region}: {read.reason}")
        if read.value is None:
            return Todo(f"write a canary to {name} in {region}", "not written", "written and read back")
        state = database.read(region)
        if isinstance(state, Unknown):
            return NotKnown(f"{name} in {region}: {state.reason}")
        if not state.value.writable:
            return Moving(f"{name} in {region} shows the canary, but takes no writes")
        return Done(f"{name} in {region} took the write {read.value.token} and gave it back")

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        name, region = context.step.arguments["database"], context.step.arguments["where"]
        world.database(name).write_canary(region, self._token(context), call=call)

    @staticmethod
    def _token(context: StepContext) -> str:
        return f"{context.run}/{context.step.name}"


class Users:
    """verify.users {check, where}: the check passes from enough vantages, looked at afresh. Done where `where` is a
    stand-in that does not serve it: then the plan holds `served: False`."""

    name = "verify.users"
    port = ""
    verb = ""
    undo: str | None = None
    waits_for_source = False

    def observe(self, world: World, context: StepContext) -> Look:
        check, region = context.step.arguments["check"], context.step.arguments["where"]
        if context.step.arguments.get("served") is False:
            return Done(f"{region} is a stand-in, and {check} is nothing that it serves")
        healthy = world.healthy(check, region)
        if isinstance(healthy, Unknown):
            return NotKnown(f"{check} in {region}: {healthy.reason}")
        return (
            Done(f"{check} passes in {region}") if healthy.value else Moving(f"{check} does not pass in {region} yet")
        )

    def act(self, world: World, context: StepContext, seen: Todo, call: Call) -> None:
        raise AssertionError("verify.users changes nothing")
