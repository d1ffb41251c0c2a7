"""Paths of a virtual network: user-defined routes, and who holds a public address.

All of it is control plane of the one region in which the tables or the address stand, which is an option and need not
be a region of the application: lint refuses a failover out of it. Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.network import permissions
from cloudfail_azure.network.options import HolderMember, HopMember, PublicIpOptions, RouteTableOptions


def _route_table(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.network import route_table

    return route_table.build(resource, topology)


def _public_ip(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.network import public_ip

    return public_ip.build(resource, topology)


_ROUTE = VerbFacts("control", "member", False, True, 15.0, 120.0, "watching")


_MOVE = VerbFacts("control", "member", False, True, 60.0, 300.0, "watching")


def _at_home(resource: Resource) -> dict[str, VerbFacts]:
    return {"route": replace(_ROUTE, home=str(resource.options["region"]))}


def _address_at_home(resource: Resource) -> dict[str, VerbFacts]:
    return {"move_address": replace(_MOVE, home=str(resource.options["region"]))}


def _tables(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """The tags of a table are replaced as a whole, and it takes one operation at a time."""
    return tuple(f"azure/{str(table).lower()}" for table in resource.options["tables"])


def _address(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """The address alone. An interface is written under its ETag, and each further log would be waited for while nobody
    holds the address."""
    return (f"azure/network/{str(resource.options['address']).lower()}",)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.NETWORK,
        name="route-table",
        build=_route_table,
        permissions=permissions.route_table,
        options=RouteTableOptions,
        member=HopMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"route": _ROUTE},
        verbs_of=_at_home,
        shared={"route": _tables},
    ),
    Kind(
        port=PortName.NETWORK,
        name="public-ip",
        build=_public_ip,
        permissions=permissions.public_ip,
        options=PublicIpOptions,
        member=HolderMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"move_address": _MOVE},
        verbs_of=_address_at_home,
        shared={"move_address": _address},
    ),
)
