"""database: elasticache-global by its control plane alone, and the network between."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cloudfail_aws
from cloudfail.errors import Conflict, Halted, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import Role
from cloudfail.testing.conformance import Calls, known
from cloudfail_aws.database.elasticache_global import ElastiCacheGlobal
from tests.emulators.aws import caches
from tests.emulators.aws import front as all_of_aws
from tests.emulators.aws.cache_world import aws, bare, front, machine, world
from tests.emulators.aws.caches import EAST, WEST
from tests.emulators.aws.databases import WorldClients
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.caches import Caches

Serve = Callable[[str, Any], StandIn]
__all__ = ["aws", "bare", "front", "machine", "world"]
pytestmark = [
    pytest.mark.beside,
    pytest.mark.skipif(not caches.has_redis(), reason="There is no redis-server: run script/setup dev."),
]


# ---- the control plane alone


def test_without_an_endpoint_the_role_is_the_apis_word_and_no_write_is_claimed(
    bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches
) -> None:
    database, _ = bare
    east, west = known(database.read(EAST)), known(database.read(WEST))
    assert (east.role, east.writable, west.role, west.writable) == (Role.PRIMARY, False, Role.REPLICA, False)
    assert west.upstream == EAST
    database.failover(EAST, WEST, expect=west, call=Calls().make())
    after = known(database.read(WEST))
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    assert "no `endpoint`" in after.moving, "promoted, says the API; the step is not done"
    database.failover(EAST, WEST, expect=after, call=Calls().make())
    assert machine.failovers == [(caches.NAME, WEST)]


def test_a_failover_is_asked_of_the_targets_region(
    bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches
) -> None:
    database, clients = bare
    clients.gone.add(EAST)
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    ((region, asked),) = clients.changes("FailoverGlobalReplicationGroup")
    assert (region, asked["PrimaryRegion"], asked["PrimaryReplicationGroupId"]) == (WEST, WEST, "sessions-w")
    assert machine.tags[machine.group_arn(WEST, "sessions-w")] == {"cloudfail:epoch": "10 r1"}


def test_the_request_is_made_in_one_place() -> None:
    """By construction: whoever writes another call of this operation meets this test."""
    calls = [
        path.name
        for path in sorted(Path(cloudfail_aws.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "failover_global_replication_group"
    ]
    assert calls == ["global_datastores.py"]


def test_while_one_is_under_way_no_other_is_ordered(
    bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches
) -> None:
    database, _ = bare
    machine.failover_seconds = None
    state = known(database.read(WEST))
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert known(database.read(WEST)).moving == f"AWS says that {caches.NAME} is modifying"
    with pytest.raises(Conflict):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    member = database.stores.describe(WEST).member("sessions-w", WEST)
    assert member is not None
    with pytest.raises(Conflict):  # AWS's own refusal, by its own code
        database.stores.fail_over(member, Calls().make())
    assert machine.failovers == [(caches.NAME, WEST)]


def test_an_older_epoch_orders_nothing_after_a_newer_one(
    bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches
) -> None:
    database, clients = bare
    machine.tags[machine.group_arn(WEST, "sessions-w")] = {"cloudfail:epoch": "20 r0"}
    with pytest.raises(Conflict):
        database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make(19))
    assert not clients.done


def test_a_call_that_may_not_be_made_is_not_sent(bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches) -> None:
    database, _ = bare
    state = known(database.read(WEST))
    with pytest.raises(Halted):
        database.failover(EAST, WEST, expect=state, call=Calls().make(raises=Halted("bob asked to abort.")))
    assert (machine.failovers, machine.tags.get(machine.group_arn(WEST, "sessions-w"), {})) == ([], {})


def test_a_group_that_is_no_member_any_more_is_not_promoted(
    bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches
) -> None:
    database, clients = bare
    state = known(database.read(WEST))
    del machine._stores[caches.NAME].members[WEST]
    assert isinstance(database.read(WEST), Unknown)
    with pytest.raises(Permanent):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


def test_a_datastore_that_is_not_there_is_unknown(machine: Caches) -> None:
    one = caches.databases.resource("elasticache-global", dict(caches.GROUPS), id="ldgnf-others")
    database = ElastiCacheGlobal(one, caches.databases.topology(one), WorldClients())
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.switchover_state(EAST, WEST), Unknown)


def test_cluster_mode_is_not_served_and_said_so(bare: tuple[ElastiCacheGlobal, WorldClients], machine: Caches) -> None:
    database, clients = bare
    state = known(database.read(WEST))
    machine.sharded = True
    read = database.read(WEST)
    assert isinstance(read, Unknown)
    assert "cluster mode" in read.reason
    with pytest.raises(Permanent, match="cluster mode"):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert not clients.done


def test_a_region_that_does_not_answer_is_unknown(bare: tuple[ElastiCacheGlobal, WorldClients]) -> None:
    database, clients = bare
    clients.gone.add(WEST)
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.switchover_state(EAST, WEST), Unknown)
    assert isinstance(database.follow_state(WEST, EAST), Unknown)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ({"group": "sessions-e", "port": 6379}, "port"),
        ({"group": "sessions-e", "endpoint": "cache.example"}, "pattern"),
        ({"group": "sessions-e", "endpoint": "cache.example:6379"}, "`endpoint` needs `user` and `writer`"),
        (
            {"group": "sessions-e", "endpoint": "cache.example:6379", "user": "shop", "writer": "shop"},
            "`endpoint` needs `user` and `writer`",
        ),
        ({"group": "sessions-e", "user": "shop"}, "of no use without `endpoint`"),
        ({"group": "sessions-e", "password": "secret"}, "a secret is never written here"),
        ({"group": "sessions-e", "users": ["no id"]}, "pattern"),
    ],
)
def test_a_member_that_is_written_wrong_is_told(member: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        caches.databases.resource("elasticache-global", {EAST: member}, id="x")


def test_the_port_of_a_caches_network_is_its_own() -> None:
    one = caches.databases.resource(
        "elasticache-global", {EAST: {"group": "sessions-e", "network": {"acls": ["acl-0aa1"]}}}, id="x"
    )
    assert one.members[EAST]["network"]["port"] == 6379


def test_an_identifier_must_be_written() -> None:
    one = caches.databases.resource("elasticache-global", dict(caches.GROUPS))
    with pytest.raises(Permanent, match="no `id`"):
        ElastiCacheGlobal(one, caches.databases.topology(one), WorldClients())


# ---- the network between


@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_an_order_whose_answer_was_lost_is_looked_at_and_not_given_again(
    front: all_of_aws.Front, machine: Caches, bare: tuple[ElastiCacheGlobal, WorldClients], how: str
) -> None:
    database, _ = bare
    state = known(database.read(WEST))
    front.outages.lose(how, operation="failover_global_replication_group", times=1)
    with pytest.raises(OutcomeUnknown):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert known(database.read(WEST)).role is Role.PRIMARY, "it had landed"
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert machine.failovers == [(caches.NAME, WEST)]


FAULTS: dict[str, Callable[[all_of_aws.Front], Any]] = {
    "black hole": lambda front: front.outages.silence(region=WEST),
    "reset": lambda front: front.outages.refuse(region=WEST),
    "throttled": lambda front: front.outages.throttle(region=WEST),
    "server's own error": lambda front: front.outages.fail("InternalFailure", 500, region=WEST),
    "cut answers": lambda front: front.outages.cut(region=WEST, mutating=False),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_control_plane_without_an_answer_is_unknown_and_orders_nothing(
    front: all_of_aws.Front, machine: Caches, fault: Callable[[all_of_aws.Front], Any]
) -> None:
    state = known(caches.made(WorldClients(), dict(caches.GROUPS), api_within="25s").read(WEST))
    database = caches.made(WorldClients(), dict(caches.GROUPS), api_within="1s")
    fault(front)
    assert isinstance(database.read(WEST), Unknown)
    assert isinstance(database.switchover_state(EAST, WEST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert machine.failovers == []


def test_a_throttled_order_is_given_again_and_takes_effect_once(
    front: all_of_aws.Front, machine: Caches, bare: tuple[ElastiCacheGlobal, WorldClients]
) -> None:
    database, _ = bare
    front.outages.throttle(operation="failover_global_replication_group", times=1)
    database.failover(EAST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    assert machine.failovers == [(caches.NAME, WEST)]


def test_a_stale_look_at_the_datastore_orders_no_second_failover(
    front: all_of_aws.Front, machine: Caches, bare: tuple[ElastiCacheGlobal, WorldClients]
) -> None:
    """What was read before the order is read again after it: AWS itself refuses the second."""
    database, _ = bare
    state = known(database.read(WEST))
    database.failover(EAST, WEST, expect=state, call=Calls().make())
    front.outages.stale(60.0, operation="describe_global_replication_groups")
    with pytest.raises((Conflict, Permanent)):
        database.failover(EAST, WEST, expect=state, call=Calls().make())
    assert machine.failovers == [(caches.NAME, WEST)]
