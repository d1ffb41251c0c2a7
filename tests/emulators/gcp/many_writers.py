"""What the tests of databases with many writers share: the step that proves a write, and refusals as newer APIs word
them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudfail.actions import StepContext, Todo
from cloudfail.actions.catalog import ACTIONS
from cloudfail.model.plan import PlannedStep, StepFacts
from cloudfail.ports import Call
from tests.emulators.gcp.front import Front, error


class _World:
    def __init__(self, database: Any) -> None:
        self._database = database

    def database(self, name: str) -> Any:
        return self._database


def step_of(database: Any, source: str, target: str) -> tuple[Callable[[], Any], Callable[[Todo, Call], None]]:
    """The step verify.write of a run: how it looks, how it acts."""
    arguments = {"database": "orders", "where": target}
    step = PlannedStep(
        name="write", action="verify.write", gate=None, arguments=arguments, needs=(), limit_seconds=60.0,
        expires_seconds=0.0, retries=3, pre=(), post=(), undo=None, resource="orders", identifiers={},
        facts=StepFacts("canary"), point_of_no_return=False,
    )  # fmt: skip
    action, context, seen_by = ACTIONS["verify.write"], StepContext(step, "r1", source, target), _World(database)

    def look() -> Any:
        return action.observe(seen_by, context)  # type: ignore[arg-type]  # it asks for a database, and no more

    def act(seen: Todo, call: Call) -> None:
        action.act(seen_by, context, seen, call)  # type: ignore[arg-type]

    return look, act


def refused(front: Front, code: str, status: int, **where: Any) -> None:
    """As newer APIs word it: by a code of google.rpc alone."""
    said = error(status, "", code, code)
    front.outages._add(lambda request, asked, forward: said, where)
