"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Networking"
(learn.microsoft.com/azure/role-based-access-control/permissions/networking). A tag of a group is a PATCH of it, which
is `write`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import NETWORK_ORDERED, ORDERED, stated
from cloudfail_azure.paths import subscription_of

RUN = ("run",)
_GROUPS = "Microsoft.Network/networkSecurityGroups"


def isolated_network(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    changes = "write" if resource.options["isolated"] else "delete"

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            group, subnet = (str(resource.members[region][key]) for key in ("group", "subnet"))
            yield False, Grant(region, (f"{_GROUPS}/read",), (group,))
            yield False, Grant(region, ("Microsoft.Network/virtualNetworks/subnets/read",), (subnet,))
            yield False, Grant(region, NETWORK_ORDERED, (subscription_of(group).lower(),), RUN, why=ORDERED)
            yield True, Grant(region, (f"{_GROUPS}/securityRules/{changes}",), (group,), RUN)
            yield True, Grant(region, (f"{_GROUPS}/write",), (group,), RUN, why="The epoch stands in a tag of it.")

    return stated(told())
