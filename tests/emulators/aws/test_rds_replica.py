"""database: rds-replica against moto's control plane and real PostgreSQL servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

from cloudfail.errors import Conflict, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_aws.database.instances import Instance, kept_start
from cloudfail_aws.database.rds_replica import RdsReplica
from cloudfail_aws.database.replica_follow import kept_name, snapshot_name
from tests.emulators.aws import databases
from tests.emulators.aws.databases import EAST, WEST, World, WorldClients
from tests.emulators.aws.emulator import Emulator
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]

pytestmark = pytest.mark.beside


@pytest.fixture
def rds(moto: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """An account with orders-e in us-east-1 and its replica orders-w in us-west-2; a client by region."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session()

    def client(region: str, service: str = "rds") -> Any:
        return session.create_client(service, region_name=region)

    arn = client(EAST).create_db_instance(
        DBInstanceIdentifier="orders-e", DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="owner", MasterUserPassword="not-asked-for",
    )["DBInstance"]["DBInstanceArn"]  # fmt: skip
    client(WEST).create_db_instance_read_replica(
        DBInstanceIdentifier="orders-w", SourceDBInstanceIdentifier=arn, DBInstanceClass="db.t3.micro"
    )
    return client


def made(clients: WorldClients, members: dict[str, Any], **options: Any) -> RdsReplica:
    one = databases.resource("rds-replica", members, **options)
    return RdsReplica(one, databases.topology(one), clients)


@pytest.fixture
def bare(rds: Callable[..., Any]) -> Iterator[tuple[RdsReplica, WorldClients]]:
    """Its control plane alone: no member says how it is reached over SQL."""
    clients = WorldClients()
    yield made(clients, {EAST: "orders-e", WEST: "orders-w"}, api_within="25s"), clients


@pytest.fixture
def world(rds: Callable[..., Any], pair: Callable[..., servers.Pair]) -> Iterator[World]:
    one, clients = pair(), WorldClients()
    members = {
        EAST: {"instance": "orders-e", **databases.reached(one.east)},
        WEST: {"instance": "orders-w", **databases.reached(one.west)},
    }
    world = World("rds-replica", one, clients, lambda: made(clients, members, answer_within="2s", api_within="25s"))
    clients.then = {
        "PromoteReadReplica": world.promote_west,
        "ModifyDBInstance": world.stop_east,
        "CreateDBInstanceReadReplica": world.build_east,
    }
    yield world
    world.close()


def test_without_a_login_nobody_says_that_it_takes_writes(bare: tuple[RdsReplica, WorldClients]) -> None:
    database, _ = bare
    for region in (EAST, WEST):
        read = database.read(region)
        assert isinstance(read, Unknown)
        assert "no `dsn`" in read.reason
    fence = known(database.fence_state(EAST, WEST))
    assert fence.outcome is FenceOutcome.OWED


def test_without_a_login_nothing_is_promoted(bare: tuple[RdsReplica, WorldClients]) -> None:
    from cloudfail.model.states import DatabaseState

    database, clients = bare
    with pytest.raises(Transient):
        database.failover(EAST, WEST, expect=DatabaseState(Role.REPLICA, False, 0), call=Calls().make())
    assert not clients.done


def test_an_old_instance_with_a_long_name_is_found_again() -> None:
    name = "orders-of-the-shop-in-the-first-region-that-we-ever-had-anywhere"[:63]
    old = Instance(name, "", "available", "", "db-M5ENSHXFPU6XHZ4G4ZEI5QIO2U", None, {})
    kept = kept_name(old)
    assert len(kept) <= 63
    assert kept.startswith(kept_start(name))
    assert kept.endswith("-m5enshxf")


@pytest.mark.lab
class TestRdsReplica(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


@pytest.mark.lab
def test_a_replica_that_the_api_calls_promoted_is_one_still_while_its_server_is_in_recovery(world: World) -> None:
    """The API: success, available, no source. The server: never promoted. The step is never done, and ordered once."""
    del world.clients.then["PromoteReadReplica"]
    database = world.port()
    state = known(database.read(WEST))
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    for _ in range(3):
        seen = known(database.read(WEST))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "in recovery still" in seen.moving
        database.failover(EAST, WEST, expect=seen, call=Calls().make(11))
    assert len(world.clients.changes("PromoteReadReplica")) == 1


@pytest.mark.lab
def test_a_promotion_carries_the_epoch_and_an_older_one_is_refused(world: World, rds: Callable[..., Any]) -> None:
    database = world.port()
    arn = rds(WEST).describe_db_instances(DBInstanceIdentifier="orders-w")["DBInstances"][0]["DBInstanceArn"]
    rds(WEST).add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "cloudfail:epoch", "Value": "20 r0"}])
    state = known(database.read(WEST))
    with pytest.raises(Conflict):
        database.failover(EAST, WEST, expect=state, call=Calls().make(19))
    assert not world.clients.changes("PromoteReadReplica")
    database.failover(EAST, WEST, expect=state, call=Calls().make(21))
    tags = rds(WEST).list_tags_for_resource(ResourceName=arn)["TagList"]
    assert {"Key": "cloudfail:epoch", "Value": "21 r1"} in tags


@pytest.mark.lab
def test_logins_that_the_fence_took_are_given_back_on_the_new_writer_and_not_on_the_old_one(world: World) -> None:
    database = world.port()
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert world.pair.east.one("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop'") is False
    servers.until(lambda: not world.pair.west.one("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop'"))
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    shut = eventually(world, lambda: database.read(WEST), lambda seen: seen.role is Role.PRIMARY)
    assert (shut.writable, shut.moving) == (False, "")
    assert shut.next == "give back the logins that the fence took"
    database.failover(EAST, WEST, expect=shut, call=Calls().make())
    let_in = known(database.read(WEST))
    assert (let_in.writable, let_in.next) == (True, "")
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN


@pytest.mark.lab
def test_a_connection_opened_before_is_what_shows_that_a_fence_holds(world: World) -> None:
    """The read opens one; sessions that are not ended go on writing, whatever was revoked."""
    database = world.port()
    assert known(database.read(EAST)).writable
    world.pair.east.ask("ALTER ROLE shop NOLOGIN")
    held = known(database.fence_state(EAST, WEST))
    assert held.outcome is FenceOutcome.NONE, "a new connection is refused, and the old one writes on"
    database.fence(EAST, WEST, expect=held, call=Calls().make())
    proven = known(database.fence_state(EAST, WEST))
    assert proven.outcome is FenceOutcome.PROVEN
    assert "opened before" in proven.evidence


def groups(rds: Callable[..., Any], name: str = "orders-e") -> list[str]:
    (one,) = rds(EAST).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return [group["VpcSecurityGroupId"] for group in one["VpcSecurityGroups"]]


@pytest.fixture
def closed(rds: Callable[..., Any]) -> str:
    """A group without inbound rules."""
    made_ = rds(EAST, "ec2").create_security_group(GroupName="closed", Description="nobody")
    return str(made_["GroupId"])


def test_a_security_group_is_exchanged_and_put_back(rds: Callable[..., Any], closed: str) -> None:
    clients = WorldClients()
    east = {"instance": "orders-e", "closed_group": closed}
    database = made(clients, {EAST: east, WEST: "orders-w"}, fences=["security-group"], api_within="25s")
    before = groups(rds)
    state = known(database.fence_state(EAST, WEST))
    database.fence(EAST, WEST, expect=state, call=Calls().make(20))
    assert groups(rds) == [closed]
    standing = known(database.fence_state(EAST, WEST))
    assert (standing.outcome, standing.methods_left) == (FenceOutcome.OWED, ())
    with pytest.raises(Conflict):
        database.unfence(EAST, expect=standing, call=Calls().make(19))
    database.unfence(EAST, expect=standing, call=Calls().make(21))
    assert groups(rds) == before
    with pytest.raises(Conflict):
        database.fence(EAST, WEST, expect=known(database.fence_state(EAST, WEST)), call=Calls().make(20))


@pytest.mark.lab
def test_a_security_group_alone_is_never_proven(
    rds: Callable[..., Any],
    pair: Callable[..., servers.Pair],
    closed: str,
) -> None:
    """As AWS has it: the connection that was made before goes on, whatever the group says."""
    one, clients = pair(), WorldClients()
    members = {
        EAST: {"instance": "orders-e", "closed_group": closed, **databases.reached(one.east)},
        WEST: {"instance": "orders-w", **databases.reached(one.west)},
    }
    database = made(clients, members, fences=["security-group", "logins"], answer_within="2s", api_within="25s")
    assert known(database.read(EAST)).writable
    state = known(database.fence_state(EAST, WEST))
    assert state.methods_left == ("security-group", "logins")
    database.fence(EAST, WEST, expect=state, call=Calls().make())
    assert groups(rds) == [closed]
    shut = known(database.fence_state(EAST, WEST))
    assert (shut.outcome, shut.methods_left) == (FenceOutcome.FAILED, ("logins",))
    database.fence(EAST, WEST, expect=shut, call=Calls().make())
    assert known(database.fence_state(EAST, WEST)).outcome is FenceOutcome.PROVEN
    database.close()


@pytest.mark.lab
def test_what_the_old_instance_held_is_kept_before_a_replica_takes_its_name(
    world: World, rds: Callable[..., Any]
) -> None:
    suite, database = DatabaseSuite(), world.port()
    suite.fence(world)
    suite.move(world)
    old = database.instance(EAST)
    done = suite.carry_on(
        world,
        11,
        lambda: database.follow_state(EAST, WEST),
        lambda seen, call: database.follow(EAST, WEST, expect=seen, call=call),
    )
    assert [words.split(" ", 1)[0] for words in done] == ["keep", "rename", "create"]
    kept = rds(EAST).describe_db_snapshots(DBSnapshotIdentifier=snapshot_name(old))["DBSnapshots"]
    assert [one["DBInstanceIdentifier"] for one in kept] == ["orders-e"]
    names = {one["DBInstanceIdentifier"] for one in rds(EAST).describe_db_instances()["DBInstances"]}
    assert names == {"orders-e", kept_name(old)}
    assert isinstance(database.read(EAST), Known)
