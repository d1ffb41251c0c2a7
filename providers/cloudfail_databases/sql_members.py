"""From what was written in cloudfail.yaml to a session's way to each member of one database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudfail.errors import Permanent
from cloudfail_databases.sql_options import SqlMember, SqlTimes
from cloudfail_postgres.endpoint import Endpoint, with_password
from cloudfail_postgres.plane import Plane

NO_LOGIN = "this member has no `dsn` and `writer`, so nobody here can see whether it takes writes"


def plane_of(members: Mapping[str, SqlMember], options: SqlTimes, *, spared: Sequence[str] = ()) -> Plane:
    """A session's way to each member that has one. A secret that is not there is that member's silence, and no other's
    trouble. spared: as of an Endpoint."""
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
        seconds = float(options.answer_within)
        endpoints[region] = Endpoint(region, dsn=dsn, writer=writer, seconds=seconds, spared=spared)
    return Plane(endpoints, silent, stale_seconds=float(options.heartbeat_stale))
