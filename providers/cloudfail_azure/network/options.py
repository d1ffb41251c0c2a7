"""What people write in cloudfail.yaml for the kinds of this port: literal ids and addresses alone.

backbone: {network: route-table, region: westeurope, tables: [/subscriptions/S/resourceGroups/G/providers/
           Microsoft.Network/routeTables/hub], destinations: [10.20.0.0/16], members: {westeurope: 10.1.0.4,
           northeurope: {hop: 10.2.0.4, reach: "10.20.7.1:443"}}}
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape, mistake
from cloudfail_azure.paths import pattern, written
from cloudfail_paths.options import ReachedMember

GATEWAY = "VirtualNetworkGateway"
APPLIANCE = "VirtualAppliance"

if TYPE_CHECKING:
    TableId = str
else:
    TableId = written(
        pattern("Microsoft.Network", "routeTables"),
        "id of a route table",
        "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Network/routeTables/NAME",
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


Region = Annotated[str, Field(pattern=r"^[a-z]+[0-9]*$", examples=["westeurope"])]
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
