"""What people write in cloudfail.yaml for the kinds of this port: strict models, and literal identifiers alone.

backbone: {network: route-table, region: eu-central-1, tables: [rtb-0aa11bb22cc33dd44], destinations: [10.20.0.0/16],
           members: {us-east-1: tgw-0aa11bb22cc33dd44, us-west-2: {hop: pcx-0aa11bb22cc33dd44, reach: "10.20.7.1:443"}}}
vip:      {network: elastic-ip, region: eu-central-1, allocation: eipalloc-0aa11bb22cc33dd44,
           members: {zone-a: eni-0aa11bb22cc33dd44, zone-b: eni-0ee55ff66aa77bb88}}
partners: {network: prefix-list, region: eu-central-1, list: pl-0aa11bb22cc33dd44,
           members: {us-east-1: [192.0.2.0/25], us-west-2: [192.0.2.128/25]}}
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape, mistake
from cloudfail_paths.options import ReachedMember

CIDRS_MAX = 100
"""How many entries one ModifyManagedPrefixList adds or removes (EC2 model): a member is in the list whole, or not."""
HOPS = {
    "tgw": "TransitGatewayId",
    "eni": "NetworkInterfaceId",
    "i": "InstanceId",
    "pcx": "VpcPeeringConnectionId",
    "nat": "NatGatewayId",
    "vpce": "VpcEndpointId",
    "igw": "GatewayId",
    "vgw": "GatewayId",
    "eigw": "EgressOnlyInternetGatewayId",
    "lgw": "LocalGatewayId",
    "cagw": "CarrierGatewayId",
}
"""By the letters that an identifier begins with: the one parameter of CreateRoute and ReplaceRoute that takes it."""

_ID = r"-[0-9a-f]{8,17}"
_HOP = re.compile(rf"({'|'.join(HOPS)}){_ID}")
_HOLDER = re.compile(rf"(eni|i){_ID}")


def parameter_of(hop: str) -> str:
    """Which parameter takes that next hop."""
    return HOPS[hop.partition("-")[0]]


def _hop(written: Any) -> Any:
    if isinstance(written, str) and not _HOP.fullmatch(written):
        raise mistake("this is no next hop", f"write one identifier: {', '.join(f'{name}-…' for name in HOPS)}")
    return written


def _holder(written: Any) -> Any:
    if isinstance(written, str) and not _HOLDER.fullmatch(written):
        raise mistake("an address is held by a network interface or an instance", "write eni-… or i-…")
    return written


def _cidr(written: Any) -> Any:
    """In the form in which EC2 tells it again, or a look would never find it."""
    if not isinstance(written, str):
        return written
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        raise mistake("this is no CIDR block", "write one as 10.20.0.0/16") from None
    if str(network) != written:
        raise mistake("EC2 tells this block in another form", f"write {network}")
    return written


def _destination(written: Any) -> Any:
    return written if isinstance(written, str) and re.fullmatch(rf"pl{_ID}", written) else _cidr(written)


Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d{1,2}$", examples=["eu-central-1"])]
Hop = Annotated[str, BeforeValidator(_hop)]
Holder = Annotated[str, BeforeValidator(_holder)]
Cidr = Annotated[str, BeforeValidator(_cidr)]
Destination = Annotated[str, BeforeValidator(_destination)]
TableId = Annotated[str, Field(pattern=rf"^rtb{_ID}$")]
AllocationId = Annotated[str, Field(pattern=rf"^eipalloc{_ID}$")]
ListId = Annotated[str, Field(pattern=rf"^pl{_ID}$")]


class HopMember(ReachedMember):
    """A next hop of the tables' own VPC."""

    hop: Hop

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"hop": written} if isinstance(written, str) else written


class HolderMember(ReachedMember):
    """What holds the address: a network interface, or an instance that has but one. private_address: which of the
    interface's own addresses it stands for; left out, its primary one."""

    holder: Holder
    private_address: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        return {"holder": written} if isinstance(written, str) else written


class EntriesMember(ReachedMember):
    """The entries that are in the list while it leads to this member."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=CIDRS_MAX, strict=False)]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, written: Any) -> Any:
        if isinstance(written, str):
            return {"cidrs": [written]}
        return {"cidrs": written} if isinstance(written, list) else written


class _Options(Shape):
    """region: where the object itself stands, and whose control plane a move needs."""

    region: Region
    answer_within: PositiveDuration = Seconds(2)


class RouteTableOptions(_Options):
    """Each destination in each table is one route, and is led by itself."""

    tables: Annotated[tuple[TableId, ...], Field(min_length=1, max_length=20, strict=False)]
    destinations: Annotated[tuple[Destination, ...], Field(min_length=1, max_length=20, strict=False)]


class ElasticIpOptions(_Options):
    """One address. It stands in one region, and moves between what stands there."""

    allocation: AllocationId


class PrefixListOptions(_Options):
    """One customer-managed prefix list."""

    list: ListId
