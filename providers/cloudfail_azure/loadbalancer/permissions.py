"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Networking"
(learn.microsoft.com/azure/role-based-access-control/permissions/networking)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import ORDERED, stated

SHIFT = ("shift",)


def traffic_manager(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The profile tells its endpoints with itself; each is written by itself."""
    profile = str(resource.options["profile"])
    endpoints = [str(member["endpoint"]) for member in resource.members.values()]
    told = [(False, Grant("global", ("Microsoft.Network/trafficManagerProfiles/read",), (profile,)))]
    for sort in sorted({endpoint.rsplit("/", 2)[1] for endpoint in endpoints}):
        on = tuple(endpoint for endpoint in endpoints if endpoint.rsplit("/", 2)[1] == sort)
        told.append((True, Grant("global", (f"Microsoft.Network/trafficManagerProfiles/{sort}/write",), on, SHIFT)))
    return stated(told)


_GROUPS = "Microsoft.Cdn/profiles/origingroups"
_ENDED = "Microsoft.Cdn/operationresults"


def front_door(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The group, the list of its origins, and each member's own."""
    group = str(resource.options["origin_group"])
    origins = tuple(str(member["origin"]) for member in resource.members.values())
    subscription = group.lower().partition("/resourcegroups/")[0]
    results = (f"{_ENDED}/read", f"{_ENDED}/profileresults/origingroupresults/originresults/read")
    told = [
        (False, Grant("global", (f"{_GROUPS}/read", f"{_GROUPS}/origins/read"), (group,))),
        (False, Grant("global", results, (subscription,), why=ORDERED)),
        (True, Grant("global", (f"{_GROUPS}/origins/write",), origins, SHIFT)),
    ]
    return stated(told)
