"""database: postgresql-flexible. A flexible server of Azure Database for PostgreSQL, with a read replica in another
region.

Azure says who is to be the writer; SQL shows who is. A server that Azure calls a primary is a replica still, for as
long as it is in recovery, and a writer is one that let a write in. Resource Manager is asked for what only it knows:
what a server is, whether something is under way on it, and whether an order was taken.

`dsn` and `writer` of a member name that server's own address, never a virtual endpoint: those move.
"""

from __future__ import annotations

import time

from cloudfail.errors import CloudfailError, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, Role
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.database.firewall_rules import FirewallRulesFence
from cloudfail_azure.database.flexible_claims import promotable, state_of, unseen
from cloudfail_azure.database.flexible_moves import Moves
from cloudfail_azure.database.flexible_options import FlexibleMember, FlexibleOptions
from cloudfail_azure.database.flexible_readiness import Found, sentences
from cloudfail_azure.database.flexible_servers import (
    FORCED,
    READY,
    STANDALONE,
    SWITCHOVER,
    Server,
    Servers,
    by_hand,
)
from cloudfail_azure.database.security_group import SecurityGroupFence
from cloudfail_azure.marks import refuse_older
from cloudfail_databases.data_plane import View
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import GIVE_BACK
from cloudfail_databases.sql_members import plane_of
from cloudfail_databases.sql_plane import SqlPlane
from cloudfail_databases.two_planes import TwoPlanes, version_of

# Roles that a flexible server is made with beside its admin; only Microsoft has the first ("Describe built-in Azure
# Database for PostgreSQL server roles").
SERVICE_ROLES = ("azuresu", "azure_pg_admin")
_SHARE = 3.0
"""What a silent region may take of a call's time, as a divisor."""


class PostgresqlFlexible(TwoPlanes[Server]):
    """ports.Database, ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        options = FlexibleOptions.model_validate(dict(resource.options))
        self._members = {region: FlexibleMember.model_validate(one) for region, one in resource.members.items()}
        ids = {region: one.server for region, one in self._members.items()}
        asked = asking if asking is not None else Asking.of(resource, topology)
        self.servers = Servers(asked, ids, seconds=float(options.api_within))
        listed = {region: one.firewall_rules for region, one in self._members.items() if one.firewall_rules is not None}
        plane = SqlPlane(plane_of(self._members, options, spared=SERVICE_ROLES))
        rules = FirewallRulesFence(self.servers, listed)
        groups = {region: one.security_group for region, one in self._members.items() if one.security_group is not None}
        self._groups = SecurityGroupFence(asked, groups, self._subnet, seconds=float(options.api_within))
        fencing = Fencing(plane, (rules, self._groups), options.fences, tuple(ids))
        super().__init__(plane, fencing, ids, Moves(self.servers, plane, fencing))
        self._promote = options.promote

    def _subnet(self, region: str) -> str:
        return self.servers.describe(region).subnet

    def _told(self, region: str) -> Server:
        return self.servers.describe(region)

    def _unseen(self, region: str, silence: str, told: Server, *, shut: bool) -> DatabaseState:
        return unseen(region, told, self.servers, silence, shut=shut)

    def _state(self, region: str, seen: View, told: Server | None) -> DatabaseState:
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.position,
            timeline=seen.timeline,
            lag_seconds=seen.lag_seconds,
            upstream=self.servers.region_of(told.source) if seen.replica and told is not None else None,
            moving=_moving(region, seen, told),
            version=version_of(region, seen, told.version if told is not None else None),
            epoch=seen.epoch,
            next=GIVE_BACK if seen.shut_out(region) else "",
        )

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        if source == target:
            raise Permanent(
                f"{source} cannot be failed over to itself: Azure's own failover, between zones, is not asked for.",
                "Nothing was changed.",
                f"By hand: az postgres flexible-server restart --ids {self.servers.id(target)} --failover Forced",
            )
        seen = self._shown(target)
        if seen is not None:
            if seen.takes_writes:
                return
            refuse_older(seen.epoch, call, f"{target}'s database")
        try:
            server = self.servers.describe(target)
        except OutcomeUnknown as error:
            raise Transient(f"What {target} is cannot be read: {error}") from error
        if not server.replica:
            if seen is not None and not seen.replica:
                self.plane.admit(target, timed.rest())
            return
        now = version_of(target, seen, server.version)
        promotable(self.servers, source, target, server, now, expect, call)
        self._order(source, target, server, timed.rest())

    def _order(self, source: str, target: str, server: Server, call: Call) -> None:
        timed = TimeLeft(call)
        mode, why = self._mode(source, target, timed)
        self.servers.mark(target, server, by_hand(server.id, mode, FORCED), timed.rest())
        try:
            self.servers.promote(target, server, mode, FORCED, timed.rest())
        except Permanent as error:
            if mode == STANDALONE:
                raise
            raise Permanent(
                f"Azure does not switch {server.name} over: {error.happened} It was asked for since {why}.",
                "It was not promoted.",
                "If no virtual endpoint leads to it, or the servers are not alike, and a server of its own will do, "
                f"write `promote: standalone`, or by hand: {by_hand(server.id, STANDALONE, FORCED)}",
            ) from error
        old = self.servers.name(source)
        if mode == SWITCHOVER:
            after = f"Azure takes {old} back as its replica, and what only that one holds is gone"
        else:
            after = f"{old} is a primary still, and virtual endpoints go on leading to it"
        call.log(f"{server.name} is promoted, {mode} with {FORCED}, since {why}; {after}")

    def _mode(self, source: str, target: str, timed: TimeLeft) -> tuple[str, str]:
        """Which promotion, and why. Where nobody tells, it is the one that Azure refuses where it is not possible, and
        not the one from which there is no way back."""
        if self._promote is not None:
            mode = STANDALONE if self._promote == "standalone" else SWITCHOVER
            return mode, f"`promote: {self._promote}` is written"
        try:
            pair = self.servers.pair(source, target, within=min(self.servers.seconds, timed.seconds / _SHARE))
        except CloudfailError as error:
            return SWITCHOVER, f"nobody tells whether virtual endpoints lead to it: {error}"
        if pair is None:
            return STANDALONE, "no virtual endpoint leads to it"
        return SWITCHOVER, f"the virtual endpoints {pair.name} lead to it"

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            found = {
                region: Found(self.servers.describe(region), self.servers.pairs(region), self.servers.replicas(region))
                for region in self._members
            }
            groups = filter(self._groups.has, self._members)
            obstacles = [one for region in groups for one in self._groups.obstacles(region)]
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known((*sentences(found, self._members), *obstacles), at)


def _moving(region: str, seen: View, server: Server | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or server is None or seen.shut_out(region):
        return ""
    if server.state != READY:
        return state_of(server)
    if seen.replica and not server.replica:
        return f"Azure calls {server.name} a primary; its server is in recovery still"
    return ""


def build(resource: Resource, topology: Topology) -> PostgresqlFlexible:
    """Kind.build."""
    return PostgresqlFlexible(resource, topology)
