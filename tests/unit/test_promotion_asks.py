"""What a promotion says when nothing can be said, and in whose name automation passes a gate."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from cloudfail.actions import NotKnown, StepContext, Todo
from cloudfail.actions.database import Failover
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, LossBound, Role
from tests.kit import Stage, load_local

REPLICA = DatabaseState(Role.REPLICA, False, 7)
CONTEXT = StepContext(cast(Any, SimpleNamespace(arguments={"database": "orders"})), "r1", "east", "west")


def look(*reads: Known[DatabaseState] | Unknown) -> object:
    left = list(reads)
    database = SimpleNamespace(
        read=lambda _region: left.pop(0),
        fence_state=lambda _source, _target: Unknown("west does not answer"),
        loss=lambda *_: LossBound(None, None, ("west does not answer",)),
    )
    world = SimpleNamespace(database=lambda _name: database, acknowledged=lambda *_: Unknown("nobody"))
    return Failover().observe(cast(Any, world), CONTEXT)


def test_a_target_that_falls_silent_between_two_looks_asks_nobody_to_accept_a_loss() -> None:
    now = time.time()
    seen = look(Known(REPLICA, now), Unknown("west: connection refused"))
    assert isinstance(seen, NotKnown)
    assert "west: connection refused" in seen.reason
    assert isinstance(look(Known(REPLICA, now), Known(REPLICA, now)), Todo)


def test_what_comes_after_the_promotion_is_another_effect_which_does_not_wait_for_it() -> None:
    """Of one effect the world is given its usual time to follow, minutes for a managed database, before it is ordered
    again; what comes next by another order need not wait for that."""
    now = time.time()
    first = look(Known(REPLICA, now), Known(REPLICA, now))
    shut = Known(DatabaseState(Role.PRIMARY, False, 9, next="give back the logins that the fence took"), now)
    second = look(shut, shut)
    assert isinstance(first, Todo)
    assert isinstance(second, Todo)
    assert (first.effect, second.effect) == (
        "promote orders in west",
        "promote orders in west: give back the logins that the fence took",
    )


def test_a_gate_that_automation_passes_names_the_person_who_signed_the_plan() -> None:
    stage = Stage(load_local())
    stage.cloud.kill("east")
    run = stage.open(
        "evacuate-local", "east", "west", preapproved="", automation="automatic", standing=True, signed_by="carol"
    )
    stage.drive()
    assert any("approved by the standing plan signed by carol" in line.text for line in stage.run(run).story)
