"""What a run's state remembers between entries is what would be worked out from its tracks alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.execution.state import LogState, RunState, fold
from cloudfail.model.codec import checksum_of, plan_document
from cloudfail.model.journal import Entry, Kind
from cloudfail.model.plan import Bounds, Plan, PlannedStep
from cloudfail.model.runbook import Mode

NAMES = tuple("abcdef")


def entry(kind: Kind, data: dict[str, Any], epoch: int = 2) -> Entry:
    return Entry(3, kind, epoch, "worker", 1.0, 1.0, "", "", {"run": "run", **data})


def intent(step: str, way: str) -> Entry:
    return entry(Kind.INTENT, {"step": step, "way": way, "attempt": 1, "effect": "change"})


def result(step: str, way: str) -> Entry:
    return entry(Kind.RESULT, {"step": step, "way": way, "outcome": "ok", "message": ""})


def seen(step: str, way: str, ended: str) -> Entry:
    return entry(Kind.SEEN, {"step": step, "way": way, "ended": ended, "detail": ""})


def gate(step: str, event: str) -> Entry:
    return entry(Kind.GATE, {"step": step, "event": event, "detail": ""})


steps = st.sampled_from(NAMES)
ways = st.sampled_from(["do", "do", "do", "undo", "owed", "watch"])
entries = st.one_of(
    st.builds(intent, steps, ways),
    st.builds(result, steps, ways),
    st.builds(seen, steps, ways, st.sampled_from(["done", "done", "done", "owed", "failed", "skipped"])),
    st.builds(gate, steps, st.sampled_from(["gate opened", "gate passed", "gate expired"])),
    st.just(entry(Kind.HALT, {"event": "halt", "reason": "", "to_do": ""})),
    st.just(entry(Kind.COMMAND, {"command": "resume"}, epoch=0)),
    st.just(entry(Kind.COMMAND, {"command": "abort"}, epoch=0)),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    made = []
    for number, name in enumerate(NAMES):
        needs = tuple(draw(st.sets(st.sampled_from(NAMES[:number])))) if number else ()
        made.append(PlannedStep(name, "change", None, {}, needs, 60.0, 60.0, 3))
    plan = Plan("shop", "evacuate", Mode.FAILOVER, "east", "west", tuple(made), Bounds(30.0), "", 3600.0)
    return replace(plan, checksum=checksum_of(plan))


def worked_out(run: RunState) -> tuple[Any, ...]:
    return dict(run.ended), run.passed, run.ready, run.owed


@settings(max_examples=300, deadline=None)
@given(plans(), st.lists(entries, max_size=25), st.lists(st.booleans(), min_size=25, max_size=25))
def test_what_is_remembered_is_what_the_tracks_say(plan: Plan, log: list[Entry], asked: list[bool]) -> None:
    opened = entry(Kind.OPENED, {"plan": plan_document(plan), "automation": "off", "reason": ""}, epoch=0)
    claim = Entry(2, Kind.CLAIM, 2, "worker", 1.0, 0.0, "", "", {"lease_seconds": 6.0, "quiet_seconds": 0.0})
    state = fold(LogState(), [opened, replace(claim, seq=2)])
    for one, ask in zip(log, asked, strict=False):
        state = fold(state, [one])
        run = state.runs["run"]
        if ask:  # what was never asked for is not remembered either
            assert worked_out(run) == worked_out(replace(run))
    run = state.runs["run"]
    assert worked_out(run) == worked_out(replace(run))
    by_hand = [
        step
        for step in plan.steps
        if not run.did(step.name).ended and all(run.did(need).ended in {"done", "owed"} for need in step.needs)
    ]
    assert list(run.ready) == by_hand
