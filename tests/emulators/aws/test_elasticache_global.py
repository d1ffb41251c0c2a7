"""database: elasticache-global against a stand-in of its control plane and real Redis servers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import CloudfailError, Conflict, Refused
from cloudfail.execution.lifecycle import Phase
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known, no_news
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.provider import FakeProvider
from cloudfail_aws.database.cache_users import NOTHING
from cloudfail_aws.database.elasticache_global import ElastiCacheGlobal
from tests.emulators.aws import caches
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws.cache_world import aws, bare, fence, front, machine, switched, world
from tests.emulators.aws.caches import EAST, WEST, World
from tests.emulators.aws.databases import WorldClients
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.caches import Caches
from tests.emulators.wire import Upstream
from tests.kit import Stage
from tests.local.servers import place

Serve = Callable[[str, Any], StandIn]
__all__ = ["aws", "bare", "front", "machine", "world"]
pytestmark = [
    pytest.mark.beside,
    pytest.mark.skipif(not caches.has_redis(), reason="There is no redis-server: run script/setup dev."),
]


# ---- with servers


@pytest.mark.lab
class TestElastiCacheGlobal(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


@pytest.mark.lab
def test_a_group_that_the_api_calls_the_primary_is_a_replica_while_its_server_is_one(
    world: World, machine: Caches
) -> None:
    """The API says done, the server never follows, and no step is done."""
    machine._on_failover, machine.failover_seconds = (lambda name, region: None), 0.0
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    for _ in range(3):
        seen = known(database.read(WEST))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "a replica still" in seen.moving
        progress = known(database.switchover_state(EAST, WEST))
        assert (progress.done, progress.next) == (False, None)
    assert len(machine.failovers) == 1


@pytest.mark.lab
def test_a_server_that_calls_itself_a_master_and_takes_no_writes_is_not_done(world: World, machine: Caches) -> None:
    """It would take writes only with a replica beside it, which it has not."""
    machine.failover_seconds = 0.0

    def halfway(_name: str, region: str) -> None:
        world.servers[region].follow(None)
        world.servers[region].ask("CONFIG", "SET", "min-replicas-to-write", "3")

    machine._on_failover = halfway
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    seen = known(database.read(WEST))
    assert not seen.writable
    assert "a write was not taken: NOREPLICAS" in seen.moving
    world.servers[WEST].ask("CONFIG", "SET", "min-replicas-to-write", "0")
    assert known(database.read(WEST)).writable


@pytest.mark.lab
@pytest.mark.parametrize("shut", [False, True])
def test_a_replica_that_calls_itself_a_master_is_known_by_what_it_says_to_a_write(world: World, shut: bool) -> None:
    """shut: while a fence keeps the application's login from asking; then cloudfail's own asks."""
    if shut:
        world.servers[WEST].allow("shop", NOTHING)
    with caches.called_a_master(world.servers[WEST]) as port:
        members = {one: caches.member(one, server) for one, server in world.servers.items()}
        members[WEST]["endpoint"] = f"127.0.0.1:{port}"
        database = caches.made(world.clients, members, api_within="25s")
        assert not database.plane.sight(WEST).replica, "by its own word"
        state = known(database.read(WEST))
        assert (state.role, state.writable, state.upstream) == (Role.REPLICA, False, EAST)
        assert state.lag_seconds is None, "of its upstream it says nothing"
        database.close()


@pytest.mark.lab
def test_a_group_that_the_api_calls_a_secondary_follows_nobody_while_its_server_does_not(
    world: World, machine: Caches
) -> None:
    """The roles are exchanged, says the API; the old server is a master still, and its fence is not lifted."""
    machine._on_failover = lambda name, region: world.servers[region].follow(None)
    database = world.port()
    fence(world)
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    for _ in range(3):
        progress = known(database.follow_state(EAST, WEST))
        assert (progress.done, progress.next) == (False, None)
        assert "its server is none" in progress.detail
    assert [one[2] for one in machine.modified if one[0] == EAST] == [NOTHING]
    world.servers[EAST].follow(world.servers[WEST])
    opened = eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.next is not None)
    database.follow(EAST, WEST, expect=opened, call=Calls().make())
    eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.done)


@pytest.mark.lab
def test_a_fence_that_the_api_says_is_lifted_is_not_none_while_the_server_refuses(
    world: World, machine: Caches
) -> None:
    database = world.port()
    fence(world)
    machine._on_user, machine.modify_seconds = (lambda region, name, access: None), 0.0
    state = known(database.fence_state(EAST, WEST))
    database.unfence(EAST, expect=state, call=Calls().make(11))
    read = database.fence_state(EAST, WEST)
    assert isinstance(read, Unknown), read
    assert "its server still refuses: NOPERM" in read.reason
    assert not known(database.read(EAST)).writable
    world.servers[EAST].allow("shop", caches.ACCESS)
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.NONE
    assert known(database.read(EAST)).writable


@pytest.mark.lab
def test_a_failover_while_the_old_region_is_gone(world: World, machine: Caches) -> None:
    database = world.port()
    beat = known(database.beat(EAST))
    eventually(
        world,
        lambda: Known(database.loss(EAST, WEST, Known(beat, beat)), 0.0),
        lambda bound: bound.if_dead_seconds == 0.0,
    )
    world.make_unreachable(EAST)
    fence = known(database.fence_state(EAST, WEST))
    assert fence.outcome is FenceOutcome.OWED
    assert fence.evidence
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    assert known(database.read(WEST)).moving
    state = eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    assert state.role is Role.PRIMARY
    database.write_canary(WEST, "r1/write", call=Calls().make())
    assert known(database.read_canary(WEST, "r1/write")) is not None
    assert len(machine.failovers) == 1
    world.restore(EAST)
    assert known(database.read(EAST)).writable, "AWS has not made it a secondary yet: two writers, and it is seen"
    world.servers[EAST].follow(world.servers[WEST])
    eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.done)


@pytest.mark.lab
def test_a_lag_is_unknown_where_nobody_beats_and_where_the_upstream_is_gone(world: World) -> None:
    database = world.port()
    assert known(database.read(WEST)).lag_seconds is None
    database.beat(EAST)
    state = eventually(world, lambda: database.read(WEST), lambda seen: seen.lag_seconds is not None)
    assert state.lag_seconds is not None
    assert state.lag_seconds < 10
    assert known(database.read(EAST)).lag_seconds is None, "a primary is behind nobody"
    world.servers[EAST].freeze()
    world.servers[WEST].ask("CLIENT", "KILL", "TYPE", "master")
    assert known(database.read(WEST)).lag_seconds is None
    assert world.servers[WEST].info()["master_last_io_seconds_ago"] in ("-1", -1)


@pytest.mark.lab
def test_an_old_heartbeat_says_nothing_of_the_lag(world: World) -> None:
    plane = world.another(heartbeat_stale="3s").plane

    def lag() -> Known[float | None]:
        return Known(plane.lag_seconds(WEST, plane.sight(WEST)), 0.0)

    plane.beat(EAST)
    eventually(world, lag, lambda seconds: seconds is not None)
    eventually(world, lag, lambda seconds: seconds is None)


@pytest.mark.lab
def test_positions_are_those_of_the_stream(world: World) -> None:
    database = world.port()
    before = known(database.read(EAST)).position
    database.write_canary(EAST, "r1/write", call=Calls().make())
    assert known(database.read(EAST)).position > before
    eventually(world, lambda: database.read(WEST), lambda seen: seen.position > before)


# ---- switchover


@pytest.mark.lab
def test_a_switchover_fences_then_writes_a_last_key_then_exchanges_the_roles(world: World, machine: Caches) -> None:
    database = world.port()
    assert known(database.read(EAST)).writable
    world.servers[EAST].ask("SET", "cart", "of-the-last-moment")
    ordered = DatabaseSuite().carry_on(
        world,
        10,
        lambda: database.switchover_state(EAST, WEST),
        # The servers follow by themselves: what was seen may be so no longer, and is looked at again.
        lambda seen, call: no_news(lambda: database.switchover(EAST, WEST, expect=seen, call=call)),
    )
    words = list(dict.fromkeys(ordered))
    assert [one.split(" ")[0] for one in words] == ["fence", "write", "exchange"]
    assert world.servers[WEST].ask("GET", "cart") == "of-the-last-moment"
    assert machine.failovers == [(caches.NAME, WEST)]


@pytest.mark.lab
def test_nothing_is_moved_before_the_replica_holds_the_last_key(world: World, machine: Caches) -> None:
    database = world.port()
    fence(world)
    world.servers[WEST].ask("REPLICAOF", "127.0.0.1", str(caches.free_port()))  # it is behind from here on
    last = known(database.switchover_state(EAST, WEST))
    assert last.next is not None
    assert last.next.startswith("write a last key")
    database.switchover(EAST, WEST, expect=last, call=Calls().make())
    for _ in range(3):
        behind = known(database.switchover_state(EAST, WEST))
        assert (behind.done, behind.next) == (False, None)
        assert "does not hold the last key" in behind.detail
        with pytest.raises(Conflict):
            database.switchover(EAST, WEST, expect=last, call=Calls().make())
    assert machine.failovers == []
    world.servers[WEST].follow(world.servers[EAST])
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.next is not None)


@pytest.mark.lab
def test_a_last_key_of_an_earlier_fence_is_none(world: World, machine: Caches) -> None:
    """Fenced, a last key written, unfenced; clients write on; fenced again: what they wrote counts."""
    database = world.port()
    fence(world, epoch=10)
    last = known(database.switchover_state(EAST, WEST))
    database.switchover(EAST, WEST, expect=last, call=Calls().make(10))
    eventually(
        world, lambda: database.switchover_state(EAST, WEST), lambda seen: (seen.next or "").startswith("exchange")
    )
    state = known(database.fence_state(EAST, WEST))
    database.unfence(EAST, expect=state, call=Calls().make(11))
    eventually(world, lambda: database.read(EAST), lambda seen: seen.writable)
    fence(world, epoch=12)
    again = known(database.switchover_state(EAST, WEST))
    assert (again.next or "").startswith("write a last key")


@pytest.mark.lab
def test_a_fence_that_is_gone_stops_the_exchange(world: World, machine: Caches) -> None:
    database = world.port()
    fence(world)
    last = known(database.switchover_state(EAST, WEST))
    database.switchover(EAST, WEST, expect=last, call=Calls().make())
    ready = eventually(
        world, lambda: database.switchover_state(EAST, WEST), lambda seen: (seen.next or "").startswith("exchange")
    )
    world.servers[EAST].allow("shop", caches.ACCESS)  # somebody opened it behind our back
    with pytest.raises(Conflict):
        database.switchover(EAST, WEST, expect=ready, call=Calls().make())
    assert machine.failovers == []


@pytest.mark.lab
def test_there_and_back_again_with_the_users_of_each_region_given_back(world: World, machine: Caches) -> None:
    database = world.port()
    fence(world)
    switched(world)
    follow = known(database.follow_state(EAST, WEST))
    assert follow.next == "open the way to us-east-1 again: a replica takes no writes"
    database.follow(EAST, WEST, expect=follow, call=Calls().make())
    eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.done)
    world.source, world.target = WEST, EAST
    fence(world, epoch=20)
    DatabaseSuite().carry_on(
        world,
        20,
        lambda: database.switchover_state(WEST, EAST),
        lambda seen, call: no_news(lambda: database.switchover(WEST, EAST, expect=seen, call=call)),
    )
    assert known(database.read(EAST)).writable
    assert machine.failovers == [(caches.NAME, WEST), (caches.NAME, EAST)]


@pytest.mark.lab
def test_a_fence_left_from_before_is_opened_on_whoever_becomes_the_writer(world: World, machine: Caches) -> None:
    database = world.port()
    database.fencing._methods[0].apply(WEST, Calls().make())
    eventually(world, lambda: Known(machine.users[WEST, "shop-w"], 0.0), lambda user: user["Status"] == "active")
    state = known(database.read(WEST))
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    seen = eventually(world, lambda: database.read(WEST), lambda seen: seen.role is Role.PRIMARY and not seen.moving)
    assert not seen.writable
    database.failover(EAST, WEST, expect=seen, call=Calls().make())
    eventually(world, lambda: database.read(WEST), lambda seen: seen.writable)
    assert len(machine.failovers) == 1


# ---- what the application's own connection meets


@pytest.mark.lab
def test_a_session_that_the_server_ended_is_made_anew_for_what_is_asked(world: World) -> None:
    database = world.port()
    assert known(database.read(EAST)).writable
    world.servers[EAST].ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert known(database.read(EAST)).writable
    assert isinstance(database.beat(EAST), Known)


@pytest.mark.lab
def test_a_server_that_stands_still_costs_its_bound_and_is_unknown(world: World) -> None:
    database = world.port()
    assert known(database.read(EAST)).writable
    world.servers[EAST].freeze()
    began = time.monotonic()
    assert isinstance(database.beat(EAST), Unknown)
    assert isinstance(database.read_canary(EAST, "r1/write"), Unknown)
    with pytest.raises(CloudfailError):
        database.write_canary(EAST, "r1/write", call=Calls().make())
    assert time.monotonic() - began < 25
    world.servers[EAST].thaw()
    eventually(world, lambda: database.read(EAST), lambda seen: seen.writable)


@pytest.mark.lab
def test_a_secret_that_is_not_there_is_one_members_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CACHE_OWN")
    database = world.another()
    read = known(database.read(WEST))
    assert (read.role, read.writable) == (Role.REPLICA, False), "the API's word is left"
    assert isinstance(database.beat(EAST), Unknown)
    with pytest.raises(CloudfailError, match="CACHE_OWN"):
        database.write_canary(EAST, "r1/write", call=Calls().make())


# ---- TLS, and an ACL before it


@pytest.mark.lab
def test_over_tls_a_server_is_asked_only_if_its_certificate_holds(machine: Caches) -> None:
    with place() as root:
        key, certificate = root / "key.pem", root / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        more = {"tls-port": str(caches.free_port()), "tls-cert-file": str(certificate), "tls-key-file": str(key)}
        server = caches.Server(root, "tls", **more, **{"tls-ca-cert-file": str(certificate), "tls-auth-clients": "no"})
        try:
            given = {"endpoint": f"localhost:{more['tls-port']}", "tls": True}
            for ca, answers in ((str(certificate), True), (None, False)):
                members = {EAST: caches.member(EAST, server, **given, ca=ca), WEST: caches.GROUPS[WEST]}
                database = caches.made(WorldClients(), members, api_within="25s", answer_within="10s")
                read = database.read(EAST)
                assert isinstance(database.beat(EAST), Known if answers else Unknown), (ca, read)
                assert (isinstance(read, Known) and read.value.writable) is answers, (ca, read)
                database.close()
        finally:
            server.stop()


def test_a_network_acl_is_owed_by_itself_and_prevents_by_the_operators_word(
    front: all_of_aws.Front, machine: Caches, moto: Any
) -> None:
    """Without a way to ask the server. moto has the ACLs."""
    front.serve("ec2", Upstream(moto.port), name="moto")
    ec2 = WorldClients().get("ec2", EAST)
    acl = ec2.describe_network_acls()["NetworkAcls"][0]["NetworkAclId"]
    for prevents, outcome, epoch in ((False, FenceOutcome.OWED, 10), (True, FenceOutcome.PREVENTED, 12)):
        members = {EAST: {"group": "sessions-e", "network": {"acls": [acl], "prevents": prevents}}, WEST: "sessions-w"}
        database = caches.made(WorldClients(), members, api_within="25s")
        before = known(database.fence_state(EAST, WEST))
        assert (before.outcome, before.methods_left) == (FenceOutcome.NONE, ("network-acl",))
        database.fence(EAST, WEST, expect=before, call=Calls().make(epoch))
        after = known(database.fence_state(EAST, WEST))
        assert after.outcome is outcome, after
        entries = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        assert {one["PortRange"]["From"] for one in entries if one.get("PortRange")} == {6379}
        database.unfence(EAST, expect=after, call=Calls().make(epoch + 1))
        assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.NONE


def test_without_the_library_the_kind_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    one = caches.databases.resource("elasticache-global", dict(caches.GROUPS), id=caches.NAME)
    kind = caches.provider.kinds()[caches.PortName.DATABASE, "elasticache-global"]
    with pytest.raises(Refused) as refused:
        kind.build(one, caches.databases.topology(one))
    assert "cloudfail[aws,redis]" in str(refused.value.to_do)


# ---- a run


TOPOLOGY = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions: {us-east-1: {provider: aws}, us-west-2: {provider: aws}}
primary: us-east-1
state: "memory:"
resources:
  sessions: {database: elasticache-global, id: ldgnf-sessions, members: {us-east-1: sessions-e, us-west-2: sessions-w}}
"""
MOVE = """
name: move
mode: switchover
steps:
  fence:   {action: database.fence, with: {database: sessions}, limit: 5m}
  approve: {gate: approval, needs: [fence], expires: 10m}
  move:    {action: database.switchover, with: {database: sessions}, needs: [approve], limit: 5m}
  write:   {action: verify.write, with: {database: sessions}, needs: [move], limit: 10m}
"""


class _Mixed(FakeWorld):
    """A FakeCloud's world, whose database is the one under test."""

    def __init__(self, cloud: FakeCloud, port: ElastiCacheGlobal) -> None:
        super().__init__(cloud)
        self.port = port

    def database(self, name: str) -> Any:
        return self.port


class _MixedStage(Stage):
    port: ElastiCacheGlobal

    def engine(self, worker: str = "w1", store: Any = None) -> Any:
        made = super().engine(worker, store)
        made.world = _Mixed(self.cloud, self.port)
        return made


@pytest.mark.lab
@pytest.mark.parametrize("follows", [True, False])
def test_a_run_moves_the_writer_and_is_done_only_once_the_servers_moved(
    world: World, machine: Caches, tmp_path: Path, follows: bool
) -> None:
    (tmp_path / "cloudfail.yaml").write_text(TOPOLOGY)
    (tmp_path / "move.yaml").write_text(MOVE)
    files = config.load(
        tmp_path / "cloudfail.yaml", [tmp_path / "move.yaml"], {"aws": FakeProvider("aws", like=caches.provider)}
    )
    if not follows:
        machine._on_failover = lambda name, region: None
    stage = _MixedStage(files)
    stage.port = world.port()
    assert known(stage.port.read(EAST)).writable
    run = stage.open("move", EAST, WEST)
    stage.drive(seconds=420.0 if follows else 180.0)
    state = stage.run(run)
    assert machine.failovers == [(caches.NAME, WEST)], "ordered once"
    if follows:
        assert state.phase is Phase.DONE, state.story
        assert known(stage.port.read(WEST)).writable
        assert stage.engine("reader").read().primary == WEST
    else:
        assert state.phase is not Phase.DONE, "the API said that it moved, and no server did"
        assert state.did("move").ended != "done"
