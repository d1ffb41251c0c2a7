"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Networking"
(learn.microsoft.com/azure/role-based-access-control/permissions/networking)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import NETWORK_ORDERED, ORDERED, stated
from cloudfail_azure.paths import parent_of, subscription_of, type_of

ROUTE, MOVE = ("route",), ("move_address",)
_TABLES = "Microsoft.Network/routeTables"
_ADDRESSES = "Microsoft.Network/publicIPAddresses"


def route_table(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The tables stand in the one region that the options name, whatever regions the members are in."""
    region, tables = str(resource.options["region"]), tuple(resource.options["tables"])
    subscriptions = tuple(dict.fromkeys(subscription_of(table).lower() for table in tables))
    routes = (f"{_TABLES}/routes/write", f"{_TABLES}/routes/delete")
    return stated(
        [
            (False, Grant(region, (f"{_TABLES}/read",), tables)),
            (False, Grant(region, NETWORK_ORDERED, subscriptions, ROUTE, why=ORDERED)),
            (True, Grant(region, routes, tables, ROUTE, why="A route is deleted only where a run created it.")),
            (True, Grant(region, (f"{_TABLES}/write",), tables, ROUTE, why="The epoch stands in a tag of the table.")),
        ]
    )


def public_ip(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """Between network interfaces each of the two is written; between balancers one order swaps."""
    region, address = str(resource.options["region"]), str(resource.options["address"])
    subscription = subscription_of(address)
    holders = [parent_of(str(member["holder"])) for member in resource.members.values()]
    nics = tuple(one for one in holders if type_of(one).lower() == "networkinterfaces")
    balancers = tuple(one for one in holders if one not in nics)
    found = [
        (False, Grant(region, (f"{_ADDRESSES}/read",), (address,))),
        (False, Grant(region, NETWORK_ORDERED, (subscription,), why=ORDERED)),
        (True, Grant(region, (f"{_ADDRESSES}/join/action",), (address,), MOVE)),
        (True, Grant(region, (f"{_ADDRESSES}/write",), (address,), MOVE, why="The epoch stands in a tag of it.")),
    ]
    if nics:
        joins = (
            "Microsoft.Network/virtualNetworks/subnets/join/action",
            "Microsoft.Network/networkSecurityGroups/join/action",
            "Microsoft.Network/applicationSecurityGroups/joinIpConfiguration/action",
            "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
            "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
            "Microsoft.Network/applicationGateways/backendAddressPools/join/action",
        )
        why = "An interface is written as a whole: Azure asks for leave to join its subnet, groups, rules and pools."
        found += [
            (False, Grant(region, ("Microsoft.Network/networkInterfaces/read",), nics)),
            (True, Grant(region, ("Microsoft.Network/networkInterfaces/write",), nics, MOVE)),
            (True, Grant(region, joins, (subscription,), MOVE, why=why)),
        ]
    if balancers:
        why = "Addresses are swapped by an order to their region; the other one's address is known to its balancer."
        order = "Microsoft.Network/locations/setLoadBalancerFrontendPublicIpAddresses/action"
        found += [
            (False, Grant(region, ("Microsoft.Network/loadBalancers/read",), balancers)),
            (True, Grant(region, ("Microsoft.Network/loadBalancers/write",), balancers, MOVE)),
            (True, Grant(region, (order, f"{_ADDRESSES}/join/action"), (subscription,), MOVE, why=why)),
        ]
    return stated(found)
