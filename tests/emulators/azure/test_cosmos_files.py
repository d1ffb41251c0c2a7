"""What an account's owner is told before the bad day: by preflight, while the file is read, and as permissions; and the
wire, as Microsoft's own examples have it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.model.observation import Unknown
from cloudfail.ports import Preflight
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure.database.cosmos_accounts import Accounts
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.contract import contract
from tests.emulators.azure.cosmos_world import KIND, MANY, PACKAGE, World, topology
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.cosmos import ACCOUNT, Cosmos

Serve = Callable[[str, Any], Any]
pytestmark = pytest.mark.timeout(300)
ADDRESS = {region: f"https://orders-{region}.documents.azure.com" for region in (WEST, NORTH)}


@pytest.fixture
def world(azure: Front, serving: Serve) -> Iterator[World]:
    """An account of which nothing is to be said: three regions, strongly consistent."""
    one = World(azure, serving(PACKAGE, Cosmos((WEST, NORTH, "uksouth"), seconds=0.0)))
    yield one
    one.close()


def _set(**properties: Any) -> Callable[[Cosmos], Any]:
    return lambda machine: machine.properties.update(properties)


READINESS: Mapping[str, tuple[Callable[[Cosmos], Any], str]] = {
    "it fails over by itself": (
        _set(enableAutomaticFailover=True),
        f"az cosmosdb update --ids {ACCOUNT} --enable-automatic-failover false",
    ),
    "loss without a bound": (
        _set(consistencyPolicy={"defaultConsistencyLevel": "Session"}),
        "has the consistency Session",
    ),
    "strong between two": (
        lambda machine: machine.order_.remove("uksouth"),
        "takes no writes, until that one is taken",
    ),
    "under way": (_set(provisioningState="Updating"), "is Updating: Azure takes one change at a time"),
    "another API": (_set(capabilities=[{"name": "EnableCassandra"}]), "is of another API (EnableCassandra)"),
    "a member that is no region": (lambda machine: machine.order_.remove(NORTH), "northeurope is no region of orders"),
    "no such account": (lambda machine: machine._bodies.pop(ACCOUNT.lower()), "was not found"),
}


@pytest.mark.parametrize("what", READINESS)
def test_what_would_refuse_a_verb_is_said_before(world: World, what: str) -> None:
    database = world.port()
    assert isinstance(database, Preflight)
    assert known(database.preflight()) == ()
    change, said = READINESS[what]
    change(world.machine)
    found = known(database.preflight())
    assert sum(said in one for one in found) == 1, found
    assert not world.front.count(mutating=True)


def test_who_would_take_over_and_is_no_member_is_named(world: World) -> None:
    world.machine.order_ = [WEST, "uksouth", NORTH]
    (said,) = known(world.port().preflight())
    assert "Azure lets uksouth take writes, which is no member" in said


def test_an_address_that_is_another_regions_is_found(world: World) -> None:
    """Whoever swaps them would take one region's word for the other's."""
    doors = world.machine.doors
    doors[WEST], doors[NORTH] = doors[NORTH], doors[WEST]
    found = known(world.port().preflight())
    assert sum("is not the one of orders there" in one for one in found) == 2


def test_whoever_cannot_ask_claims_nothing(world: World) -> None:
    world.machine.doors[NORTH].instead = (503, "")
    assert isinstance(world.port().preflight(), Unknown)
    world.machine.doors[NORTH].instead = (401, "")
    assert "(401)" in str(known(world.port().preflight())), "no role in the account's own RBAC"
    world.machine.doors[NORTH].instead = None
    world.front.outages.refuse()
    assert isinstance(world.port().preflight(), Unknown)


# ---- the file


@pytest.mark.parametrize("kind", [KIND, MANY], ids=["one writer", "many"])
@pytest.mark.parametrize(
    ("options", "member"),
    [
        ({"account": f"{ACCOUNT}/x"}, ADDRESS[WEST]),
        ({"account": ACCOUNT.replace("databaseAccounts", "mongoClusters")}, ADDRESS[WEST]),
        ({"documents": "shop"}, ADDRESS[WEST]),
        ({"documents": "shop/../cloudfail"}, ADDRESS[WEST]),
        ({"key": "secret"}, ADDRESS[WEST]),
        ({}, "http://orders.documents.azure.com"),
        ({}, f"{ADDRESS[WEST]}/dbs"),
        ({}, {"endpoint": ADDRESS[WEST], "key": "secret"}),
    ],
)
def test_a_mistake_is_found_while_the_file_is_read(kind: Any, options: dict[str, Any], member: Any) -> None:
    with pytest.raises(ValueError, match=r"pattern|forbidden|no id of an account"):
        topology(kind, {WEST: member, NORTH: ADDRESS[NORTH]}, **options)


def test_an_address_may_name_its_port(world: World) -> None:
    one, _ = topology(KIND, {WEST: f"{ADDRESS[WEST]}:443/", NORTH: {"endpoint": ADDRESS[NORTH]}})
    assert one.members[WEST] == {"endpoint": f"{ADDRESS[WEST]}:443/"}


# ---- what is asked for

_RESOURCE = "Microsoft.DocumentDB/databaseAccounts"
NEEDS = {
    "database_accounts.get": f"{_RESOURCE}/read",
    "operation": "Microsoft.DocumentDB/locations/operationsStatus/read",
    "database_accounts.offline_region": f"{_RESOURCE}/offlineRegion/action",
    "database_accounts.failover_priority_change": f"{_RESOURCE}/failoverPriorityChange/action",
}


def test_the_permissions_that_are_stated_are_those_of_what_is_asked(world: World) -> None:
    database = world.port()
    database.preflight()
    seen = known(database.switchover_state(WEST, NORTH))
    database.switchover(WEST, NORTH, expect=seen, call=Calls().make())
    world.machine.end()
    account = database.accounts.describe(NORTH)
    database.accounts.take_offline("uksouth", NORTH, account, Calls().make())
    assert {one.operation for one in world.front.seen()} == set(NEEDS)
    resource, whole = topology(KIND, ADDRESS)
    assert KIND.permissions is not None
    said = KIND.permissions(resource, whole, [WEST, NORTH])
    watch = {action for grant in said.watch for action in grant.actions}
    execute = {action for grant in said.execute for action in grant.actions}
    assert watch == {NEEDS["database_accounts.get"], NEEDS["operation"]}
    assert execute == set(NEEDS.values()) - watch
    assert {on for grant in said.execute for on in grant.on} == {ACCOUNT}
    resource, whole = topology(MANY, ADDRESS)
    assert MANY.permissions is not None
    only_reads = MANY.permissions(resource, whole, [WEST])
    assert (only_reads.watch[0].actions, only_reads.execute) == ((f"{_RESOURCE}/read",), ())


def test_the_kinds_load_no_vendor() -> None:
    code = "import sys, cloudfail_azure.database; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {module.split(".")[0] for module in found.split()} & {"requests", "azure", "psycopg"}


# ---- the wire, as Microsoft's own examples have it: Azure/azure-rest-api-specs, specification/cosmos-db/
# resource-manager/Microsoft.DocumentDB/DocumentDB/examples/, CosmosDBDatabaseAccount*.json


def test_the_orders_are_as_in_microsofts_examples(world: World) -> None:
    """...FailoverPriorityChange.json and ...OfflineRegion.json."""
    priorities = {
        "failoverPolicies": [
            {"failoverPriority": 0, "locationName": "eastus"},
            {"failoverPriority": 1, "locationName": "westus"},
        ]
    }
    offline = {"region": "North Europe"}
    assert not contract(PACKAGE).offences("FailoverPolicies", priorities, asked=True)
    assert not contract(PACKAGE).offences("RegionForOnlineOffline", offline, asked=True)
    account = world.port().accounts.describe(NORTH)
    east = replace(account, priorities=("westus", "eastus"), names={})
    world.front.outages.lie(mutating=True)
    world.port().accounts.change_writer("westus", "eastus", east, Calls().make())
    world.port().accounts.take_offline(NORTH, WEST, account, Calls().make())
    asked = [one.body for one in world.front.seen(mutating=True)]
    assert asked == [priorities, offline]


def test_an_account_is_read_as_in_microsofts_example(azure: Front, serving: Serve) -> None:
    """...Get.json, what of it is read here."""
    location = {
        "id": "ddb1-eastus",
        "locationName": "East US",
        "documentEndpoint": "https://ddb1-eastus.documents.azure.com:443/",
        "provisioningState": "Succeeded",
        "failoverPriority": 0,
    }
    body = {
        "id": ACCOUNT,
        "name": "ddb1",
        "location": "West US",
        "type": "Microsoft.DocumentDB/databaseAccounts",
        "kind": "GlobalDocumentDB",
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "documentEndpoint": "https://ddb1.documents.azure.com:443/",
            "ipRules": [],
            "isVirtualNetworkFilterEnabled": False,
            "virtualNetworkRules": [],
            "databaseAccountOfferType": "Standard",
            "consistencyPolicy": {
                "defaultConsistencyLevel": "Session",
                "maxIntervalInSeconds": 5,
                "maxStalenessPrefix": 100,
            },
            "writeLocations": [location],
            "readLocations": [location],
            "locations": [location],
            "failoverPolicies": [{"id": "ddb1-eastus", "locationName": "East US", "failoverPriority": 0}],
        },
    }
    assert not contract(PACKAGE).offences("DatabaseAccountGetResults", body, asked=False)

    class Example(Cosmos):
        def database_accounts_get(self, ask: Any) -> dict[str, Any]:
            return body

    one = World(azure, serving(PACKAGE, Example((WEST, NORTH))))
    accounts: Accounts = one.port().accounts
    account = accounts.describe(WEST)
    one.close()
    assert (account.state, account.writes, account.priorities) == ("Succeeded", ("eastus",), ("eastus",))
    assert (account.named("eastus"), account.next_after("eastus")) == ("East US", None)
    assert (account.many, account.automatic, account.consistency) == (False, False, "Session")
