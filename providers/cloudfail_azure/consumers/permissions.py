"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Integration",
Microsoft.ServiceBus (learn.microsoft.com/azure/role-based-access-control/permissions/integration)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import stated
from cloudfail_azure.paths import parent_of

_NAMESPACES = "Microsoft.ServiceBus/namespaces"


def queue(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    told = []
    for region in regions:
        if region in resource.members:
            on = str(resource.members[region]["queue"])
            told.append((False, Grant(region, (f"{_NAMESPACES}/queues/read",), (on,))))
            why = "Where it stands is the namespace's to say."
            told.append((False, Grant(region, (f"{_NAMESPACES}/read",), (parent_of(on),), why=why)))
            told.append((True, Grant(region, (f"{_NAMESPACES}/queues/write",), (on,), ("enable",))))
    return stated(told)
