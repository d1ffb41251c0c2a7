"""Paths and addresses of a VPC network: static routes, a static external address.

Routes are global: their control plane stands in no region. An address stands in one region, and moves inside of it.
Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.network import permissions
from cloudfail_gcp.network.options import AddressOptions, HolderMember, HopMember, RouteOptions
from cloudfail_gcp.paths import region_of


def _route(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.network import route

    return route.build(resource, topology)


def _static_ip(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.network import static_ip

    return static_ip.build(resource, topology)


_ROUTE = VerbFacts("control", None, False, True, 60.0, 300.0, "watching")
_MOVE = VerbFacts("control", "member", False, True, 30.0, 180.0, "watching")


def _moves(resource: Resource) -> dict[str, VerbFacts]:
    """The control plane of an address is its own region's, whatever its members are called."""
    return {"move_address": replace(_MOVE, home=region_of(str(resource.options["address"])))}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.NETWORK,
        name="route",
        build=_route,
        permissions=permissions.route,
        options=RouteOptions,
        member=HopMember,
        settle_seconds=5.0,
        call_timeout_seconds=25.0,
        verbs={"route": _ROUTE},
    ),
    Kind(
        port=PortName.NETWORK,
        name="static-ip",
        build=_static_ip,
        permissions=permissions.static_ip,
        options=AddressOptions,
        member=HolderMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"move_address": _MOVE},
        verbs_of=_moves,
    ),
)
