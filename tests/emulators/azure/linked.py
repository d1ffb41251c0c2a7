"""What Resource Manager asks for besides, of the resources that a body names: linked access checks.

Who writes a resource that names another one must be allowed to join that one, on it: "has permission to perform action
'Microsoft.Network/loadBalancers/write' on scope …; however, it does not have permission to perform action
'Microsoft.Network/publicIPAddresses/join/action' on the linked scope(s) …" (403 LinkedAuthorizationFailed; Azure/AKS
issue 1945, kubernetes-sigs/cloud-provider-azure issue 1999). It is asked whatever of the body is new (Azure/azure-cli
issue 28705: any update of a balancer that is chained to another tenant's). The actions are "Azure permissions for
Networking"'s, which say "Joins …"; which of them an operation asks for, no page says for each.

By row of needs.py: of each type that a body may name, the action. A body that names another type fails its test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NETWORK = "Microsoft.Network"
_ADDRESS = {f"{_NETWORK}/publicIPAddresses": f"{_NETWORK}/publicIPAddresses/join/action"}
_SUBNET = {f"{_NETWORK}/virtualNetworks/subnets": f"{_NETWORK}/virtualNetworks/subnets/join/action"}

LINKED: Mapping[str, Mapping[str, str]] = {
    # `joinLoadBalancer`: "Required to configure the IP-based Load Balancer Backend Pools" ("AKS cluster identity
    # permissions"). A global balancer's pool names frontends of others.
    "network load_balancer_backend_address_pools.create_or_update": {
        f"{_NETWORK}/virtualNetworks": f"{_NETWORK}/virtualNetworks/joinLoadBalancer/action",
        f"{_NETWORK}/virtualNetworks/subnets": f"{_NETWORK}/virtualNetworks/subnets/joinLoadBalancer/action",
        f"{_NETWORK}/loadBalancers/frontendIPConfigurations": (
            f"{_NETWORK}/loadBalancers/frontendIPConfigurations/join/action"
        ),
    },
    "network application_gateways.create_or_update": {
        **_ADDRESS,
        **_SUBNET,
        f"{_NETWORK}/ApplicationGatewayWebApplicationFirewallPolicies": (
            f"{_NETWORK}/applicationGatewayWebApplicationFirewallPolicies/join/action"
        ),
        "Microsoft.ManagedIdentity/userAssignedIdentities": (
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
        ),
    },
    "network network_interfaces.create_or_update": {
        **_ADDRESS,
        **_SUBNET,
        f"{_NETWORK}/networkSecurityGroups": f"{_NETWORK}/networkSecurityGroups/join/action",
        f"{_NETWORK}/applicationSecurityGroups": f"{_NETWORK}/applicationSecurityGroups/joinIpConfiguration/action",
        f"{_NETWORK}/loadBalancers/backendAddressPools": f"{_NETWORK}/loadBalancers/backendAddressPools/join/action",
        f"{_NETWORK}/loadBalancers/inboundNatRules": f"{_NETWORK}/loadBalancers/inboundNatRules/join/action",
        f"{_NETWORK}/applicationGateways/backendAddressPools": (
            f"{_NETWORK}/applicationGateways/backendAddressPools/join/action"
        ),
    },
    # Of a swap no page says it: both balancers are changed, and each address is given to one.
    "network load_balancers.swap_public_ip_addresses": {
        **_ADDRESS,
        f"{_NETWORK}/loadBalancers/frontendIPConfigurations": f"{_NETWORK}/loadBalancers/write",
    },
}
_ID = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+(?:/[^/]+/[^/]+)+", re.IGNORECASE)


def named(body: Any) -> Iterator[str]:
    """Each id in it, among keys too."""
    if isinstance(body, str):
        if _ID.fullmatch(body):
            yield body
    elif isinstance(body, Mapping):
        for key, one in body.items():
            yield from named(key)
            yield from named(one)
    elif isinstance(body, list):
        for one in body:
            yield from named(one)
