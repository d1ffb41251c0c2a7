"""A log as a list of what was said, at which run second, and the state that it tells: for the tests of the core."""

from __future__ import annotations

import dataclasses
from typing import Any

from cloudfail.execution.lifecycle import Event
from cloudfail.execution.state import (
    LogState,
    RunState,
    fold,
)
from cloudfail.model.codec import checksum_of, plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.plan import Bounds, Plan, PlannedStep, StepFacts
from cloudfail.model.runbook import Mode


def step(name: str, action: str | None, needs: tuple[str, ...] = (), **more: Any) -> PlannedStep:
    defaults: dict[str, Any] = {"gate": None, "arguments": {}, "limit_seconds": 60.0, "expires_seconds": 600.0}
    return PlannedStep(name=name, action=action, needs=needs, retries=3, **{**defaults, **more})


PLAN = Plan(
    application="shop",
    runbook="evacuate",
    mode=Mode.FAILOVER,
    source="east",
    target="west",
    steps=(
        step("freeze", "change.freeze", undo=("change.unfreeze", {}), facts=StepFacts("freeze", settle_seconds=1.0)),
        step("fence", "database.fence", ("freeze",), undo=("database.unfence", {}), facts=StepFacts("fence")),
        step("approve", None, ("fence",), gate="approval"),
        step("promote", "database.failover", ("approve",), point_of_no_return=True, facts=StepFacts("failover")),
        step("scale", "compute.scale", ("freeze",), undo=("compute.scale", {}), facts=StepFacts("scale")),
        step("switch", "traffic.switch", ("promote", "scale"), undo=("traffic.switch", {}), facts=StepFacts("shift")),
    ),
    bounds=Bounds(30.0),
    checksum="",
    expires_seconds=3600.0,
)
PLAN = dataclasses.replace(PLAN, checksum=checksum_of(PLAN))

Said = tuple[Kind, float | None, dict[str, Any]]


def intent(name: str, t: float = 0.0, way: str = "do", attempt: int = 1, effect: str = "do it", **more: Any) -> Said:
    return Kind.INTENT, t, {"step": name, "way": way, "attempt": attempt, "effect": effect, **more}


def result(name: str, outcome: str, t: float = 0.0, way: str = "do", message: str = "", **more: Any) -> Said:
    return Kind.RESULT, t, {"step": name, "way": way, "outcome": outcome, "message": message, **more}


def seen(name: str, ended: str = "done", t: float = 0.0, way: str = "do", detail: str = "", **more: Any) -> Said:
    return Kind.SEEN, t, {"step": name, "way": way, "ended": ended, "detail": detail, **more}


def gate(event: Event, t: float = 0.0, name: str = "approve", detail: str = "") -> Said:
    return Kind.GATE, t, {"step": name, "event": str(event), "detail": detail}


def halt(t: float = 0.0, event: Event = Event.HALT, **more: Any) -> Said:
    return Kind.HALT, t, {"event": str(event), "reason": "because", "to_do": "do this", **more}


def told(command: str, **more: Any) -> Said:
    return Kind.COMMAND, None, {"command": command, **more}


def closed(event: Event, t: float = 0.0) -> Said:
    return Kind.CLOSED, t, {"event": str(event)}


def claim(t: float, took_over: int) -> Said:
    return Kind.CLAIM, t, {"lease_seconds": 30.0, "quiet_seconds": 5.0, "took_over": took_over}


def log(*said: Said, plan: Plan = PLAN, by: str = "bob", **opening: Any) -> LogState:
    """The application's state after these: entry 1 is a claim, entry 2 opens run r1, the first word said is entry 3.
    The wall clock shows 100 more than an entry's number; what has no run of its own is said of r1."""
    plan = dataclasses.replace(plan, checksum=checksum_of(plan))
    data = {"run": "r1", "plan": plan_document(plan), "automation": "off", "reason": "east is lost", **opening}
    state = fold(
        LogState(),
        [
            Entry(1, Kind.CLAIM, 1, "w1", 101.0, 0.0, "", "", {"lease_seconds": 30.0, "quiet_seconds": 5.0}),
            Entry(2, Kind.OPENED, 0, "alice", 102.0, None, "", "", data),
        ],
    )
    for kind, t, more in said:
        state = fold(state, [entry(state, kind, t, more, by)])
    return state


def entry(state: LogState, kind: Kind, t: float | None, data: dict[str, Any], by: str = "bob") -> Entry:
    seq = state.seq + 1
    epoch = 0 if kind is Kind.COMMAND else seq if kind is Kind.CLAIM else state.epoch
    who = by if kind is Kind.COMMAND else "w1"
    return Entry(seq, kind, epoch, who, 100.0 + seq, t, "", "", {"run": "r1", **data})


def run_after(*said: Said, plan: Plan = PLAN, **opening: Any) -> RunState:
    return log(*said, plan=plan, **opening).runs["r1"]


DONE_TO_THE_GATE = (seen("freeze", t=1.0), seen("fence", t=2.0, outcome="proven"), gate(Event.GATE_OPENED, 3.0))
GATE_PASSED = (*DONE_TO_THE_GATE, gate(Event.GATE_PASSED, 4.0))
