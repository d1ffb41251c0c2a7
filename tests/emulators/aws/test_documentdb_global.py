"""database: documentdb-global: two clusters that MongoDB's own driver asks, and a control plane held against botocore's
model, which says what it says whatever the clusters do."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_aws.database import document_errors
from cloudfail_aws.database.document_session import Lost, Refusal, Session, Unreachable
from cloudfail_aws.database.documentdb_global import DocumentDbGlobal
from cloudfail_aws.database.global_clusters import copy_name
from tests.emulators.aws import databases, faults
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.documents import Node, Pair
from tests.emulators.aws.emulator import free_port
from tests.emulators.aws.global_world import GLOBAL, NAMES, Control, World

TAIL = "rds:unplanned-global-failover-orders-e-2026-11-23-10-00"


class Documents:
    """global_world.Servers."""

    def __init__(self) -> None:
        self.pair = Pair()
        self.nodes: dict[str, Node] = {EAST: self.pair.east, WEST: self.pair.west}

    def freeze(self, region: str) -> None:
        self.nodes[region].freeze()

    def thaw(self, region: str) -> None:
        self.nodes[region].thaw()

    def follow(self, lossy: bool, region: str) -> None:
        old = self.nodes[EAST if region == WEST else WEST]
        if lossy:
            self.pair.promote(self.nodes[region])
        else:
            self.pair.exchange(old, self.nodes[region])

    def close(self) -> None:
        self.pair.close()

    def client(self, user: str, region: str = EAST) -> Any:
        """What an application has."""
        node = self.nodes[region]
        return pymongo.MongoClient(
            "127.0.0.1", node.port, username=user, password=node.users[user].password, authSource="admin",
            directConnection=True, retryWrites=False, serverSelectionTimeoutMS=5000, socketTimeoutMS=5000,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ADMIN", "ours")
    monkeypatch.setenv("ORDERS_SHOP", "shops")


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    made = Control("docdb")
    made.environment(monkeypatch)
    yield made
    made.close()


@pytest.fixture
def servers(control: Control) -> Documents:
    made = Documents()
    control.follow = made.follow
    return made


def member(servers: Documents, region: str, **more: Any) -> dict[str, Any]:
    node = servers.nodes[region]
    urls = {"url": node.url("cloudfail"), "writer": node.url("shop")}
    return (
        {"cluster": NAMES[region], "password": "env:ORDERS_ADMIN", "writer_password": "env:ORDERS_SHOP"} | urls | more
    )


def made(clients: WorldClients, members: dict[str, Any], **options: Any) -> DocumentDbGlobal:
    given = {"answer_within": "2s", "api_within": "20s", **options}
    one = databases.resource("documentdb-global", members, id=GLOBAL, **given)
    return DocumentDbGlobal(one, databases.topology(one), clients)


@pytest.fixture
def world(control: Control, servers: Documents) -> Iterator[World]:
    clients = WorldClients()
    members = {region: member(servers, region) for region in NAMES}
    one = World("documentdb-global", control, servers, clients, lambda: made(clients, members))
    yield one
    one.close()


@pytest.fixture
def bare(control: Control) -> tuple[DocumentDbGlobal, WorldClients]:
    """Its control plane alone, members by their names."""
    clients = WorldClients()
    return made(clients, dict(NAMES)), clients


def fenced(database: DocumentDbGlobal, epoch: int = 10) -> FenceOutcome:
    for _ in range(5):
        state = known(database.fence_state(EAST, WEST))
        if state.outcome is FenceOutcome.PROVEN or not state.methods_left:
            break
        database.fence(EAST, WEST, expect=state, call=Calls().make(epoch))
    return FenceOutcome(known(database.fence_state(EAST, WEST)).outcome)


class TestDocumentDbGlobal(DatabaseSuite):
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


def test_a_switchover_never_names_a_loss_and_is_asked_of_the_primarys_region(world: World) -> None:
    database = world.port()
    first = known(database.switchover_state(EAST, WEST))
    assert first.next is not None
    database.switchover(EAST, WEST, expect=first, call=Calls().make())
    with contextlib.suppress(Conflict):
        database.switchover(EAST, WEST, expect=first, call=Calls().make(11))
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    ((operation, region, asked),) = world.orders()
    assert (operation, region) == ("SwitchoverGlobalCluster", EAST)
    assert set(asked) == {"GlobalClusterIdentifier", "TargetDbClusterIdentifier"}
    assert world.control.machine.accepted == [("SwitchoverGlobalCluster", "orders-w", False)]


def test_a_switchover_loses_nothing_that_was_acknowledged(world: World, servers: Documents) -> None:
    servers.pair.delay_seconds = 60.0
    database = world.port()
    database.write_canary(EAST, "r1/last", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/last")) is None
    database.switchover(EAST, WEST, expect=known(database.switchover_state(EAST, WEST)), call=Calls().make())
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    assert known(database.read_canary(WEST, "r1/last")) is not None


def test_a_switchover_is_not_ordered_while_a_member_is_out_of_sync(world: World) -> None:
    world.control.cluster.members[WEST].synchronised = False
    progress = known(world.port().switchover_state(EAST, WEST))
    assert (progress.done, progress.next) == (False, None)
    assert "pending-resync" in progress.detail


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
        assert "a secondary still" in seen.moving
        progress = known(database.switchover_state(EAST, WEST))
        assert (progress.done, progress.next) == (False, None)
    assert len(world.orders()) == 1


def test_a_switchover_is_not_done_while_the_servers_stay_where_they_were(world: World, servers: Documents) -> None:
    world.control.machine.promote_seconds = None
    database = world.port()
    database.switchover(EAST, WEST, expect=known(database.switchover_state(EAST, WEST)), call=Calls().make())
    time.sleep(0.3)
    stuck = known(database.switchover_state(EAST, WEST))
    assert (stuck.done, stuck.next) == (False, None)
    servers.follow(False, WEST)
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    assert len(world.orders()) == 1


def test_the_old_writer_follows_once_its_server_does_and_its_tail_is_kept_first(
    world: World, servers: Documents
) -> None:
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    world.control.machine.snapshots[EAST] = {TAIL}
    tail = known(database.follow_state(EAST, WEST))
    assert tail.next is not None
    database.follow(EAST, WEST, expect=tail, call=Calls().make())
    assert copy_name(TAIL) in world.control.machine.snapshots[EAST]
    world.control.machine.resynchronise(GLOBAL)
    early = known(database.follow_state(EAST, WEST))
    assert (early.done, early.next) == (False, None), "AWS calls it a reader; its server writes"
    servers.pair.rejoin(servers.pair.east, servers.pair.west)
    eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.done)


def test_a_writer_whose_clients_are_not_let_in_yet_is_not_done(world: World) -> None:
    """The fence was replicated: the new writer is a primary, and takes no writes until the roles are given back."""
    database = world.port()
    assert fenced(database) is FenceOutcome.PROVEN
    time.sleep(0.3)
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    shut = eventually(world, lambda: database.read(WEST), lambda seen: seen.role is Role.PRIMARY and not seen.moving)
    assert not shut.writable
    database.failover(EAST, WEST, expect=shut, call=Calls().make())
    assert known(database.read(WEST)).writable
    assert known(database.read(WEST)).epoch == 10
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN, "the old one keeps its own"
    assert len(world.orders()) == 1


def test_a_canary_that_the_server_did_not_take_is_not_read_back(world: World, servers: Documents) -> None:
    database = world.port()
    database.write_canary(EAST, "r1/a", call=Calls().make())
    servers.pair.exchange(servers.pair.east, servers.pair.west)
    with pytest.raises((Permanent, Transient, OutcomeUnknown)):
        database.write_canary(EAST, "r1/b", call=Calls().make())
    time.sleep(0.2)
    assert known(database.read_canary(EAST, "r1/b")) is None


# ---- the fence


def test_the_fence_takes_every_users_roles_but_roots_and_gives_exactly_these_back(
    world: World, servers: Documents
) -> None:
    node = servers.pair.east
    before = {name: list(user.roles) for name, user in node.users.items()}
    assert fenced(world.port()) is FenceOutcome.PROVEN
    assert {name for name, user in node.users.items() if user.roles} == {"serviceadmin", "owner", "cloudfail"}
    state = known(world.port().fence_state(EAST, WEST))
    assert "a connection opened before" in state.evidence
    assert "a new connection" in state.evidence
    world.port().unfence(EAST, expect=state, call=Calls().make(11))
    assert {name: list(user.roles) for name, user in node.users.items()} == before


def test_what_is_taken_is_noted_before_it_is_taken_on_both_sides(world: World, servers: Documents) -> None:
    """Replicated in the same order: no reader is ever without roles and without the note."""
    servers.pair.delay_seconds = 0.0
    ending, wrong = threading.Event(), list[str]()

    def look() -> None:
        while not ending.is_set():
            with servers.pair.lock:
                for node in (servers.pair.east, servers.pair.west):
                    noted = node.data.get("cloudfail.fence", {}).get(EAST, {}).get("standing")
                    if not noted and not node.users["shop"].roles:
                        wrong.append(node.name)

    watcher = threading.Thread(target=look)
    watcher.start()
    fenced(world.port())
    ending.set()
    watcher.join()
    assert not wrong


def test_a_transaction_that_was_open_cannot_be_committed_after_the_fence(world: World, servers: Documents) -> None:
    client = servers.client("shop")
    with client.start_session() as session:
        session.start_transaction()
        client.shop.orders.update_one({"_id": 1}, {"$set": {"paid": True}}, upsert=True, session=session)
        assert fenced(world.port()) is FenceOutcome.PROVEN
        with pytest.raises(OperationFailure):
            session.commit_transaction()
    assert "shop.orders" not in servers.pair.east.data
    client.close()


def test_where_the_engine_ends_no_transactions_nothing_is_proven(world: World, servers: Documents) -> None:
    servers.pair.east.sessions = False
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(OutcomeUnknown, match="does not end transactions"):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    after = known(world.another().fence_state(EAST, WEST))
    assert (after.outcome, after.methods_left[0]) == (FenceOutcome.FAILED, "roles")


def test_a_connection_that_keeps_the_rights_it_logged_in_with_is_no_proven_fence(
    world: World, servers: Documents
) -> None:
    """The API and the users say that the roles are gone; the older connection writes on."""
    servers.pair.east.sticky = True
    database = world.port()
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    call = Calls().make()
    with pytest.raises(OutcomeUnknown, match="a connection opened before: the write was let in"):
        database.fence(EAST, WEST, expect=state, call=_short(call))
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED
    assert "roles" in after.methods_left


def _short(call: Any) -> Any:
    from dataclasses import replace

    return replace(call, timeout_seconds=6.0)


def test_a_later_process_finds_the_fence_proven_by_its_seal(world: World) -> None:
    assert fenced(world.port()) is FenceOutcome.PROVEN
    state = known(world.another().fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.PROVEN
    assert "as noted beside the fence" in state.evidence


def test_the_seal_is_worth_nothing_once_somebody_has_a_role_again(world: World, servers: Documents) -> None:
    assert fenced(world.port()) is FenceOutcome.PROVEN
    owner = servers.client("owner")
    owner.admin.command("grantRolesToUser", "reports", roles=[{"role": "readWriteAnyDatabase", "db": "admin"}])
    owner.close()
    state = known(world.another().fence_state(EAST, WEST))
    assert (state.outcome, state.methods_left) == (FenceOutcome.FAILED, ("roles",))
    assert "reports may write again" in state.evidence
    with pytest.raises(OutcomeUnknown, match="no connection that was opened before"):
        world.port().fence(EAST, WEST, expect=state, call=Calls().make(11))
    assert not servers.pair.east.users["reports"].roles


def test_a_process_that_died_between_taking_and_seeing_leaves_no_proof(world: World, servers: Documents) -> None:
    """Nobody holds a connection from before: one that is opened now, by a user without roles, shows nothing."""
    assert fenced(world.port()) is FenceOutcome.PROVEN
    with servers.pair.lock:
        servers.pair.east.data["cloudfail.fence"][EAST]["sealed"] = 0.0
    database = world.another()
    state = known(database.fence_state(EAST, WEST))
    assert state.outcome is FenceOutcome.FAILED
    with pytest.raises(OutcomeUnknown, match="no connection that was opened before"):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.FAILED
    # What there is to do: take it back, and fence again.
    database.unfence(EAST, expect=known(database.fence_state(EAST, WEST)), call=Calls().make(11))
    assert known(database.read(EAST)).writable
    assert fenced(database, 12) is FenceOutcome.PROVEN


@pytest.mark.parametrize("writer", ["cloudfail", "owner"])
def test_a_writer_whom_the_fence_would_leave_is_refused_with_what_to_do(
    control: Control, servers: Documents, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_SHOP", servers.pair.east.users[writer].password)
    members = {one: member(servers, one, writer=servers.nodes[one].url(writer)) for one in NAMES}
    database = made(WorldClients(), members)
    state = known(database.fence_state(EAST, WEST))
    with pytest.raises(Permanent) as raised:
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert "user" in str(raised.value)
    assert servers.pair.east.users["shop"].roles
    database.close()
    servers.close()


def test_a_security_group_is_exchanged_noted_and_put_back_and_proves_nothing(
    control: Control, servers: Documents
) -> None:
    clients = WorldClients()
    members = {EAST: member(servers, EAST, closed_group="sg-0closed"), WEST: member(servers, WEST)}
    database = made(clients, members, fences=["security-group"])
    cluster = control.cluster.members[EAST]
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("security-group",)
    database.fence(EAST, WEST, expect=state, call=Calls().make(20))
    assert cluster.groups == ("sg-0closed",)
    after = known(database.fence_state(EAST, WEST))
    assert after.outcome is FenceOutcome.FAILED, "a write was let in all the same"
    with pytest.raises(Conflict):
        database.unfence(EAST, expect=after, call=Calls().make(19))
    database.unfence(EAST, expect=after, call=Calls().make(21))
    assert cluster.groups == ("sg-0own",)
    assert {name for name, _, _ in clients.done} == {"AddTagsToResource", "ModifyDBCluster"}
    database.close()
    servers.close()


@pytest.fixture
def between(servers: Documents) -> Iterator[faults.Proxy]:
    """The wire to the writer."""
    with faults.proxy(servers.pair.east.port) as made_:
        yield made_


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
@pytest.mark.parametrize("marker", [b"standing", b"revokeRolesFromUser", b"killAllSessions", b"sealed"])
def test_a_fence_of_which_an_answer_was_lost_is_put_up_to_its_end_by_the_next_look(
    control: Control, servers: Documents, between: faults.Proxy, marker: bytes, how: str
) -> None:
    """It took effect, whole or in part. What is there is no proof before all of it was done."""
    node = servers.pair.east
    through = {"url": node.url("cloudfail", port=between.port), "writer": node.url("shop", port=between.port)}
    database = made(WorldClients(), {EAST: member(servers, EAST, **through), WEST: member(servers, WEST)})
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    between.lose(marker, 1, how)
    with pytest.raises(OutcomeUnknown):
        database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert between.lost == 1
    after = eventually_said(lambda: database.fence_state(EAST, WEST))
    if any(node.users[name].roles for name in ("shop", "reports")):
        assert after.outcome is not FenceOutcome.PROVEN
    assert after.outcome is not FenceOutcome.NONE, "something stands: whoever gives up has it to lift"
    assert fenced(database) is FenceOutcome.PROVEN
    assert not node.users["shop"].roles + node.users["reports"].roles
    database.unfence(EAST, expect=known(database.fence_state(EAST, WEST)), call=Calls().make(11))
    assert len(node.users["shop"].roles) == 2
    database.close()
    servers.close()


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_canary_whose_answer_was_lost_is_unknown_and_is_there_once(
    control: Control, servers: Documents, between: faults.Proxy, how: str
) -> None:
    node = servers.pair.east
    through = {"url": node.url("cloudfail", port=between.port), "writer": node.url("shop", port=between.port)}
    database = made(WorldClients(), {EAST: member(servers, EAST, **through), WEST: member(servers, WEST)})
    assert known(database.read(EAST)).writable
    between.lose(b"r1/write", 1, how)
    with pytest.raises(OutcomeUnknown):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    proof = eventually_said(lambda: database.read_canary(EAST, "r1/write"))
    assert proof is not None
    assert list(node.data["cloudfail.canary"]) == ["r1/write"]
    database.close()
    servers.close()


def eventually_said(read: Any) -> Any:
    for _ in range(50):
        seen = read()
        if isinstance(seen, Known):
            return seen.value
        time.sleep(0.2)
    raise AssertionError(seen)


# ---- the control plane alone, and the network between


def test_without_a_login_the_role_is_the_apis_word_and_no_write_is_claimed(
    bare: tuple[DocumentDbGlobal, WorldClients],
) -> None:
    database, clients = bare
    east, west = known(database.read(EAST)), known(database.read(WEST))
    assert (east.role, east.writable, west.role, west.writable) == (Role.PRIMARY, False, Role.REPLICA, False)
    database.failover(EAST, WEST, expect=west, call=Calls().make())
    after = eventually_known(lambda: database.read(WEST))
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    assert "no `url`" in after.moving
    database.failover(EAST, WEST, expect=after, call=Calls().make())
    assert len(clients.changes("FailoverGlobalCluster")) == 1


def eventually_known(read: Any) -> Any:
    for _ in range(50):
        seen = known(read())
        if seen.role is Role.PRIMARY:
            return seen
        time.sleep(0.1)
    raise AssertionError(seen)


def test_an_older_epoch_orders_nothing_after_a_newer_one(
    bare: tuple[DocumentDbGlobal, WorldClients], control: Control
) -> None:
    database, clients = bare
    arn = control.cluster.members[WEST].arn
    clients.get("docdb", WEST).add_tags_to_resource(
        ResourceName=arn, Tags=[{"Key": "cloudfail:epoch", "Value": "20 r0"}]
    )
    clients.done.clear()
    with pytest.raises(Conflict):
        database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make(19))
    assert not clients.done


def test_a_cluster_that_is_no_member_any_more_is_not_promoted(
    bare: tuple[DocumentDbGlobal, WorldClients], control: Control
) -> None:
    database, clients = bare
    state = known(database.read(WEST))
    del control.cluster.members[WEST]
    assert isinstance(database.read(WEST), Unknown)
    with pytest.raises(Permanent, match="aws docdb describe-global-clusters"):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


@pytest.mark.parametrize("operation", ["FailoverGlobalCluster", "SwitchoverGlobalCluster"])
@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_an_order_whose_answer_was_lost_is_looked_at_and_not_given_again(
    world: World, operation: str, how: str
) -> None:
    database, outages = world.port(), world.control.front.outages
    lost = outages.lose(how, operation=operation, times=1)

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


def test_a_throttled_order_is_given_again_inside_since_it_had_no_effect(world: World) -> None:
    world.control.front.outages.throttle(operation="FailoverGlobalCluster", times=2)
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    assert world.control.machine.accepted == [("FailoverGlobalCluster", "orders-w", True)]


@pytest.mark.parametrize("how", ["silence", "refuse", "throttle", "cut"])
def test_a_control_plane_without_an_answer_is_unknown_and_orders_nothing(
    bare: tuple[DocumentDbGlobal, WorldClients], control: Control, how: str
) -> None:
    database, clients = bare
    state = known(database.read(WEST))
    slow = made(clients, dict(NAMES), api_within="2s")
    getattr(control.front.outages, how)(operation="DescribeGlobalClusters")
    assert isinstance(slow.read(WEST), Unknown)
    assert isinstance(slow.switchover_state(EAST, WEST), Unknown)
    assert isinstance(slow.follow_state(EAST, WEST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        slow.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


def test_a_stale_control_plane_gets_no_second_order_through(world: World) -> None:
    """It says for seconds that nothing was moved. AWS itself refuses a second move while one is under way, and the
    server of a new writer says that it writes."""
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


def test_an_order_that_lands_when_the_move_is_over_is_refused_by_aws(world: World) -> None:
    """On its way for long, and its worker lost the lease: it meets a target that is the writer already."""
    database, front = world.port(), world.control.front
    state = known(database.read(WEST))
    held = front.outages.hold(operation="FailoverGlobalCluster", times=1)
    with pytest.raises(OutcomeUnknown):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    front.outages.heal()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make(11))
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    (answer,) = held.land()
    assert getattr(answer, "status", 0) == 400
    assert len(world.control.machine.accepted) == 1


def test_with_the_old_region_gone_the_survivor_is_promoted_and_the_fence_is_owed(world: World) -> None:
    world.make_unreachable(EAST)
    database = world.port()
    fence = known(database.fence_state(EAST, WEST))
    assert fence.outcome is FenceOutcome.OWED
    assert "roles cannot be revoked on a server that does not answer" in fence.evidence
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)


# ---- the data plane


def test_without_a_heartbeat_loss_and_lag_are_unknown(world: World) -> None:
    database = world.port()
    assert known(database.read(WEST)).lag_seconds is None
    bound = database.loss(EAST, WEST, Known(time.time(), time.time()))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (None, None)


def test_the_bound_is_what_the_survivor_holds_of_the_heartbeats(world: World, servers: Documents) -> None:
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
    assert bound.if_alive_seconds is not None
    assert bound.if_alive_seconds >= bound.if_dead_seconds
    unknown = database.loss(EAST, WEST, Unknown("nobody saw one"))
    assert unknown.if_dead_seconds is None


def test_a_heartbeat_is_known_only_where_it_was_acknowledged(world: World) -> None:
    assert isinstance(world.port().beat(EAST), Known)
    assert isinstance(world.port().beat(WEST), Unknown), "a reader"


def test_the_first_host_that_has_an_address_and_answers_is_asked(control: Control, servers: Documents) -> None:
    """The cluster endpoint of a secondary may have none until it is promoted: its instance is named after it."""
    hosts = f"nowhere.invalid:27017,127.0.0.1:{free_port()},127.0.0.1:{servers.pair.west.port}"
    west = {"url": f"mongodb://cloudfail@{hosts}/", "writer": f"mongodb://shop@{hosts}/"}
    members = {EAST: member(servers, EAST), WEST: member(servers, WEST, **west)}
    database = made(WorldClients(), members, answer_within="6s")
    assert known(database.read(WEST)).role is Role.REPLICA
    database.close()
    servers.close()


def test_a_server_that_stands_still_is_given_up_within_the_bound(servers: Documents, control: Control) -> None:
    session = Session(servers.pair.east.url("cloudfail"), "ours", name="t", seconds=1.0)
    session.ask(lambda client: client.admin.command("ping"))
    servers.freeze(EAST)
    began = time.monotonic()
    with pytest.raises((Lost, Unreachable)):
        session.ask(lambda client: client.admin.command("ping"))
    with pytest.raises((Lost, Unreachable)):
        session.ask(lambda client: client.admin.command("ping"))
    assert time.monotonic() - began < 8
    servers.thaw(EAST)
    session.close()
    servers.close()


def test_a_wrong_password_and_a_missing_one_are_this_members_silence(
    control: Control, servers: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {EAST: member(servers, EAST, password="env:NOT_SET"), WEST: member(servers, WEST)}
    database = made(WorldClients(), members)
    east = database.read(EAST)
    assert known(east).moving.startswith("AWS calls it the writer; The environment variable NOT_SET")
    assert known(database.read(WEST)).role is Role.REPLICA
    database.close()
    monkeypatch.setenv("ORDERS_ADMIN", "wrong")
    refused = made(WorldClients(), {one: member(servers, one) for one in NAMES})
    assert isinstance(refused.read(EAST), Unknown)
    refused.close()
    servers.close()


ROWS = [(Refusal(code, "said"), kind) for code, kind in document_errors.CODE.items()]


@pytest.mark.parametrize(
    ("error", "kind"),
    [*ROWS, (Refusal(4711, "new"), OutcomeUnknown), (Lost("cut"), OutcomeUnknown), (Unreachable("gone"), Transient)],
    ids=lambda value: str(value),
)
def test_every_row_of_the_error_table_is_what_a_change_meets(error: Exception, kind: type[CloudfailError]) -> None:
    assert type(document_errors.mutation_error(error, "a write")) is kind
    assert "a write: " in str(document_errors.mutation_error(error, "a write"))
