"""The world in which each verb that Google Cloud's ports have is ordered, on the front.

`VERBS` says how the world is made in which each is ordered. Together with `test_every_verb.py` it is the matrix of
kinds, verbs and faults: a new kind gets its row here, or a test there fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cloudfail.model.states import Role
from cloudfail.model.topology import PortName
from cloudfail.ports import Call
from tests.emulators.gcp import (
    alloydb_world,
    balancing,
    consuming,
    dns_world,
    spanner_world,
    sql_world,
    test_backend_service,
    test_cloud_run,
    test_firestore,
    test_forwarding_rule,
    test_instance_group,
    test_node_pool,
    test_url_map,
)
from tests.emulators.gcp.dns_world import CENTRAL, WEST
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.paths import world as paths
from tests.emulators.gcp.standins import cloud_run, dns, firestore
from tests.emulators.gcp.standins.alloydb import AlloyDb
from tests.emulators.gcp.standins.cloud_sql import CloudSql
from tests.emulators.gcp.standins.forwarding_rules import ForwardingRules
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.node_pools import NodePools
from tests.emulators.gcp.standins.spanner import Spanner
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


def _by_route(front: Front, machine: paths.Paths, effect: str) -> Ordered:
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


def _on_paths(made: Callable[[Front, paths.Paths], Ordered]) -> Make:
    """Of a move's several effects the one that is left. All of it has tests of its own (paths/)."""

    def make(front: Front, serve: Serve) -> Ordered:
        machine: paths.Paths = serve("compute.v1", paths.Paths())
        return replace(made(front, machine), follow=machine.end, unavailable=UNAVAILABLE)

    return make


def _inserted(front: Front, machine: paths.Paths) -> Ordered:
    return _by_route(front, machine, "routes.insert")


def _replaced(front: Front, machine: paths.Paths) -> Ordered:
    machine.route("old", paths.VPC, paths.NEAR, paths.HOPS[paths.EAST])
    mark = "[cloudfail app=shop epoch=9 run=r0]"
    machine.route("new", paths.VPC, paths.NEAR, paths.HOPS[paths.WEST], priority=999, description=mark)
    return _by_route(front, machine, "routes.delete")


def _turned(site: type[consuming.Site], enabled: bool) -> Make:
    def make(front: Front, serve: Serve) -> Ordered:
        made = site(front, serve, enabled=not enabled)
        port = made.port()
        effects = (
            "projects.subscriptions.patch",
            *(f"projects.locations.{of}.{verb}" for of in ("jobs", "queues") for verb in ("pause", "resume")),
        )
        return Ordered(
            front,
            lambda: port.read(balancing.WEST),
            lambda seen, call: port.enable(balancing.WEST, enabled, expect=seen, call=call),
            lambda state: bool(state.enabled is enabled),
            lambda: made.delivers() is enabled,
            _sent(front, *effects),
            unavailable=UNAVAILABLE,
        )

    return make


# ---- databases, by their control plane; what their servers do is shown beside a real pair (test_cloud_sql.py)


def _promoted(*, dr: bool) -> Make:
    """The mark, which is a patch and its operation, and then the order."""

    def make(front: Front, serve: Serve) -> Ordered:
        machine: CloudSql = serve("sqladmin.v1", sql_world.machine(dr=dr))
        database = sql_world.port(api_within="4s")
        source, target = sql_world.CENTRAL, sql_world.WEST
        return Ordered(
            front,
            lambda: database.read(target),
            lambda seen, call: database.failover(source, target, expect=seen, call=call),
            lambda state: bool(state.role is Role.PRIMARY),
            lambda: bool(machine.instances[sql_world.NAMES[target]]["instanceType"] == "CLOUD_SQL_INSTANCE"),
            _sent(front, "instances.promoteReplica"),
            requests=2,
            follow=machine.end,
            unavailable=UNAVAILABLE,
        )

    return make


def _unlisted(front: Front, serve: Serve) -> Ordered:
    machine: CloudSql = serve("sqladmin.v1", sql_world.machine(networks=("192.0.2.0/24", "203.0.113.7/32")))
    source, target = sql_world.CENTRAL, sql_world.WEST
    name = sql_world.NAMES[source]
    members = {source: {"instance": name, "authorized_networks": {"keep": ["203.0.113.7/32"]}}, target: "orders-w"}
    database = sql_world.port(members, fences=["authorized-networks"], api_within="4s")

    def listed() -> list[str]:
        configuration = machine.instances[name]["settings"]["ipConfiguration"]
        return [entry["value"] for entry in configuration["authorizedNetworks"]]

    return Ordered(
        front,
        lambda: database.fence_state(source, target),
        lambda seen, call: database.fence(source, target, expect=seen, call=call),
        lambda state: bool("authorized-networks stands" in state.evidence),
        lambda: listed() == ["203.0.113.7/32"],
        _sent(front, "instances.patch"),
        follow=machine.end,
        says_nothing=lambda state: bool("stands" not in state.evidence),
        unavailable=UNAVAILABLE,
    )


def alloydb_promoted(front: Front, serve: Serve) -> Ordered:
    """Whether it would be taken, the mark, and the order."""
    machine: AlloyDb = serve("alloydb.v1", alloydb_world.machine())
    database = alloydb_world.port(api_within="4s")
    source, target = alloydb_world.CENTRAL, alloydb_world.WEST

    def sent() -> int:
        asked = front.seen(operation="projects.locations.clusters.promote")
        return sum(not one.body.get("validateOnly") for one in asked)

    return Ordered(
        front,
        lambda: database.read(target),
        lambda seen, call: database.failover(source, target, expect=seen, call=call),
        lambda state: bool(state.role is Role.PRIMARY),
        lambda: bool(machine.clusters[alloydb_world.PATHS[target]]["clusterType"] == "PRIMARY"),
        sent,
        requests=3,
        follow=machine.end,
        unavailable=UNAVAILABLE,
    )


def _alloydb_stopped(front: Front, serve: Serve) -> Ordered:
    machine: AlloyDb = serve("alloydb.v1", alloydb_world.machine())
    source, target = alloydb_world.CENTRAL, alloydb_world.WEST
    members = {source: {"cluster": alloydb_world.NAMES[source], "instance": "main"}, target: "orders-w"}
    database = alloydb_world.port(members, fences=["stop"], api_within="4s")
    main = f"{alloydb_world.PATHS[source]}/instances/main"
    return Ordered(
        front,
        lambda: database.fence_state(source, target),
        lambda seen, call: database.fence(source, target, expect=seen, call=call),
        lambda state: bool("stop stands" in state.evidence),
        lambda: bool(machine.instances[main]["state"] == "STOPPED"),
        _sent(front, "projects.locations.clusters.instances.patch"),
        follow=machine.end,
        says_nothing=lambda state: bool("stands" not in state.evidence),
        unavailable=UNAVAILABLE,
    )


def spanner_canary(front: Front, serve: Serve) -> Ordered:
    """A session for who changes, and the commit."""
    machine: Spanner = serve("spanner.v1", spanner_world.machine())
    database, region = spanner_world.port(), spanner_world.EAST
    return Ordered(
        front,
        lambda: database.read_canary(region, "r1/write"),
        lambda _seen, call: database.write_canary(region, "r1/write", call=call),
        lambda state: state is not None,
        lambda: f"canary#{region}#r1/write" in machine.rows,
        _sent(front, "projects.instances.databases.sessions.commit"),
        requests=2,
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
    (PortName.DNS, "cloud-dns", "shift", "simple"): _name(
        dns_world.simple(dns_world.ADDRESS[CENTRAL]), dns_world.ADDRESS, "simple"
    ),
    (PortName.DNS, "cloud-dns", "shift", "wrr"): _name(
        dns_world.weighted({CENTRAL: 60, WEST: 40}, checked=True), dns_world.CHECKED, "wrr"
    ),
    (PortName.DNS, "cloud-dns", "shift", "geo"): _name(
        dns_world.near(CENTRAL, WEST, checked=True), dns_world.CHECKED, "geo"
    ),
    (PortName.DNS, "cloud-dns", "shift", "primary-backup"): _name(
        dns_world.primary_backup(), dns_world.CHECKED, "primary-backup"
    ),
    (PortName.LOADBALANCER, "backend-service", "shift", "global"): _on_compute(_capacity),
    (PortName.LOADBALANCER, "url-map", "shift", "default"): _routed("the map's own"),
    (PortName.LOADBALANCER, "url-map", "shift", "a split of a rule"): _routed("a rule", weighted=True),
    (PortName.LOADBALANCER, "forwarding-rule", "shift", "global"): _led,
    (PortName.COMPUTE, "instance-group", "scale", "by its floor"): _on_compute(_by_its_floor),
    (PortName.COMPUTE, "instance-group", "scale", "by hand"): _on_compute(_by_hand),
    (PortName.COMPUTE, "instance-group", "hold", "autoscaled"): _on_compute(_held),
    (PortName.DATABASE, "cloud-sql", "failover", "to the replica for disaster recovery"): _promoted(dr=True),
    (PortName.DATABASE, "cloud-sql", "failover", "to a replica"): _promoted(dr=False),
    (PortName.DATABASE, "cloud-sql", "fence", "by authorized networks"): _unlisted,
    (PortName.DATABASE, "alloydb", "failover", "by promotion"): alloydb_promoted,
    (PortName.DATABASE, "spanner", "canary", "in a region"): spanner_canary,
    (PortName.DATABASE, "firestore", "canary", "through a proxy"): _canary_through_a_proxy,
    (PortName.DATABASE, "alloydb", "fence", "by stopping the instance"): _alloydb_stopped,
    **{
        (PortName.CONSUMERS, name, "enable", "on" if enabled else "off"): _turned(site, enabled)
        for name, site in consuming.SITES.items()
        for enabled in (False, True)
    },
    (PortName.NETWORK, "route", "route", "the new one"): _on_paths(_inserted),
    (PortName.NETWORK, "route", "route", "the old one"): _on_paths(_replaced),
    (PortName.NETWORK, "router-advertisement", "route", "by ranges"): _on_paths(_BY_RANGES),
    (PortName.NETWORK, "router-advertisement", "route", "by priority"): _on_paths(_BY_PRIORITY),
    (PortName.NETWORK, "static-ip", "move_address", "a free one"): _on_paths(_given),
    (PortName.COMPUTE, "gke-node-pool", "scale", "bounds in each zone"): _on_gke(test_node_pool.PER_ZONE, _nodes(2)),
    (PortName.COMPUTE, "gke-node-pool", "scale", "bounds in all"): _on_gke(test_node_pool.IN_ALL, _nodes(2)),
    (PortName.COMPUTE, "gke-node-pool", "scale", "by hand"): _on_gke({}, _nodes(1)),
    (PortName.COMPUTE, "gke-node-pool", "hold", "bounds in each zone"): _on_gke(test_node_pool.PER_ZONE, _nodes_held),
    (PortName.COMPUTE, "gke-node-pool", "hold", "bounds in all"): _on_gke(test_node_pool.IN_ALL, _nodes_held),
    (PortName.COMPUTE, "cloud-run", "scale", "automatic"): _on_cloud_run({"minInstanceCount": 2}),
    (PortName.COMPUTE, "cloud-run", "scale", "by hand"): _on_cloud_run(
        {"scalingMode": "MANUAL", "manualInstanceCount": 2}
    ),
}
"""Port, kind, verb, and the shape in which it is tried."""
