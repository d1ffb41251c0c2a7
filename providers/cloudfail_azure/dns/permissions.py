"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Networking"
(learn.microsoft.com/azure/role-based-access-control/permissions/networking): a record set of one type is a resource."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.dns.options import relative
from cloudfail_azure.paths import type_of

SHIFT = ("shift",)


def azure_dns(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """A record set is read and written whole, whichever regions are meant."""
    zone, kind = str(resource.options["zone"]), str(resource.options["type"])
    name = f"{zone}/{kind}/{relative(str(resource.options['name']), zone)}"
    action = f"Microsoft.Network/{type_of(zone)}"
    return Permissions(
        (
            Grant("global", (f"{action}/{kind}/read",), (name,)),
            Grant("global", (f"{action}/read",), (zone,), why="Preflight asks whether the zone is there."),
        ),
        (Grant("global", (f"{action}/{kind}/write",), (name,), SHIFT),),
    )
