"""What the kinds of this port call, as IAM names it. Source: Compute Engine v1's reference, "IAM permissions" of each
method (cloud.google.com/compute/docs/reference/rest/v1: routes insert and delete, instances addAccessConfig and
deleteAccessConfig, addresses get and setLabels, routers get and patch); of the next hops, "IAM roles and permissions
index", compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.grants import stated
from cloudfail_gcp.network.options import key_of
from cloudfail_gcp.paths import project_of, region_of, scope_of

ROUTE, MOVE = ("route",), ("move_address",)
_USED_AS = {
    "nextHopInstance": "compute.instances.use",
    "nextHopIlb": "compute.forwardingRules.use",
    "nextHopVpnTunnel": "compute.vpnTunnels.use",
}
_LISTED = "Routes and operations are listed for a whole project."
_NAMED = "A run makes its routes under names of its own, which begin with cloudfail-, and takes away those it replaces."
_SUBNET = "The subnetwork of the interface is the instance's to know."


def route(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    vpc = str(resource.options["vpc"])
    project = project_of(vpc)

    def told() -> Iterator[tuple[bool, Grant]]:
        yield False, Grant("global", ("compute.routes.list", "compute.globalOperations.list"), (project,), why=_LISTED)
        yield True, Grant("global", ("compute.routes.create", "compute.routes.delete"), (project,), ROUTE, why=_NAMED)
        yield True, Grant("global", ("compute.networks.updatePolicy",), (vpc,), ROUTE)
        for member in resource.members.values():
            if (used := _USED_AS.get(key_of(str(member["hop"])))) is not None:
                yield True, Grant("global", (used,), (str(member["hop"]),), ROUTE)

    return stated(told())


def router_advertisement(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """`getRouterStatus` needs compute.routers.get, and no more."""
    router = str(resource.options["router"])
    region = region_of(router)
    return stated(
        [
            (False, Grant(region, ("compute.routers.get",), (router,))),
            (False, Grant(region, ("compute.regionOperations.list",), (project_of(router),), why=_LISTED)),
            (True, Grant(region, ("compute.routers.update",), (router,), ROUTE)),
        ]
    )


def static_ip(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    address = str(resource.options["address"])
    region, project = region_of(address), project_of(address)
    holders = tuple(str(member["holder"]) for member in resource.members.values())
    zones = tuple(sorted({project_of(scope_of(holder)) for holder in holders}))

    def told() -> Iterator[tuple[bool, Grant]]:
        yield False, Grant(region, ("compute.addresses.get",), (address,))
        yield False, Grant(region, ("compute.instances.get",), holders)
        yield False, Grant(region, ("compute.zoneOperations.list",), zones, why=_LISTED)
        changes = ("compute.instances.addAccessConfig", "compute.instances.deleteAccessConfig")
        yield True, Grant(region, changes, holders, MOVE)
        yield True, Grant(region, ("compute.addresses.use", "compute.addresses.setLabels"), (address,), MOVE)
        yield True, Grant(region, ("compute.subnetworks.useExternalIp",), (project,), MOVE, why=_SUBNET)

    return stated(told())
