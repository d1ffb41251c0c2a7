"""People's commands: decline and abort, and pause, which stops automation and runs (R9, I7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail import decide as decide_module
from cloudfail.engine import _Guard
from cloudfail.execution import next as next_module
from cloudfail.execution import state as state_module
from cloudfail.execution.lifecycle import Event, Phase
from cloudfail.execution.state import RunState
from cloudfail.testing.simulation.scenario import Happening
from tests.simulation.breakages.breakage import Acted, breaks, having
from tests.simulation.breakages.made_by_hand import stopped_before_each_boundary

# ---- R9


@breaks(
    "R9",
    by_hand=stopped_before_each_boundary(Happening("person: pause", 7.0), seconds=7.0),
    why="the few milliseconds between an intent and its request are made as long as a call may take",
)
def the_tail_is_not_read_before_a_request(acted: Acted) -> Iterator[None]:
    """What a person said since the intent is not seen by the last check (the clock still is)."""
    check = _Guard.check

    def broken(self: _Guard) -> None:
        acted()
        with patch.object(self._engine.store, "read", lambda *_: []):
            check(self)

    with patch.object(_Guard, "check", broken):
        yield


@breaks("R9")
def decline_is_ignored(acted: Acted) -> Iterator[None]:
    """A person's decline is an entry that changes nothing."""
    with _unheard(Event.DECLINE, acted):
        yield


@breaks("R9")
def abort_is_ignored(acted: Acted) -> Iterator[None]:
    """A person's abort is an entry that changes nothing."""
    with _unheard(Event.ABORT, acted):
        yield


@contextmanager
def _unheard(event: Event, acted: Acted) -> Iterator[None]:
    command = state_module._command

    def broken(run: Any, entry: Any) -> Any:
        if entry.data["command"] != event:
            return command(run, entry)
        acted()
        return run

    with patch.object(state_module, "_command", broken):
        yield


# ---- I7


@breaks("I7", only=having("person: pause automation", way="watch"))
def a_paused_automation_acts(acted: Acted) -> Iterator[None]:
    """`pause --automation` is not asked for before a run is opened."""

    def broken(situation: Any) -> str:
        if situation.history.paused:
            acted()
        return "Automation is not paused."

    rules = tuple(broken if rule is decide_module.automation_is_not_paused else rule for rule in decide_module.RULES)
    with patch.object(decide_module, "RULES", rules):
        yield


@breaks("I7", only=having("person: pause"))
def a_paused_run_acts(acted: Acted) -> Iterator[None]:
    """A paused run goes on with what it has begun."""
    tracks = next_module._tracks

    def broken(run: RunState) -> Any:
        if run.phase is not Phase.PAUSED:
            return tracks(run)
        acted()
        return tracks(replace(run, phase=Phase.RUNNING))

    with patch.object(next_module, "_tracks", broken):
        yield
