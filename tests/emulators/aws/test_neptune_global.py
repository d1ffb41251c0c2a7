"""database: neptune-global: two clusters behind botocore's model of their data plane, roles that IAM's model knows, and
a control plane that says what it says whatever the clusters do."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_aws.database.global_clusters import copy_name
from cloudfail_aws.database.neptune_global import NeptuneGlobal
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.emulator import Emulator, free_port
from tests.emulators.aws.global_world import GLOBAL, NAMES, TAIL, Control, World
from tests.emulators.aws.graph_world import (
    Graphs,
    bare,
    control,
    fenced,
    made,
    member,
    servers,
    world,
)  # fmt: skip

__all__ = ["bare", "control", "servers", "world"]


class TestNeptuneGlobal(DatabaseSuite):
    pass


# ---- the two orders


def test_a_failover_names_the_loss_and_is_asked_once_of_the_targets_region(world: World) -> None:
    world.make_unreachable(EAST)
    database = world.port()
    state = known(database.read(WEST))
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    with contextlib.suppress(Conflict):
        database.failover(EAST, WEST, expect=state, call=Calls().make(11))
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make(12))
    ((operation, region, asked),) = world.orders()
    assert (operation, region, asked["AllowDataLoss"]) == ("FailoverGlobalCluster", WEST, True)
    assert "Switchover" not in asked
    assert world.control.machine.accepted == [("FailoverGlobalCluster", "orders-w", True)]


def test_a_switchover_never_names_a_loss_is_asked_of_the_primarys_region_and_loses_nothing(
    world: World, servers: Graphs
) -> None:
    servers.pair.delay_seconds = 60.0
    database = world.port()
    database.write_canary(EAST, "r1/last", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/last")) is None
    first = known(database.switchover_state(EAST, WEST))
    database.switchover(EAST, WEST, expect=first, call=Calls().make())
    with contextlib.suppress(Conflict):
        database.switchover(EAST, WEST, expect=first, call=Calls().make(11))
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    assert known(database.read_canary(WEST, "r1/last")) is not None
    ((operation, region, asked),) = world.orders()
    assert (operation, region) == ("SwitchoverGlobalCluster", EAST)
    assert set(asked) == {"GlobalClusterIdentifier", "TargetDbClusterIdentifier"}


# ---- what the API says completes nothing


def test_a_member_that_the_api_calls_the_writer_is_a_reader_until_its_server_writes(world: World) -> None:
    world.control.machine.promote_seconds = None
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    time.sleep(0.3)
    assert world.control.cluster.members[WEST].writer, "the API says that it is over"
    for _ in range(3):
        seen = known(database.read(WEST))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "a reader still" in seen.moving
        progress = known(database.switchover_state(EAST, WEST))
        assert (progress.done, progress.next) == (False, None)
    assert len(world.orders()) == 1


def test_a_switchover_is_not_done_while_the_servers_stay_where_they_were(world: World, servers: Graphs) -> None:
    world.control.machine.promote_seconds = None
    database = world.port()
    database.switchover(EAST, WEST, expect=known(database.switchover_state(EAST, WEST)), call=Calls().make())
    time.sleep(0.3)
    stuck = known(database.switchover_state(EAST, WEST))
    assert (stuck.done, stuck.next) == (False, None)
    servers.follow(False, WEST)
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    assert len(world.orders()) == 1


def test_the_old_writer_follows_once_its_server_does_its_tail_kept_and_its_fence_lifted(
    world: World, servers: Graphs
) -> None:
    database = world.port()
    assert fenced(database) is FenceOutcome.PROVEN
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    world.control.machine.snapshots[EAST] = {TAIL}
    tail = known(database.follow_state(EAST, WEST))
    assert tail.next is not None
    database.follow(EAST, WEST, expect=tail, call=Calls().make())
    assert copy_name(TAIL) in world.control.machine.snapshots[EAST]
    shut = known(database.follow_state(EAST, WEST))
    assert shut.next is not None
    assert shut.next.startswith("open the way")
    servers.pair.rejoin(servers.pair.east, servers.pair.west)
    database.follow(EAST, WEST, expect=shut, call=Calls().make())
    assert servers.policies() == {"shop": [], "reports": []}
    eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.done)


def test_the_old_writer_is_no_follower_while_its_server_calls_itself_a_writer(world: World) -> None:
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    early = known(database.follow_state(EAST, WEST))
    assert (early.done, early.next) == (False, None)
    assert "not a reader" in early.detail


def test_a_canary_on_a_reader_is_refused_and_not_read_back(world: World) -> None:
    database = world.port()
    with pytest.raises(Permanent, match="read-only replica"):
        database.write_canary(WEST, "r1/b", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/b")) is None


# ---- the network between


@pytest.mark.parametrize("operation", ["FailoverGlobalCluster", "SwitchoverGlobalCluster"])
@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_an_order_whose_answer_was_lost_is_looked_at_and_not_given_again(
    world: World, operation: str, how: str
) -> None:
    database = world.port()
    lost = world.control.front.outages.lose(how, operation=operation, times=1)

    def order() -> None:
        if operation == "FailoverGlobalCluster":
            database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
        else:
            database.switchover(EAST, WEST, expect=known(database.switchover_state(EAST, WEST)), call=Calls().make())

    with pytest.raises(OutcomeUnknown):
        order()
    assert lost.hits == 1
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    order()
    assert world.control.asked(operation) == 1


@pytest.mark.parametrize("how", ["silence", "refuse", "throttle", "cut"])
def test_a_control_plane_without_an_answer_is_unknown_and_orders_nothing(
    bare: tuple[NeptuneGlobal, WorldClients], control: Control, how: str
) -> None:
    database, clients = bare
    state = known(database.read(WEST))
    slow = made(clients, dict(NAMES), api_within="2s")
    getattr(control.front.outages, how)(operation="DescribeGlobalClusters")
    assert isinstance(slow.read(WEST), Unknown)
    assert isinstance(slow.follow_state(EAST, WEST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        slow.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


def test_a_stale_control_plane_gets_no_second_order_through(world: World) -> None:
    database = world.port()
    state = known(database.read(WEST))
    world.control.machine.api_seconds = 2.0
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    world.control.front.outages.stale(60, operation="DescribeGlobalClusters")
    with contextlib.suppress(Conflict):
        database.failover(EAST, WEST, expect=state, call=Calls().make(11))
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    database.failover(EAST, WEST, expect=state, call=Calls().make(12))
    assert len(world.control.machine.accepted) == 1


@pytest.mark.parametrize("how", ["silence", "refuse", "throttle", "cut"])
def test_a_data_plane_without_an_answer_is_unknown_and_nothing_is_taken_for_a_refusal(
    control: Control, servers: Graphs, how: str
) -> None:
    front = servers.pair.fronts[servers.pair.east]
    getattr(front.outages, how)()
    members = {region: member(servers, region) for region in NAMES}
    database = made(WorldClients(), members, answer_within="2s")
    assert isinstance(database.read(EAST), Unknown)
    assert isinstance(database.beat(EAST), Unknown)
    fence = database.fence_state(EAST, WEST)
    assert isinstance(fence, Unknown) or fence.value.outcome in {FenceOutcome.NONE, FenceOutcome.OWED}
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(EAST, "r1/write", call=_short())
    front.outages.heal()
    assert known(made(WorldClients(), members).read(EAST)).writable


def _short() -> Any:
    from dataclasses import replace

    return replace(Calls().make(), timeout_seconds=2.0)


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_canary_whose_answer_was_lost_is_unknown_and_is_there_once(world: World, servers: Graphs, how: str) -> None:
    database = world.port()
    front = servers.pair.fronts[servers.pair.east]
    front.outages.lose(how, operation="ExecuteOpenCypherQuery", times=1)
    with pytest.raises(OutcomeUnknown):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    assert known(database.read_canary(EAST, "r1/write")) is not None
    assert [one for one in servers.pair.east.vertices if "canary" in one] == ["cloudfail/canary/r1/write"]


def test_the_mark_beside_the_writer_keeps_an_older_epoch_out(world: World, servers: Graphs) -> None:
    database = world.port()
    plane = database.plane
    plane.admit(EAST, Calls().make(20))
    assert known(database.read(EAST)).epoch == 20
    with pytest.raises(Conflict):
        plane.admit(EAST, Calls().make(19))
    assert servers.pair.east.vertices["cloudfail/mark"]["epoch"] == 20


# ---- the data plane


def test_without_a_heartbeat_loss_and_lag_are_unknown(world: World) -> None:
    database = world.port()
    assert known(database.read(WEST)).lag_seconds is None
    bound = database.loss(EAST, WEST, Known(time.time(), time.time()))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (None, None)


def test_the_bound_is_what_the_survivor_holds_of_the_heartbeats(world: World, servers: Graphs) -> None:
    database = world.port()
    first = known(database.beat(EAST))
    eventually(
        world, lambda: Known(database.loss(EAST, WEST, Known(first, first)), first), lambda one: bool(one.parts[1:])
    )
    servers.pair.delay_seconds = 60.0
    time.sleep(0.5)
    last = known(database.beat(EAST))
    bound = database.loss(EAST, WEST, Known(last, last))
    assert bound.if_dead_seconds == pytest.approx(last - first, abs=0.001)


def test_writes_are_made_as_the_application_and_what_is_only_read_as_cloudfail(world: World, servers: Graphs) -> None:
    database = world.port()
    database.beat(EAST)
    database.write_canary(EAST, "r1/write", call=Calls().make())
    assert known(database.read(EAST)).writable
    for by, query in servers.pair.east.calls:
        assert by.startswith("ASIA") == query.startswith("MERGE"), (by, query)


def test_the_first_endpoint_that_answers_is_asked(control: Control, servers: Graphs) -> None:
    """The cluster endpoint of a secondary may not answer until it is promoted: an instance is named after it."""
    dead = f"http://127.0.0.1:{free_port()}"
    west = member(servers, WEST)
    members = {EAST: member(servers, EAST), WEST: {**west, "endpoints": [dead, *west["endpoints"]]}}
    database = made(WorldClients(), members, answer_within="4s")
    assert known(database.read(WEST)).role is Role.REPLICA


def test_without_an_endpoint_the_role_is_the_apis_word_and_no_write_is_claimed(
    bare: tuple[NeptuneGlobal, WorldClients], control: Control
) -> None:
    database, clients = bare
    west = known(database.read(WEST))
    database.failover(EAST, WEST, expect=west, call=Calls().make())
    time.sleep(0.5)
    after = known(database.read(WEST))
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    assert "no `endpoints`" in after.moving
    database.failover(EAST, WEST, expect=after, call=Calls().make())
    assert len(clients.changes("FailoverGlobalCluster")) == 1


# ---- ministack, whose Neptune knows the failover


def test_on_ministack_a_failover_moves_the_writer_and_is_ordered_once(aws: Emulator, sdk: Any) -> None:
    """What a stand-in of ours cannot say of itself: somebody else's reading of the API takes the same request."""
    more: dict[str, Any] = {"Engine": "neptune", "GlobalClusterIdentifier": GLOBAL}
    sdk("neptune", EAST).create_global_cluster(**more)
    for region in NAMES:
        sdk("neptune", region).create_db_cluster(DBClusterIdentifier=NAMES[region], **more)
    clients = WorldClients()
    database = made(clients, dict(NAMES), api_within="25s")
    east, west = known(database.read(EAST)), known(database.read(WEST))
    assert (east.role, west.role, west.upstream) == (Role.PRIMARY, Role.REPLICA, EAST)
    database.failover(EAST, WEST, expect=west, call=Calls().make())
    after = known(database.read(WEST))
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    database.failover(EAST, WEST, expect=west, call=Calls().make(11))
    ((region, asked),) = clients.changes("FailoverGlobalCluster")
    assert (region, asked["AllowDataLoss"]) == (WEST, True)
