"""What the kinds of this port call, as Azure RBAC names it. Source: "Azure permissions for Networking"
(learn.microsoft.com/azure/role-based-access-control/permissions/networking)."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import NETWORK_ORDERED, ORDERED, stated
from cloudfail_azure.paths import parent_of, subscription_of, type_of

SHIFT = ("shift",)


def traffic_manager(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The profile tells its endpoints with itself; each is written by itself."""
    profile = str(resource.options["profile"])
    endpoints = [str(member["endpoint"]) for member in resource.members.values()]
    told = [(False, Grant("global", ("Microsoft.Network/trafficManagerProfiles/read",), (profile,)))]
    for sort in sorted({type_of(endpoint) for endpoint in endpoints}):
        on = tuple(endpoint for endpoint in endpoints if type_of(endpoint) == sort)
        told.append((True, Grant("global", (f"Microsoft.Network/trafficManagerProfiles/{sort}/write",), on, SHIFT)))
    return stated(told)


_GROUPS = "Microsoft.Cdn/profiles/origingroups"
_ENDED = "Microsoft.Cdn/operationresults"


def front_door(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The group, the list of its origins, and each member's own."""
    group = str(resource.options["origin_group"])
    origins = tuple(str(member["origin"]) for member in resource.members.values())
    subscription = subscription_of(group)
    results = (f"{_ENDED}/read", f"{_ENDED}/profileresults/origingroupresults/originresults/read")
    told = [
        (False, Grant("global", (f"{_GROUPS}/read", f"{_GROUPS}/origins/read"), (group,))),
        (False, Grant("global", results, (subscription,), why=ORDERED)),
        (True, Grant("global", (f"{_GROUPS}/origins/write",), origins, SHIFT)),
    ]
    return stated(told)


_BALANCERS = "Microsoft.Network/loadBalancers"
_GATEWAYS = "Microsoft.Network/applicationGateways"
_ENDS = "What became of an order, or what a probe sees, is told there."
_JOINS = "Who writes it must be allowed to join the networks and frontends whose addresses are in the pool."
_STANDS_ON = (
    "Who writes it must be allowed to join what the gateway stands on, its firewall policy, and the identity as which "
    "it reads its certificates."
)


def load_balancer(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """The balancer tells its pools with itself; one pool is written."""
    region, pool = str(resource.options["region"]), str(resource.options["pool"])
    balancer, subscription = parent_of(pool), subscription_of(pool)
    joins = (
        "Microsoft.Network/virtualNetworks/joinLoadBalancer/action",
        "Microsoft.Network/virtualNetworks/subnets/joinLoadBalancer/action",
        f"{_BALANCERS}/frontendIPConfigurations/join/action",
    )
    told = [
        (False, Grant(region, (f"{_BALANCERS}/read",), (balancer,))),
        (False, Grant(region, NETWORK_ORDERED, (subscription,), why=_ENDS)),
        (True, Grant(region, (f"{_BALANCERS}/backendAddressPools/write",), (pool,), SHIFT)),
        (True, Grant(region, joins, (subscription,), SHIFT, why=_JOINS)),
    ]
    if resource.options["rule"]:
        rule = f"{balancer}/loadBalancingRules/{resource.options['rule']}"
        told.append((False, Grant(region, (f"{_BALANCERS}/loadBalancingRules/health/action",), (rule,))))
    return stated(told)


def application_gateway(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """It is written as a whole, and Azure asks for leave to join what it stands on."""
    region, gateway = str(resource.options["region"]), str(resource.options["gateway"])
    subscription = subscription_of(gateway)
    health = (f"{_GATEWAYS}/backendhealth/action", f"{_GATEWAYS}/getBackendHealthOnDemand/action")
    joins = (
        "Microsoft.Network/virtualNetworks/subnets/join/action",
        "Microsoft.Network/publicIPAddresses/join/action",
        "Microsoft.Network/applicationGatewayWebApplicationFirewallPolicies/join/action",
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    )
    return stated(
        [
            (False, Grant(region, (f"{_GATEWAYS}/read", *health), (gateway,))),
            (False, Grant(region, NETWORK_ORDERED, (subscription,), why=_ENDS)),
            (True, Grant(region, (f"{_GATEWAYS}/write",), (gateway,), SHIFT)),
            (True, Grant(region, joins, (subscription,), SHIFT, why=_STANDS_ON)),
        ]
    )
