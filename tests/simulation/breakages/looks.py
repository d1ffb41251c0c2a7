"""Looks: when the world is looked at, what is made of what is seen, and what ends a step (R3, R4, R5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.actions.compute import Scale
from cloudfail.actions.database import Failover
from cloudfail.actions.verify import Write
from cloudfail.engine import Engine, _ActBack
from cloudfail.execution import commands as commands_module
from cloudfail.execution import next as next_module
from cloudfail.model.observation import Known
from tests.simulation.breakages.breakage import Acted, breaks, having

# ---- R3


@breaks("R3")
def no_settling_after_acting(acted: Acted) -> Iterator[None]:
    """After a call came back, the world is looked at at once."""
    due = next_module._look_due

    def broken(run: Any, step: Any, track: Any, record: Any, now: Any) -> float:
        if record.result is not None and step.facts.settle_seconds:
            acted()
            step = replace(step, facts=replace(step.facts, settle_seconds=0.0))
        return due(run, step, track, record, now)

    with patch.object(next_module, "_look_due", broken):
        yield


@breaks("R3")
def no_settling_after_an_unknown_outcome(acted: Acted) -> Iterator[None]:
    """A call whose answer was lost is looked at after the usual pause between two attempts."""
    due = next_module._look_due

    def broken(run: Any, step: Any, track: Any, record: Any, now: Any) -> float:
        if record.result is not None and record.result.outcome == "unknown" and step.facts.settle_seconds:
            acted()
            step = replace(step, facts=replace(step.facts, settle_seconds=0.0))
        return due(run, step, track, record, now)

    with patch.object(next_module, "_look_due", broken):
        yield


# ---- R4


@breaks("R4")
def moving_is_todo(acted: Acted) -> Iterator[None]:
    """What is on its way is ordered again (and is not given its usual time to follow)."""
    promote, scale = Failover.observe, Scale.observe

    def broken_promote(self: Failover, world: Any, context: Any) -> Any:
        seen = promote(self, world, context)
        read = world.database(context.step.arguments["database"]).read(context.target)
        if not isinstance(seen, Moving) or not isinstance(read, Known):
            return seen
        acted()
        return Todo("promote it", expect=read.value, loses_data=True, fence="proven", loss_if_dead_seconds=0.0)

    def broken_scale(self: Scale, world: Any, context: Any) -> Any:
        seen = scale(self, world, context)
        group, region = context.step.arguments["group"], context.step.arguments["where"]
        read = world.compute(group).read(region)
        if not isinstance(seen, Moving) or not isinstance(read, Known):
            return seen
        acted()
        return Todo(f"scale {group} in {region}", expect=read.value, memory={"wanted": read.value.wanted})

    with (
        patch.object(Failover, "observe", broken_promote),
        patch.object(Scale, "observe", broken_scale),
        patch.object(next_module, "_follows_by", lambda *_: 0.0),
    ):
        yield


@breaks("R4")
def unknown_is_done(acted: Acted) -> Iterator[None]:
    """A read that failed is taken for the end of the step."""
    with _looks_changed(lambda seen: Done(seen.reason) if isinstance(seen, NotKnown) else seen, acted):
        yield


@contextmanager
def _looks_changed(changed: Callable[[Any], Any], acted: Acted) -> Iterator[None]:
    seen = Engine._seen

    def broken(self: Engine, *what: Any) -> Any:
        back = seen(self, *what)
        look = changed(back.look)
        if look is not back.look:
            acted()
        return replace(back, look=look)

    with patch.object(Engine, "_seen", broken):
        yield


# ---- R5


@breaks("R5", only=having("error: lie"), shows="I2")
def the_api_said_ok(acted: Acted) -> Iterator[None]:
    """A call that came back without an error ends its step."""
    take = Engine._take

    def broken(self: Engine, back: Any) -> None:
        take(self, back)
        if isinstance(back, _ActBack) and back.outcome == "ok":
            acted()
            run = self.state.runs[back.run]
            said = commands_module.ended(run, back.track, "done", "the API said so", outcome="proven")
            self._append(said.kind, said.data)

    with patch.object(Engine, "_take", broken):
        yield


@breaks("R5")
def the_write_is_not_tried(acted: Acted) -> Iterator[None]:
    """verify.write is done without a write."""

    def broken(_self: Write, _world: Any, _context: Any) -> Done:
        acted()
        return Done("surely")

    with patch.object(Write, "observe", broken):
        yield
