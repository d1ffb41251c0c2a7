"""A subnet as Azure tells it: which network security group guards it, and what in it that group does not guard.

The rules of a group are asked for what comes to a private endpoint only where the subnet's policy says so, and it does
not say so by itself ("Manage network policies for private endpoints", learn.microsoft.com/azure/private-link/
disable-private-endpoint-network-policy).
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.errors import Transient
from cloudfail_azure.asking import Asking
from cloudfail_azure.network.tables import VERSION

_ASKED = frozenset({"enabled", "networksecuritygroupenabled"})


@dataclass(frozen=True)
class Subnet:
    """group: the id of the group that guards it, "" for none. exempt: the private endpoints that it does not guard."""

    id: str
    group: str
    exempt: tuple[str, ...]


def subnet_of(asking: Asking, region: str, id_: str, *, within: float) -> Subnet:
    """Raises Transient where the answer says nothing of it, and what the request does."""
    told = asking.read(region, id_, VERSION, within=within)
    properties = told.get("properties")
    if not isinstance(properties, dict):
        raise Transient(f"Azure answers, and tells nothing of {id_}.")
    asked = str(properties.get("privateEndpointNetworkPolicies", "")).lower() in _ASKED
    endpoints = () if asked else properties.get("privateEndpoints") or ()
    return Subnet(
        id_,
        str((properties.get("networkSecurityGroup") or {}).get("id", "")),
        tuple(str(one.get("id", "")) for one in endpoints),
    )
