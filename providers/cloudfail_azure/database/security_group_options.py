"""What people write of a member whose subnet a network security group guards."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cloudfail.config.fields import Shape
from cloudfail_azure.network.options import Cidr, GroupId

Port = Annotated[int, Field(ge=1, le=65535)]


class SecurityGroup(Shape):
    """The fence by two rules of the group on the server's subnet. keep: the ranges that are let in still: the subnet's
    own, by which Azure keeps a standby in another zone; the replica's subnet; the address that cloudfail asks from.
    priority: of the first of the two rules, which must come before every rule that lets somebody in."""

    group: GroupId
    keep: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=50, strict=False)]
    ports: Annotated[tuple[Port, ...], Field(min_length=1, max_length=10, strict=False)] = (5432, 6432)
    priority: Annotated[int, Field(ge=100, le=4095)] = 100
