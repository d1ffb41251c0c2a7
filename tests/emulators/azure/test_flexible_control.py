"""database: postgresql-flexible by its control plane alone: what is asked of it, what is refused, and what is said
before the bad day. Nobody says how the servers are reached, so that no write is ever claimed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import DatabaseState, FenceOutcome, Role
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure.database.flexible_servers import FORCED, SWITCHOVER
from cloudfail_azure.database.postgresql_flexible import PostgresqlFlexible
from tests.emulators.azure import flexible_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.contract import contract
from tests.emulators.azure.flexible_world import IDS
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.postgres_flexible import FlexibleServers

Serve = Callable[[str, Any], Any]
PACKAGE = "azure.mgmt.postgresqlflexibleservers"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def machine(serving: Serve) -> FlexibleServers:
    made: FlexibleServers = serving(PACKAGE, flexible_world.machine())
    made.seconds = 0.0
    return made


def replica(database: PostgresqlFlexible) -> DatabaseState:
    return known(database.read(NORTH))


def tags(machine: FlexibleServers, region: str = NORTH) -> dict[str, str]:
    found: dict[str, str] = machine.at(IDS[region])["tags"]
    return found


def fail_over(database: PostgresqlFlexible, epoch: int = 10, seconds: float = 30.0) -> list[str]:
    """Returns what was logged."""
    said: list[str] = []
    call = dataclasses.replace(Calls().make(epoch), log=said.append, timeout_seconds=seconds)
    database.failover(WEST, NORTH, expect=replica(database), call=call)
    return said


# ---- what is read


def test_without_a_login_the_role_is_azures_word_and_no_write_is_claimed(machine: FlexibleServers) -> None:
    database = flexible_world.port()
    old, new = known(database.read(WEST)), known(database.read(NORTH))
    assert (old.role, old.writable, new.role, new.upstream) == (Role.PRIMARY, False, Role.REPLICA, WEST)
    assert "no `dsn`" in old.moving
    assert known(database.fence_state(WEST, NORTH)).outcome is FenceOutcome.OWED
    assert isinstance(database.switchover_state(WEST, NORTH), Unknown)
    assert isinstance(database.follow_state(WEST, NORTH), Unknown)
    assert isinstance(database.read("uksouth"), Unknown)


@pytest.mark.parametrize("gone", [{"operation": "servers.get"}, {"region": NORTH}], ids=str)
def test_a_control_plane_that_does_not_answer_is_unknown(
    machine: FlexibleServers, azure: Front, gone: Mapping[str, str]
) -> None:
    database = flexible_world.port(api_within="1s")
    state = replica(database)
    azure.outages.refuse(**gone)
    assert isinstance(database.read(NORTH), Unknown)
    with pytest.raises(Transient):
        database.failover(WEST, NORTH, expect=state, call=Calls().make())
    azure.outages.heal()
    assert not machine.orders


def test_an_id_that_comes_back_in_another_case_is_the_same(machine: FlexibleServers) -> None:
    machine.at(IDS[NORTH])["id"] = IDS[NORTH].upper()
    machine.at(IDS[NORTH])["location"] = "North Europe"
    machine.at(IDS[NORTH])["properties"]["sourceServerResourceId"] = IDS[WEST].lower()
    assert replica(flexible_world.port()).upstream == WEST


def test_a_primary_that_still_names_what_it_replicated_follows_nobody(machine: FlexibleServers) -> None:
    machine.at(IDS[WEST])["properties"]["sourceServerResourceId"] = IDS[NORTH]
    assert known(flexible_world.port().read(WEST)).upstream is None


def test_an_answer_about_another_server_is_no_answer(machine: FlexibleServers) -> None:
    machine.at(IDS[NORTH])["id"] = f"{IDS[NORTH]}x"
    read = flexible_world.port(api_within="1s").read(NORTH)
    assert isinstance(read, Unknown)
    assert "does not tell what orders-n is" in read.reason


# ---- which promotion is ordered, and why


def test_where_virtual_endpoints_lead_to_it_the_roles_are_exchanged(machine: FlexibleServers) -> None:
    said = fail_over(flexible_world.port(), 12)
    assert machine.promotions == [{"promoteMode": "Switchover", "promoteOption": "Forced"}]
    assert tags(machine) == {"team": "shop", "cloudfail-epoch": "12 r1"}
    assert "since the virtual endpoints orders lead to it" in said[-1]
    assert "takes orders-w back" in said[-1]
    assert known(flexible_world.port().read(WEST)).upstream == NORTH


@pytest.mark.parametrize("reader", ["none", "the primary"])
def test_where_none_leads_to_it_it_becomes_a_server_of_its_own(serving: Serve, reader: str) -> None:
    machine: FlexibleServers = serving(PACKAGE, flexible_world.machine(endpoints=False))
    if reader == "the primary":
        machine.pair(IDS[WEST], IDS[WEST])
    said = fail_over(flexible_world.port())
    assert machine.promotions == [{"promoteMode": "Standalone", "promoteOption": "Forced"}]
    assert "since no virtual endpoint leads to it; orders-w is a primary still" in said[-1]


@pytest.mark.parametrize("style", ["status", "location"])
def test_a_lost_region_is_not_waited_for_and_the_promotion_that_can_be_refused_is_asked_for(
    azure: Front, serving: Serve, style: str
) -> None:
    machine: FlexibleServers = serving(PACKAGE, flexible_world.machine(style=style))
    machine.lost.add(WEST)
    azure.outages.refuse(region=WEST)
    said = fail_over(flexible_world.port(api_within="1s"))
    assert machine.promotions == [{"promoteMode": "Switchover", "promoteOption": "Forced"}]
    assert "nobody tells whether virtual endpoints lead to it" in said[-1]
    machine.end()
    assert known(flexible_world.port().read(NORTH)).role is Role.PRIMARY


def test_a_replica_that_tells_of_the_endpoints_is_believed_without_its_primary(
    machine: FlexibleServers, azure: Front
) -> None:
    machine.told_by_both = True
    machine.lost.add(WEST)
    azure.outages.refuse(region=WEST)
    azure.forget()
    assert "since the virtual endpoints orders lead to it" in fail_over(flexible_world.port())[-1]
    assert azure.count(region=WEST) == 0


def test_where_it_is_refused_nothing_is_done_and_it_is_said_what_to_write(azure: Front, serving: Serve) -> None:
    """A lost region does not tell that it has no virtual endpoints, and what has no way back is ordered by nobody."""
    machine: FlexibleServers = serving(PACKAGE, flexible_world.machine(endpoints=False))
    machine.lost.add(WEST)
    azure.outages.refuse(region=WEST)
    with pytest.raises(Permanent, match="No reader endpoint leads to orders-n") as raised:
        fail_over(flexible_world.port(api_within="1s"))
    assert "`promote: standalone`" in raised.value.to_do
    assert f"--ids {IDS[NORTH]} --promote-mode standalone --promote-option forced" in raised.value.to_do
    assert not machine.promotions
    said = fail_over(flexible_world.port(promote="standalone", api_within="1s"))
    assert machine.promotions == [{"promoteMode": "Standalone", "promoteOption": "Forced"}]
    assert "`promote: standalone` is written" in said[-1]


# ---- what is ordered, and under whose mark


def test_the_mark_is_not_written_again_under_the_same_epoch(machine: FlexibleServers) -> None:
    tags(machine)["cloudfail-epoch"] = "12 r1"
    fail_over(flexible_world.port(), 12)
    assert [kind for kind, _ in machine.orders] == ["Switchover"]


def test_an_older_epoch_orders_nothing_after_a_newer_one(machine: FlexibleServers) -> None:
    tags(machine)["Cloudfail-Epoch"] = "20 r0"
    with pytest.raises(Conflict, match="epoch 20"):
        fail_over(flexible_world.port(), 19)
    assert not machine.orders


@pytest.mark.parametrize("theirs", ["30 r9", "9 r9"])
def test_a_mark_that_somebody_replaced_before_it_was_read_back_is_no_mark(
    machine: FlexibleServers, theirs: str
) -> None:
    machine.then["tags"] = lambda: tags(machine).update({"cloudfail-epoch": theirs})
    machine.seconds = 0.3
    with pytest.raises((Conflict, OutcomeUnknown)):
        fail_over(flexible_world.port())
    assert not machine.promotions


def test_a_mark_whose_operation_does_not_end_is_in_doubt_and_nothing_is_promoted(machine: FlexibleServers) -> None:
    machine.seconds = 3600.0
    database = flexible_world.port()
    with pytest.raises(OutcomeUnknown, match="Updating"):
        fail_over(database, seconds=2.5)
    assert "orders-n is Updating" in replica(database).moving, "whoever looks waits for it"
    assert not machine.promotions


def test_where_the_mark_is_not_taken_it_is_said_how_to_go_on_by_hand(machine: FlexibleServers, azure: Front) -> None:
    azure.outages.fail("RequestDisallowedByPolicy", 403, operation="servers.update")
    with pytest.raises(Permanent, match="az postgres flexible-server replica promote") as raised:
        fail_over(flexible_world.port())
    assert raised.value.true_now == "Nothing was moved."
    assert not machine.orders


@pytest.mark.parametrize("style", ["status", "location"])
@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_a_promotion_that_ends_badly_is_told_in_azures_words_and_ordered_anew(
    machine: FlexibleServers, style: str, ending: str
) -> None:
    tags(machine)["cloudfail-epoch"] = "10 r1"
    machine.style, machine.ending, machine.code = style, ending, "InternalServerError"
    database = flexible_world.port()
    with pytest.raises(OutcomeUnknown, match="InternalServerError"):
        fail_over(database)
    assert (replica(database).role, replica(database).moving) == (Role.REPLICA, "")
    machine.ending = ""
    fail_over(database)
    machine.end()
    assert replica(database).role is Role.PRIMARY


def test_what_is_under_way_on_the_replica_is_waited_for(machine: FlexibleServers, azure: Front) -> None:
    """A look says so; an order on top of it is refused by the look, and, where the look is stale, by Azure."""
    database = flexible_world.port()
    state = replica(database)
    machine.begin(IDS[NORTH])
    assert "orders-n is Updating" in replica(database).moving
    with pytest.raises(Transient, match="Updating"):
        database.failover(WEST, NORTH, expect=state, call=Calls().make())
    server = dataclasses.replace(database.servers.describe(NORTH), tags={"cloudfail-epoch": "10 r1"})
    short = dataclasses.replace(Calls().make(), timeout_seconds=10.0)
    with pytest.raises(Transient, match="ServerIsBusy"):
        database.servers.promote(NORTH, server, SWITCHOVER, FORCED, short)
    assert not machine.orders


def test_a_promotion_that_is_under_way_is_not_ordered_again(machine: FlexibleServers) -> None:
    tags(machine)["cloudfail-epoch"] = "10 r1"
    machine.seconds = 3600.0
    database = flexible_world.port()
    state = replica(database)
    database.failover(WEST, NORTH, expect=state, call=Calls().make())
    for epoch in (10, 11):
        with pytest.raises(Transient, match="Updating"):
            database.failover(WEST, NORTH, expect=state, call=Calls().make(epoch))
    assert len(machine.orders) == 1


# ---- what is refused


def test_a_failover_between_zones_is_not_asked_for_here(machine: FlexibleServers) -> None:
    database = flexible_world.port()
    with pytest.raises(Permanent, match="az postgres flexible-server restart"):
        database.failover(WEST, WEST, expect=known(database.read(WEST)), call=Calls().make())
    assert not machine.orders


def test_a_server_that_stands_in_another_region_is_no_way_out(machine: FlexibleServers) -> None:
    database = flexible_world.port()
    state = replica(database)
    machine.at(IDS[NORTH])["location"] = "West Europe"
    with pytest.raises(Permanent, match="stands in westeurope"):
        database.failover(WEST, NORTH, expect=state, call=Calls().make())
    assert isinstance(database.read(NORTH), Unknown)
    assert not machine.orders


def test_a_replica_of_somebody_else_is_not_promoted(machine: FlexibleServers) -> None:
    machine.at(IDS[NORTH])["properties"]["sourceServerResourceId"] = f"{IDS[WEST]}-old"
    with pytest.raises(Permanent, match="replicates orders-w-old"):
        fail_over(flexible_world.port())
    assert not machine.orders


# ---- the wire, as Microsoft's own examples have it


def test_what_is_ordered_is_what_microsofts_example_orders(machine: FlexibleServers, azure: Front) -> None:
    """Azure/azure-rest-api-specs, Microsoft.DBforPostgreSQL/stable/2025-08-01/examples/
    ServersPromoteReplicaAsForcedSwitchover.json"""
    fail_over(flexible_world.port())
    asked = azure.seen(operation="servers.update")[-1]
    assert asked.body == {"properties": {"replica": {"promoteMode": "Switchover", "promoteOption": "Forced"}}}
    assert not contract(PACKAGE).offences("ServerForPatch", asked.body, asked=True)


def test_virtual_endpoints_are_read_as_in_microsofts_example(machine: FlexibleServers) -> None:
    """The same, examples/VirtualEndpointsListByServer.json, with our servers' names as the members."""
    told = {
        "endpointType": "ReadWrite",
        "members": ["orders-w", "Orders-N"],
        "virtualEndpoints": [
            "examplebasename.reader.postgres.database.azure.com",
            "examplebasename.writer.postgres.database.azure.com",
        ],
    }
    machine.at(f"{IDS[WEST]}/virtualendpoints/orders")["properties"] = told
    assert not contract(PACKAGE).offences("VirtualEndpoint", {"properties": told}, asked=False)
    pair = flexible_world.port().servers.pair(WEST, NORTH)
    assert pair is not None
    assert pair.names == tuple(told["virtualEndpoints"])
