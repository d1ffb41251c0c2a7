"""Azure SQL by its control plane: what is asked of it in each shape, what is refused, and what is said before the bad
day. Nobody says how the servers are reached, so that no write is ever claimed."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.model.states import FenceOutcome, Role
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import Calls, known
from cloudfail_azure import arm_errors, provider
from cloudfail_azure.database.sql_failover import SqlFailover
from cloudfail_azure.database.sql_sides import FORCED, PLANNED, PLANNED_FIRST
from tests.emulators.azure import sql_world
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Front
from tests.emulators.azure.sql_world import PACKAGE
from tests.emulators.azure.standins.sql import PRIMARY, SECONDARY, SQL, Sql

Serve = Callable[[str, Any], Any]
KINDS = ("sql-failover-group", "sql-instance-group", "sql-database")
ORDERS = {
    "sql-failover-group": ("failover_groups", "failover_groups.force_failover_allow_data_loss"),
    "sql-instance-group": ("instance_failover_groups", "instance_failover_groups.force_failover_allow_data_loss"),
    "sql-database": ("replication_links", "replication_links.failover_allow_data_loss"),
}
pytestmark = pytest.mark.timeout(300)


def made(serving: Serve, kind: str = sql_world.KIND, *, style: str = "status", **more: Any) -> tuple[Sql, SqlFailover]:
    policy = {"policy": more.pop("policy")} if "policy" in more else {}
    machine, ids = sql_world.machine(kind, style=style, **policy)
    serving(PACKAGE, machine)
    return machine, sql_world.port(kind, ids, **{"api_within": "4s", **more})


def fail_over(database: SqlFailover, epoch: int = 10) -> list[str]:
    """Returns what was logged."""
    said: list[str] = []
    call = dataclasses.replace(Calls().make(epoch), log=said.append)
    database.failover(WEST, NORTH, expect=known(database.read(NORTH)), call=call)
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_each_shape_is_read_on_both_sides_and_failed_over_on_the_secondary(
    azure: Front, serving: Serve, kind: str
) -> None:
    """In the style `Location`; out of a region that is lost, of which nothing is asked; and once."""
    machine, database = made(serving, kind, style="location")
    old, new = known(database.read(WEST)), known(database.read(NORTH))
    assert (old.role, old.writable, new.role, new.upstream) == (Role.PRIMARY, False, Role.REPLICA, WEST)
    assert "no `url` and `writer`" in old.moving
    assert known(database.fence_state(WEST, NORTH)).outcome is FenceOutcome.OWED
    assert isinstance(database.switchover_state(WEST, NORTH), Unknown)
    assert isinstance(database.read("uksouth"), Unknown)
    assert known(database.preflight()) == ()

    machine.lost.add(WEST)
    azure.outages.refuse(region=WEST)
    azure.forget()
    said = fail_over(database)
    assert [one.operation for one in azure.seen(mutating=True)] == [ORDERS[kind][1]]
    assert azure.count(region=WEST) == 0
    assert "what was not replicated is lost" in said[-1]
    machine.end()
    now = known(database.read(NORTH))
    assert (now.role, now.writable) == (Role.PRIMARY, False), "Azure's word, and nobody saw a write"
    assert "Azure calls" in now.moving
    database.failover(WEST, NORTH, expect=new, call=Calls().make(11))
    assert len(machine.orders) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_that_was_not_taken_is_claimed_by_nobody(azure: Front, serving: Serve, kind: str) -> None:
    machine, database = made(serving, kind)
    for ending in ("Failed", "Canceled"):
        machine.ending = ending
        with pytest.raises(OutcomeUnknown):
            fail_over(database)
    machine.ending, machine.seconds = "", 60.0
    machine.orders.clear()
    azure.outages.lose("closed", operation=ORDERS[kind][1], times=1)
    with pytest.raises(OutcomeUnknown):
        fail_over(database)
    with pytest.raises(Transient, match="busy with another operation"):
        fail_over(database)
    assert len(machine.orders) == 1
    assert known(database.read(NORTH)).role is Role.REPLICA


def test_what_cannot_be_read_or_does_not_fit_is_said_and_nothing_is_ordered(azure: Front, serving: Serve) -> None:
    machine, database = made(serving)
    side = machine.at(f"{SQL}/servers/orders-n/failoverGroups/orders")
    whole = copy.deepcopy(side)
    seen = known(database.read(NORTH))

    def refused(kind: type[Exception], words: str) -> None:
        with pytest.raises(kind, match=words):
            database.failover(WEST, NORTH, expect=seen, call=Calls().make())
        side.clear()
        side.update(copy.deepcopy(whole))

    side["properties"]["replicationState"] = "SUSPENDED"
    refused(Conflict, "SUSPENDED")
    side["properties"]["partnerServers"][0]["id"] = f"{SQL}/servers/other"
    refused(Permanent, "does not replicate the member in westeurope, but other")
    side["location"] = "UK South"
    refused(Permanent, "stands in uksouth")
    del side["properties"]["replicationRole"]
    refused(Transient, "does not tell what orders is")
    side["location"], side["properties"]["partnerServers"][0]["id"] = "North Europe", f"{SQL}/SERVERS/Orders-W"
    assert known(database.read(NORTH)).upstream == WEST, "another case is the same"
    with pytest.raises(Permanent, match="cannot be failed over to itself"):
        database.failover(NORTH, NORTH, expect=seen, call=Calls().make())
    assert not machine.orders
    azure.outages.refuse(region=NORTH)
    assert isinstance(database.read(NORTH), Unknown)
    assert isinstance(database.preflight(), Unknown)


# ---- without loss first, with a bound of our own


@pytest.mark.parametrize(("kind", "first"), [("sql-failover-group", PLANNED_FIRST), ("sql-database", PLANNED)])
def test_a_failover_without_loss_that_does_not_end_is_followed_by_one_with_loss_at_our_own_bound(
    azure: Front, serving: Serve, kind: str, first: str
) -> None:
    clock = sql_world.Ahead()
    machine, database = made(serving, kind, planned_first="1h", clock=clock)
    machine.stuck = True
    said = fail_over(database)
    assert f"{first} is ordered" in said[-1]
    waits = known(database.read(NORTH))
    assert "the one with loss is ordered in" in waits.moving
    with pytest.raises(Transient, match="the one with loss is ordered in"):
        database.failover(WEST, NORTH, expect=waits, call=Calls().make())
    clock.seconds = 3600.0
    late = known(database.read(NORTH))
    assert (late.moving, late.next[:9]) == ("", "with loss")
    with pytest.raises(Transient, match="busy"):
        fail_over(database)
    machine.give_up()
    fail_over(database)
    machine.end()
    assert [kind for kind, _ in machine.orders] == ["planned", "forced"]
    assert known(database.read(NORTH)).role is Role.PRIMARY


def test_a_failover_without_loss_that_is_refused_is_not_waited_for(serving: Serve) -> None:
    machine, database = made(serving, "sql-instance-group", planned_first="10m")
    machine.lost.add(WEST)
    with pytest.raises(Transient, match="not failed over without loss"):
        fail_over(database)
    fail_over(database)
    assert [kind for kind, _ in machine.orders] == ["forced"]


# ---- before the bad day


def test_who_else_fails_it_over_is_named_with_the_command_that_changes_it(serving: Serve) -> None:
    for kind, command in (
        ("sql-failover-group", "az sql failover-group update --name orders --server orders-w --resource-group shop "),
        ("sql-instance-group", "az sql instance-failover-group update --name orders --location westeurope "),
    ):
        _, database = made(serving, kind, policy="Automatic")
        (only,) = known(database.preflight())
        assert "after 60 minutes of an outage, with loss of data" in only
        assert command in only
        assert only.endswith("--failover-policy Manual")


def test_what_would_go_wrong_is_said_before_that_day(serving: Serve) -> None:
    machine, ids = sql_world.machine(databases=("shop", "stock"))
    serving(PACKAGE, machine)
    login = {"writer": "mssql://shop@orders-n.database.windows.net", **sql_world.SECRETS}
    north = {"group": ids[NORTH], "url": "mssql://cloudfail@orders.database.windows.net", **login}
    database = sql_world.port(sql_world.KIND, {WEST: ids[WEST], NORTH: north}, databases=["shop", "other"])
    machine.at(ids[NORTH])["properties"]["replicationState"] = "SEEDING"
    said = "\n".join(known(database.preflight()))
    assert "names orders.database.windows.net, a listener" in said
    assert "orders on orders-w holds stock too" in said
    assert "other, which `databases` names, is not in orders on orders-n" in said
    assert "is SEEDING" in said
    machine.at(ids[WEST])["properties"]["replicationRole"] = SECONDARY
    machine.at(ids[WEST])["properties"]["partnerServers"] = []
    said = "\n".join(known(database.preflight()))
    assert "Azure calls 0 of its members primary" in said
    assert "orders on orders-w replicates nobody" in said


def test_a_database_without_a_link_or_elsewhere_is_said_with_what_to_do(serving: Serve) -> None:
    machine, database = made(serving, "sql-database")
    there = machine.at(f"{SQL}/servers/orders-n/databases/shop")
    there.update(location="UK South", properties={"failoverGroupId": f"{SQL}/servers/orders-n/failoverGroups/all"})
    stands, grouped = known(database.preflight())
    assert stands == "The database shop on orders-n that is written for northeurope stands in uksouth."
    assert "is in the failover group all" in grouped
    for short in ("w", "n"):
        (link,) = machine.below(f"{SQL}/servers/orders-{short}/databases/shop/replicationlinks")
        link["properties"]["partnerServer"] = "somebody-else"
    (only,) = known(database.preflight())
    assert "has no replication link to another member" in only
    assert "az sql db replica create --name shop --server orders-w" in only


# ---- errors, permissions, and Microsoft's own examples

CODES = {
    "FailoverGroupBusy": Transient,
    "InstanceFailoverGroupBusy": Transient,
    "ConflictingSystemOperationInProgress": Transient,
    "GeoReplicationCannotBecomePrimaryDuringUndo": Transient,
    "OperationTimedOut": Transient,
    "FailoverGroupFailoverRequestOnPrimary": Conflict,
    "FailoverGroupNotSecondary": Conflict,
    "InstanceFailoverGroupFailoverRequestOnPrimary": Conflict,
    "InstanceFailoverGroupNotSecondary": Conflict,
    "GeoReplicationDatabaseNotSecondary": Conflict,
    "PlannedFailoverTimedOut": Permanent,
}


def test_each_code_of_azure_sql_has_its_class() -> None:
    for code, kind in CODES.items():
        status = 500 if code == "OperationTimedOut" else 409 if kind is Transient else 400
        said = arm_errors.refusal(status, {"error": {"code": code, "message": "Words."}})
        assert type(arm_errors.from_refusal(said, "POST")) is kind, code


@pytest.mark.parametrize("kind", KINDS)
def test_the_roles_are_allowed_what_is_asked_and_no_more(kind: str) -> None:
    _, ids = sql_world.machine(kind)
    found = provider.kinds()[PortName.DATABASE, kind]
    assert found.permissions is not None
    for first in (None, "1m"):
        one = sql_world.resource(kind, ids, planned_first=first)
        granted = found.permissions(one, sql_world.topology(one), (NORTH,))
        changes = {action for grant in granted.execute for action in grant.actions}
        assert all(action.startswith("Microsoft.Sql/") and action.endswith("/action") for action in changes)
        assert {action.split("/")[-2] for action in changes} == {PLANNED, FORCED} | (
            {PLANNED_FIRST} if first and kind == "sql-failover-group" else set()
        )
        if kind == "sql-instance-group":
            ids = {WEST: ids[WEST].replace("/shop/", "/shop-w/"), NORTH: ids[NORTH]}
            one = sql_world.resource(kind, ids, planned_first=first)
            granted = found.permissions(one, sql_world.topology(one), (NORTH,))
            groups = tuple(id_.partition("/providers/")[0] for id_ in ids.values())
            assert {grant.on for grant in granted.execute} == {groups}, "Microsoft's page: of both instances"
            assert all(grant.why for grant in granted.execute)
        else:
            assert {grant.on for grant in granted.execute} == {(ids[NORTH],)}
        assert all(action.endswith("/read") for grant in granted.watch for action in grant.actions)


# Azure/azure-rest-api-specs, specification/sql/resource-manager/Microsoft.Sql/stable/2021-11-01/examples/
# ReplicationLinkListByDatabase.json: the first of its two links, without its id.
LINK = json.loads("""{
  "properties": {
    "partnerServer": "testsvr", "partnerDatabase": "tetha-db", "partnerLocation": "Japan East",
    "role": "Primary", "partnerRole": "Secondary", "replicationMode": "ASYNC",
    "startTime": "2018-06-21T08:11:46.907Z", "percentComplete": 100, "replicationState": "CATCH_UP",
    "isTerminationAllowed": true, "linkType": "GEO"
  },
  "name": "fb92de60-eb87-4a58-b250-3362d0cfdf26"
}""")


def test_microsofts_own_example_of_a_link_is_one_that_is_read(serving: Serve) -> None:
    assert not contract(PACKAGE).offences("ReplicationLink", LINK, asked=False)
    machine, _ = sql_world.machine("sql-database")
    serving(PACKAGE, machine)
    ids = {WEST: f"{SQL}/servers/sourcesvr/databases/tetha-db", NORTH: f"{SQL}/servers/testsvr/databases/tetha-db"}
    machine.put(ids[WEST], {"location": WEST}, WEST)
    machine.put(f"{ids[WEST]}/replicationLinks/{LINK['name']}", {"properties": LINK["properties"]}, WEST)
    seen = known(sql_world.port("sql-database", ids).read(WEST))
    assert (seen.role, seen.version) == (Role.PRIMARY, f"{WEST}/unseen/{PRIMARY}/CATCH_UP")
