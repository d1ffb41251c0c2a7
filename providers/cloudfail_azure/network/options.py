"""What people write in cloudfail.yaml for the kinds of this port: literal ids and addresses alone.

backbone: {network: route-table, region: westeurope, tables: [/subscriptions/S/resourceGroups/G/providers/
           Microsoft.Network/routeTables/hub], destinations: [10.20.0.0/16], members: {westeurope: 10.1.0.4,
           northeurope: {hop: 10.2.0.4, reach: "10.20.7.1:443"}}}
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape, mistake
from cloudfail_azure.paths import Region, pattern, written
from cloudfail_paths.options import ReachedMember

GATEWAY = "VirtualNetworkGateway"
APPLIANCE = "VirtualAppliance"

_NIC = pattern("Microsoft.Network", "networkInterfaces", "ipConfigurations")
_FRONTEND = pattern("Microsoft.Network", "loadBalancers", "frontendIPConfigurations")
HOLDER = re.compile(f"{_NIC.pattern}|{_FRONTEND.pattern}", re.IGNORECASE)

if TYPE_CHECKING:
    TableId = str
    AddressId = str
    HolderId = str
    GroupId = str
    SubnetId = str
else:
    TableId = written(
        pattern("Microsoft.Network", "routeTables"),
        "id of a route table",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/routeTables/NAME",
    )
    AddressId = written(
        pattern("Microsoft.Network", "publicIPAddresses"),
        "id of a public IP address",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/publicIPAddresses/NAME",
    )
    HolderId = written(
        HOLDER,
        "id of an IP configuration of a network interface, or of a frontend of a load balancer",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/networkInterfaces/NAME/"
        "ipConfigurations/NAME",
    )
    GroupId = written(
        pattern("Microsoft.Network", "networkSecurityGroups"),
        "id of a network security group",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/networkSecurityGroups/NAME",
    )
    SubnetId = written(
        pattern("Microsoft.Network", "virtualNetworks", "subnets"),
        "id of a subnet",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/virtualNetworks/NAME/subnets/"
        "NAME",
    )


def _hop(told: Any) -> Any:
    if not isinstance(told, str) or told == GATEWAY:
        return told
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        raise mistake(
            "this is no next hop",
            f"write the private address of an appliance or of an internal load balancer (10.1.0.4), or {GATEWAY}",
        ) from None


def _cidr(told: Any) -> Any:
    if not isinstance(told, str):
        return told
    try:
        network = ipaddress.ip_network(told, strict=False)
    except ValueError:
        raise mistake("this is no range of addresses", "write one as 10.20.0.0/16") from None
    if str(network) != told:
        raise mistake("this range has addresses of hosts in it, or is not written plainly", f"write {network}")
    return told


Hop = Annotated[str, BeforeValidator(_hop)]
Cidr = Annotated[str, BeforeValidator(_cidr)]


class HopMember(ReachedMember):
    """Where the routes go while they lead to this member."""

    hop: Hop

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"hop": told} if isinstance(told, str) else told


class RouteTableOptions(Shape):
    """Each destination in each table is one route. region: where the tables stand; their control plane is there."""

    region: Region
    tables: Annotated[tuple[TableId, ...], Field(min_length=1, max_length=20, strict=False)]
    destinations: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=20, strict=False)]
    answer_within: PositiveDuration = Seconds(2)


class HolderMember(ReachedMember):
    """What holds the address while it is this member's."""

    holder: HolderId

    @model_validator(mode="before")
    @classmethod
    def _short(cls, told: Any) -> Any:
        return {"holder": told} if isinstance(told, str) else told


class PublicIpOptions(Shape):
    """One public IP address. region: where it stands; it never leaves that region, nor do its holders."""

    address: AddressId
    region: Region
    answer_within: PositiveDuration = Seconds(2)
