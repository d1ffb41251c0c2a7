"""What people write in cloudfail.yaml for AWS's databases: strict models (an unknown key is a mistake).

A member is the identifier alone (`us-east-1: orders-e`), or a mapping that also says how cloudfail reaches it over SQL.
Without that nobody here sees a write, and the verbs say so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cloudfail.config.durations import Seconds
from cloudfail.config.fields import PositiveDuration, Shape
from cloudfail_databases.sql_options import SqlMember, SqlTimes

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z](?:-?[A-Za-z0-9]){0,62}$")]
GroupId = Annotated[str, Field(pattern=r"^sg-[0-9a-z]{1,40}$")]
AclId = Annotated[str, Field(pattern=r"^acl-[0-9a-z]{1,40}$")]


class NetworkAcls(Shape):
    """The network ACLs of the subnets that the member stands in, by literal id, and its port.

    A deny entry there is numbered `rule` (IPv4) and `rule + 1` (IPv6), before all others. An ACL filters what enters a
    subnet: a client in the database's own subnets is not kept out. `prevents: true` is the operator's word that there
    is none; only then does the entry by itself count as a fence that prevents.
    """

    acls: Annotated[tuple[AclId, ...], Field(min_length=1, strict=False)]
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    rule: Annotated[int, Field(ge=1, le=32765)] = 1
    prevents: bool = False


class AwsSqlMember(SqlMember):
    """A member, and what fences it beside its logins. closed_group: a security group without inbound rules, put in
    place of the member's own for the fence `security-group`."""

    network: NetworkAcls | None = None
    closed_group: GroupId | None = None


class InstanceMember(AwsSqlMember):
    """A DB instance."""

    instance: Identifier

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"instance": value} if isinstance(value, str) else value


class ClusterMember(AwsSqlMember):
    """A DB cluster."""

    cluster: Identifier

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return {"cluster": value} if isinstance(value, str) else value


Fence = Literal["logins", "network-acl", "security-group"]


class SqlOptions(SqlTimes):
    """fences: in the order in which they are tried. lag_stale: so old may be what CloudWatch reports of a replica's
    lag; its newest datapoint is a minute or two old at best."""

    fences: Annotated[tuple[Fence, ...], Field(strict=False)] = ("logins", "network-acl", "security-group")
    lag_stale: PositiveDuration = Seconds(300)


class RdsReplicaOptions(SqlOptions):
    """database: rds-replica. backup_days: how long the promoted instance keeps its backups; AWS's own default (one day)
    where it is left out."""

    backup_days: Annotated[int, Field(ge=1, le=35)] | None = None


class AuroraGlobalOptions(SqlOptions):
    """database: aurora-global. The global cluster is the resource's `id`."""
