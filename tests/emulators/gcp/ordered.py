"""The world in which each verb that Google Cloud's ports have is ordered, on the front.

`VERBS` says how the world is made in which each is ordered. Together with `test_every_verb.py` it is the matrix of
kinds, verbs and faults: a new kind gets its row here, or a test there fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName
from cloudfail.ports import Call
from tests.emulators.gcp import balancing, dns_world, test_backend_service, test_instance_group
from tests.emulators.gcp.dns_world import CENTRAL, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.paths import world as paths
from tests.emulators.gcp.standins import dns
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.verbs import Ordered

Serve = Callable[[str, Any], Any]
TO_TARGET = {CENTRAL: 0, WEST: 100}


UNAVAILABLE = "backendError"


def _sent(front: Front, *effects: str) -> Callable[[], int]:
    return lambda: sum(one.operation in effects for one in front.seen(mutating=True))


Make = Callable[[Front, Serve], Ordered]


def _name(there: Mapping[str, Any], members: Mapping[str, Any], routing: str) -> Make:
    def make(front: Front, serve: Serve) -> Ordered:
        zone: dns.CloudDns = serve("dns.v1", dns.CloudDns())
        zone.zone(dns_world.DOMAIN)
        zone.put(there)
        told = {"routing": routing, "resolvers": ["127.0.0.1:9"], "answer_within": "4s"}
        port = dns_world.port_of(told, members)

        def truth() -> bool:
            held = repr(zone.sets[f"{dns_world.NAME}.", "A"])
            return dns_world.ADDRESS[WEST] in held and dns_world.ADDRESS[CENTRAL] not in held

        return Ordered(
            front,
            port.read,
            lambda seen, call: port.shift(TO_TARGET, expect=seen, call=call),
            lambda state: bool(state.weights[WEST] and not state.weights[CENTRAL]),
            truth,
            _sent(front, "changes.create"),
            unavailable=UNAVAILABLE,
        )

    return make


def _on_compute(made: Callable[[Front, InstanceGroups], Ordered]) -> Make:
    """Every operation comes to its end before it is asked what is so."""

    def make(front: Front, serve: Serve) -> Ordered:
        machine: InstanceGroups = serve("compute.v1", InstanceGroups())
        return replace(made(front, machine), follow=machine.end, unavailable=UNAVAILABLE)

    return make


def _capacity(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_backend_service.Site(front, machine)
    port = site.port()
    east, west = test_backend_service.EAST_GROUP, test_backend_service.WEST_GROUP
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift({balancing.EAST: 0, balancing.WEST: 100}, expect=seen, call=call),
        lambda state: bool(state.weights[balancing.WEST] and not state.weights[balancing.EAST]),
        lambda: (site.scalers()[east], site.scalers()[west]) == (0.0, 1.0),
        _sent(front, test_backend_service.PATCH),
    )


def _sized(front: Front, site: test_instance_group.Site, truth: Callable[[], bool], effect: str) -> Ordered:
    port = site.port()
    return Ordered(
        front,
        lambda: port.read(balancing.WEST),
        lambda seen, call: port.scale(balancing.WEST, 3, expect=seen, call=call),
        lambda state: bool(state.wanted == 3),
        truth,
        _sent(front, effect),
    )


def _by_its_floor(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_instance_group.Site(front, machine)
    return _sized(front, site, lambda: site.scaler()[0] == 3, test_instance_group.PATCH)


def _by_hand(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_instance_group.Site(front, machine, policy={})
    return _sized(front, site, lambda: site.size() == 3, "regionInstanceGroupManagers.resize")


def _held(front: Front, machine: InstanceGroups) -> Ordered:
    site = test_instance_group.Site(front, machine)
    port = site.port()
    return Ordered(
        front,
        lambda: port.read(balancing.WEST),
        lambda seen, call: port.hold(balancing.WEST, True, expect=seen, call=call),
        lambda state: bool(state.scale_in_held),
        lambda: site.scaler()[2] == "ONLY_SCALE_OUT",
        _sent(front, test_instance_group.PATCH),
    )


def _on_paths(made: Callable[[Front, paths.Paths], Ordered]) -> Make:
    """Of a move's several effects the one that is left. All of it has tests of its own (paths/)."""

    def make(front: Front, serve: Serve) -> Ordered:
        machine: paths.Paths = serve("compute.v1", paths.Paths())
        return replace(made(front, machine), follow=machine.end, unavailable=UNAVAILABLE)

    return make


def _inserted(front: Front, machine: paths.Paths) -> Ordered:
    return _routed(front, machine, "routes.insert")


def _replaced(front: Front, machine: paths.Paths) -> Ordered:
    machine.route("old", paths.VPC, paths.NEAR, paths.HOPS[paths.EAST])
    mark = "[cloudfail app=shop epoch=9 run=r0]"
    machine.route("new", paths.VPC, paths.NEAR, paths.HOPS[paths.WEST], priority=999, description=mark)
    return _routed(front, machine, "routes.delete")


def _routed(front: Front, machine: paths.Paths, effect: str) -> Ordered:
    subnet = machine.subnet("default-route-1", paths.VPC, "10.1.0.0/20")
    port = paths.port_of("route", paths.HOPS, vpc=paths.VPC, destinations=[paths.NEAR])
    to = {paths.NEAR: (paths.WEST,)}

    def order(seen: Any, call: Call) -> None:
        port.route(to, expect=seen, call=call)

    def truth() -> bool:
        there = [machine.stands(name) for name in machine.names() if name != subnet]
        return bool(there) and all("gw" in str(one.get("nextHopInstance")) for one in there)

    return Ordered(front, port.read, order, lambda state: bool(state.points == to), truth, _sent(front, effect))


def _advertised(by: Mapping[str, Any], begins: Callable[[paths.Paths], object]) -> Callable[..., Ordered]:
    def made(front: Front, machine: paths.Paths) -> Ordered:
        begins(machine)
        taker = paths.EDGES[paths.WEST]
        port = paths.port_of("router-advertisement", {paths.EAST: {}, paths.WEST: {}}, router=taker, **by)
        to = {taker: (paths.WEST,)}
        machine.router(paths.EDGES[paths.EAST], [paths.WHOLE], {"onprem": 100})

        def order(seen: Any, call: Call) -> None:
            port.route(to, expect=seen, call=call)

        def truth() -> bool:
            return machine.sends(paths.INSIDE) == {taker}

        sent = _sent(front, "routers.patch")
        return Ordered(front, port.read, order, lambda state: bool(state.points == to), truth, sent)

    return made


_BY_RANGES = _advertised(
    {"ranges": paths.HALVES}, lambda machine: machine.router(paths.EDGES[paths.WEST], [], {"onprem": 100})
)
_BY_PRIORITY = _advertised(
    {"priority": {"leads": 50, "waits": 10200}},
    lambda machine: machine.router(paths.EDGES[paths.WEST], [paths.WHOLE], {"onprem": 10200}),
)


def _given(front: Front, machine: paths.Paths) -> Ordered:
    machine.address(paths.VIP, paths.VALUE)
    for holder in paths.HOLDERS.values():
        machine.instance(holder)
    port = paths.port_of("static-ip", paths.HOLDERS, address=paths.VIP)
    to = {paths.VIP: (paths.ZONE_C,)}

    def order(seen: Any, call: Call) -> None:
        port.move_address(to, expect=seen, call=call)

    def truth() -> bool:
        return machine.held(paths.VALUE) == paths.HOLDERS[paths.ZONE_C]

    sent = _sent(front, "instances.addAccessConfig")
    return Ordered(front, port.read, order, lambda state: bool(state.points == to), truth, sent, requests=2)


Key = tuple[PortName, str, str, str]

VERBS: Mapping[Key, Make] = {
    (PortName.DNS, "cloud-dns", "shift", "simple"): (
        _name(dns_world.simple(dns_world.ADDRESS[CENTRAL]), dns_world.ADDRESS, "simple")
    ),
    (PortName.DNS, "cloud-dns", "shift", "wrr"): (
        _name(dns_world.weighted({CENTRAL: 60, WEST: 40}, checked=True), dns_world.CHECKED, "wrr")
    ),
    (PortName.DNS, "cloud-dns", "shift", "geo"): (
        _name(dns_world.near(CENTRAL, WEST, checked=True), dns_world.CHECKED, "geo")
    ),
    (PortName.DNS, "cloud-dns", "shift", "primary-backup"): (
        _name(dns_world.primary_backup(), dns_world.CHECKED, "primary-backup")
    ),
    (PortName.LOADBALANCER, "backend-service", "shift", "global"): _on_compute(_capacity),
    (PortName.COMPUTE, "instance-group", "scale", "by its floor"): _on_compute(_by_its_floor),
    (PortName.COMPUTE, "instance-group", "scale", "by hand"): _on_compute(_by_hand),
    (PortName.COMPUTE, "instance-group", "hold", "autoscaled"): _on_compute(_held),
    (PortName.NETWORK, "route", "route", "the new one"): _on_paths(_inserted),
    (PortName.NETWORK, "route", "route", "the old one"): _on_paths(_replaced),
    (PortName.NETWORK, "router-advertisement", "route", "by ranges"): _on_paths(_BY_RANGES),
    (PortName.NETWORK, "router-advertisement", "route", "by priority"): _on_paths(_BY_PRIORITY),
    (PortName.NETWORK, "static-ip", "move_address", "a free one"): _on_paths(_given),
}
"""Port, kind, verb, and the shape in which it is tried."""
