"""What people write in cloudfail.yaml for the kinds of this port: literal ids and ranges alone.

isolate: {custom: isolated-network, isolated: true, keeps: [10.60.0.0/24, 203.0.113.7/32], undo: rejoin,
          members: {northeurope: {group: /subscriptions/S/resourceGroups/G/providers/Microsoft.Network/
                    networkSecurityGroups/drill, subnet: /subscriptions/S/resourceGroups/G/providers/
                    Microsoft.Network/virtualNetworks/drill/subnets/copies}}}
rejoin:  {custom: isolated-network, isolated: false, undo: isolate, members: {...the same...}}
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cloudfail.config.custom import CustomShape
from cloudfail.config.fields import Name, Shape, mistake
from cloudfail_azure.network.options import Cidr, GroupId, SubnetId


class IsolatedMember(Shape):
    """The group that guards the subnet of the drill's copies, and nothing else; and that subnet."""

    group: GroupId
    subnet: SubnetId


class IsolatedOptions(CustomShape):
    """isolated: what the action makes so. keeps: ranges that are reached, and reach in, all the same: the subnet's own,
    the operator's, the log's. priority: of the rule of each direction that keeps; the next one denies. Both are read
    with `isolated: true` alone."""

    isolated: bool
    keeps: Annotated[tuple[Cidr, ...], Field(max_length=50, strict=False)] = ()
    priority: Annotated[int, Field(ge=100, le=4095)] = 100
    plane: Literal["control", "data"] | None = "control"
    home: Name | None = "member"
    loses_data: bool | None = False

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.plane != "control" or self.home != "member":
            raise mistake(
                "rules are written by the control plane of the group's own region", "leave plane and home out"
            )
        if self.isolated and not self.keeps:
            raise mistake(
                "nothing would be kept: not even the copies would reach each other",
                "write keeps: with the subnet's own range, and whence you reach it",
            )
        networks = [ipaddress.ip_network(one) for one in self.keeps]
        if any(one.prefixlen == 0 for one in networks):
            raise mistake("what keeps every address isolates nothing", "write keeps: with ranges of the drill alone")
        if len({one.version for one in networks}) > 1:
            # ResourceCannotContainAddressPrefixesFromDifferentAddressFamilies (hashicorp/terraform-provider-azurerm
            # issue 12534).
            raise mistake("Azure takes ranges of IPv4 or of IPv6 in a rule, not both", "write keeps: of one of them")
        return self
