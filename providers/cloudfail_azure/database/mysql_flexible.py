"""database: mysql-flexible. A flexible server of Azure Database for MySQL, with a read replica in another region.

Nobody here asks a MySQL server anything. So a role is Azure's word, no write is ever seen, and no verb on it is ever
seen to be done: a failover is ordered, once and under the mark, and a person, or a check that goes through the
application, says what came of it.

There is no switchover: MySQL has no planned promotion and no virtual endpoints on Azure, and applications are told the
new address by whoever moves them. The failover between zones, of a server with high availability, is another thing, in
one region; it is not asked for.
"""

from __future__ import annotations

import time

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceState, LossBound, Progress
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.database.firewall_rules import FirewallRulesFence
from cloudfail_azure.database.flexible_claims import promotable, unseen
from cloudfail_azure.database.flexible_readiness import Found, of_any, source_of, unlike
from cloudfail_azure.database.mysql_options import MysqlMember, MysqlOptions
from cloudfail_azure.database.mysql_servers import MysqlServers, by_hand
from cloudfail_azure.paths import group_of, same
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import OnServers
from cloudfail_databases.staged import is_over
from cloudfail_databases.two_planes import version_of
from cloudfail_databases.unasked import Unasked

NOBODY_ASKS = "nobody here asks a MySQL server, so whether it takes writes is not seen"


class MysqlFlexible(OnServers):
    """ports.Database, ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        options = MysqlOptions.model_validate(dict(resource.options))
        self._members = {region: MysqlMember.model_validate(one) for region, one in resource.members.items()}
        ids = {region: one.server for region, one in self._members.items()}
        asked = asking if asking is not None else Asking.of(resource, topology)
        self.servers = MysqlServers(asked, ids, seconds=float(options.api_within))
        listed = {region: one.firewall_rules for region, one in self._members.items() if one.firewall_rules is not None}
        plane = Unasked(NOBODY_ASKS)
        rules = FirewallRulesFence(self.servers, listed)
        super().__init__(plane, Fencing(plane, (rules,), options.fences, tuple(ids)))

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        if region not in self._members:
            return Unknown(f"this database has no member in {region}", at)
        try:
            server = self.servers.describe(region)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        sample = self.servers.lag(region) if server.replica else None
        # What was behind a while ago may be that much more behind now.
        lag = None if sample is None else sum(sample)
        shut = self.fencing.shuts(region)
        return Known(unseen(region, server, self.servers, NOBODY_ASKS, shut=shut, lag_seconds=lag), at)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        """Unknown: the one figure that there is leaves out what has not arrived."""
        sample = self.servers.lag(target) if target in self._members else None
        if sample is None:
            return LossBound(None, None, ("Azure Monitor has no lag of the replica, and nobody writes heartbeats",))
        behind, age = sample
        said = f"Azure Monitor, {age:.0f} s ago: the replica was {behind:.0f} s behind what had arrived there"
        return LossBound(None, None, (said, "what had not arrived is in no figure: unknown"))

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        if source == target:
            raise Permanent(
                f"{source} cannot be failed over to itself: Azure's own failover, between zones, is not asked for.",
                "Nothing was changed.",
                f"By hand: az mysql flexible-server restart --ids {self.servers.id(target)} --failover Forced",
            )
        try:
            server = self.servers.describe(target)
        except OutcomeUnknown as error:
            raise Transient(f"What {target} is cannot be read: {error}") from error
        if not server.replica:
            return  # Azure has done its part
        promotable(self.servers, source, target, server, version_of(target, None, server.version), expect, call)
        self.servers.mark(target, server, by_hand(server.id), timed.rest())
        self.servers.stop_replication(target, server, timed.rest())
        call.log(
            f"the replication to {server.name} is stopped: it is a server of its own, with what it had; "
            f"{self.servers.name(source)} is a primary still, and applications are to be told the new address"
        )

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        """Refused while Azure calls another member a primary (invariant I1): nobody sees whether it takes writes."""
        timed = TimeLeft(call)
        for other in self._members:
            if other != source and not self.servers.describe(other).replica:
                raise Conflict(f"Azure calls {other} a primary: lifting the fence on {source} could make two writers.")
        self.fencing.lift(source, expect, timed.rest())

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return Unknown("Azure has no switchover of MySQL servers: a promotion is forced", time.time())

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        raise Permanent(
            "Azure has no switchover of MySQL servers: a promotion stops the replication, and waits for nothing.",
            "Nothing was changed.",
            "Stop the writes, see that the replica has everything, and then use database.failover.",
        )

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        at = time.time()
        try:
            up, member = self.servers.describe(upstream), self.servers.describe(region)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        if member.replica and same(member.source, up.id):
            # Done only where somebody saw it: nobody does.
            return Unknown(f"Azure calls {member.name} a replica of {up.name}; {NOBODY_ASKS}", at)
        if up.replica:
            return Known(Progress(None, False, f"Azure calls {up.name} a replica: promote it first"), at)
        words = f"{member.name} follows not {up.name}, and Azure makes no replica of it: it is built anew by hand"
        return Known(Progress(words, False, "", "follows nobody", f"a replica of {up.name}", f"anew/{member.name}"), at)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        now = self.follow_state(region, upstream)
        if isinstance(now, Unknown):
            raise Transient(f"How far {region} has come cannot be read: {now.reason}.")
        if is_over(_Stage(now.value), expect, region):
            return
        name, up = self.servers.name(region), self.servers.id(upstream)
        raise Permanent(
            f"{now.value.next}.",
            f"{name} was left as it is, with what only it holds.",
            f"Build another: az mysql flexible-server replica create --replica-name NAME --source-server {up} "
            f"--location {region} --resource-group {group_of(up)}; write its id in cloudfail.yaml, and delete the "
            "old one when nobody needs it.",
        )

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            found = {
                region: Found(self.servers.describe(region), (), self.servers.replicas(region))
                for region in self._members
            }
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        said: list[str] = []
        for region, one in found.items():
            said += of_any(region, one, found, listed=self._members[region].firewall_rules is not None)
            source = source_of(one.server, found)
            if source is not None:
                said += [
                    f"{words}: Microsoft wants a replica that is no smaller."
                    for words in unlike(source.server, one.server)
                ]
        return Known(tuple(said), at)


class _Stage:
    """staged.Stage."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress


def build(resource: Resource, topology: Topology) -> MysqlFlexible:
    """Kind.build."""
    return MysqlFlexible(resource, topology)
