"""The world in which each verb that Azure's ports have is ordered, on the front.

`VERBS` says how the world is made in which each is ordered. Together with `test_every_verb.py` it is the matrix of
kinds, verbs and faults: a new kind gets its row here, or a test there fails.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.model.states import CustomWord, Role
from cloudfail.model.topology import PortName
from tests.emulators.azure import (
    address_world,
    cosmos_world,
    flexible_world,
    isolated_world,
    mysql_world,
    names_world,
    paths_world,
    sql_world,
    test_aks_pool,
    test_app_service,
    test_application_gateway,
    test_consumers,
    test_container_app,
    test_flexible_security_group,
    test_front_door,
    test_function_app,
    test_load_balancer,
    test_scale_set,
    test_service_bus_queue,
    test_traffic_manager,
)
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins import front_door, traffic_manager
from tests.emulators.azure.standins.application_gateways import ApplicationGateways
from tests.emulators.azure.standins.cosmos import Cosmos
from tests.emulators.azure.standins.event_grid import EventGrid
from tests.emulators.azure.standins.function_apps import FunctionApps
from tests.emulators.azure.standins.load_balancers import LoadBalancers
from tests.emulators.azure.standins.names import Zones
from tests.emulators.azure.standins.public_addresses import PublicAddresses
from tests.emulators.azure.standins.route_tables import RouteTables
from tests.emulators.azure.standins.service_bus import ServiceBus
from tests.emulators.listening import listening
from tests.emulators.verbs import Ordered

Serve = Callable[[str, Any], Any]
Make = Callable[[Front, Serve, contextlib.ExitStack], Ordered]
Key = tuple[PortName, str, str, str]
UNAVAILABLE = "ServiceUnavailable"
PATCHED = "servers.update"


def sent(front: Front, *effects: str) -> Callable[[], int]:
    return lambda: sum(one.operation in effects for one in front.seen(mutating=True))


def _endpoint(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """Of a profile that routes by weight, an endpoint that is opened beside another: one request."""
    machine: traffic_manager.TrafficManager = serve("azure.mgmt.trafficmanager", traffic_manager.TrafficManager())
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    site = test_traffic_manager.Site(front, machine, ports, "Weighted")
    port = site.port()
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift({WEST: 100, NORTH: 40}, expect=seen, call=call),
        lambda state: bool(state.weights == {WEST: 100, NORTH: 40}),
        lambda: (site.stands(NORTH)["endpointStatus"], site.stands(NORTH)["weight"]) == ("Enabled", 400),
        sent(front, test_traffic_manager.UPDATE),
        unavailable=UNAVAILABLE,
    )


def _origin(front: Front, serve: Serve, stack: contextlib.ExitStack, *, routing: str) -> Ordered:
    """By weight, an origin that is opened beside another; by priority, one that is closed before another that stands
    by: one order, and its operation."""
    machine: front_door.FrontDoor = serve("azure.mgmt.cdn", front_door.FrontDoor())
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    by_weight = routing == "weighted"
    north = {} if by_weight else {"enabledState": "Enabled", "priority": 2}
    site = test_front_door.Site(front, machine, ports, routing, **north)
    port = site.port()
    to = {WEST: 100, NORTH: 40} if by_weight else {WEST: 0, NORTH: 100}
    edges = {ports[WEST]: 1000, ports[NORTH]: 400} if by_weight else {ports[NORTH]: 1000}
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift(to, expect=seen, call=call),
        lambda state: bool(state.weights == to and not state.moving),
        lambda: site.asked() == edges,
        sent(front, test_front_door.UPDATE),
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _name(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    zones: Zones = serve("azure.mgmt.dns", Zones())
    record = zones.record(zones.zone(names_world.DOMAIN), names_world.LABEL, [names_world.ADDRESS[WEST]])
    zone = record.rsplit("/", 2)[0]
    port = names_world.port_of({"zone": zone, "resolvers": ["127.0.0.1:9"], "answer_within": "8s"}, names_world.ADDRESS)
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift(names_world.TO_NORTH, expect=seen, call=call),
        lambda state: bool(state.weights == names_world.TO_NORTH),
        lambda: zones.at(record)["properties"]["ARecords"] == [{"ipv4Address": names_world.ADDRESS[NORTH]}],
        sent(front, "record_sets.create_or_update"),
        unavailable=UNAVAILABLE,
    )


def _workers(front: Front, serve: Serve, stack: contextlib.ExitStack, *, sized: bool) -> tuple[Any, Any]:
    site = test_scale_set.Site(front, serve, sized=sized)
    stack.callback(site.sets.close)
    return site, site.port()


def _by_its_floor(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    site, port = _workers(front, serve, stack, sized=True)
    return Ordered(
        front,
        lambda: port.read(NORTH),
        lambda seen, call: port.scale(NORTH, 3, expect=seen, call=call),
        lambda state: bool(state.wanted == 3),
        lambda: site.bounds()[0][0] == 3,
        sent(front, test_scale_set.PATCH),
        unavailable=UNAVAILABLE,
    )


def _by_hand(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    site, port = _workers(front, serve, stack, sized=False)
    return Ordered(
        front,
        lambda: port.read(NORTH),
        lambda seen, call: port.scale(NORTH, 3, expect=seen, call=call),
        lambda state: bool(state.wanted == 3),
        lambda: bool(site.capacity() == 3),
        sent(front, test_scale_set.UPDATE),
        follow=site.sets.end,
        unavailable=UNAVAILABLE,
    )


def _held(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    site, port = _workers(front, serve, stack, sized=True)
    return Ordered(
        front,
        lambda: port.read(NORTH),
        lambda seen, call: port.hold(NORTH, True, expect=seen, call=call),
        lambda state: bool(state.scale_in_held),
        lambda: "cloudfail-held" in site.tags(),
        sent(front, test_scale_set.PATCH),
        unavailable=UNAVAILABLE,
    )


def _workers_of(site: Any, sent: Callable[[], int], truth: Callable[[], bool], follow: Callable[[], None]) -> Ordered:
    """Three of them, in the north."""
    port = site.port()
    return Ordered(
        site.front,
        lambda: port.read(NORTH),
        lambda seen, call: port.scale(NORTH, 3, expect=seen, call=call),
        lambda state: bool(state.wanted == 3 and not state.moving),
        truth,
        sent,
        follow=follow,
        unavailable=UNAVAILABLE,
    )


def _held_of(site: Any, sent: Callable[[], int], truth: Callable[[], bool], follow: Callable[[], None]) -> Ordered:
    port = site.port()
    return Ordered(
        site.front,
        lambda: port.read(NORTH),
        lambda seen, call: port.hold(NORTH, True, expect=seen, call=call),
        lambda state: bool(state.scale_in_held and not state.moving),
        truth,
        sent,
        follow=follow,
        unavailable=UNAVAILABLE,
    )


def _plan(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    site = test_app_service.Site(front, serve, sized=False)
    stack.callback(site.web.close)
    return _workers_of(
        site, sent(front, test_app_service.PUT), lambda: bool(site.plan()["sku"]["capacity"] == 3), site.web.end
    )


def _plan_held(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    site = test_app_service.Site(front, serve)
    stack.callback(site.web.close)
    return _held_of(site, sent(front, test_app_service.PATCH), lambda: site.floors() == [2, 2], lambda: None)


def _app(front: Front, serve: Serve, stack: contextlib.ExitStack, *, held: bool) -> Ordered:
    """One PATCH, and the revision that it makes."""
    site = test_container_app.Site(front, serve)
    stack.callback(site.apps.close)
    of, floor = (_held_of, 2) if held else (_workers_of, 3)
    return of(site, sent(front, test_container_app.PATCH), lambda: site.scale() == (floor, 5), site.came_up)


def _pool(front: Front, serve: Serve, stack: contextlib.ExitStack, *, held: bool) -> Ordered:
    """Of a pool with the autoscaler, which takes away what its pods do not fill."""
    site = test_aks_pool.Site(front, serve)
    site.aks.seconds = 0.1
    stack.callback(site.sets.close)
    of, floor = (_held_of, 2) if held else (_workers_of, 3)
    return of(
        site,
        sent(front, test_aks_pool.PUT),
        lambda: site.bounds()[0] == floor and site.bounds()[2] >= floor,
        site.aks.end,
    )


def _backend_pool(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """One address is closed and another one opened: one request, and its operation."""
    machine: LoadBalancers = serve("azure.mgmt.network", LoadBalancers(seconds=0.1))
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    site = test_load_balancer.Site(front, machine, ports)
    stack.callback(site.packets.close)
    port, to = site.port(), test_load_balancer.TO_NORTH
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift(to, expect=seen, call=call),
        lambda state: bool(state.weights == to and not state.moving),
        lambda: machine.eligible(site.pool) == [ports[NORTH]],
        sent(front, test_load_balancer.PUT),
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _rule(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """A rule that is led to another pool: one request, and its operation."""
    machine: ApplicationGateways = serve("azure.mgmt.network", ApplicationGateways(seconds=0.1))
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    site = test_application_gateway.Site(front, machine, ports)
    stack.callback(site.packets.close)
    port, to = site.port(), test_application_gateway.TO_NORTH
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift(to, expect=seen, call=call),
        lambda state: bool(state.weights == to and not state.moving),
        lambda: machine.requested(site.gateway, "http") == ports[NORTH],
        sent(front, test_application_gateway.PUT),
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _address(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark, and a swap between two balancers. Between interfaces it is two effects (test_public_ip.py)."""
    machine: PublicAddresses = serve("azure.mgmt.network", PublicAddresses(seconds=0.1))
    site = address_world.AddressSite(front, machine, {}, address_world.FRONTENDS)
    stack.callback(site.close)
    port, points = site.port(), site.to(NORTH)
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.move_address(points, expect=seen, call=call),
        lambda state: bool(state.points == points and not state.moving),
        lambda: machine.carries(site.address) == site.holders[NORTH],
        sent(front, address_world.SWAP),
        requests=2,
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _route(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark, and one of two routes: the other one leads there already."""
    machine: RouteTables = serve("azure.mgmt.network", RouteTables(seconds=0.1))
    site = paths_world.TableSite(front, machine, {})
    stack.callback(site.close)
    machine.set_route(site.table, "to-far", paths_world.FAR, paths_world.HOPS[NORTH])
    port, points = site.port(), site.to(NORTH)
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.route(points, expect=seen, call=call),
        lambda state: bool(state.points == points),
        lambda: site.hop(paths_world.NEAR) == paths_world.HOPS[NORTH],
        sent(front, paths_world.PUT),
        requests=2,
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _queue(enabled: bool) -> Make:
    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
        machine: ServiceBus = serve("azure.mgmt.servicebus", ServiceBus())
        stack.callback(machine.close)
        site = test_service_bus_queue.Site(front, machine, "ReceiveDisabled" if enabled else "Active")
        port = site.port()
        return Ordered(
            front,
            lambda: port.read(NORTH),
            lambda seen, call: port.enable(NORTH, enabled, expect=seen, call=call),
            lambda state: bool(state.enabled is enabled),
            lambda: site.stands()["status"] == ("Active" if enabled else "ReceiveDisabled"),
            sent(front, test_service_bus_queue.PUT),
            unavailable=UNAVAILABLE,
        )

    return make


def _kept(kind: str, enabled: bool) -> Make:
    """A topic's subscription, or the queue of an event subscription."""

    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
        machine: ServiceBus = serve("azure.mgmt.servicebus", ServiceBus())
        stack.callback(machine.close)
        status = "ReceiveDisabled" if enabled else "Active"
        if kind == "topics":
            site = test_consumers.Topics(front, machine, status)
        else:
            site = test_consumers.Events(front, machine, serve("azure.mgmt.eventgrid", EventGrid()), status)
        port = site.port()
        return Ordered(
            front,
            lambda: port.read(NORTH),
            lambda seen, call: port.enable(NORTH, enabled, expect=seen, call=call),
            lambda state: bool(state.enabled is enabled),
            lambda: site.stands()["status"] == ("Active" if enabled else "ReceiveDisabled"),
            sent(front, test_consumers.PUTS[site.kind.name]),
            unavailable=UNAVAILABLE,
        )

    return make


def _function(enabled: bool) -> Make:
    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
        machine: FunctionApps = serve("azure.mgmt.web", FunctionApps())
        stack.callback(machine.close)
        site = test_function_app.Site(front, machine, disabled=enabled)
        port = site.port()
        return Ordered(
            front,
            lambda: port.read(NORTH),
            lambda seen, call: port.enable(NORTH, enabled, expect=seen, call=call),
            lambda state: bool(state.enabled is enabled),
            lambda: site.settings().get(test_function_app.SWITCH, "false") == ("false" if enabled else "true"),
            sent(front, test_function_app.PUT),
            unavailable=UNAVAILABLE,
        )

    return make


# ---- databases, by their control plane; what their servers do is shown beside a real pair (test_flexible.py)


def _promoted(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark, which is a PATCH and its operation, and then the order."""
    machine = flexible_world.machine()
    serve("azure.mgmt.postgresqlflexibleservers", machine)
    database = flexible_world.port()

    def ordered() -> int:
        asked = front.seen(operation="servers.update")
        return sum("replica" in (one.body.get("properties") or {}) for one in asked)

    return Ordered(
        front,
        lambda: database.read(NORTH),
        lambda seen, call: database.failover(WEST, NORTH, expect=seen, call=call),
        lambda state: bool(state.role is Role.PRIMARY),
        lambda: not machine.at(flexible_world.IDS[NORTH])["properties"].get("sourceServerResourceId"),
        ordered,
        requests=2,
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _without_rules(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The note and the mark, and then one rule."""
    rules = {"office": ("192.0.2.0", "192.0.2.255"), "cloudfail": ("203.0.113.7", "203.0.113.7")}
    machine = flexible_world.machine(style="location", rules=rules)
    serve("azure.mgmt.postgresqlflexibleservers", machine)
    west = {"server": flexible_world.IDS[WEST], "firewall_rules": {"keep": ["cloudfail"]}}
    members = {WEST: west, NORTH: flexible_world.IDS[NORTH]}
    database = flexible_world.port(members, fences=["firewall-rules"])
    return Ordered(
        front,
        lambda: database.fence_state(WEST, NORTH),
        lambda seen, call: database.fence(WEST, NORTH, expect=seen, call=call),
        lambda state: bool("firewall-rules stands" in state.evidence),
        lambda: set(machine.rules(flexible_world.IDS[WEST])) == {"cloudfail"},
        sent(front, "firewall_rules.delete"),
        requests=2,
        follow=machine.end,
        says_nothing=lambda state: bool("stands" not in state.evidence),
        unavailable=UNAVAILABLE,
    )


def _forced(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """One order, on the secondary, and its operation. The mark is in the data, which nobody reaches here."""
    machine, ids = sql_world.machine()
    serve(sql_world.PACKAGE, machine)
    database = sql_world.port(sql_world.KIND, ids)
    return Ordered(
        front,
        lambda: database.read(NORTH),
        lambda seen, call: database.failover(WEST, NORTH, expect=seen, call=call),
        lambda state: bool(state.role is Role.PRIMARY),
        lambda: machine.plays(ids[NORTH]) == "Primary",
        sent(front, "failover_groups.force_failover_allow_data_loss"),
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _parted(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """MySQL's: the mark, and the order."""
    machine = mysql_world.served(serve)
    database = mysql_world.port()

    def ordered() -> int:
        return sum("replicationRole" in (one.body.get("properties") or {}) for one in front.seen(operation=PATCHED))

    return Ordered(
        front,
        lambda: database.read(NORTH),
        lambda seen, call: database.failover(WEST, NORTH, expect=seen, call=call),
        lambda state: bool(state.role is Role.PRIMARY),
        lambda: not machine.at(mysql_world.IDS[NORTH])["properties"].get("sourceServerResourceId"),
        ordered,
        requests=2,
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _account(front: Front, serve: Serve, stack: contextlib.ExitStack) -> cosmos_world.World:
    site = cosmos_world.World(front, serve(cosmos_world.PACKAGE, Cosmos((WEST, NORTH), seconds=0.1)))
    stack.callback(site.close)
    return site


def _offline(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """Whether a write is let in is asked of the region, which answers while Resource Manager does not."""
    site = _account(front, serve, stack)
    port = site.port()
    return Ordered(
        front,
        lambda: port.read(NORTH),
        lambda seen, call: port.failover(WEST, NORTH, expect=seen, call=call),
        lambda state: bool(state.writable),
        lambda: site.machine.writer == NORTH,
        sent(front, "database_accounts.offline_region"),
        follow=site.machine.end,
        says_nothing=lambda state: not state.writable,
        unavailable=UNAVAILABLE,
    )


def _another_writer(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark beside it is a document, and no request to Resource Manager."""
    site = _account(front, serve, stack)
    port = site.port()
    return Ordered(
        front,
        lambda: port.switchover_state(WEST, NORTH),
        lambda seen, call: port.switchover(WEST, NORTH, expect=seen, call=call),
        lambda state: bool(state.done),
        lambda: site.machine.writer == NORTH,
        sent(front, "database_accounts.failover_priority_change"),
        follow=site.machine.end,
        unavailable=UNAVAILABLE,
    )


def _without_strangers(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark, and one of two rules: the other one is there already."""
    site = test_flexible_security_group.Site(serve)
    site.groups.set_rule(
        site.id,
        test_flexible_security_group.KEEP,
        100,
        "Allow",
        "",
        "5432",
        destinationPortRange="",
        destinationPortRanges=["6432", "5432"],
        sourceAddressPrefixes=[test_flexible_security_group.OWN_SUBNET, test_flexible_security_group.ASKS_FROM],
    )
    return Ordered(
        front,
        lambda: site.database.fence_state(WEST, NORTH),
        lambda seen, call: site.database.fence(WEST, NORTH, expect=seen, call=call),
        lambda state: bool("security-group stands" in state.evidence),
        lambda: site.lets_in() == (False, True, True),
        sent(front, test_flexible_security_group.PUT),
        requests=2,
        follow=site.groups.end,
        says_nothing=lambda state: bool("stands" not in state.evidence),
        unavailable=UNAVAILABLE,
    )


def _shut_off(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark, and one of four rules: the others are there already. All four are in test_isolated_network.py."""
    site = isolated_world.Site(front, serve)
    site.shut_off_by_hand(without=isolated_world.DENY_OUT)
    return _rules_of(site, sent(front, isolated_world.PUT), lambda: site.shut_off)


def _taken_back(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Ordered:
    """The mark, and the last of four rules."""
    site = isolated_world.Site(front, serve, isolated=False)
    for name in isolated_world.NAMES[1:]:
        site.groups.remove_rule(site.id, name)
    return _rules_of(site, sent(front, isolated_world.DELETE), lambda: site.groups.rules(site.id) == site.before)


def _rules_of(site: isolated_world.Site, sent: Callable[[], int], truth: Callable[[], bool]) -> Ordered:
    port = site.port()
    return Ordered(
        site.front,
        lambda: port.read(NORTH, "r1"),
        lambda seen, call: port.invoke(NORTH, expect=seen, call=call),
        lambda state: bool(state.word is CustomWord.DONE and not state.under_way),
        truth,
        sent,
        requests=2,
        follow=site.groups.end,
        unavailable=UNAVAILABLE,
    )


VERBS: Mapping[Key, Make] = {
    (PortName.CUSTOM, "isolated-network", "run", "isolated"): _shut_off,
    (PortName.CUSTOM, "isolated-network", "run", "taken back"): _taken_back,
    (PortName.COMPUTE, "app-service", "scale", "by hand"): _plan,
    (PortName.COMPUTE, "app-service", "hold", "autoscaled"): _plan_held,
    (PortName.COMPUTE, "container-app", "scale", "by a revision"): functools.partial(_app, held=False),
    (PortName.COMPUTE, "container-app", "hold", "by a revision"): functools.partial(_app, held=True),
    (PortName.COMPUTE, "aks-pool", "scale", "autoscaled"): functools.partial(_pool, held=False),
    (PortName.COMPUTE, "aks-pool", "hold", "autoscaled"): functools.partial(_pool, held=True),
    (PortName.COMPUTE, "scale-set", "scale", "by its floor"): _by_its_floor,
    (PortName.COMPUTE, "scale-set", "scale", "by hand"): _by_hand,
    (PortName.COMPUTE, "scale-set", "hold", "autoscaled"): _held,
    (PortName.CONSUMERS, "service-bus-queue", "enable", "on"): _queue(True),
    (PortName.CONSUMERS, "service-bus-queue", "enable", "off"): _queue(False),
    (PortName.DATABASE, "postgresql-flexible", "failover", "virtual endpoints"): _promoted,
    (PortName.DATABASE, "postgresql-flexible", "fence", "firewall rules"): _without_rules,
    (PortName.DNS, "azure-dns", "shift", "public"): _name,
    (PortName.NETWORK, "route-table", "route", "of two routes one"): _route,
    (PortName.LOADBALANCER, "traffic-manager", "shift", "weighted"): _endpoint,
    (PortName.LOADBALANCER, "front-door", "shift", "weighted"): functools.partial(_origin, routing="weighted"),
    (PortName.LOADBALANCER, "front-door", "shift", "standing by"): functools.partial(_origin, routing="priority"),
    (PortName.NETWORK, "public-ip", "move_address", "swap"): _address,
    (PortName.LOADBALANCER, "azure-load-balancer", "shift", "regional"): _backend_pool,
    (PortName.LOADBALANCER, "application-gateway", "shift", "a rule"): _rule,
    (PortName.CONSUMERS, "event-grid-subscription", "enable", "off"): _kept("events", False),
    (PortName.CONSUMERS, "function-app", "enable", "on"): _function(True),
    (PortName.CONSUMERS, "function-app", "enable", "off"): _function(False),
    (PortName.CONSUMERS, "service-bus-subscription", "enable", "on"): _kept("topics", True),
    (PortName.DATABASE, "postgresql-flexible", "fence", "security group"): _without_strangers,
    (PortName.DATABASE, "cosmos-db", "failover", "offline region"): _offline,
    (PortName.DATABASE, "cosmos-db", "switchover", "failover priorities"): _another_writer,
    (PortName.DATABASE, "mysql-flexible", "failover", "stop replication"): _parted,
    (PortName.DATABASE, "sql-failover-group", "failover", "forced"): _forced,
}
"""Port, kind, verb, and the shape in which it is tried."""
