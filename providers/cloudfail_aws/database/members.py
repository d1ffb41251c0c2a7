"""From what was written in cloudfail.yaml to the fence of one database."""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail_aws.asking import Asking
from cloudfail_aws.database.network_acl import NetworkAclFence
from cloudfail_aws.database.options import AwsSqlMember, SqlOptions
from cloudfail_aws.database.security_group import SecurityGroupFence
from cloudfail_databases.fence import Fencing
from cloudfail_databases.sql_plane import SqlPlane
from cloudfail_postgres.plane import Plane


def fencing_of(
    members: Mapping[str, AwsSqlMember],
    options: SqlOptions,
    plane: Plane,
    asking: Asking,
    *,
    sort: str,
    names: Mapping[str, str],
) -> Fencing:
    """The declared methods, for the members that say how. sort, names: as in SecurityGroupFence."""
    acls = {region: member.network for region, member in members.items() if member.network is not None}
    closed = {region: member.closed_group for region, member in members.items() if member.closed_group is not None}
    seconds = float(options.api_within)
    networks = (
        NetworkAclFence(asking, acls, seconds=seconds),
        SecurityGroupFence(asking, sort, names, closed, seconds=seconds),
    )
    return Fencing(SqlPlane(plane), networks, options.fences, tuple(members))
