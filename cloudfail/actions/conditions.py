"""Pre- and post-conditions of steps: what else must hold before an effect, and after it was seen."""

from __future__ import annotations

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.model.runbook import Condition
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.states import DatabaseState, FenceOutcome, Role
from cloudfail.ports import Database


def unmet(world: World, context: StepContext, seen: Look) -> Look:
    """`seen`, unless a condition does not hold: a `todo` waits for its pre-conditions (unless it takes back), a `done`
    for its post-ones."""
    if isinstance(seen, Todo) and not seen.takes_back:
        conditions, when = context.step.pre, "before"
    elif isinstance(seen, Done):
        conditions, when = context.step.post, "after"
    else:
        return seen
    for condition in conditions:
        held = holds(world, context, condition)
        what = f"{condition.signal} {condition.subject} in {condition.region}"
        if isinstance(held, Unknown):
            return NotKnown(f"whether {what} ({when} {context.step.name}): {held.reason}")
        if not held.value:
            said = f": {fires.value.detail}" if (fires := _firing(world, condition)) is not None else ""
            return Moving(f"waits until {what} ({when} {context.step.name}){said}")
    return seen


def kept_waiting(world: World, step: PlannedStep) -> list[str]:
    """Why a step would wait for a signal if it were to act now, for whoever plans it. Never raises."""
    found = []
    for condition in step.pre:
        if condition.signal != "quiet":
            continue
        what = f"{step.name} waits until {condition.subject} is quiet in {condition.region}"
        try:
            read = heard(world.signals(condition.subject).read(condition.region))
        except Exception as error:  # noqa: BLE001  whatever a provider raises, the plan says so and goes on
            read = Unknown(f"{type(error).__name__}: {error}")
        if isinstance(read, Unknown):
            found.append(f"{what}, and that is not known now: {read.reason}")
        elif read.value.firing:
            found.append(f"{what}, and now {read.value.detail}")
    return found


def _firing(world: World, condition: Condition) -> Known[SignalState] | None:
    """The signal that keeps a `quiet` from holding, so that its own words reach the operator."""
    if condition.signal != "quiet":
        return None
    read = heard(world.signals(condition.subject).read(condition.region))
    return read if isinstance(read, Known) and read.value.firing else None


def holds(world: World, context: StepContext, condition: Condition) -> Known[bool] | Unknown:
    """Read one condition from the world."""
    region = condition.region
    if condition.signal == "healthy":
        return world.healthy(condition.subject, region)
    if condition.signal == "quiet":
        said = heard(world.signals(condition.subject).read(region))
        return said if isinstance(said, Unknown) else Known(not said.value.firing, said.at)
    database = world.database(condition.subject)
    if condition.signal == "fenced":
        fence = database.fence_state(region, context.target if region != context.target else context.source)
        if isinstance(fence, Unknown):
            return fence
        return Known(fence.value.outcome in {FenceOutcome.PROVEN, FenceOutcome.PREVENTED}, fence.at)
    state = database.read(region)
    if isinstance(state, Unknown):
        return state
    match condition.signal:
        case "writable":
            return Known(state.value.writable, state.at)
        case "replica":
            return Known(state.value.role is Role.REPLICA and state.value.upstream is not None, state.at)
        case "in_sync":
            return _in_sync(database, state)
    return Unknown(f"no such signal: {condition.signal}")


LAG_IN_SYNC_SECONDS_MAX = 1.0


def _in_sync(database: Database, state: Known[DatabaseState]) -> Known[bool] | Unknown:
    """A replica is in sync if its primary waits for it, or if its own lag is known and under a second. One of many
    writers has no upstream, and its lag is what it lacks of the others' writes."""
    replica = state.value
    near = replica.lag_seconds is not None and replica.lag_seconds <= LAG_IN_SYNC_SECONDS_MAX
    if replica.role is Role.PRIMARY:
        return Known(replica.in_sync or near, state.at)
    if replica.upstream is None:
        return Known(replica.in_sync, state.at)
    if near:
        return Known(True, state.at)
    upstream = database.read(replica.upstream)
    return upstream if isinstance(upstream, Unknown) else Known(upstream.value.in_sync, upstream.at)
