"""The worlds of databases, for test_iam.py: rows of allowed.py. What goes over SQL, or to a region's door of Cosmos DB,
needs no role of Azure's."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudfail.errors import Transient
from cloudfail.model.observation import Known
from cloudfail.model.topology import Objectives, PortName, Region, Topology
from cloudfail.testing.conformance import Calls, known
from tests.emulators.azure import cosmos_world, flexible_world, mysql_world, sql_world, test_flexible_security_group
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.cosmos import Cosmos
from tests.emulators.azure.used import Key, Make, Serve, Used, until


def _sql(kind: str) -> Make:
    """Switched over, and back by a failover without loss that does not end, and then by one with loss."""

    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        machine, ids = sql_world.machine(kind)
        serve(sql_world.PACKAGE, machine)
        site = sql_world.World(front, machine, ids, sql_world.pair(place, front, monkeypatch), kind=kind)
        stack.callback(site.close)
        machine.then["forced"] = lambda: site.pair.turn(site.pair.west, site.pair.north)
        written = {**site.options, "planned_first": "100ms", "answer_within": "10s", "api_within": "10s"}
        resource = sql_world.resource(kind, site.members, **written)

        def uses(port: Any) -> None:
            stack.callback(port.close)
            known(port.preflight())
            port.switchover(WEST, NORTH, expect=known(port.switchover_state(WEST, NORTH)), call=Calls().make())
            until(lambda: isinstance(seen := port.switchover_state(WEST, NORTH), Known) and seen.value.done)
            machine.stuck = True
            for epoch, how in ((11, "planned"), (12, "forced")):
                until(lambda: not known(port.read(WEST)).moving)
                port.failover(NORTH, WEST, expect=known(port.read(WEST)), call=Calls().make(epoch))
                assert machine.orders[-1][0] == how
                if how == "planned":
                    machine.give_up()
                machine.end()
            until(lambda: known(port.read(WEST)).writable)
            listed = kind == "sql-database"
            assert {one.status for one in front.seen(operation="operation")} == {200 if listed else 403}

        return Used(resource, sql_world.topology(resource), uses)

    return make


def _account(*, many: bool) -> Make:
    def make(_front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
        machine: Cosmos = serve(cosmos_world.PACKAGE, Cosmos((WEST, NORTH), many=many, seconds=0.05))
        machine.open()
        stack.callback(machine.close)
        members = {region: door.door.url for region, door in machine.doors.items()}
        kind = cosmos_world.MANY if many else cosmos_world.KIND
        resource, whole = cosmos_world.topology(kind, members, answer_within="8s")

        def uses(port: Any) -> None:
            stack.callback(port.close)
            known(port.preflight())
            known(port.read(NORTH))
            if many:
                return
            port.switchover(WEST, NORTH, expect=known(port.switchover_state(WEST, NORTH)), call=Calls().make())
            machine.end()
            port.failover(NORTH, WEST, expect=known(port.read(WEST)), call=Calls().make(11))
            machine.end()
            assert known(port.read(WEST)).writable

        return Used(resource, whole, uses)

    return make


def _mysql(_front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
    """Its operations are told of in one style, and then in the other."""
    rules = {"office": ("192.0.2.0", "192.0.2.255"), "own": ("203.0.113.7", "203.0.113.7")}
    machine = mysql_world.served(serve, rules=rules)
    machine.seconds = 0.0
    west = {"server": mysql_world.IDS[WEST], "firewall_rules": {"keep": ["own"]}}
    resource, whole = mysql_world.topology({WEST: west, NORTH: mysql_world.IDS[NORTH]})

    def uses(port: Any) -> None:
        known(port.preflight())
        port.fence(WEST, NORTH, expect=known(port.fence_state(WEST, NORTH)), call=Calls().make())
        machine.style = "location"
        port.unfence(WEST, expect=known(port.fence_state(WEST, NORTH)), call=Calls().make(11))
        port.failover(WEST, NORTH, expect=known(port.read(NORTH)), call=Calls().make(12))
        known(port.read(NORTH))

    return Used(resource, whole, uses)


def _guarded(_front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
    site = test_flexible_security_group.Site(serve)
    resource = flexible_world.resource(site.members, fences=["security-group"])
    regions = {name: Region(name, "azure", SUBSCRIPTION) for name in flexible_world.IDS}
    whole = Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {resource.name: resource})

    def uses(port: Any) -> None:
        known(port.preflight())

        def stands() -> bool:
            with contextlib.suppress(Transient):
                port.fence(WEST, NORTH, expect=known(port.fence_state(WEST, NORTH)), call=Calls().make())
            site.groups.end()
            return not known(port.fence_state(WEST, NORTH)).methods_left

        until(stands)
        port.unfence(WEST, expect=known(port.fence_state(WEST, NORTH)), call=Calls().make(11))
        assert site.groups.rules(site.id) == site.before

    return Used(resource, whole, uses)


KINDS: Mapping[Key, Make] = {
    (PortName.DATABASE, "postgresql-flexible", "a security group"): _guarded,
    (PortName.DATABASE, "mysql-flexible", "firewall rules"): _mysql,
    (PortName.DATABASE, "cosmos-db", "one writer"): _account(many=False),
    (PortName.DATABASE, "cosmos-db-multi-write", "many writers"): _account(many=True),
    **{
        (PortName.DATABASE, kind, "there and back"): _sql(kind)
        for kind in ("sql-failover-group", "sql-instance-group", "sql-database")
    },
}
