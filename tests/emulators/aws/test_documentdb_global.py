"""database: documentdb-global: two clusters that MongoDB's own driver asks, and a control plane held against botocore's
model, which says what it says whatever the clusters do."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_aws.database import document_errors
from cloudfail_aws.database.document_session import Lost, Refusal, Session, Unreachable
from cloudfail_aws.database.documentdb_global import DocumentDbGlobal
from cloudfail_aws.database.global_clusters import copy_name
from tests.emulators.aws.databases import EAST, WEST, WorldClients
from tests.emulators.aws.document_world import (
    Documents,
    bare,
    control,
    fenced,
    made,
    member,
    secrets,
    servers,
    world,
)  # fmt: skip
from tests.emulators.aws.emulator import free_port
from tests.emulators.aws.global_world import GLOBAL, NAMES, TAIL, Control, World

__all__ = ["bare", "control", "secrets", "servers", "world"]


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


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Of a server at 127.0.0.1, signed by itself; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "carts")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    place, secret = tmp_path / "ca.pem", tmp_path / "key.pem"
    place.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(*plain))
    return place, secret


def test_a_member_is_asked_over_tls_and_one_of_another_authority_is_not_believed(
    control: Control, servers: Documents, certificate: tuple[Path, Path]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    servers.pair.west.tls = context
    address = f"127.0.0.1:{servers.pair.west.port}/?tls=true"

    def read(more: str) -> Known[Any] | Unknown:
        urls = {"url": f"mongodb://cloudfail@{address}{more}", "writer": f"mongodb://shop@{address}{more}"}
        members = {EAST: member(servers, EAST), WEST: member(servers, WEST, **urls)}
        database = made(WorldClients(), members)
        found = database.read(WEST), database.read(EAST)
        database.close()
        assert known(found[1]).writable, "the other member has nothing to do with it"
        return found[0]

    believed = read(f"&tlsCAFile={certificate[0]}")
    assert known(believed).role is Role.REPLICA
    assert known(believed).version.startswith("us-west-2/replica")
    assert isinstance(read(""), Unknown)
    missing = known(read("&tlsCAFile=/nowhere.pem"))
    assert "unseen" in missing.version, "the API's word: nobody can ask the member"


ROWS = [(Refusal(code, "said"), kind) for code, kind in document_errors.CODE.items()]


@pytest.mark.parametrize(
    ("error", "kind"),
    [*ROWS, (Refusal(4711, "new"), OutcomeUnknown), (Lost("cut"), OutcomeUnknown), (Unreachable("gone"), Transient)],
    ids=lambda value: str(value),
)
def test_every_row_of_the_error_table_is_what_a_change_meets(error: Exception, kind: type[CloudfailError]) -> None:
    assert type(document_errors.mutation_error(error, "a write")) is kind
    assert "a write: " in str(document_errors.mutation_error(error, "a write"))
