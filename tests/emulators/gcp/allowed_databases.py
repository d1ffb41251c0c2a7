"""What each database of Google Cloud asks of its control plane, as rows of allowed.py: reads, orders, preflight.

SQL needs logins and no role, so that no server stands behind Cloud SQL and AlloyDB here. A verb that reads servers
before it orders anything (switchover) is told to the part of the kind that orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.model.observation import Unknown
from cloudfail.model.topology import Resource, Topology
from cloudfail.testing.conformance import known
from tests.emulators.gcp import alloydb_world, balancing, spanner_world, sql_world, test_firestore
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import firestore
from tests.emulators.gcp.standins.alloydb import AlloyDb
from tests.emulators.gcp.standins.cloud_sql import CloudSql

Serve = Callable[[str, Any], Any]
Database = Callable[[Front, Serve], tuple[Resource, Topology, Callable[[Any], None]]]
"""-> (the resource, its topology without roles, what is done with its port)"""
TOKEN = "r1/write"


def _promoted(port: Any, source: str, target: str, end: Callable[[], None]) -> None:
    port.failover(source, target, expect=known(port.read(target)), call=balancing.call())
    end()
    assert known(port.read(target)).role == "primary"


def _fenced(port: Any, source: str, target: str, end: Callable[[], None]) -> None:
    """Put up, and taken down."""
    port.fence(source, target, expect=known(port.fence_state(source, target)), call=balancing.call())
    end()
    up = known(port.fence_state(source, target))
    assert "stands" in up.evidence
    port.unfence(source, expect=up, call=balancing.call())
    end()
    assert "stands" not in known(port.fence_state(source, target)).evidence


def _cloud_sql(front: Front, serve: Serve) -> tuple[Resource, Topology, Callable[[Any], None]]:
    """A replica that is designated for disaster recovery, so that there is a way back."""
    machine: CloudSql = serve("sqladmin.v1", sql_world.machine(networks=("192.0.2.0/24", "203.0.113.7/32")))
    machine.instances[sql_world.NAMES[sql_world.WEST]]["settings"]["ipConfiguration"]["authorizedNetworks"] = [
        {"kind": "sql#aclEntry", "value": "192.0.2.0/24"}
    ]
    members = {
        region: {"instance": name, "authorized_networks": {"keep": ["203.0.113.7/32"]}}
        for region, name in sql_world.NAMES.items()
    }
    resource = sql_world.resource(members, fences=["authorized-networks"], api_within="4s")
    ways = ((sql_world.CENTRAL, sql_world.WEST), (sql_world.WEST, sql_world.CENTRAL))

    def uses(port: Any) -> None:
        known(port.preflight())
        for source, target in ways:
            _fenced(port, source, target, machine.end)
        for source, target in ways:
            _promoted(port, source, target, machine.end)
        for _, target in ways:
            port.instances.switch_over(target, port.instances.describe(target), 60.0, balancing.call())
            machine.end()
            assert not port.instances.describe(target).replica

    return resource, sql_world.topology(resource), uses


def _alloydb(front: Front, serve: Serve) -> tuple[Resource, Topology, Callable[[Any], None]]:
    machine: AlloyDb = serve("alloydb.v1", alloydb_world.machine())
    members = {region: {"cluster": name, "instance": "main"} for region, name in alloydb_world.NAMES.items()}
    resource = alloydb_world.resource(members, fences=["stop"], api_within="4s")
    central, west = alloydb_world.CENTRAL, alloydb_world.WEST

    def uses(port: Any) -> None:
        assert known(port.preflight()) == ()
        _fenced(port, central, west, machine.end)
        for target in (west, central):
            port.clusters.switch_over(port.clusters.there(target), balancing.call())
            machine.end()
            assert port.clusters.there(target).primary
        _promoted(port, central, west, machine.end)

    return resource, alloydb_world.topology(resource), uses


def _many_writers(port: Any, regions: tuple[str, str]) -> None:
    """All that there is to do with a database that takes writes in every region."""
    assert known(port.preflight()) == ()
    source, target = regions
    assert port.loss(source, target, Unknown("", 0.0)).if_dead_seconds == 0.0
    for region in regions:
        assert known(port.read(region)).writable
        known(port.beat(region))
        port.write_canary(region, TOKEN, call=balancing.call())
        assert known(port.read_canary(region, TOKEN)) is not None


def _spanner(front: Front, serve: Serve) -> tuple[Resource, Topology, Callable[[Any], None]]:
    serve("spanner.v1", spanner_world.machine())
    regions = (spanner_world.CENTRAL, spanner_world.EAST)
    return *spanner_world.loaded(), lambda port: _many_writers(port, regions)


def _firestore(front: Front, serve: Serve) -> tuple[Resource, Topology, Callable[[Any], None]]:
    site = test_firestore.Site(front, serve("firestore.v1", firestore.Firestore()))
    members = {region: proxy.url for region, proxy in site.proxies.items()}
    regions = (test_firestore.EAST, test_firestore.WEST)
    return *test_firestore.topology(members), lambda port: _many_writers(port, regions)


DATABASES: Mapping[tuple[str, str], Database] = {
    ("cloud-sql", "for disaster recovery"): _cloud_sql,
    ("alloydb", "with a secondary"): _alloydb,
    ("spanner", "of a multi-region instance"): _spanner,
    ("firestore", "through proxies"): _firestore,
}
"""Kind, and the shape in which it is tried."""
