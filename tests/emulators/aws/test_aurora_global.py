"""database: aurora-global against ministack's control plane and real PostgreSQL servers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cloudfail_aws
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import Role
from cloudfail.testing.conformance import Calls, DatabaseSuite, eventually, known
from cloudfail_aws.database.aurora_global import AuroraGlobal
from cloudfail_aws.database.global_clusters import GlobalClusters, copy_name
from tests.emulators.aws import databases, faults
from tests.emulators.aws.databases import EAST, WEST, World, WorldClients
from tests.emulators.aws.emulator import Emulator
from tests.local import servers
from tests.local.conftest import pair, postgres_root, template

__all__ = ["pair", "postgres_root", "template"]
PLAIN = {EAST: "orders-e", WEST: "orders-w"}
pytestmark = pytest.mark.beside


@pytest.fixture
def rds(sdk: Any) -> Callable[[str], Any]:
    """An account with the global cluster orders-global: orders-e writes, orders-w reads."""
    more: dict[str, Any] = {"Engine": "aurora-postgresql", "GlobalClusterIdentifier": "orders-global"}
    sdk("rds", EAST).create_global_cluster(**more)
    sdk("rds", EAST).create_db_cluster(
        DBClusterIdentifier="orders-e", MasterUsername="owner", MasterUserPassword="not-asked-for", **more
    )
    sdk("rds", WEST).create_db_cluster(DBClusterIdentifier="orders-w", **more)
    return lambda region: sdk("rds", region)


def made(clients: WorldClients, members: dict[str, Any], **options: Any) -> AuroraGlobal:
    one = databases.resource("aurora-global", members, id="orders-global", **options)
    return AuroraGlobal(one, databases.topology(one), clients)


@pytest.fixture
def bare(rds: Callable[[str], Any]) -> tuple[AuroraGlobal, WorldClients]:
    """Its control plane alone, members written as in the documentation's example."""
    clients = WorldClients()
    return made(clients, dict(PLAIN), api_within="25s"), clients


@pytest.fixture
def world(rds: Callable[[str], Any], pair: Callable[..., servers.Pair]) -> Iterator[World]:
    one, clients = pair(), WorldClients()
    members = {
        EAST: {"cluster": "orders-e", **databases.reached(one.east)},
        WEST: {"cluster": "orders-w", **databases.reached(one.west)},
    }
    world = World("aurora-global", one, clients, lambda: made(clients, members, answer_within="2s", api_within="25s"))
    clients.then = {"FailoverGlobalCluster": world.promote_west, "SwitchoverGlobalCluster": world.change_places}
    yield world
    world.close()


# ---- the control plane alone


def test_without_a_login_the_role_is_the_apis_word_and_no_write_is_claimed(
    bare: tuple[AuroraGlobal, WorldClients],
) -> None:
    database, clients = bare
    east, west = known(database.read(EAST)), known(database.read(WEST))
    assert (east.role, east.writable, west.role, west.writable) == (Role.PRIMARY, False, Role.REPLICA, False)
    assert west.upstream == EAST
    database.failover(EAST, WEST, expect=west, call=Calls().make())
    after = known(database.read(WEST))
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    assert "no `dsn`" in after.moving, "promoted, says the API; the step is not done"
    database.failover(EAST, WEST, expect=after, call=Calls().make())
    assert len(clients.changes("FailoverGlobalCluster")) == 1


def test_a_failover_says_that_data_may_be_lost_and_is_asked_of_the_targets_region(
    bare: tuple[AuroraGlobal, WorldClients],
) -> None:
    """Without AllowDataLoss AWS makes a switchover of it, which waits for the primary that is lost."""
    database, clients = bare
    clients.gone.add(EAST)
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    ((region, asked),) = clients.changes("FailoverGlobalCluster")
    assert region == WEST
    assert asked["AllowDataLoss"] is True
    assert "Switchover" not in asked
    assert not clients.changes("SwitchoverGlobalCluster")


def test_a_switchover_is_asked_of_the_primarys_region_and_loses_nothing(rds: Callable[[str], Any]) -> None:
    clients = WorldClients()
    database = made(clients, dict(PLAIN))
    clusters = database.clusters
    known_ = clusters.describe(WEST)
    old, new = known_.member("orders-e", EAST), known_.member("orders-w", WEST)
    assert old is not None
    assert new is not None
    clusters.switch_over(old, new, Calls().make())
    ((region, asked),) = clients.changes("SwitchoverGlobalCluster")
    assert region == EAST
    assert set(asked) == {"GlobalClusterIdentifier", "TargetDbClusterIdentifier"}
    assert not clients.changes("FailoverGlobalCluster")


def test_the_two_requests_are_made_in_one_place_each_and_the_lossy_one_names_the_loss() -> None:
    """By construction: whoever writes another call of these operations meets this test."""
    calls: dict[str, list[set[str | None]]] = {}
    for path in sorted(Path(cloudfail_aws.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for word in node.args:
                    if isinstance(word, ast.Constant) and word.value in (
                        "failover_global_cluster", "switchover_global_cluster",
                    ):  # fmt: skip
                        calls.setdefault(str(word.value), []).append({one.arg for one in node.keywords})
    assert {name: len(found) for name, found in calls.items()} == {
        "failover_global_cluster": 1,
        "switchover_global_cluster": 1,
    }
    assert "AllowDataLoss" in calls["failover_global_cluster"][0]
    assert not calls["switchover_global_cluster"][0] & {"AllowDataLoss", "Switchover"}


def test_a_second_order_meets_a_conflict_that_means_look_again(rds: Callable[[str], Any]) -> None:
    clients = WorldClients()
    clusters: GlobalClusters = made(clients, dict(PLAIN)).clusters
    target = clusters.describe(WEST).member("orders-w", WEST)
    assert target is not None
    clusters.fail_over(target, Calls().make())
    with pytest.raises(Conflict):
        clusters.fail_over(target, Calls().make())


def test_an_older_epoch_orders_nothing_after_a_newer_one(
    bare: tuple[AuroraGlobal, WorldClients], rds: Callable[[str], Any]
) -> None:
    database, clients = bare
    arn = rds(WEST).describe_db_clusters(DBClusterIdentifier="orders-w")["DBClusters"][0]["DBClusterArn"]
    rds(WEST).add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "cloudfail:epoch", "Value": "20 r0"}])
    with pytest.raises(Conflict):
        database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make(19))
    assert not clients.done


def test_a_cluster_that_is_no_member_any_more_is_not_promoted(
    bare: tuple[AuroraGlobal, WorldClients], rds: Callable[[str], Any]
) -> None:
    database, clients = bare
    state = known(database.read(WEST))
    arn = rds(WEST).describe_db_clusters(DBClusterIdentifier="orders-w")["DBClusters"][0]["DBClusterArn"]
    rds(WEST).remove_from_global_cluster(GlobalClusterIdentifier="orders-global", DbClusterIdentifier=arn)
    assert isinstance(database.read(WEST), Unknown)
    with pytest.raises(Permanent):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


def test_a_region_that_does_not_answer_is_unknown(bare: tuple[AuroraGlobal, WorldClients]) -> None:
    database, clients = bare
    clients.gone.add(WEST)
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.switchover_state(EAST, WEST), Unknown)
    assert isinstance(database.follow_state(WEST, EAST), Unknown)


def test_what_aws_kept_of_an_old_primary_is_found_by_its_name(
    bare: tuple[AuroraGlobal, WorldClients], rds: Callable[[str], Any]
) -> None:
    database, _ = bare
    name = "rds:unplanned-global-failover-orders-e-2026-11-23-10-00"
    for other in (name, "rds:orders-e-2026-11-23", "rds:unplanned-global-failover-others-2026-11-23-10-00"):
        rds(EAST).create_db_cluster_snapshot(DBClusterSnapshotIdentifier=other, DBClusterIdentifier="orders-e")
    (tail,) = database.clusters.tails(EAST)
    assert (tail.name, tail.copy, tail.copied) == (name, copy_name(name), "")
    rds(EAST).create_db_cluster_snapshot(DBClusterSnapshotIdentifier=copy_name(name), DBClusterIdentifier="orders-e")
    assert database.clusters.tails(EAST)[0].copied == "available"


# ---- the network between


@pytest.fixture
def between(aws: Emulator, rds: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[faults.Proxy]:
    """All that is asked from here on goes through here."""
    with faults.proxy(aws.port) as made_:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made_.url)
        yield made_


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_an_order_whose_answer_was_lost_is_looked_at_and_not_given_again(between: faults.Proxy, how: str) -> None:
    clients = WorldClients()
    database = made(clients, dict(PLAIN), api_within="25s")
    state = known(database.read(WEST))
    between.lose(b"Action=FailoverGlobalCluster", 1, how)
    with pytest.raises(OutcomeUnknown):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert between.lost == 1
    after = known(database.read(WEST))
    assert after.role is Role.PRIMARY, "it had landed"
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert len(clients.changes("FailoverGlobalCluster")) == 1


def test_reads_without_an_answer_are_unknown_and_order_nothing(between: faults.Proxy) -> None:
    clients = WorldClients()
    database = made(clients, dict(PLAIN))
    state = known(database.read(WEST))
    between.lose(b"Action=DescribeGlobalClusters", 1000, "busy")
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.switchover_state(EAST, WEST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


# ---- with servers


@pytest.mark.lab
class TestAuroraGlobal(DatabaseSuite):
    @pytest.fixture
    def world(self, world: World) -> World:
        return world


@pytest.mark.lab
def test_a_cluster_that_the_api_calls_the_writer_is_a_reader_while_its_server_is_in_recovery(world: World) -> None:
    """Failover and switchover: the API says done at once, the servers never follow, and no step is done."""
    world.clients.then.clear()
    database = world.port()
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    for _ in range(3):
        seen = known(database.read(WEST))
        assert (seen.role, seen.writable) == (Role.REPLICA, False)
        assert "in recovery still" in seen.moving
        progress = database.switchover_state(EAST, WEST)
        assert isinstance(progress, Known)
        assert (progress.value.done, progress.value.next) == (False, None)
    assert len(world.clients.changes("FailoverGlobalCluster")) == 1


@pytest.mark.lab
def test_a_switchover_is_not_done_before_the_servers_changed_places(world: World) -> None:
    world.clients.then.clear()
    database = world.port()
    first = known(database.switchover_state(EAST, WEST))
    assert first.next is not None
    database.switchover(EAST, WEST, expect=first, call=Calls().make())
    stuck = known(database.switchover_state(EAST, WEST))
    assert (stuck.done, stuck.next) == (False, None)
    world.change_places()
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    assert len(world.clients.changes("SwitchoverGlobalCluster")) == 1


@pytest.mark.lab
def test_the_tail_is_copied_before_the_old_primary_counts_as_a_follower(
    world: World, rds: Callable[[str], Any]
) -> None:
    database = world.port()
    progress = known(database.switchover_state(EAST, WEST))
    database.switchover(EAST, WEST, expect=progress, call=Calls().make())
    eventually(world, lambda: database.switchover_state(EAST, WEST), lambda seen: seen.done)
    name = "rds:unplanned-global-failover-orders-e-2026-11-23-10-00"
    rds(EAST).create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier="orders-e")
    owed = known(database.follow_state(EAST, WEST))
    assert owed.next is not None
    assert owed.next.startswith("copy ")
    rds(EAST).create_db_cluster_snapshot(DBClusterSnapshotIdentifier=copy_name(name), DBClusterIdentifier="orders-e")
    eventually(world, lambda: database.follow_state(EAST, WEST), lambda seen: seen.done)
