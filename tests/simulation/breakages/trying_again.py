"""Trying again: how often and how soon a call is repeated, and that no run stands still without a way out (R7, L1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail import engine as engine_module
from cloudfail.actions import Todo
from cloudfail.engine import Engine
from cloudfail.errors import Transient
from cloudfail.execution import commands as commands_module
from cloudfail.execution import next as next_module
from cloudfail.execution import state as state_module
from cloudfail.execution.state import RunState
from tests.simulation.breakages.breakage import Acted, both, breaks, having, workers

# ---- R7


@breaks("R7")
def retries_without_bound(acted: Acted) -> Iterator[None]:
    """A step is tried again as long as its limit allows, whatever its retries say."""
    todo = next_module._todo

    def broken(run: Any, step: Any, track: Any, *rest: Any) -> Any:
        if run.track(track).attempts > step.retries:
            acted()
        return todo(run, replace(step, retries=10**6), track, *rest)

    with patch.object(next_module, "_todo", broken):
        yield


@breaks("R7")
def retries_are_not_journaled(acted: Acted) -> Iterator[None]:
    """A call that failed for a moment is sent again under the same intent."""
    act = Engine._act

    def broken(self: Engine, run: RunState, track: Any, todo: Todo, attempt: int) -> bool:
        real = self.actions[self._context(run, track)[0].name]

        class Again:
            name, port, verb, undo = real.name, real.port, real.verb, real.undo
            waits_for_source = real.waits_for_source
            observe = staticmethod(real.observe)

            @staticmethod
            def act(world: Any, context: Any, seen: Todo, call: Any) -> None:
                for _ in range(3):
                    try:
                        return real.act(world, context, seen, call)
                    except Transient:
                        acted()
                return real.act(world, context, seen, call)

        with patch.object(self, "actions", {**self.actions, real.name: Again()}):
            return act(self, run, track, todo, attempt)

    with patch.object(Engine, "_act", broken):
        yield


@breaks("R7", only=having("throttling"))
def a_servers_wish_to_wait_is_ignored(acted: Acted) -> Iterator[None]:
    """`retry after` is not waited for."""
    due = next_module._look_due

    def broken(run: Any, step: Any, track: Any, record: Any, now: Any) -> float:
        if record.result is not None and record.result.retry_after_seconds:
            acted()
            record = replace(record, result=replace(record.result, retry_after_seconds=0.0))
        return due(run, step, track, record, now)

    with patch.object(next_module, "_look_due", broken):
        yield


# ---- L1


@breaks("L1")
def what_is_owed_is_never_retried(acted: Acted) -> Iterator[None]:
    """An obligation is written down, and that is all."""

    def nothing(run: RunState, *_now: Any) -> Any:
        if run.owed:
            acted()
        return ()

    with (
        patch.object(next_module, "_owed", lambda run: list(nothing(run))),
        patch.object(engine_module, "obligation_commands", nothing),
    ):
        yield


@breaks("L1")
def a_halt_names_no_command(acted: Acted) -> Iterator[None]:
    """A run that cannot go on says why, and not what helps."""
    halt, event = commands_module.halt, commands_module.halt_event

    def broken_halt(run: Any, reason: str, _to_do: str, asks: Any) -> Any:
        acted()
        return halt(run, reason, "", asks)

    def broken_event(run: Any, what: Any, reason: str, _to_do: str) -> Any:
        acted()
        return event(run, what, reason, "")

    with patch.object(commands_module, "halt", broken_halt), patch.object(commands_module, "halt_event", broken_event):
        yield


@breaks("L1", only=both(having("crash"), workers(2)))
def each_turn_counts_the_silence_anew(acted: Acted) -> Iterator[None]:
    """A holder's silence is forgotten with each engine, so that short turns never see enough of it."""
    make = Engine.__init__

    def broken(self: Engine, **of: Any) -> None:
        if of.get("silence") is not None:
            acted()
        make(self, **{**of, "silence": None})

    with patch.object(Engine, "__init__", broken):
        yield


@breaks("L1")
def resume_does_not_try_again(acted: Acted) -> Iterator[None]:
    """What failed stays failed, whatever a person commands."""

    def broken(run: RunState) -> RunState:
        acted()
        return run

    with patch.object(state_module, "_try_again", broken):
        yield
