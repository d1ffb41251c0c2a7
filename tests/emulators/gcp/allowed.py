"""The world in which each kind of Google Cloud does all that it does, asked as roles that have exactly what is printed.

`KINDS` says how it is made, and what "all" is: every read, every verb, preflight. A new kind gets its row here or in
allowed_traffic.py, or a test in test_iam.py fails. A row hands over the resource as `load` would leave it and its
topology, without roles; the port is built by `Kind.build`, as in a run, and is given to `uses`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import Conflict, Transient
from cloudfail.model.observation import Known
from cloudfail.model.topology import PortName, Resource, Roles, Topology
from cloudfail.testing.conformance import known
from cloudfail_gcp.paths import region_of
from tests.emulators.gcp import (
    balancing,
    dns_world,
    test_backend_service,
    test_cloud_run,
    test_instance_group,
    test_node_pool,
    test_room,
)
from tests.emulators.gcp.allowed_databases import DATABASES, Database
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.gate import Tokens
from tests.emulators.gcp.standins import cloud_run, dns
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.node_pools import NodePools
from tests.emulators.gcp.standins.operations import BASE
from tests.emulators.gcp.standins.quotas import ServiceUsage
from tests.emulators.gcp.standins.service_lb_policies import ServiceLbPolicies

EAST, WEST = balancing.EAST, balancing.WEST
ROLES = Roles("watcher@shop-prod.iam.gserviceaccount.com", "executor@shop-prod.iam.gserviceaccount.com")
TO_WEST, TO_EAST = {EAST: 0, WEST: 100}, {EAST: 100, WEST: 0}
SOON_SECONDS = 30.0

Serve = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Used:
    """One resource, its topology without roles, and what is done with its port."""

    resource: Resource
    topology: Topology
    uses: Callable[[Any], None]

    def with_roles(self, roles: Roles = ROLES) -> Topology:
        """Each region asked as these, with the resource in it."""
        regions = {name: replace(region, roles=roles) for name, region in self.topology.regions.items()}
        return replace(self.topology, regions=regions, resources={self.resource.name: self.resource})


Make = Callable[[Front, Serve], Used]


def tokens(serve: Serve) -> Tokens:
    """Roles can be taken on, and projects be asked what they allow (which the gate answers)."""
    serve("cloudresourcemanager.v1", object())
    made: Tokens = serve("iamcredentials.v1", Tokens())
    return made


def until(holds: Callable[[], bool]) -> None:
    """A look between waits; each is a read that is held against the roles too."""
    end = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def there_and_back(port: Any) -> None:
    for weights in (TO_WEST, TO_EAST):
        state = known(port.read())
        port.shift(weights, expect=state, call=balancing.call())
        until(lambda: isinstance(seen := port.read(), Known) and not getattr(seen.value, "moving", ""))


def _name(there: Mapping[str, Any], members: Mapping[str, Any], routing: str) -> Make:
    def make(front: Front, serve: Serve) -> Used:
        zone: dns.CloudDns = serve("dns.v1", dns.CloudDns())
        zone.zone(dns_world.DOMAIN)
        zone.put(there)
        resource = dns_world.resource({"routing": routing, "resolvers": ["127.0.0.1:9"]}, members)

        def uses(port: Any) -> None:
            known(port.preflight())
            there_and_back(port)

        return Used(resource, dns_world.topology(), uses)

    return make


def _followed(front: Front, serve: Serve) -> Used:
    """A policy that follows internal passthrough load balancers, whose network is another project's."""
    told = {"type": "regionalL4ilb", "port": 80, "network_url": dns_world.NETWORK, "project": "shop-net"}
    members = {
        region: {"load_balancers": [{**told, "ip_address": address, "region": region}]}
        for region, address in dns_world.ADDRESS.items()
    }
    resource = dns_world.resource({"routing": "geo", "resolvers": ["127.0.0.1:9"]}, members)
    zone: dns.CloudDns = serve("dns.v1", dns.CloudDns())
    zone.zone(dns_world.DOMAIN)

    def item(region: str) -> dict[str, Any]:
        written = {
            "loadBalancerType": "regionalL4ilb",
            "ipAddress": dns_world.ADDRESS[region],
            "port": "80",
            "ipProtocol": "tcp",
            "networkUrl": dns_world.NETWORK,
            "project": "shop-net",
            "region": region,
        }
        return {"location": region, "healthCheckedTargets": {"internalLoadBalancers": [written]}}

    zone.put(dns_world.policy(geo={"items": [item(one) for one in (EAST, WEST)], "enableFencing": False}))
    return Used(resource, dns_world.topology(), there_and_back)


def _service(service: str) -> Make:
    def make(front: Front, serve: Serve) -> Used:
        site = test_backend_service.Site(front, serve("compute.v1", InstanceGroups()), service)
        named = test_backend_service.POLICY.replace("/global/", f"/{region_of(service)}/")
        policies: ServiceLbPolicies = serve("networkservices.v1", ServiceLbPolicies())
        policies.policies[named] = {}
        site.machine.edit(service, serviceLbPolicy=f"//networkservices.googleapis.com/{named}")

        def uses(port: Any) -> None:
            assert known(port.preflight()) == ()
            there_and_back(port)

        return Used(*site.topology(), uses)

    return make


def _scaled(port: Any) -> None:
    for region in (EAST, WEST):
        for count in (4, 2):
            port.scale(region, count, expect=known(port.read(region)), call=balancing.call())
            _settled(port, region, count)


def _settled(port: Any, region: str, count: int) -> None:
    until(lambda: isinstance(seen := port.read(region), Known) and seen.value.wanted == count)


def _groups(services: bool, policy: dict[str, Any] | None) -> Make:
    def make(front: Front, serve: Serve) -> Used:
        machine: test_room.Machine = serve("compute.v1", test_room.Machine())
        machine.quotas |= {(region, "N2_CPUS"): (500.0, 0.0) for region in (EAST, WEST)}
        machine.template(test_room.TEMPLATE, test_room.SORT)
        groups = {EAST: test_instance_group.EAST_GROUP, WEST: test_instance_group.WEST_GROUP}
        for group in groups.values():
            machine.group(group, 2, policy=policy)
            machine.at(group).more["instanceTemplate"] = BASE + test_room.TEMPLATE
        service = test_instance_group.SERVICE
        if services:
            machine.service(service, {machine.instance_group(group): 1.0 for group in groups.values()})
        counted = {"backend_services": [service]} if services else {}
        members = {region: {"group": group, **counted} for region, group in groups.items()}

        def uses(port: Any) -> None:
            for region in (EAST, WEST):
                known(port.room(region))
            _scaled(port)
            for held in (True, False) if policy else ():
                port.hold(WEST, held, expect=known(port.read(WEST)), call=balancing.call())
                machine.end()

        return Used(*balancing.topology(test_instance_group.KIND, members), uses)

    return make


def _pools(autoscaling: dict[str, Any]) -> Make:
    def make(front: Front, serve: Serve) -> Used:
        compute: test_room.Machine = serve("compute.v1", test_room.Machine())
        compute.quotas |= {(region, "N2_CPUS"): (500.0, 0.0) for region in (EAST, WEST)}
        machine = serve("container.v1", NodePools(compute))
        test_node_pool.Site(front, machine, autoscaling)
        members = {EAST: test_node_pool.EAST_POOL, WEST: {"pool": test_node_pool.WEST_POOL, "floor": 1}}

        def uses(port: Any) -> None:
            known(port.room(WEST))
            for count in (8, 4):
                until(lambda: _ordered(port, count))
                machine.end()
            for held in (True, False) if autoscaling else ():
                port.hold(WEST, held, expect=known(port.read(WEST)), call=balancing.call())
                machine.end()

        return Used(*balancing.topology(test_node_pool.KIND, members), uses)

    return make


def _ordered(port: Any, count: int) -> bool:
    """One order, as a run gives it until it is wanted."""
    seen = port.read(WEST)
    if isinstance(seen, Known) and seen.value.wanted != count:
        with contextlib.suppress(Transient, Conflict):
            port.scale(WEST, count, expect=seen.value, call=balancing.call())
    return isinstance(seen, Known) and seen.value.wanted == count


def _run_service(front: Front, serve: Serve) -> Used:
    machine: cloud_run.CloudRun = serve("run.v2", cloud_run.CloudRun())
    serve("serviceusage.v1beta1", ServiceUsage())
    test_cloud_run.Site(front, machine)
    members = {EAST: test_cloud_run.EAST_SERVICE, WEST: test_cloud_run.WEST_SERVICE}

    def uses(port: Any) -> None:
        for region in (EAST, WEST):
            known(port.room(region))
            for count in (4, 2):
                port.scale(region, count, expect=known(port.read(region)), call=balancing.call())
                machine.end()

    return Used(*balancing.topology(test_cloud_run.KIND, members), uses)


def _database(made: Database) -> Make:
    return lambda front, serve: Used(*made(front, serve))


Key = tuple[PortName, str, str]

KINDS: Mapping[Key, Make] = {
    (PortName.DNS, "cloud-dns", "simple"): (
        _name(dns_world.simple(dns_world.ADDRESS[EAST]), dns_world.ADDRESS, "simple")
    ),
    (PortName.DNS, "cloud-dns", "wrr"): (
        _name(dns_world.weighted({EAST: 60, WEST: 40}, checked=True), dns_world.CHECKED, "wrr")
    ),
    (PortName.LOADBALANCER, "backend-service", "global"): _service(test_backend_service.GLOBAL),
    (PortName.LOADBALANCER, "backend-service", "regional"): _service(
        test_backend_service.GLOBAL.replace("/global/", f"/regions/{EAST}/")
    ),
    (PortName.DNS, "cloud-dns", "geo, followed"): _followed,
    **{(PortName.DATABASE, *key): _database(made) for key, made in DATABASES.items()},
    (PortName.COMPUTE, "instance-group", "autoscaled"): _groups(True, test_instance_group.POLICY),
    (PortName.COMPUTE, "gke-node-pool", "bounds in each zone"): _pools(test_node_pool.PER_ZONE),
    (PortName.COMPUTE, "gke-node-pool", "by hand"): _pools({}),
    (PortName.COMPUTE, "cloud-run", "automatic"): _run_service,
    (PortName.COMPUTE, "instance-group", "by hand"): _groups(False, None),
}
"""Port, kind, and the shape in which it is tried: what is printed for it is enough in each, and each permission is
needed in one of them."""
