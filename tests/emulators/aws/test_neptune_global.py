"""database: neptune-global: two clusters behind botocore's model of their data plane, roles that IAM's model knows, and
a control plane that says what it says whatever the clusters do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_aws.database.global_clusters import copy_name
from cloudfail_aws.database.neptune_global import NeptuneGlobal
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.emulator import Emulator, free_port
from tests.emulators.aws.front import Front
from tests.emulators.aws.global_world import GLOBAL, NAMES, Control, World
from tests.emulators.aws.graphs import Graph, Pair
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.identities import Identities

ACCOUNT = "123456789012"
IDS = {EAST: "cluster-EASTEASTEAST", WEST: "cluster-WESTWESTWEST"}
WRITERS = ("shop", "reports")
TAIL = "rds:unplanned-global-failover-orders-e-2026-11-23-10-00"


class Graphs:
    """global_world.Servers, and the roles under which they are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.identities = Identities(*WRITERS)
        data = {one: f"arn:aws:neptune-db:{one}:{ACCOUNT}:{IDS[one]}" for one in NAMES}
        self.pair = Pair(data[EAST], data[WEST], self.identities)
        self.nodes: dict[str, Graph] = {EAST: self.pair.east, WEST: self.pair.west}
        self.front = Front({})
        self._stand_ins = [StandIn(service, self.identities) for service in ("iam", "sts")]
        for one in self._stand_ins:
            self.front.serve(one.service, one.answer)
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{one.service.upper()}", self.front.url)

    def freeze(self, region: str) -> None:
        self.pair.freeze(self.nodes[region])

    def thaw(self, region: str) -> None:
        self.pair.thaw(self.nodes[region])

    def follow(self, lossy: bool, region: str) -> None:
        if lossy:
            self.pair.promote(self.nodes[region])
        else:
            self.pair.exchange(self.nodes[EAST if region == WEST else WEST], self.nodes[region])

    def policies(self) -> dict[str, list[str]]:
        return {name: list(role.policies) for name, role in self.identities.roles.items()}

    def close(self) -> None:
        self.front.close()
        self.pair.close()
        mistakes = self.pair.mistakes + [one for each in self._stand_ins for one in each.mistakes]
        assert not mistakes, "\n".join(mistakes)


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    made = Control("neptune")
    made.environment(monkeypatch)
    yield made
    made.close()


@pytest.fixture
def servers(control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graphs]:
    made = Graphs(monkeypatch)
    control.follow = made.follow
    yield made
    made.close()


def member(servers: Graphs, region: str, **more: Any) -> dict[str, Any]:
    url = servers.pair.url(servers.nodes[region])
    writers = [f"arn:aws:iam::{ACCOUNT}:role/app/{name}" for name in WRITERS]
    return {"cluster": NAMES[region], "endpoints": [url], "writers": writers, "resource": IDS[region], **more}


def made(clients: WorldClients, members: dict[str, Any], **options: Any) -> NeptuneGlobal:
    given = {"answer_within": "4s", "api_within": "20s", "requests_only": True, **options}
    one = databases.resource("neptune-global", members, id=GLOBAL, **given)
    return NeptuneGlobal(one, databases.topology(one), clients)


@pytest.fixture
def world(control: Control, servers: Graphs) -> Iterator[World]:
    clients = WorldClients()
    members = {region: member(servers, region) for region in NAMES}
    # Closed by its own fixture, once everything was asked.
    servers_ = Frozen(servers)
    one = World("neptune-global", control, servers_, clients, lambda: made(clients, members))
    yield one
    one.close()


class Frozen:
    """The servers as a world has them: it freezes and thaws them, and closes nothing."""

    def __init__(self, servers: Graphs) -> None:
        self.freeze, self.thaw = servers.freeze, servers.thaw

    def close(self) -> None:
        """The fixture does."""


@pytest.fixture
def bare(control: Control) -> tuple[NeptuneGlobal, WorldClients]:
    """Its control plane alone, members by their names."""
    clients = WorldClients()
    return made(clients, dict(NAMES)), clients


def fenced(database: NeptuneGlobal, epoch: int = 10) -> FenceOutcome:
    for _ in range(5):
        state = known(database.fence_state(EAST, WEST))
        if state.outcome is FenceOutcome.PROVEN or not state.methods_left:
            break
        database.fence(EAST, WEST, expect=state, call=Calls().make(epoch))
    return FenceOutcome(known(database.fence_state(EAST, WEST)).outcome)


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


# ---- the fence


def test_the_fence_denies_every_role_that_is_named_the_data_of_one_cluster_and_no_other(
    world: World, servers: Graphs
) -> None:
    database = world.port()
    assert fenced(database) is FenceOutcome.PROVEN
    assert servers.policies() == {one: [f"cloudfail-fence-{IDS[EAST]}"] for one in WRITERS}
    servers.follow(False, WEST)
    assert known(database.read(WEST)).writable, "the same role writes in the other region"


def test_a_policy_that_has_not_arrived_yet_is_no_proven_fence(world: World, servers: Graphs) -> None:
    """IAM says at once that it stands; the cluster lets writes in for a while."""
    servers.identities.late = True
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    early = known(database.fence_state(EAST, WEST))
    assert (early.outcome, early.methods_left) == (FenceOutcome.FAILED, ())
    assert known(database.read(EAST)).writable
    servers.identities.arrive()
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


def test_where_clients_keep_connections_open_the_policy_proves_nothing(control: Control, servers: Graphs) -> None:
    """A Bolt or WebSocket connection was authorised when it was opened."""
    members = {region: member(servers, region) for region in NAMES}
    database = made(WorldClients(), members, requests_only=False)
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = database.fence_state(EAST, WEST)
    assert isinstance(after, Unknown)
    assert "Bolt or WebSocket" in after.reason


def test_a_process_that_has_just_begun_finds_the_fence_proven(world: World) -> None:
    assert fenced(world.port()) is FenceOutcome.PROVEN
    assert known(world.another().fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


def test_a_role_that_nobody_may_take_on_is_no_write_that_was_refused(control: Control, servers: Graphs) -> None:
    """STS refused, and said nothing of what the cluster would do."""
    members = {region: member(servers, region) for region in NAMES}
    members[EAST]["writers"] = [f"arn:aws:iam::{ACCOUNT}:role/nobody"]
    database = made(WorldClients(), members, fences=[])
    seen = known(database.read(EAST))
    assert not seen.writable
    state = database.fence_state(EAST, WEST)
    assert not isinstance(state, Known) or state.value.outcome is not FenceOutcome.PROVEN


def test_a_policy_that_somebody_changed_does_not_stand(world: World, servers: Graphs) -> None:
    database = world.port()
    assert fenced(database) is FenceOutcome.PROVEN
    role = servers.identities.roles["reports"]
    name = f"cloudfail-fence-{IDS[EAST]}"
    role.policies[name] = role.policies[name].replace("neptune-db:Write*", "neptune-db:Nothing*")
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("iam",)
    database.fence(EAST, WEST, expect=state, call=Calls().make(11))
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
@pytest.mark.parametrize("operation", ["TagRole", "PutRolePolicy"])
def test_a_fence_of_which_an_answer_was_lost_is_put_up_by_the_next_look(
    world: World, servers: Graphs, operation: str, how: str
) -> None:
    servers.front.outages.lose(how, operation=operation, times=1)
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(OutcomeUnknown):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert known(database.fence_state(EAST, WEST)).methods_left == ("iam",), "one of two roles at the most"
    assert fenced(database) is FenceOutcome.PROVEN
    assert servers.front.count(operation="PutRolePolicy") <= 3


def test_without_iam_the_fence_is_unknown_or_owed_and_never_proven(world: World, servers: Graphs) -> None:
    servers.front.outages.silence(service="iam")
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.OWED
    assert "iam for us-east-1" in state.evidence


def test_with_the_old_region_gone_the_survivor_is_promoted_and_the_fence_is_owed(world: World) -> None:
    """Its region holds IAM's control plane too."""
    world.make_unreachable(EAST)
    database = world.port()
    fence = known(database.fence_state(EAST, WEST))
    assert fence.outcome is FenceOutcome.OWED
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)


def test_a_security_group_is_exchanged_and_put_back_and_proves_nothing(control: Control, servers: Graphs) -> None:
    clients = WorldClients()
    members = {EAST: member(servers, EAST, closed_group="sg-0closed"), WEST: member(servers, WEST)}
    database = made(clients, members, fences=["security-group"])
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert control.cluster.members[EAST].groups == ("sg-0closed",)
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED, "a write was let in all the same"
    database.unfence(EAST, expect=after, call=Calls().make(11))
    assert control.cluster.members[EAST].groups == ("sg-0own",)


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
    world: World, servers: Graphs, how: str
) -> None:
    front = servers.pair.fronts[servers.pair.east]
    getattr(front.outages, how)()
    database = world.port()
    assert isinstance(database.read(EAST), Unknown)
    assert isinstance(database.beat(EAST), Unknown)
    fence = database.fence_state(EAST, WEST)
    assert isinstance(fence, Unknown) or fence.value.outcome in {FenceOutcome.NONE, FenceOutcome.OWED}
    with pytest.raises((Transient, OutcomeUnknown)):
        database.write_canary(EAST, "r1/write", call=_short())
    front.outages.heal()
    assert known(database.read(EAST)).writable


def _short() -> Any:
    from dataclasses import replace

    return replace(Calls().make(), timeout_seconds=4.0)


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
