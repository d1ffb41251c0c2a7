"""What an earlier order may still change: first looks, orders that are repeated, approvals that were given before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Owed
from cloudfail.execution.commands import ActOn, LookAt, WaitUntil
from cloudfail.execution.lifecycle import Event
from cloudfail.execution.next import next_commands, obligation_commands, watch_commands
from cloudfail.execution.state import Track
from tests.unit.logs import gate, intent, result, run_after, seen, told
from tests.unit.moments import FENCE, FREEZE, TODO, UNFREEZE, at, due, of
from tests.unit.test_core_watching import ONE, WATCH_ONE, watching

SLOW = replace(ONE, facts=replace(ONE.facts, settle_seconds=5.0))


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ((intent("freeze", 10.0), told("abort")), 11.0),
        ((intent("freeze", 10.0), result("freeze", "ok", 10.5), told("abort")), 11.5),
        ((seen("freeze", "owed"), intent("freeze", 10.0, "owed"), told("abort")), 11.0),
        ((intent("freeze", 10.0, "owed"), result("freeze", "ok", 10.5, "owed"), told("abort")), 11.5),
        ((intent("freeze", 10.4), intent("freeze", 10.0, "owed"), told("abort")), 11.4),
        ((intent("freeze", 10.0), intent("freeze", 10.4, "owed"), told("abort")), 11.4),
    ],
)  # fmt: skip
def test_an_undo_first_looks_when_what_was_ordered_has_settled(said: Any, first: float) -> None:
    run = run_after(*said)
    assert due(run, 10.6, UNFREEZE) == first
    assert due(run, first, UNFREEZE) == first


@pytest.mark.parametrize(
    ("later", "first"), [((), 15.2), ((intent("one", 10.6, "owed"),), 15.6), ((intent("one", 9.0, "owed"),), 15.2)]
)
def test_what_was_done_is_watched_when_the_last_order_has_settled(later: Any, first: float) -> None:
    said = (intent("one", 10.0), result("one", "ok", 10.2), seen("one", t=10.3), *later)
    run = run_after(*said, plan=watching(SLOW))
    assert watch_commands(run, at(12.0)) == (WaitUntil(pytest.approx(first), "settle", track=WATCH_ONE),)


def test_what_was_put_back_is_watched_when_that_has_settled() -> None:
    back = (intent("one", 20.0, "undo"), result("one", "ok", 20.5, "undo"), seen("one", t=20.6, way="undo"))
    run = run_after(intent("one", 10.0), result("one", "ok", 10.2), told("abort"), *back, plan=watching(SLOW))
    assert watch_commands(run, at(21.0)) == (WaitUntil(25.5, "settle", track=WATCH_ONE),)
    assert watch_commands(run, at(25.5)) == (LookAt(WATCH_ONE),)


def test_a_look_from_before_the_world_had_its_usual_time_orders_nothing_again() -> None:
    run = run_after(intent("freeze", 9.0), result("freeze", "ok", 10.0))
    assert next_commands(run, at(17.0, {FREEZE: TODO}, looked=15.9)) == (LookAt(FREEZE),)
    assert next_commands(run, at(17.0, {FREEZE: TODO}, looked=16.0)) == (ActOn(FREEZE, TODO, 2),)


def test_what_was_agreed_to_with_the_start_does_not_pass_a_gate_behind_a_fence_that_was_owed() -> None:
    """It could be fenced since the source answers again: undo is offered first."""
    opening: dict[str, Any] = {
        "automation": "automatic",
        "standing": True,
        "signed_by": "carol",
        "preapproved": "alice",
    }
    owed = (seen("freeze"), seen("fence", "owed"), gate(Event.GATE_OPENED, 3.0), seen("scale"))
    settled = (*owed, seen("fence", way="owed", outcome="proven"))
    (waits,) = next_commands(run_after(*settled, **opening), at(10.0))
    assert isinstance(waits, WaitUntil)
    (passes,) = next_commands(run_after(*settled, told("approve"), **opening), at(10.0))
    assert not isinstance(passes, WaitUntil)
    other = (seen("freeze", "owed"), seen("freeze", way="owed"), seen("fence", outcome="proven"), *owed[2:])
    (passes,) = next_commands(run_after(*other, **opening), at(10.0))
    assert not isinstance(passes, WaitUntil), "another step that was owed keeps no gate"
    assert not of(next_commands(run_after(*other, **opening), at(10.0)), FENCE)


@pytest.mark.parametrize(("count", "pause"), [(1, 2.0), (14, 2.0), (15, 4.0), (30, 8.0), (45, 10.0), (9999, 10.0)])
def test_a_region_that_stays_away_is_asked_less_often(count: int, pause: float) -> None:
    track = Track("freeze", "owed")
    (wait,) = obligation_commands(run_after(seen("freeze", "owed")), at(1.0, {track: Owed("no answer")}, count=count))
    assert wait == WaitUntil(1.0 + pause, "look again", stay=False, track=track)
