"""Switchover and follow of flexible servers: what comes next, read from Azure and from the servers.

A switchover is Azure's own: "Switchover" with "Planned", which waits until the replica has everything and exchanges the
roles. After a failover that was a "Switchover", Azure makes the old primary a replica, once its region is there again,
and what only that one held is gone. A replica that became a server of its own has no way back: "an existing server
can't be made into a replica" ("Read replicas in Azure Database for PostgreSQL"), so that a new one is built by hand.
"""

from __future__ import annotations

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.flexible_readiness import unlike
from cloudfail_azure.database.flexible_servers import BROKEN, PLANNED, READY, SWITCHOVER, Server, Servers, by_hand
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.paths import group_of, name_of, same
from cloudfail_databases.data_plane import DataPlane
from cloudfail_databases.fence import Fencing
from cloudfail_databases.moves import PlaneMoves, Reached, arrived, moving, switching

Pair = tuple[Server, Server]
"""The old writer and the new one."""


class Moves(PlaneMoves[Pair]):
    """Of one database."""

    def __init__(self, servers: Servers, plane: DataPlane, fencing: Fencing) -> None:
        super().__init__(plane, fencing)
        self._servers = servers

    def _give_order(self, on: Pair, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        old, new = on
        for server, region in ((old, source), (new, target)):
            refuse_older(server.epoch, call, f"{server.name} in {region}")
        self._servers.mark(target, new, by_hand(new.id, SWITCHOVER, PLANNED), timed.rest())
        self._servers.promote(target, new, SWITCHOVER, PLANNED, timed.rest())

    # ---- switchover

    def _order(self, source: str, target: str) -> Reached[Pair]:
        replica = self._servers.describe(target)
        if replica.state != READY:
            return moving(f"Azure says that {replica.name} is {replica.state}")
        if not replica.replica:
            return moving(f"Azure calls {replica.name} a primary; its server takes no writes yet")
        self._plane.look(source)
        return self._switched(source, target, self._servers.describe(source), replica)

    def _switched(self, source: str, target: str, old: Server, new: Server) -> Reached[Pair]:
        if not same(new.source, old.id):
            return moving(f"{new.name} replicates {name_of(new.source)}, and not {old.name}: nothing is switched")
        if old.state != READY:
            return moving(f"Azure says that {old.name} is {old.state}; nothing was stopped")
        if self._servers.pair(source, target) is None:
            words = f"no virtual endpoint leads to {new.name}: Azure will not switch over to it"
            refused = Permanent(
                f"No virtual endpoint leads to {new.name}: Azure will not switch over to it.",
                "Nothing was changed.",
                f"Make them: az postgres flexible-server virtual-endpoint create --server-name {old.name} --name NAME "
                f"--endpoint-type ReadWrite --members {new.name} --resource-group {group_of(old.id)}",
            )
            return Reached(switching(words, source, target, f"endpoints/{new.name}"), by_hand=refused)
        if differ := unlike(old, new):
            words = f"{old.name} and {new.name} are not alike: Azure will not switch over to it"
            said = f"{'; '.join(differ)}."
            progress = Progress(words, False, "", said, f"{target} takes writes", f"unlike/{new.name}")
            refused = Permanent(said, "Nothing was changed.", "Make both alike: the larger one first.")
            return Reached(progress, by_hand=refused)
        words = f"switch {old.name} over to {new.name}; Azure waits until it holds everything"
        return Reached(switching(words, source, target, f"switch/{old.name}/{new.name}"), (old, new))

    # ---- follow

    def _back(self, region: str, upstream: str) -> Reached[Pair]:
        up, member = self._servers.describe(upstream), self._servers.describe(region)
        if member.state != READY:
            return moving(f"Azure says that {member.name} is {member.state}")
        if not member.replica:
            words = f"{member.name} is a primary of its own, and Azure makes no replica of it: it is built anew by hand"
            return self._apart(region, up, member, words)
        if not same(member.source, up.id):
            return moving(f"{member.name} replicates {name_of(member.source)}, and not {up.name}")
        if member.replication == BROKEN:
            words = f"Azure calls the replication from {up.name} to {member.name} broken: it is built anew by hand"
            return self._apart(region, up, member, words)
        if self._fencing.shuts(region):
            return self._to_open(region, "replica", member.name)
        seen = self._plane.look(region)
        if seen.takes_writes:
            return moving(f"{region} still takes writes, and Azure calls it a replica: fence it first (database.fence)")
        if not seen.replica:
            said = f" ({member.replication})" if member.replication else ""
            return moving(f"Azure is to take {member.name} back as a replica of {up.name}{said}; it has not yet")
        return arrived(f"{member.name} in {region} is a replica of {upstream}")

    def _apart(self, region: str, up: Server, member: Server, words: str) -> Reached[Pair]:
        """A primary still beside the new one, or what is none and follows nobody."""
        if self._plane.look(region).takes_writes:
            return moving(f"{region} still takes writes: fence it first (database.fence)")
        progress = Progress(words, False, "", "follows nobody", f"a replica of {up.name}", f"anew/{member.name}")
        refused = Permanent(
            f"{words}.",
            f"{member.name} was left as it is, with what only it holds.",
            f"Build another: az postgres flexible-server replica create --name NAME --source-server {up.id} --location "
            f"{region} --resource-group {group_of(member.id)}; write its id in cloudfail.yaml, and delete the old one "
            "when nobody needs it.",
        )
        return Reached(progress, by_hand=refused)
