"""The world in which each verb that Google Cloud's ports have is ordered, on the front.

`VERBS` says how the world is made in which each is ordered. Together with `test_every_verb.py` it is the matrix of
kinds, verbs and faults: a new kind gets its row here, or a test there fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName
from tests.emulators.gcp import (
    balancing,
    dns_world,
    test_backend_service,
    test_firestore,
    test_forwarding_rule,
    test_instance_group,
    test_spanner,
    test_url_map,
)
from tests.emulators.gcp.dns_world import CENTRAL, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import dns, firestore, spanner
from tests.emulators.gcp.standins.forwarding_rules import ForwardingRules
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.url_maps import UrlMaps
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


def _routed(which: str, *, weighted: bool = False) -> Make:
    def make(front: Front, serve: Serve) -> Ordered:
        machine: UrlMaps = serve("compute.v1", UrlMaps())
        site = test_url_map.Site(front, machine, which, weighted=weighted)
        port = site.port()
        return Ordered(
            front,
            port.read,
            lambda seen, call: port.shift({balancing.EAST: 0, balancing.WEST: 100}, expect=seen, call=call),
            lambda state: bool(state.weights[balancing.WEST] and not state.weights[balancing.EAST]),
            lambda: site.sent() == {balancing.WEST: 1.0},
            _sent(front, test_url_map.PATCH),
            follow=machine.end,
            unavailable=UNAVAILABLE,
        )

    return make


def _led(front: Front, serve: Serve) -> Ordered:
    machine: ForwardingRules = serve("compute.v1", ForwardingRules())
    site = test_forwarding_rule.Site(front, machine)
    port = site.port()
    return Ordered(
        front,
        port.read,
        lambda seen, call: port.shift({balancing.EAST: 0, balancing.WEST: 100}, expect=seen, call=call),
        lambda state: bool(state.weights[balancing.WEST] and not state.weights[balancing.EAST]),
        lambda: site.leads() == test_forwarding_rule.TARGETS[balancing.WEST],
        _sent(front, test_forwarding_rule.SET_TARGET),
        requests=2,  # the labels, which carry the epoch, and the target
        follow=machine.end,
        unavailable=UNAVAILABLE,
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


def _canary(front: Front, serve: Serve) -> Ordered:
    machine: spanner.Spanner = serve("spanner.v1", spanner.Spanner(test_spanner.NAM_EUR))
    database = test_spanner.made()
    region, token = test_spanner.WEST, "r1/write"
    return Ordered(
        front,
        lambda: database.read_canary(region, token),
        lambda _seen, call: database.write_canary(region, token, call=call),
        lambda proof: proof is not None,
        lambda: f"canary#{region}#{token}" in machine.rows,
        _sent(front, test_spanner.COMMIT),
        unavailable=UNAVAILABLE,
    )


def _canary_through_a_proxy(front: Front, serve: Serve) -> Ordered:
    machine: firestore.Firestore = serve("firestore.v1", firestore.Firestore())
    site = test_firestore.Site(front, machine)
    database = test_firestore.made({region: proxy.url for region, proxy in site.proxies.items()})
    region, token = test_firestore.WEST, "r1/write"
    return Ordered(
        front,
        lambda: database.read_canary(region, token),
        lambda _seen, call: database.write_canary(region, token, call=call),
        lambda proof: proof is not None,
        lambda: bool(site.canaries()),
        _sent(front, test_firestore.COMMIT),
        unavailable=UNAVAILABLE,
    )


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
    (PortName.LOADBALANCER, "url-map", "shift", "default"): _routed("the map's own"),
    (PortName.LOADBALANCER, "url-map", "shift", "a split of a rule"): _routed("a rule", weighted=True),
    (PortName.LOADBALANCER, "forwarding-rule", "shift", "global"): _led,
    (PortName.COMPUTE, "instance-group", "scale", "by its floor"): _on_compute(_by_its_floor),
    (PortName.COMPUTE, "instance-group", "scale", "by hand"): _on_compute(_by_hand),
    (PortName.COMPUTE, "instance-group", "hold", "autoscaled"): _on_compute(_held),
    (PortName.DATABASE, "spanner", "canary", "multi-region"): _canary,
    (PortName.DATABASE, "firestore", "canary", "multi-region"): _canary_through_a_proxy,
}
"""Port, kind, verb, and the shape in which it is tried."""
