"""database: sql-failover-group, sql-instance-group, sql-database. Azure SQL with a geo-secondary in another region.

Azure says who is to be the primary; the databases show who is: one that Azure calls a primary is a replica still, for
as long as it refuses writes. Resource Manager is asked for what only it knows: the roles, and whether an order was
taken. Which shape it is, a failover group of servers, one of managed instances, or a database by itself, makes no
difference here (`sql_sides`).

`url` and `writer` of a member name its own server, never a listener: those move.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, Role
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.database.sql_moves import SqlMoves
from cloudfail_azure.database.sql_options import (
    DatabaseMember,
    GroupMember,
    InstanceGroupMember,
    SqlDatabaseOptions,
    SqlGroupOptions,
    SqlReached,
    login_of,
)
from cloudfail_azure.database.sql_readiness import sentences
from cloudfail_azure.database.sql_sides import FORCED, InstanceGroups, Links, ServerGroups, Side, Sides
from cloudfail_azure.database.tsql_endpoint import Endpoint
from cloudfail_azure.database.tsql_plane import TsqlPlane
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.paths import name_of
from cloudfail_databases.data_plane import View
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import GIVE_BACK
from cloudfail_databases.two_planes import TwoPlanes, version_of
from cloudfail_postgres.secret import secret_value

NO_LOGIN = "this member has no `url` and `writer`, so nobody here can see whether it takes writes"
NO_DATABASES = "no `databases` are written, so nobody here knows which to ask"
_SHAPES: Mapping[str, tuple[type[Sides], type[SqlReached], type[SqlDatabaseOptions]]] = {
    "sql-failover-group": (ServerGroups, GroupMember, SqlGroupOptions),
    "sql-instance-group": (InstanceGroups, InstanceGroupMember, SqlGroupOptions),
    "sql-database": (Links, DatabaseMember, SqlDatabaseOptions),
}


class SqlFailover(TwoPlanes[Side]):
    """ports.Database, ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        shape, member, model = _SHAPES[resource.kind]
        options = model.model_validate(dict(resource.options))
        self._members = {region: member.model_validate(one) for region, one in resource.members.items()}
        ids = {region: one.resource for region, one in self._members.items()}
        asked = asking if asking is not None else Asking.of(resource, topology)
        self.sides = shape(asked, ids, seconds=float(options.api_within))
        self._databases = options.databases if isinstance(options, SqlGroupOptions) else ()
        plane = _plane(self._members, options)
        fencing = Fencing(plane, (), options.fences, tuple(ids))
        super().__init__(plane, fencing, ids, SqlMoves(self.sides, plane, fencing))
        self._planned_first = float(options.planned_first) if options.planned_first is not None else None
        self._began: dict[str, float] = {}
        self._ordered: set[str] = set()

    def _told(self, region: str) -> Side:
        return self.sides.side(region)

    def _unseen(self, region: str, silence: str, told: Side, *, shut: bool) -> DatabaseState:
        moving = "" if told.secondary or shut else f"Azure calls {told.name} the primary; {silence}"
        role = Role.REPLICA if told.secondary else Role.PRIMARY
        version = version_of(region, None, told.version)
        upstream = self.sides.upstream(told)
        waits, then = self._awaited(region) if told.secondary else ("", "")
        return DatabaseState(role, False, 0, upstream=upstream, moving=moving or waits, version=version, next=then)

    def _state(self, region: str, seen: View, told: Side | None) -> DatabaseState:
        moving, then = self._awaited(region) if seen.replica else ("", "")
        if not seen.replica:
            self._began.pop(region, None)
            self._ordered.discard(region)
        if seen.replica and told is not None and not told.secondary:
            moving = f"Azure calls {told.name} the primary; its databases are secondaries still"
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.position,
            lag_seconds=seen.lag_seconds,
            upstream=self.sides.upstream(told) if seen.replica and told is not None else None,
            moving=moving,
            version=version_of(region, seen, told.version if told is not None else None),
            epoch=seen.epoch,
            next=GIVE_BACK if seen.shut_out(region) else then,
        )

    def _awaited(self, region: str) -> tuple[str, str]:
        """(what is waited for, what an order would do instead) of a failover without loss that was tried."""
        if region not in self._began:
            return "", ""
        left = self._left(region)
        if left <= 0:
            return "", "with loss, since the failover without loss did not come to its end"
        if region not in self._ordered:
            return "", ""
        return f"a failover without loss was ordered; the one with loss is ordered in {left:.0f} s", ""

    def _left(self, region: str) -> float:
        return self._began[region] + (self._planned_first or 0.0) - self.sides.asking.clock.boot()

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        if source == target:
            raise Permanent(
                f"{source} cannot be failed over to itself: Azure's failover inside of a region is not asked for.",
                "Nothing was changed.",
                "Name the region of the secondary.",
            )
        seen = self._shown(target)
        if seen is not None:
            if seen.takes_writes:
                return
            refuse_older(seen.epoch, call, f"{target}'s database")
        try:
            side = self.sides.side(target)
        except OutcomeUnknown as error:
            raise Transient(f"What {target} is cannot be read: {error}") from error
        if not side.secondary:
            if seen is not None and not seen.replica:
                self.plane.admit(target, timed.rest())
            return
        now = version_of(target, seen, side.version)
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        if self.sides.upstream(side) != source:
            raise Permanent(
                f"{side.name} does not replicate the member in {source}, but {', '.join(map(name_of, side.partners))}.",
                "It was not failed over.",
                "See which side has the newest data, or correct cloudfail.yaml.",
            )
        self._order(target, side, timed.rest())

    def _order(self, target: str, side: Side, call: Call) -> None:
        if self._planned_first is None or (target in self._began and self._left(target) <= 0):
            self.sides.order(target, side, FORCED, call)
            call.log(f"{side.name}: {FORCED} is ordered; what was not replicated is lost")
            return
        if target in self._ordered:
            raise Transient(f"{target}: {self._awaited(target)[0]}.")
        # Counted from before it is sent: whatever becomes of the order, its time runs.
        self._began.setdefault(target, self.sides.asking.clock.boot())
        try:
            self.sides.order(target, side, self.sides.first, call)
        except Permanent as error:
            # It was refused, and nothing is to be waited for: the next order is the one with loss.
            self._began[target] -= self._planned_first
            raise Transient(f"{side.name} is not failed over without loss: {error.happened}") from error
        except OutcomeUnknown:
            self._ordered.add(target)
            raise
        self._ordered.add(target)
        call.log(f"{side.name}: {self.sides.first} is ordered, and in {self._left(target):.0f} s {FORCED}")

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            found = {region: self.sides.side(region) for region in self._members}
            return Known(sentences(found, self._members, self.sides, self._databases), at)
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)


def _plane(members: Mapping[str, SqlReached], options: SqlDatabaseOptions) -> TsqlPlane:
    """A way to each database of each member that has one. A secret that is not there is that member's silence, and no
    other's trouble."""
    endpoints: dict[str, tuple[Endpoint, ...]] = {}
    silent: dict[str, str] = {}
    for region, member in members.items():
        if member.url is None or member.writer is None:
            silent[region] = NO_LOGIN
            continue
        names = options.databases if isinstance(options, SqlGroupOptions) else (name_of(member.resource),)
        if not names:
            silent[region] = NO_DATABASES
            continue
        assert member.password is not None
        assert member.writer_password is not None
        try:
            own = (*login_of(member.url), secret_value(member.password))
            writer = (*login_of(member.writer), secret_value(member.writer_password))
        except Permanent as error:
            silent[region] = error.happened
            continue
        seconds = float(options.answer_within)
        endpoints[region] = tuple(Endpoint(region, one, own=own, writer=writer, seconds=seconds) for one in names)
    return TsqlPlane(endpoints, silent)


def build(resource: Resource, topology: Topology) -> SqlFailover:
    """Kind.build."""
    return SqlFailover(resource, topology)
