"""Paths and addresses of a VPC network: static routes, what a Cloud Router advertises, a static external address.

Routes are global: their control plane stands in no region. An address and a router stand in one region each.
Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.network import permissions
from cloudfail_gcp.network.options import (
    AddressOptions,
    AdvertisedMember,
    AdvertisementOptions,
    HolderMember,
    HopMember,
    RouteOptions,
)
from cloudfail_gcp.paths import region_of


def _route(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.network import route

    return route.build(resource, topology)


def _router_advertisement(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.network import router_advertisement

    return router_advertisement.build(resource, topology)


def _static_ip(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.network import static_ip

    return static_ip.build(resource, topology)


_ROUTE = VerbFacts("control", None, False, True, 60.0, 300.0, "watching")
_ADVERTISE = VerbFacts("control", "member", False, True, 60.0, 300.0, "watching")
_MOVE = VerbFacts("control", "member", False, True, 30.0, 180.0, "watching")


def _moves(resource: Resource) -> dict[str, VerbFacts]:
    """The control plane of an address is its own region's, whatever its members are called."""
    return {"move_address": replace(_MOVE, home=region_of(str(resource.options["address"])))}


def _advertises(resource: Resource) -> dict[str, VerbFacts]:
    """That of the router's region, in whichever direction it is moved."""
    return {"route": replace(_ADVERTISE, home=region_of(str(resource.options["router"])))}


def _router(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """A patch replaces a whole array of the router, without a condition."""
    return (f"gcp/compute/{resource.options['router']}",)


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
        name="router-advertisement",
        build=_router_advertisement,
        permissions=permissions.router_advertisement,
        options=AdvertisementOptions,
        member=AdvertisedMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"route": _ADVERTISE},
        verbs_of=_advertises,
        shared={"route": _router},
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
