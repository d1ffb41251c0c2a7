"""database: cosmos-db by the regions' own doors: what they answer, what they leave out, and how that is classed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, known
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.cosmos_world import World
from tests.emulators.azure.test_cosmos_db import session

__all__ = ["session"]
pytestmark = pytest.mark.timeout(300)

Break = Callable[[World, str], None]


def _door(**values: Any) -> Break:
    def happen(world: World, region: str) -> None:
        for name, value in values.items():
            setattr(world.machine.doors[region], name, value)

    return happen


SILENCES: dict[str, Break] = {
    "a black hole": _door(silent=True),
    "no connection": lambda world, region: world.make_unreachable(region),
    "throttled": _door(instead=(429, "3200")),
    "unavailable": _door(instead=(503, "")),
    "no role": _door(instead=(403, "5301")),
}


@pytest.mark.parametrize("what", SILENCES)
def test_a_region_that_says_nothing_is_unknown_and_nothing_is_ordered(session: World, what: str) -> None:
    state = known(session.port().read(NORTH))
    database = session.another(answer_within="1s")
    SILENCES[what](session, NORTH)
    assert isinstance(database.read(NORTH), Unknown)
    assert isinstance(database.beat(NORTH), Unknown)
    assert isinstance(database.read_canary(NORTH, "r1/write"), Unknown)
    with pytest.raises((Transient, Permanent)):
        database.failover(WEST, NORTH, expect=state, call=Calls().make())
    assert not session.machine.orders


def test_a_canary_whose_answer_was_lost_is_looked_at_and_not_written_twice(session: World) -> None:
    database, door = session.port(), session.machine.doors[WEST]
    door.losing = True
    with pytest.raises(OutcomeUnknown):
        database.write_canary(WEST, "r1/write", call=Calls().make())
    door.losing = False
    assert known(database.read_canary(WEST, "r1/write")) is not None
    database.write_canary(WEST, "r1/write", call=Calls().make(11))
    assert session.machine.documents[WEST]["canary~westeurope~r1~write"]["epoch"] == 10
    door.stale = {}
    with pytest.raises(Conflict):
        database.write_canary(WEST, "r1/write", call=Calls().make(12))


def test_a_write_that_was_acknowledged_and_is_not_there_is_no_canary(session: World) -> None:
    session.machine.doors[WEST].lying = True
    session.port().write_canary(WEST, "r1/write", call=Calls().make())
    assert known(session.port().read_canary(WEST, "r1/write")) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Permanent),
        (401, Permanent),
        (403, Permanent),
        (404, Permanent),
        (408, OutcomeUnknown),
        (409, Conflict),
        (412, Conflict),
        (413, Permanent),
        (423, Transient),
        (429, Transient),
        (449, Transient),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
        (418, OutcomeUnknown),
    ],
)
def test_what_cosmos_db_answers_is_classed(session: World, status: int, kind: type[CloudfailError]) -> None:
    session.machine.doors[WEST].instead = (status, "")
    call = replace(Calls().make(), timeout_seconds=5.0)
    with pytest.raises(kind) as raised:
        session.port().plane.documents.put(WEST, "canary", call, epoch=1)
    assert type(raised.value) is kind
    assert f"({status})" in str(raised.value)
