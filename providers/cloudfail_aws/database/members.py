"""From what was written in cloudfail.yaml to the data plane and the fence of one database."""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.errors import Permanent
from cloudfail_aws.asking import Asking
from cloudfail_aws.database.network_acl import NetworkAclFence
from cloudfail_aws.database.options import SqlMember, SqlOptions
from cloudfail_aws.database.security_group import SecurityGroupFence
from cloudfail_databases.fence import Fencing
from cloudfail_databases.sql_plane import SqlPlane
from cloudfail_postgres.endpoint import Endpoint, with_password
from cloudfail_postgres.plane import Plane

NO_LOGIN = "this member has no `dsn` and `writer`, so nobody here can see whether it takes writes"


def plane_of(members: Mapping[str, SqlMember], options: SqlOptions) -> Plane:
    """A session's way to each member that has one. A secret that is not there is that member's silence, and no other's
    trouble."""
    endpoints: dict[str, Endpoint] = {}
    silent: dict[str, str] = {}
    for region, member in members.items():
        if member.dsn is None or member.writer is None:
            silent[region] = NO_LOGIN
            continue
        try:
            dsn = with_password(member.dsn, member.password)
            writer = with_password(member.writer, member.writer_password)
        except Permanent as error:
            silent[region] = error.happened
            continue
        endpoints[region] = Endpoint(region, dsn=dsn, writer=writer, seconds=float(options.answer_within))
    return Plane(endpoints, silent, stale_seconds=float(options.heartbeat_stale))


def fencing_of(
    members: Mapping[str, SqlMember],
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
