"""Paths of a virtual network: user-defined routes.

All of it is control plane of the one region in which the tables stand, which is an option and need not be a region of
the application: lint refuses a failover out of it. Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.network import permissions
from cloudfail_azure.network.options import HopMember, RouteTableOptions


def _route_table(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.network import route_table

    return route_table.build(resource, topology)


_ROUTE = VerbFacts("control", "member", False, True, 15.0, 120.0, "watching")


def _at_home(resource: Resource) -> dict[str, VerbFacts]:
    return {"route": replace(_ROUTE, home=str(resource.options["region"]))}


def _tables(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """The tags of a table are replaced as a whole, and it takes one operation at a time."""
    return tuple(f"azure/{str(table).lower()}" for table in resource.options["tables"])


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
)
