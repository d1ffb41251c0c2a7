"""database: cosmos-db-multi-write: every region of the account takes writes, and each is asked at its own door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, NotKnown, Todo
from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.testing.conformance import Calls, known
from cloudfail.testing.many_writers_suite import ManyWritersSuite
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.cosmos_world import MANY, PACKAGE, World
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.cosmos import Cosmos
from tests.emulators.gcp.many_writers import step_of

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def world(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[World]:
    one = World(azure, serving(PACKAGE, Cosmos((WEST, NORTH), consistency="Session", many=True)))
    yield one
    one.close()


class TestCosmosMultiWrite(ManyWritersSuite):
    """The world is the module's."""


def test_a_write_in_the_survivor_is_proven_while_the_other_region_and_azure_are_silent(world: World) -> None:
    world.make_unreachable(WEST)
    world.front.outages.refuse()
    look, act = step_of(world.port(), WEST, NORTH)
    first = look()
    assert isinstance(first, Todo)
    act(first, Calls().make())
    assert isinstance(look(), Done)
    assert world.front.count() == 0


def test_a_region_that_is_out_of_the_account_takes_no_writes(world: World) -> None:
    world.machine.there = [NORTH]
    state = known(world.port().read(WEST))
    assert not state.writable
    assert "1008" in state.moving
    with pytest.raises(Transient):
        world.port().write_canary(WEST, "r1/write", call=Calls().make())


@pytest.mark.parametrize("how", ["silent", "instead"])
def test_a_region_that_does_not_answer_is_unknown_and_never_written(world: World, how: str) -> None:
    setattr(world.machine.doors[NORTH], how, (503, "") if how == "instead" else True)
    database = world.another(answer_within="1s")
    look, _ = step_of(database, WEST, NORTH)
    assert isinstance(look(), NotKnown)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(NORTH, "r1/write", call=Calls().make())
    assert not [name for name in world.machine.documents[NORTH] if "canary" in name]


def test_what_had_not_arrived_is_said_as_a_sample_and_no_bound(world: World) -> None:
    database = world.port()
    assert database.loss(WEST, NORTH, Unknown("-")).if_dead_seconds is None
    database.beat(WEST)
    database.beat(NORTH)
    world.machine.replicating = False
    beat = known(database.beat(WEST))
    bound = database.loss(WEST, NORTH, Known(beat, beat))
    assert bound.if_dead_seconds is not None
    assert bound.if_dead_seconds > 0.0
    assert "of one partition" in bound.parts[0]
    assert known(database.read(NORTH)).lag_seconds is not None


def test_an_account_with_one_writer_is_told_of(world: World) -> None:
    assert known(world.port().preflight()) == ()
    world.machine.properties["enableMultipleWriteLocations"] = False
    world.machine.many = False
    (said,) = known(world.port().preflight())
    assert "in westeurope alone: write `database: cosmos-db`" in said
    world.front.outages.refuse()
    assert isinstance(world.port().preflight(), Unknown)


def test_it_only_reads_what_resource_manager_has(world: World) -> None:
    world.port().preflight()
    assert {one.operation for one in world.front.seen()} == {"database_accounts.get"}
    assert (MANY.many_writers, set(MANY.verbs)) == (True, {"canary"})
