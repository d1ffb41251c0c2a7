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
    test_cloud_run,
    test_instance_group,
    test_node_pool,
)
from tests.emulators.gcp.dns_world import CENTRAL, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins import cloud_run, dns
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.node_pools import NodePools
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


def _on_gke(autoscaling: dict[str, Any], made: Callable[[Front, test_node_pool.Site], Ordered]) -> Make:
    """Every operation comes to its end before it is asked what is so."""

    def make(front: Front, serve: Serve) -> Ordered:
        machine = NodePools(serve("compute.v1", InstanceGroups()))
        serve("container.v1", machine)
        site = test_node_pool.Site(front, machine, autoscaling)
        return replace(made(front, site), follow=machine.end, unavailable=UNAVAILABLE)

    return make


def _nodes(requests: int) -> Callable[[Front, test_node_pool.Site], Ordered]:
    """requests: two where the bounds are ordered before the size."""

    def made(front: Front, site: test_node_pool.Site) -> Ordered:
        port = site.port()
        return Ordered(
            front,
            lambda: port.read(balancing.WEST),
            lambda seen, call: port.scale(balancing.WEST, 8, expect=seen, call=call),
            lambda state: bool(state.wanted == 8),
            lambda: site.sizes() == [4, 4],
            _sent(front, test_node_pool.SIZE),
            requests=requests,
        )

    return made


def _nodes_held(front: Front, site: test_node_pool.Site) -> Ordered:
    port = site.port()
    floor = 4 if "totalMinNodeCount" in site.machine.at(test_node_pool.WEST_POOL).autoscaling else 2
    return Ordered(
        front,
        lambda: port.read(balancing.WEST),
        lambda seen, call: port.hold(balancing.WEST, True, expect=seen, call=call),
        lambda state: bool(state.scale_in_held),
        lambda: site.bounds()[0] == floor,
        _sent(front, test_node_pool.BOUNDS),
    )


def _on_cloud_run(scaling: dict[str, Any]) -> Make:
    def make(front: Front, serve: Serve) -> Ordered:
        machine: cloud_run.CloudRun = serve("run.v2", cloud_run.CloudRun())
        site = test_cloud_run.Site(front, machine, scaling)
        port = site.port()
        return Ordered(
            front,
            lambda: port.read(balancing.WEST),
            lambda seen, call: port.scale(balancing.WEST, 3, expect=seen, call=call),
            lambda state: bool(state.wanted == 3),
            lambda: 3 in site.scaling().values(),
            _sent(front, test_cloud_run.PATCH),
            follow=machine.end,
            unavailable=UNAVAILABLE,
        )

    return make


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
    (PortName.COMPUTE, "gke-node-pool", "scale", "bounds in each zone"): _on_gke(test_node_pool.PER_ZONE, _nodes(2)),
    (PortName.COMPUTE, "gke-node-pool", "scale", "bounds in all"): _on_gke(test_node_pool.IN_ALL, _nodes(2)),
    (PortName.COMPUTE, "gke-node-pool", "scale", "by hand"): _on_gke({}, _nodes(1)),
    (PortName.COMPUTE, "gke-node-pool", "hold", "bounds in each zone"): (_on_gke(test_node_pool.PER_ZONE, _nodes_held)),
    (PortName.COMPUTE, "gke-node-pool", "hold", "bounds in all"): _on_gke(test_node_pool.IN_ALL, _nodes_held),
    (PortName.COMPUTE, "cloud-run", "scale", "automatic"): _on_cloud_run({"minInstanceCount": 2}),
    (PortName.COMPUTE, "cloud-run", "scale", "by hand"): (
        _on_cloud_run({"scalingMode": "MANUAL", "manualInstanceCount": 2})
    ),
}
"""Port, kind, verb, and the shape in which it is tried."""
