"""database: mysql-flexible: by its control plane alone, since nobody here asks a MySQL server anything."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from azure.mgmt.mysqlflexibleservers.models import ReplicationRole

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import DatabaseState, FenceOutcome, Role
from cloudfail.ports import Preflight
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure.database.mysql_flexible import MysqlFlexible
from tests.emulators.azure import mysql_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Front
from tests.emulators.azure.mysql_world import IDS, KIND, PACKAGE, Serve
from tests.emulators.azure.standins.mysql_flexible import Lags, MysqlServers

pytestmark = pytest.mark.timeout(300)
OFFICE, OWN = ("192.0.2.0", "192.0.2.255"), ("203.0.113.7", "203.0.113.7")


@pytest.fixture
def machine(serving: Serve) -> MysqlServers:
    made = mysql_world.served(serving)
    made.seconds = 0.0
    return made


def replica(database: MysqlFlexible) -> DatabaseState:
    return known(database.read(NORTH))


def fail_over(database: MysqlFlexible, epoch: int = 10, seconds: float = 30.0) -> list[str]:
    """Returns what was logged."""
    said: list[str] = []
    call = dataclasses.replace(Calls().make(epoch), log=said.append, timeout_seconds=seconds)
    database.failover(WEST, NORTH, expect=replica(database), call=call)
    return said


def tags(machine: MysqlServers, region: str = NORTH) -> dict[str, str]:
    found: dict[str, str] = machine.at(IDS[region])["tags"]
    return found


# ---- what is read


def test_a_role_is_azures_word_and_no_write_is_ever_claimed(machine: MysqlServers) -> None:
    database = mysql_world.port()
    old, new = known(database.read(WEST)), replica(database)
    assert (old.role, old.writable, new.role, new.writable, new.upstream) == (
        Role.PRIMARY,
        False,
        Role.REPLICA,
        False,
        WEST,
    )
    assert "nobody here asks a MySQL server" in old.moving
    assert isinstance(database.beat(WEST), Unknown)
    assert isinstance(database.read_canary(WEST, "r1/write"), Unknown)
    assert isinstance(database.read("uksouth"), Unknown)
    with pytest.raises(Permanent):
        database.write_canary(WEST, "r1/write", call=Calls().make())
    database.close()


def test_the_lag_is_what_azure_monitor_told_and_that_samples_age(serving: Serve, azure: Front) -> None:
    machine = mysql_world.served(serving)
    lags = Lags(machine)
    serving("azure.mgmt.monitor", lags)
    database = mysql_world.port()
    lag = replica(database).lag_seconds
    assert lag is not None
    assert 60.0 <= lag - 7.0 < 90.0
    assert known(database.read(WEST)).lag_seconds is None, "of a replica alone"
    assert {one["metricnames"] for one in lags.asked} == {"replication_lag"}
    bound = database.loss(WEST, NORTH, Unknown("-"))
    assert (bound.if_dead_seconds, bound.if_alive_seconds) == (None, None), "what has not arrived is in no figure"
    assert "7 s behind" in bound.parts[0]
    lags.age = 3600.0
    assert replica(database).lag_seconds is None
    lags.age, lags.behind = 60.0, None
    assert replica(database).lag_seconds is None
    azure.outages.fail("AuthorizationFailed", 403, service="monitor")
    assert replica(database).lag_seconds is None
    assert "no lag" in database.loss(WEST, NORTH, Unknown("-")).parts[0]


@pytest.mark.parametrize("gone", [{"operation": "servers.get"}, {"region": NORTH}], ids=str)
def test_a_control_plane_that_does_not_answer_is_unknown(
    machine: MysqlServers, azure: Front, gone: Mapping[str, str]
) -> None:
    database = mysql_world.port()
    state = replica(database)
    azure.outages.refuse(**gone)
    assert isinstance(database.read(NORTH), Unknown)
    assert isinstance(database.follow_state(NORTH, WEST), Unknown)
    assert isinstance(database.preflight(), Unknown)
    with pytest.raises(Transient):
        database.failover(WEST, NORTH, expect=state, call=Calls().make())
    azure.outages.heal()
    assert not machine.orders


# ---- a failover


@pytest.mark.parametrize("style", ["status", "location"])
def test_the_replication_is_stopped_out_of_a_region_that_is_lost(serving: Serve, azure: Front, style: str) -> None:
    machine = mysql_world.served(serving, style=style)
    azure.outages.refuse(region=WEST)
    said = fail_over(mysql_world.port(), 12)
    assert [kind for kind, _ in machine.orders] == ["tags", "stop replication"]
    assert tags(machine) == {"team": "shop", "cloudfail-epoch": "12 r1"}
    assert "a server of its own, with what it had" in said[-1]
    machine.end()
    state = replica(mysql_world.port())
    assert (state.role, state.writable, state.upstream) == (Role.PRIMARY, False, None)
    assert "nobody here asks" in state.moving, "no verb on it is ever seen to be done"
    fail_over(mysql_world.port(), 13)
    assert len(machine.promotions) == 1


@pytest.mark.parametrize("style", ["status", "location"])
@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_one_that_ends_badly_is_told_in_azures_words_and_ordered_anew(
    machine: MysqlServers, style: str, ending: str
) -> None:
    tags(machine)["cloudfail-epoch"] = "10 r1"
    machine.style, machine.ending, machine.code = style, ending, "InternalServerError"
    database = mysql_world.port()
    with pytest.raises(OutcomeUnknown, match="InternalServerError"):
        fail_over(database)
    assert replica(database).role is Role.REPLICA
    machine.ending = ""
    fail_over(database)
    machine.end()
    assert replica(database).role is Role.PRIMARY


def test_while_one_is_under_way_no_other_is_ordered(machine: MysqlServers) -> None:
    tags(machine)["cloudfail-epoch"] = "10 r1"
    machine.seconds = 3600.0
    database = mysql_world.port()
    state = replica(database)
    database.failover(WEST, NORTH, expect=state, call=dataclasses.replace(Calls().make(), timeout_seconds=5.0))
    assert "orders-n is Updating" in replica(database).moving
    with pytest.raises(Transient, match="Updating"):
        database.failover(WEST, NORTH, expect=state, call=Calls().make(11))
    server = dataclasses.replace(database.servers.describe(NORTH), state="Ready")
    with pytest.raises(Transient, match="ServerIsBusy"):
        database.servers.stop_replication(NORTH, server, dataclasses.replace(Calls().make(), timeout_seconds=10.0))
    assert len(machine.orders) == 1


def test_what_must_not_be_promoted_is_not(machine: MysqlServers, azure: Front) -> None:
    database = mysql_world.port()
    state = replica(database)
    with pytest.raises(Permanent, match="az mysql flexible-server restart") as raised:
        database.failover(NORTH, NORTH, expect=state, call=Calls().make())
    assert "between zones" in raised.value.happened
    with pytest.raises(Conflict, match="as it was seen"):
        database.failover(WEST, NORTH, expect=dataclasses.replace(state, version="-"), call=Calls().make())
    tags(machine)["cloudfail-epoch"] = "20 r0"
    with pytest.raises(Conflict, match="epoch 20"):
        fail_over(database, 19)
    tags(machine).pop("cloudfail-epoch")
    machine.at(IDS[NORTH])["properties"]["sourceServerResourceId"] = f"{IDS[WEST]}-old"
    with pytest.raises(Permanent, match="replicates orders-w-old"):
        fail_over(database)
    machine.at(IDS[NORTH])["location"] = "West Europe"
    with pytest.raises(Permanent, match="stands in westeurope"):
        database.failover(WEST, NORTH, expect=state, call=Calls().make())
    assert not machine.orders


def test_where_the_mark_is_not_taken_it_is_said_how_to_go_on_by_hand(machine: MysqlServers, azure: Front) -> None:
    azure.outages.fail("ScopeLocked", 409, operation="servers.update")
    with pytest.raises(Permanent, match="mark on orders-n") as raised:
        fail_over(mysql_world.port())
    assert f"az mysql flexible-server replica stop-replication --ids {IDS[NORTH]}" in raised.value.to_do


# ---- what there is not: a switchover, a way back


def test_there_is_no_switchover(machine: MysqlServers) -> None:
    database = mysql_world.port()
    read = database.switchover_state(WEST, NORTH)
    assert isinstance(read, Unknown)
    assert "no switchover" in read.reason
    assert "switchover" not in KIND.verbs


def test_what_was_parted_has_no_way_back_and_the_commands_are_named(machine: MysqlServers) -> None:
    database = mysql_world.port()
    following = database.follow_state(NORTH, WEST)
    assert isinstance(following, Unknown), "Azure's word alone ends no step"
    assert "nobody here asks" in following.reason
    assert "promote it first" in known(database.follow_state(WEST, NORTH)).detail
    fail_over(database)
    state = known(database.follow_state(WEST, NORTH))
    assert (state.done, state.after) == (False, "a replica of orders-n")
    before = len(machine.orders)
    with pytest.raises(Permanent, match="built anew by hand") as raised:
        database.follow(WEST, NORTH, expect=state, call=Calls().make())
    assert f"--source-server {IDS[NORTH]} --location westeurope" in raised.value.to_do
    with pytest.raises(Conflict):
        database.follow(WEST, NORTH, expect=dataclasses.replace(state, version="-"), call=Calls().make())
    assert len(machine.orders) == before


# ---- the fence


def test_what_counts_as_which_fence(serving: Serve, azure: Front) -> None:
    machine = mysql_world.served(serving, rules={"office": OFFICE, "own": OWN})
    machine.seconds = 0.0
    west = {"server": IDS[WEST], "firewall_rules": {"keep": ["own"]}}
    database = mysql_world.port({WEST: west, NORTH: IDS[NORTH]})
    free = known(database.fence_state(WEST, NORTH))
    assert (free.outcome, free.methods_left) == (FenceOutcome.NONE, ("firewall-rules",))
    database.fence(WEST, NORTH, expect=free, call=Calls().make(10))
    assert machine.rules(IDS[WEST]) == {"own": OWN}
    owed = known(database.fence_state(WEST, NORTH))
    assert owed.outcome is FenceOutcome.OWED, "that they stand is never a proof"
    assert "proves nothing by itself" in owed.evidence
    with pytest.raises(Conflict, match="epoch"):
        database.unfence(WEST, expect=owed, call=Calls().make(9))
    machine.at(IDS[NORTH])["properties"]["replicationRole"] = "None"
    with pytest.raises(Conflict, match="two writers"):
        database.unfence(WEST, expect=owed, call=Calls().make(11))
    machine.at(IDS[NORTH])["properties"]["replicationRole"] = "Replica"
    database.unfence(WEST, expect=owed, call=Calls().make(11))
    assert machine.rules(IDS[WEST]) == {"office": OFFICE, "own": OWN}
    nothing = known(mysql_world.port().fence_state(WEST, NORTH))
    assert (nothing.outcome, nothing.methods_left) == (FenceOutcome.OWED, ())


# ---- what is said before

Change = Callable[[MysqlServers], Any]
READINESS: Mapping[str, tuple[Change, str]] = {
    "under way": (lambda found: found.begin(IDS[NORTH]), "is Updating"),
    "another size": (lambda found: found.at(IDS[NORTH])["sku"].update(name="Standard_B1ms"), "no smaller"),
    "a replica of somebody else": (
        lambda found: found.at(IDS[NORTH])["properties"].update(sourceServerResourceId=f"{IDS[WEST]}-old"),
        "replicates orders-w-old, which is no member",
    ),
    "a replica that is no member": (lambda found: found.server("more", NORTH, source=IDS[WEST]), "more replicate"),
    "the wrong region": (lambda found: found.at(IDS[NORTH]).update(location="uksouth"), "stands in uksouth"),
}


@pytest.mark.parametrize("what", READINESS)
def test_what_would_refuse_a_verb_is_said_before(machine: MysqlServers, what: str) -> None:
    database = mysql_world.port()
    assert isinstance(database, Preflight)
    assert known(database.preflight()) == ()
    change, said = READINESS[what]
    change(machine)
    (sentence,) = known(database.preflight())
    assert said in sentence


@pytest.mark.parametrize(
    ("member", "options"),
    [
        (IDS[WEST].replace("DBforMySQL", "DBforPostgreSQL"), {}),
        ({"server": IDS[WEST], "dsn": "host=x"}, {}),
        (IDS[WEST], {"fences": ["logins"]}),
        (IDS[WEST], {"promote": "standalone"}),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(member: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no id of a flexible server|forbidden|firewall-rules"):
        mysql_world.topology({WEST: member, NORTH: IDS[NORTH]}, **options)


_SERVERS = "Microsoft.DBforMySQL/flexibleServers"
NEEDS = {
    "servers.get": f"{_SERVERS}/read",
    "replicas.list_by_server": f"{_SERVERS}/replicas/read",
    "metrics.list": "Microsoft.Insights/metrics/read",
    "firewall_rules.list_by_server": f"{_SERVERS}/firewallRules/read",
    "operation": "Microsoft.DBforMySQL/locations/azureAsyncOperation/read",
    "servers.update": f"{_SERVERS}/write",
    "firewall_rules.delete": f"{_SERVERS}/firewallRules/delete",
    "firewall_rules.create_or_update": f"{_SERVERS}/firewallRules/write",
}


def test_the_permissions_that_are_stated_are_those_of_what_is_asked(serving: Serve, azure: Front) -> None:
    machine = mysql_world.served(serving, rules={"office": OFFICE})
    machine.seconds = 0.0
    west = {"server": IDS[WEST], "firewall_rules": {}}
    database = mysql_world.port({WEST: west, NORTH: IDS[NORTH]})
    database.preflight()
    database.fence(WEST, NORTH, expect=known(database.fence_state(WEST, NORTH)), call=Calls().make())
    database.unfence(WEST, expect=known(database.fence_state(WEST, NORTH)), call=Calls().make())
    fail_over(database)
    asked = {(one.operation, one.mutating) for one in azure.seen()}
    assert {operation for operation, _ in asked} == set(NEEDS)
    resource, whole = mysql_world.topology({WEST: west, NORTH: IDS[NORTH]})
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [WEST, NORTH])
    watch = {action for grant in said.watch for action in grant.actions}
    execute = {action for grant in said.execute for action in grant.actions}
    results = "Microsoft.DBforMySQL/locations/operationResults/read"
    assert watch - {results} == {NEEDS[operation] for operation, mutating in asked if not mutating}
    assert execute == {NEEDS[operation] for operation, mutating in asked if mutating}


def test_the_kind_needs_no_driver() -> None:
    """psycopg is not there where nobody asks PostgreSQL anything."""
    code = "import sys, cloudfail_azure.database.mysql_flexible; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in found.split()} & {"requests", "azure", "psycopg"}


# ---- the wire, as Microsoft's own examples have it: Azure/azure-rest-api-specs, specification/mysql/resource-manager/
# Microsoft.DBforMySQL/FlexibleServers/stable/


def test_a_replica_is_read_as_in_microsofts_example(machine: MysqlServers) -> None:
    """2023-12-30/examples/ReplicasListByServer.json, its first server, with our ids."""
    example = {
        "sku": {"name": "Standard_D2ds_v4", "tier": "GeneralPurpose"},
        "properties": {
            "administratorLogin": "cloudsa",
            "storage": {"storageSizeGB": 20, "iops": 360, "autoGrow": "Enabled", "storageSku": "Premium_LRS"},
            "version": "5.7",
            "state": "Ready",
            "fullyQualifiedDomainName": "mysqltestserver-repl.orcabrci-seas1-a.mscds.com",
            "sourceServerResourceId": IDS[WEST],
            "availabilityZone": "1",
            "replicationRole": "Replica",
            "replicaCapacity": 0,
            "network": {"publicNetworkAccess": "Enabled"},
            "backup": {
                "backupRetentionDays": 7,
                "geoRedundantBackup": "Disabled",
                "earliestRestoreDate": "2021-06-24T08:19:18.00+00:00",
            },
            "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
        },
        "location": "North Europe",
        "tags": {"num": "1"},
        "id": IDS[NORTH],
        "name": "orders-n",
        "type": "Microsoft.DBforMySQL/flexibleServers",
    }
    assert not contract(PACKAGE).offences("Server", example, asked=False)
    machine._bodies[IDS[NORTH].lower()] = dict(example)
    database = mysql_world.port()
    server = database.servers.describe(NORTH)
    assert (server.replica, server.source, server.state, server.public) == (True, IDS[WEST], "Ready", True)
    assert database.servers.replicas(WEST) == (IDS[NORTH],)


def test_the_order_is_a_patch_that_the_package_knows(machine: MysqlServers, azure: Front) -> None:
    """No example stops a replication; the model of the PATCH in 2024-12-30 has the member, and its enumeration the
    word."""
    fail_over(mysql_world.port())
    body = azure.seen(operation="servers.update")[-1].body
    assert body == {"properties": {"replicationRole": "None"}}
    assert not contract(PACKAGE).offences("ServerForUpdate", body, asked=True)
    assert ReplicationRole("None") is ReplicationRole.NONE
