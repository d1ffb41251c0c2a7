"""database: cosmos-db: a switchover by priorities, and the region that is back after a failover."""

from __future__ import annotations

import pytest

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import Progress, Role
from cloudfail.testing.conformance import Calls, known
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.cosmos_world import World
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.cosmos import ACCOUNT
from tests.emulators.azure.test_cosmos_db import PRIORITIES, Serve, fail_over, made, session, switch, switching, world

__all__ = ["session", "world"]
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("style", ["status", "location"])
def test_a_switchover_sends_the_whole_list_under_the_mark(azure: Front, serving: Serve, style: str) -> None:
    world = made(azure, serving, WEST, "uksouth", NORTH, style=style)
    switch(world, 12)
    (asked,) = azure.seen(mutating=True)
    assert asked.operation == PRIORITIES
    assert asked.body == {
        "failoverPolicies": [
            {"locationName": "North Europe", "failoverPriority": 0},
            {"locationName": "UK South", "failoverPriority": 1},
            {"locationName": "West Europe", "failoverPriority": 2},
        ]
    }
    assert world.machine.documents[WEST]["mark"]["epoch"] == 12
    world.machine.end()
    assert switching(world).done
    world.close()


def test_a_switchover_is_done_once_the_regions_changed_places(world: World) -> None:
    world.machine.following = False
    switch(world)
    world.machine.end()
    assert (switching(world).done, switching(world).next) == (False, None)
    world.machine.writer = NORTH
    assert switching(world).done
    world.make_unreachable(WEST)
    assert "does not answer" in switching(world).detail


def test_an_account_that_fails_over_by_itself_refuses_and_the_command_is_named(world: World) -> None:
    world.machine.properties["enableAutomaticFailover"] = True
    with pytest.raises(Permanent, match="by itself") as raised:
        switch(world)
    assert f"az cosmosdb update --ids {ACCOUNT} --enable-automatic-failover false" in raised.value.to_do
    assert not world.machine.orders


def test_a_switchover_needs_both_regions(world: World) -> None:
    seen = switching(world)
    world.make_unreachable(WEST)
    assert isinstance(world.port().switchover_state(WEST, NORTH), Unknown)
    with pytest.raises(Transient):
        world.port().switchover(WEST, NORTH, expect=seen, call=Calls().make())
    world.restore(WEST)
    world.machine.there = [WEST]
    assert "no region of orders now" in switching(world).detail
    assert not world.machine.orders


def test_a_mark_that_somebody_replaced_meanwhile_is_a_conflict(world: World) -> None:
    world.port().plane.mark(WEST, Calls().make(5))
    old = dict(world.machine.documents[WEST])
    world.another().plane.mark(WEST, Calls().make(8))
    world.machine.doors[WEST].stale = old
    with pytest.raises(Conflict, match="412"):
        world.port().plane.mark(WEST, Calls().make(9))
    world.machine.doors[WEST].stale = None
    with pytest.raises(Conflict, match="epoch 8"):
        world.port().plane.mark(WEST, Calls().make(7))


# ---- the region that is back


def test_a_region_that_microsoft_brought_back_follows_once_it_shows_what_is_written(session: World) -> None:
    database, machine = session.port(), session.machine
    fail_over(session)
    machine.end()

    def following() -> Progress:
        state: Progress = known(database.follow_state(WEST, NORTH))
        return state

    before = len(machine.orders)
    waits = following()
    assert (waits.next, waits.done) == (None, False)
    assert "support request" in waits.detail
    machine.order_.append(WEST)
    assert "does not serve it yet" in following().detail, "Azure's word alone"
    machine.there.append(WEST)
    machine.documents[WEST] = {}
    machine.replicating = False
    assert "shows nothing" in following().detail
    machine.replicating = True
    assert following().done
    state = known(database.read(WEST))
    assert (state.role, state.upstream, state.writable) == (Role.REPLICA, NORTH, False)
    assert len(machine.orders) == before, "it is nobody's here to order"
    machine.replicating = False
    for document in machine.documents[WEST].values():
        document["at"] = 0.0
    machine.documents[WEST] = {key: dict(value) for key, value in machine.documents[WEST].items()}
    assert "s old" in following().detail
