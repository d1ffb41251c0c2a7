"""Pre- and post-conditions of steps: what else must hold before an effect, and after it was seen."""

from __future__ import annotations

from cloudfail.actions import Done, Look, Moving, NotKnown, StepContext, Todo, World
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.runbook import Condition
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
            return Moving(f"waits until {what} ({when} {context.step.name})")
    return seen


def holds(world: World, context: StepContext, condition: Condition) -> Known[bool] | Unknown:
    """Read one condition from the world."""
    region = condition.region
    if condition.signal == "healthy":
        return world.healthy(condition.subject, region)
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
    """A replica is in sync if its primary waits for it, or if its own lag is known and under a second."""
    replica = state.value
    if replica.role is not Role.REPLICA or replica.upstream is None:
        return Known(replica.in_sync, state.at)
    if replica.lag_seconds is not None and replica.lag_seconds <= LAG_IN_SYNC_SECONDS_MAX:
        return Known(True, state.at)
    upstream = database.read(replica.upstream)
    return upstream if isinstance(upstream, Unknown) else Known(upstream.value.in_sync, upstream.at)
