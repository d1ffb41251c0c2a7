"""The world in which each kind of Azure does all that it does, asked as roles that have exactly what is printed.

`KINDS` says how it is made, and what "all" is: every read, every verb, preflight. A new kind gets its row here, and the
operations that it calls their rows in needs.py, or a test in test_iam.py fails. A row hands over the resource as `load`
would leave it and its topology, without roles; the port is built by `Kind.build`, as in a run, and is given to `uses`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from cloudfail.model.topology import Objectives, PortName, Region, Topology
from cloudfail.testing.conformance import Calls, known
from tests.emulators.azure import (
    balancing,
    flexible_world,
    names_world,
    paths_world,
    test_front_door,
    test_traffic_manager,
)
from tests.emulators.azure.allowed_consumers import KINDS as CONSUMERS
from tests.emulators.azure.allowed_databases import KINDS as DATABASES
from tests.emulators.azure.allowed_traffic import KINDS as TRAFFIC
from tests.emulators.azure.allowed_workers import KINDS as WORKERS
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins import front_door, traffic_manager
from tests.emulators.azure.standins.names import Zones
from tests.emulators.azure.standins.route_tables import RouteTables
from tests.emulators.azure.used import SOON_SECONDS, Key, Make, Serve, Used, there_and_back
from tests.emulators.listening import listening


def _name(private: bool) -> Make:
    def make(_front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
        zones: Zones = serve(f"azure.mgmt.{'privatedns' if private else 'dns'}", Zones(private=private))
        zone = zones.zone(names_world.DOMAIN)
        zones.record(zone, names_world.LABEL, [names_world.ADDRESS[WEST]])
        resource = names_world.resource({"zone": zone, "resolvers": ["127.0.0.1:9"]}, names_world.ADDRESS)

        def uses(port: Any) -> None:
            known(port.preflight())
            there_and_back(port)

        return Used(resource, names_world.topology(), uses)

    return make


def _profile(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    machine: traffic_manager.TrafficManager = serve("azure.mgmt.trafficmanager", traffic_manager.TrafficManager())
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    site = test_traffic_manager.Site(front, machine, ports, "Weighted")
    resource, whole = site.topology()
    return Used(resource, whole, there_and_back)


def _origins(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    machine: front_door.FrontDoor = serve("azure.mgmt.cdn", front_door.FrontDoor())
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    resource, whole = test_front_door.Site(front, machine, ports, "weighted").topology()
    return Used(resource, whole, there_and_back)


def _routes(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    """One destination has no route yet: it is created, and goes as the run is taken back."""
    machine: RouteTables = serve("azure.mgmt.network", RouteTables(seconds=0.05))
    site = paths_world.TableSite(front, machine, {})
    stack.callback(site.close)
    machine.remove(site.table, "to-far")

    def uses(port: Any) -> None:
        before = known(port.read()).points
        for points in (dict.fromkeys(before, (NORTH,)), before):
            end = time.monotonic() + SOON_SECONDS
            while (state := known(port.read())).points != points:
                assert time.monotonic() < end, "it never came to that"
                port.route(points, expect=state, call=balancing.call())
                machine.end()

    return Used(site.resource, site.topology, uses)


def _servers(*, listed: bool) -> Make:
    """By the control plane alone: what goes over SQL needs logins, and no role."""

    def make(_front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
        rules = {"office": ("192.0.2.0", "192.0.2.255"), "own": ("203.0.113.7", "203.0.113.7")}
        more: dict[str, Any] = {"rules": rules} if listed else {}
        machine = flexible_world.machine(**more)
        machine.seconds = 0.0
        serve("azure.mgmt.postgresqlflexibleservers", machine)
        west = {"server": flexible_world.IDS[WEST], "firewall_rules": {"keep": ["own"]}}
        members = {WEST: west, NORTH: flexible_world.IDS[NORTH]} if listed else flexible_world.IDS
        resource = flexible_world.resource(members, **({"fences": ["firewall-rules"]} if listed else {}))
        regions = {name: Region(name, "azure", SUBSCRIPTION) for name in flexible_world.IDS}
        whole = Topology("shop", Objectives(900.0, 30.0), regions, WEST, "memory:", {resource.name: resource})

        def uses(port: Any) -> None:
            known(port.preflight())
            if listed:
                port.fence(WEST, NORTH, expect=known(port.fence_state(WEST, NORTH)), call=Calls().make())
                port.unfence(WEST, expect=known(port.fence_state(WEST, NORTH)), call=Calls().make(11))
            known(port.read(WEST))
            port.failover(WEST, NORTH, expect=known(port.read(NORTH)), call=Calls().make(12))
            known(port.read(NORTH))

        return Used(resource, whole, uses)

    return make


KINDS: Mapping[Key, Make] = {
    **WORKERS,
    **CONSUMERS,
    **TRAFFIC,
    (PortName.DATABASE, "postgresql-flexible", "logins alone"): _servers(listed=False),
    (PortName.DATABASE, "postgresql-flexible", "firewall rules"): _servers(listed=True),
    (PortName.DNS, "azure-dns", "public"): _name(False),
    (PortName.DNS, "azure-dns", "private"): _name(True),
    (PortName.LOADBALANCER, "front-door", "weighted"): _origins,
    (PortName.LOADBALANCER, "traffic-manager", "weighted"): _profile,
    (PortName.NETWORK, "route-table", "two routes"): _routes,
    **DATABASES,
}
"""Port, kind, and the shape in which it is tried: what is printed for it is enough in each, and each action is needed
in one of them."""
