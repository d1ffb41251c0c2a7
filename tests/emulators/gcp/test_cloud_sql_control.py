"""database: cloud-sql by its control plane alone: what is asked of it, what is refused, and what is said before the
bad day. Nobody says how the servers are reached, so that no write is ever claimed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfail import config
from cloudfail.errors import ConfigError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import DatabaseState, FenceOutcome, Role
from cloudfail.ports import Preflight
from cloudfail.testing.conformance import Calls, known
from cloudfail_gcp import provider
from cloudfail_gcp.database.cloud_sql import CloudSql
from tests.emulators.gcp import sql_world
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.sql_world import CENTRAL, KIND, NAMES, WEST
from tests.emulators.gcp.standins import cloud_sql as standin

Serve = Callable[[str, Any], Any]


@pytest.fixture
def machine(serving: Serve) -> standin.CloudSql:
    made: standin.CloudSql = serving("sqladmin.v1", sql_world.machine())
    made.seconds = 0.0
    return made


def replica(database: CloudSql) -> DatabaseState:
    return known(database.read(WEST))


def promotions(machine: standin.CloudSql) -> list[tuple[str, str, dict[str, str]]]:
    return [one for one in machine.orders if one[0] == "PROMOTE_REPLICA"]


# ---- what is read


def test_without_a_login_the_role_is_the_apis_word_and_no_write_is_claimed(machine: standin.CloudSql) -> None:
    database = sql_world.port()
    old, new = known(database.read(CENTRAL)), known(database.read(WEST))
    assert (old.role, old.writable, new.role, new.upstream) == (Role.PRIMARY, False, Role.REPLICA, CENTRAL)
    assert "no `dsn`" in old.moving
    assert known(database.fence_state(CENTRAL, WEST)).outcome is FenceOutcome.OWED
    assert isinstance(database.switchover_state(CENTRAL, WEST), Unknown)
    assert isinstance(database.follow_state(CENTRAL, WEST), Unknown)
    assert isinstance(database.read("us-east1"), Unknown)


def test_of_mysql_the_api_says_the_same_and_nothing_is_ever_done(machine: standin.CloudSql) -> None:
    for one in machine.instances.values():
        one["databaseVersion"] = "MYSQL_8_0"
    database = sql_world.port()
    database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make())
    machine.end()
    after = replica(database)
    assert (after.role, after.writable) == (Role.PRIMARY, False)
    assert "no `dsn`" in after.moving, "a step that waits for a write waits on"


@pytest.mark.parametrize(
    "gone",
    [
        {"operation": "instances.get"},
        {"region": WEST},
        {"service": "sqladmin"},
    ],
    ids=str,
)
def test_a_control_plane_that_does_not_answer_is_unknown(
    machine: standin.CloudSql, google: Front, gone: Mapping[str, str]
) -> None:
    database = sql_world.port(api_within="1s")
    state = replica(database)
    google.outages.refuse(**gone)
    assert isinstance(database.read(WEST), Unknown)
    with pytest.raises((Transient, OutcomeUnknown)):
        database.failover(CENTRAL, WEST, expect=state, call=Calls().make())
    google.outages.heal()
    assert not machine.orders


def test_an_answer_about_another_instance_is_no_answer(machine: standin.CloudSql) -> None:
    machine.instances["orders-w"]["name"] = "orders-x"
    read = sql_world.port(api_within="1s").read(WEST)
    assert isinstance(read, Unknown)
    assert "does not tell what orders-w is" in read.reason


# ---- what is ordered


def test_a_promotion_carries_the_epoch_and_leaves_the_labels_of_others_alone(machine: standin.CloudSql) -> None:
    database = sql_world.port()
    database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make(12))
    assert machine.instances["orders-w"]["settings"]["userLabels"] == {"team": "shop", "cloudfail-epoch": "12_r1"}
    assert [kind for kind, _, _ in machine.orders] == ["UPDATE", "PROMOTE_REPLICA"]


def test_the_mark_is_not_written_again_under_the_same_epoch(machine: standin.CloudSql) -> None:
    machine.instances["orders-w"]["settings"]["userLabels"]["cloudfail-epoch"] = "12_r1"
    database = sql_world.port()
    database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make(12))
    assert [kind for kind, _, _ in machine.orders] == ["PROMOTE_REPLICA"]


def test_an_older_epoch_orders_nothing_after_a_newer_one(machine: standin.CloudSql) -> None:
    machine.instances["orders-w"]["settings"]["userLabels"]["cloudfail-epoch"] = "20_r0"
    database = sql_world.port()
    with pytest.raises(Conflict, match="epoch 20"):
        database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make(19))
    assert not machine.orders


def test_who_loses_the_settings_version_orders_no_promotion(machine: standin.CloudSql) -> None:
    """Two workers read the same version. The newer one's mark is first, so the older one's patch is refused."""
    database = sql_world.port()
    state = replica(database)
    instance = database.instances.describe(WEST)
    database.instances.patch(WEST, instance, {}, Calls().make(21))
    with pytest.raises(Conflict):
        database.instances.promote(WEST, instance, Calls().make(20))
    assert not promotions(machine)
    with pytest.raises(Conflict):
        database.failover(CENTRAL, WEST, expect=state, call=Calls().make(20))


class SomebodyElse(standin.CloudSql):
    """Whose own mark is there as soon as ours is done."""

    def operations_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        told = super().operations_get(labels, query, body)
        if told["status"] == "DONE":
            self.instances["orders-w"]["settings"]["userLabels"]["cloudfail-epoch"] = self.writes
        return told

    writes = ""


@pytest.mark.parametrize(("there", "error"), [("30_r9", Conflict), ("9_r0", OutcomeUnknown), ("", OutcomeUnknown)])
def test_a_mark_that_is_another_when_it_is_read_back_is_no_mark(
    serving: Serve, there: str, error: type[Exception]
) -> None:
    machine = sql_world.machine(SomebodyElse)
    machine.writes = there
    serving("sqladmin.v1", machine)
    database = sql_world.port()
    with pytest.raises(error):
        database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make(10))
    assert [kind for kind, _, _ in machine.orders] == ["UPDATE"]


def test_a_mark_that_is_done_and_had_no_effect_is_no_mark(machine: standin.CloudSql) -> None:
    machine.obeying = False
    database = sql_world.port()
    with pytest.raises(OutcomeUnknown, match="do not carry this run's mark"):
        database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make(10))
    assert [kind for kind, _, _ in machine.orders] == ["UPDATE"]


def test_a_mark_whose_operation_does_not_end_is_in_doubt_and_nothing_is_promoted(machine: standin.CloudSql) -> None:
    machine.seconds = 3600.0
    database = sql_world.port()
    state = replica(database)
    with pytest.raises(OutcomeUnknown, match="has not ended yet"):
        database.failover(CENTRAL, WEST, expect=state, call=dataclasses.replace(Calls().make(), timeout_seconds=1.5))
    seen = replica(database)
    assert "UPDATE is RUNNING" in seen.moving, "whoever looks waits for it"
    assert not promotions(machine)


def test_where_the_mark_is_not_taken_it_is_said_how_to_go_on_by_hand(machine: standin.CloudSql, google: Front) -> None:
    database = sql_world.port()
    google.outages.fail("forbidden", 403, operation="instances.patch")
    with pytest.raises(Permanent, match="gcloud sql instances promote-replica orders-w --failover"):
        database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make())
    assert not machine.orders


def test_what_is_under_way_on_the_replica_is_waited_for(machine: standin.CloudSql, google: Front) -> None:
    """A look says so; an order on top of it is refused by the look, and, where the list does not answer, by Google."""
    database = sql_world.port(api_within="1s")
    state = replica(database)
    machine.seconds = 3600.0
    machine.begin("BACKUP_VOLUME", "orders-w")
    assert "BACKUP_VOLUME is RUNNING" in replica(database).moving
    with pytest.raises(Transient, match="BACKUP_VOLUME"):
        database.failover(CENTRAL, WEST, expect=state, call=Calls().make())
    instance = database.instances.describe(WEST)
    with pytest.raises(Transient, match="operationInProgress"):
        database.instances.promote(WEST, instance, dataclasses.replace(Calls().make(), timeout_seconds=1.0))
    assert not machine.orders


def test_a_promotion_that_is_under_way_is_not_ordered_again(machine: standin.CloudSql) -> None:
    machine.instances["orders-w"]["settings"]["userLabels"]["cloudfail-epoch"] = "10_r1"
    machine.seconds = 3600.0
    database = sql_world.port()
    state = replica(database)
    for epoch in (10, 11):
        database.failover(CENTRAL, WEST, expect=state, call=Calls().make(epoch))
    assert len(machine.orders) == 1
    assert "PROMOTE_REPLICA is RUNNING" in replica(database).moving


def test_an_instance_that_is_not_runnable_is_not_promoted(machine: standin.CloudSql) -> None:
    machine.instances["orders-w"]["state"] = "MAINTENANCE"
    database = sql_world.port()
    with pytest.raises(Transient, match="MAINTENANCE"):
        database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make())
    assert not machine.orders


# ---- what is refused


def test_a_failover_between_zones_is_not_asked_for_here(machine: standin.CloudSql, google: Front) -> None:
    database = sql_world.port()
    with pytest.raises(Permanent, match="gcloud sql instances failover orders-c"):
        database.failover(CENTRAL, CENTRAL, expect=known(database.read(CENTRAL)), call=Calls().make())
    assert not machine.orders
    assert not google.count(operation="instances.failover")


def test_an_instance_that_stands_in_another_region_is_no_way_out(machine: standin.CloudSql) -> None:
    database = sql_world.port()
    state = replica(database)
    machine.instances["orders-w"]["region"] = CENTRAL
    with pytest.raises(Permanent, match="stands in us-central1"):
        database.failover(CENTRAL, WEST, expect=state, call=Calls().make())
    assert isinstance(database.read(WEST), Unknown)
    assert not machine.orders


@pytest.mark.parametrize(("master", "said"), [("shop-prod:orders-old", "orders-old"), ("b:orders-c", "b:orders-c")])
def test_a_replica_of_somebody_else_is_not_promoted(machine: standin.CloudSql, master: str, said: str) -> None:
    machine.instances["orders-w"]["masterInstanceName"] = master
    database = sql_world.port()
    with pytest.raises(Permanent, match=f"replicates {said}"):
        database.failover(CENTRAL, WEST, expect=replica(database), call=Calls().make())
    assert not machine.orders


# ---- the networks that may reach it


def listed(machine: standin.CloudSql, *entries: dict[str, str], public: bool = True) -> CloudSql:
    address = machine.instances["orders-c"]["settings"]["ipConfiguration"]
    address["authorizedNetworks"], address["ipv4Enabled"] = list(entries), public
    east = {"instance": "orders-c", "authorized_networks": {}}
    return sql_world.port({CENTRAL: east, WEST: "orders-w"}, fences=["authorized-networks"])


def test_networks_that_labels_cannot_hold_are_left_as_they_are(machine: standin.CloudSql) -> None:
    for entry in ({"value": "2001:db8::/32"}, {"value": "192.0.2.0/24", "expirationTime": "2027-01-01T00:00:00Z"}):
        database = listed(machine, entry)
        state = known(database.fence_state(CENTRAL, WEST))
        with pytest.raises(Permanent, match="labels cannot hold"):
            database.fence(CENTRAL, WEST, expect=state, call=Calls().make())
    assert not machine.orders


def test_of_an_instance_without_a_public_address_they_say_nothing(machine: standin.CloudSql) -> None:
    state = known(listed(machine, public=False).fence_state(CENTRAL, WEST))
    assert (state.outcome, state.methods_left) == (FenceOutcome.OWED, ())
    assert "keep nobody out" in state.evidence


def test_that_they_stand_is_never_a_proof_and_prevents_nothing(machine: standin.CloudSql) -> None:
    database = listed(machine, {"value": "192.0.2.0/24"}, {"value": "198.51.100.7"})
    database.fence(CENTRAL, WEST, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
    state = known(database.fence_state(CENTRAL, WEST))
    assert state.outcome is FenceOutcome.OWED
    assert "proves nothing by itself" in state.evidence
    shut = known(database.read(CENTRAL))
    assert (shut.role, shut.writable, shut.moving) == (Role.PRIMARY, False, ""), "its silence is the fence"
    database.unfence(CENTRAL, expect=state, call=Calls().make())
    entries = machine.instances["orders-c"]["settings"]["ipConfiguration"]["authorizedNetworks"]
    assert [one["value"] for one in entries] == ["192.0.2.0/24", "198.51.100.7/32"]


@pytest.mark.parametrize("how", ["closed", "busy"])
def test_a_lift_whose_answer_was_lost_is_looked_at_and_not_given_again(
    machine: standin.CloudSql, google: Front, how: str
) -> None:
    database = listed(machine, {"value": "192.0.2.0/24"})
    database.fence(CENTRAL, WEST, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
    stands = known(database.fence_state(CENTRAL, WEST))
    google.outages.lose(how, operation="instances.patch", times=1)
    with pytest.raises(OutcomeUnknown):
        database.unfence(CENTRAL, expect=stands, call=Calls().make())
    assert "authorized-networks stands" not in known(database.fence_state(CENTRAL, WEST)).evidence
    database.unfence(CENTRAL, expect=stands, call=Calls().make())
    assert [kind for kind, _, _ in machine.orders] == ["UPDATE", "UPDATE"]
    entries = machine.instances["orders-c"]["settings"]["ipConfiguration"]["authorizedNetworks"]
    assert [one["value"] for one in entries] == ["192.0.2.0/24"]


def test_a_list_that_grew_while_the_fence_stood_is_taken_off_again_and_put_back_whole(
    machine: standin.CloudSql,
) -> None:
    database = listed(machine, {"value": "192.0.2.0/24", "name": "office"})
    database.fence(CENTRAL, WEST, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
    address = machine.instances["orders-c"]["settings"]["ipConfiguration"]
    address["authorizedNetworks"].append({"value": "198.51.100.0/24", "name": "The office"})
    again = known(database.fence_state(CENTRAL, WEST))
    assert again.methods_left == ("authorized-networks",)
    database.fence(CENTRAL, WEST, expect=again, call=Calls().make())
    assert not machine.instances["orders-c"]["settings"]["ipConfiguration"]["authorizedNetworks"]
    database.unfence(CENTRAL, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make())
    entries = machine.instances["orders-c"]["settings"]["ipConfiguration"]["authorizedNetworks"]
    assert {(one["value"], one.get("name", "")) for one in entries} == {
        ("192.0.2.0/24", "office"),
        ("198.51.100.0/24", ""),
    }, "a name that no label can hold is lost"


def test_a_fence_of_a_newer_epoch_is_neither_put_up_nor_lifted_by_an_older_one(machine: standin.CloudSql) -> None:
    database = listed(machine, {"value": "192.0.2.0/24"})
    free = known(database.fence_state(CENTRAL, WEST))
    database.fence(CENTRAL, WEST, expect=free, call=Calls().make(20))
    with pytest.raises(Conflict):
        database.unfence(CENTRAL, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make(19))
    database.unfence(CENTRAL, expect=known(database.fence_state(CENTRAL, WEST)), call=Calls().make(20))
    with pytest.raises(Conflict):
        database.fence(CENTRAL, WEST, expect=free, call=Calls().make(19))


# ---- before the bad day


Change = Callable[[dict[str, dict[str, Any]]], Any]
READINESS: Mapping[str, tuple[Change, str]] = {
    "a replica that is not designated": (
        lambda found: found["orders-w"].pop("replicationCluster"),
        "there is no switchover to it",
    ),
    "a replica of somebody else": (
        lambda found: found["orders-w"].update(masterInstanceName="shop-prod:other"),
        "is no member of this database",
    ),
    "no point-in-time recovery": (
        lambda found: found["orders-c"]["settings"]["backupConfiguration"].update(pointInTimeRecoveryEnabled=False),
        "no point-in-time recovery",
    ),
    "another sslMode": (
        lambda found: found["orders-w"]["settings"]["ipConfiguration"].update(sslMode="ENCRYPTED_ONLY"),
        "differ in `sslMode`",
    ),
    "under maintenance": (lambda found: found["orders-w"].update(state="MAINTENANCE"), "is MAINTENANCE"),
    "a pool of readers": (
        lambda found: found["orders-w"].update(instanceType="READ_POOL_INSTANCE"),
        "is a READ_POOL_INSTANCE",
    ),
    "the wrong region": (lambda found: found["orders-w"].update(region="us-east1"), "stands in us-east1"),
    "no such instance": (lambda found: found.pop("orders-w"), "does not exist"),
}


@pytest.mark.parametrize("what", READINESS)
def test_what_would_refuse_a_verb_is_said_before(machine: standin.CloudSql, google: Front, what: str) -> None:
    database = sql_world.port()
    assert isinstance(database, Preflight)
    assert known(database.preflight()) == ()
    change, said = READINESS[what]
    change(machine.instances)
    (sentence,) = known(database.preflight())
    assert said in sentence
    assert not google.count(mutating=True)


def test_the_write_endpoint_is_no_members_address(machine: standin.CloudSql) -> None:
    name = "abc.xyz.us-central1.sql-psa.goog"
    machine.instances["orders-c"]["replicationCluster"]["psaWriteEndpoint"] = name
    east = {"instance": "orders-c", "dsn": f"host={name} user=cloudfail", "writer": f"host={name} user=shop"}
    (said,) = known(sql_world.port({CENTRAL: east, WEST: "orders-w"}).preflight())
    assert f"names {name}, which follows the primary" in said


def test_whoever_cannot_ask_claims_nothing(machine: standin.CloudSql, google: Front) -> None:
    google.outages.fail("backendError", 503)
    assert isinstance(sql_world.port(api_within="1s").preflight(), Unknown)


# ---- what is written in the file

HEAD = """
application: shop
objectives: {rto: 15m, rpo: 30s}
regions:
  us-central1: {provider: gcp, account: shop-prod}
  europe-west1: {provider: gcp, account: shop-prod}
primary: us-central1
state: sqlite:/state.db
resources:
"""


def loaded(tmp_path: Path, member: str = "orders-c", more: str = "") -> config.Loaded:
    place = tmp_path / "cloudfail.yaml"
    place.write_text(
        f"{HEAD}  orders: {{database: cloud-sql{more}, members: {{us-central1: {member}, europe-west1: orders-w}}}}\n"
    )
    return config.load(place, [], {"gcp": provider})


def test_a_member_is_a_name_or_says_how_it_is_reached(tmp_path: Path) -> None:
    short = loaded(tmp_path).topology.resources["orders"]
    assert short.members[CENTRAL]["instance"] == "orders-c"
    assert short.options["fences"] == ("logins", "authorized-networks")
    member = (
        '{instance: orders-c, dsn: "host=c user=cloudfail", writer: "host=c user=shop", password: env:ADMIN,'
        " authorized_networks: {keep: [198.51.100.7/32]}}"
    )
    whole = loaded(tmp_path, member, ", switchover_within: 20m").topology.resources["orders"]
    assert whole.members[CENTRAL]["authorized_networks"] == {"keep": ("198.51.100.7/32",)}
    assert whole.options["switchover_within"] == 1200.0


@pytest.mark.parametrize(
    ("member", "more", "said"),
    [
        ('{instance: orders-c, dsn: "host=c user=cloudfail"}', "", "come together"),
        ("{instance: orders-c, password: hunter2}", "", "password"),
        ("{instance: Orders_C}", "", "instance"),
        ("{instance: orders-c, authorized_networks: {keep: [everybody]}}", "", "keep"),
        ("{instance: orders-c, network: {acls: [acl-1]}}", "", "network"),
        ("orders-c", ", fences: [network-acl]", "fences"),
        ("orders-c", ", switchover_within: 2d", "a day at most"),
        ("orders-c", ", failover: zonal", "failover"),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(tmp_path: Path, member: str, more: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, member, more)
    assert said in str(raised.value)


NEEDS = {
    "instances.get": "cloudsql.instances.get",
    "operations.list": "cloudsql.instances.list",
    "operations.get": "cloudsql.instances.get",
    "instances.patch": "cloudsql.instances.update",
    "instances.promoteReplica": "cloudsql.instances.promoteReplica",
    "instances.switchover": "cloudsql.instances.promoteReplica",
}


def test_the_permissions_that_are_stated_are_those_of_what_is_asked(
    machine: standin.CloudSql, google: Front, tmp_path: Path
) -> None:
    database = sql_world.port()
    database.preflight()
    instance = database.instances.describe(WEST)
    database.instances.switch_over(WEST, instance, 600.0, Calls().make())
    machine.end()
    machine.instance("orders-x", WEST, master="orders-w", dr=True)
    again = sql_world.port({WEST: "orders-w", CENTRAL: "orders-c"})
    again.failover(WEST, CENTRAL, expect=known(again.read(CENTRAL)), call=Calls().make())
    asked = {(one.operation, one.mutating) for one in google.seen()}
    assert {operation for operation, _ in asked} == set(NEEDS)
    whole = loaded(tmp_path)
    assert KIND.permissions is not None
    said = KIND.permissions(whole.topology.resources["orders"], whole.topology, list(NAMES))
    watch = {action for grant in said.watch for action in grant.actions}
    execute = {action for grant in said.execute for action in grant.actions}
    assert watch == {NEEDS[operation] for operation, mutating in asked if not mutating}
    assert execute == {NEEDS[operation] for operation, mutating in asked if mutating}
    assert all(on.startswith("projects/shop-prod/instances/orders-") for grant in said.execute for on in grant.on)


def test_without_psycopg_it_is_said_what_to_install() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from cloudfail.errors import Permanent
from cloudfail.model.topology import PortName
from cloudfail_gcp import provider
from types import SimpleNamespace
try:
    provider.kinds()[PortName.DATABASE, "cloud-sql"].build(SimpleNamespace(name="orders"), None)
except Permanent as error:
    print(error.to_do)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "cloudfail[gcp,postgres]" in found


def test_the_kind_loads_no_vendor() -> None:
    code = "import sys, cloudfail_gcp.database; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in found.split()} & {"requests", "urllib3", "psycopg"}
    assert "google.auth" not in found.split()
