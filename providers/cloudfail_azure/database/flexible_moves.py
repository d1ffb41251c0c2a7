"""Switchover and follow of flexible servers: what comes next, read from Azure and from the servers.

A switchover is Azure's own: "Switchover" with "Planned", which waits until the replica has everything and exchanges the
roles. After a failover that was a "Switchover", Azure makes the old primary a replica, once its region is there again,
and what only that one held is gone. A replica that became a server of its own has no way back: "an existing server
can't be made into a replica" ("Read replicas in Azure Database for PostgreSQL"), so that a new one is built by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.flexible_readiness import unlike
from cloudfail_azure.database.flexible_servers import BROKEN, PLANNED, READY, SWITCHOVER, Server, Servers, by_hand
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.paths import name_of, same
from cloudfail_databases.data_plane import DataPlane, NoWord
from cloudfail_databases.fence import Fencing
from cloudfail_databases.staged import StagedMoves


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    servers: tuple[Server, ...] = ()


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


class Moves(StagedMoves[_Stage]):
    """Of one database."""

    def __init__(self, servers: Servers, plane: DataPlane, fencing: Fencing) -> None:
        self._servers = servers
        self._plane = plane
        self._fencing = fencing

    def _switch(self, stage: _Stage, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if stage.name == "admit":
            self._plane.admit(target, timed.rest())
        elif stage.name == "endpoints":
            raise Permanent(
                f"No virtual endpoint leads to {self._servers.name(target)}: Azure will not switch over to it.",
                "Nothing was changed.",
                f"Make them: az postgres flexible-server virtual-endpoint create --server-name "
                f"{self._servers.name(source)} --name NAME --endpoint-type ReadWrite --members "
                f"{self._servers.name(target)} --resource-group {_group(self._servers.id(source))}",
            )
        elif stage.name == "unlike":
            raise Permanent(stage.progress.before, "Nothing was changed.", "Make both alike: the larger one first.")
        elif stage.name == "switch":
            old, new = stage.servers
            for server, region in ((old, source), (new, target)):
                refuse_older(server.epoch, call, f"{server.name} in {region}")
            self._servers.mark(target, new, by_hand(new.id, SWITCHOVER, PLANNED), timed.rest())
            self._servers.promote(target, new, SWITCHOVER, PLANNED, timed.rest())

    def _rejoin(self, stage: _Stage, region: str, upstream: str, timed: TimeLeft) -> None:
        if stage.name == "open":
            self._fencing.open_network(region, timed.rest())
            return
        name, up = self._servers.name(region), self._servers.id(upstream)
        raise Permanent(
            f"{stage.progress.next}.",
            f"{name} was left as it is, with what only it holds.",
            f"Build another: az postgres flexible-server replica create --name NAME --source-server {up} --location "
            f"{region} --resource-group {_group(self._servers.id(region))}; write its id in cloudfail.yaml, and delete "
            "the old one when nobody needs it.",
        )

    # ---- switchover

    def _switchover(self, source: str, target: str) -> _Stage:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if new.shut_out(target):
            words = f"let clients in on {target}, and give back what the fence on {source} took"
            progress = Progress(words, False, "", new.refusal, f"{target} takes writes", f"admit/{target}")
            return _Stage(progress, "admit")
        replica = self._servers.describe(target)
        if replica.state != READY:
            return _moving(f"Azure says that {replica.name} is {replica.state}")
        if not replica.replica:
            return _moving(f"Azure calls {replica.name} a primary; its server takes no writes yet")
        self._plane.look(source)
        return self._order(source, target, self._servers.describe(source), replica)

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._plane.look(source)
        except NoWord as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes: fence {source}")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _order(self, source: str, target: str, old: Server, new: Server) -> _Stage:
        if not same(new.source, old.id):
            return _moving(f"{new.name} replicates {name_of(new.source)}, and not {old.name}: nothing is switched")
        if old.state != READY:
            return _moving(f"Azure says that {old.name} is {old.state}; nothing was stopped")
        before, after = f"{source} takes writes", f"{target} takes writes"
        if self._servers.pair(source, target) is None:
            words = f"no virtual endpoint leads to {new.name}: Azure will not switch over to it"
            return _Stage(Progress(words, False, "", before, after, f"endpoints/{new.name}"), "endpoints")
        if differ := unlike(old, new):
            words = f"{old.name} and {new.name} are not alike: Azure will not switch over to it"
            return _Stage(Progress(words, False, "", f"{'; '.join(differ)}.", after, f"unlike/{new.name}"), "unlike")
        words = f"switch {old.name} over to {new.name}; Azure waits until it holds everything"
        progress = Progress(words, False, "", before, after, f"switch/{old.name}/{new.name}")
        return _Stage(progress, "switch", (old, new))

    # ---- follow

    def _follow(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        up, member = self._servers.describe(upstream), self._servers.describe(region)
        if member.state != READY:
            return _moving(f"Azure says that {member.name} is {member.state}")
        if not member.replica:
            words = f"{member.name} is a primary of its own, and Azure makes no replica of it: it is built anew by hand"
            return self._apart(region, up, member, words)
        if not same(member.source, up.id):
            return _moving(f"{member.name} replicates {name_of(member.source)}, and not {up.name}")
        if member.replication == BROKEN:
            words = f"Azure calls the replication from {up.name} to {member.name} broken: it is built anew by hand"
            return self._apart(region, up, member, words)
        if self._fencing.shuts(region):
            words = f"open the way to {region} again: a replica takes no writes"
            return _Stage(Progress(words, False, "", "shut", "open", f"open/{member.name}"), "open")
        seen = self._plane.look(region)
        if seen.takes_writes:
            return _moving(
                f"{region} still takes writes, and Azure calls it a replica: fence it first (database.fence)"
            )
        if not seen.replica:
            said = f" ({member.replication})" if member.replication else ""
            return _moving(f"Azure is to take {member.name} back as a replica of {up.name}{said}; it has not yet")
        return _Stage(Progress(None, True, f"{member.name} in {region} is a replica of {upstream}"))

    def _apart(self, region: str, up: Server, member: Server, words: str) -> _Stage:
        """A primary still beside the new one, or what is none and follows nobody."""
        if self._plane.look(region).takes_writes:
            return _moving(f"{region} still takes writes: fence it first (database.fence)")
        progress = Progress(words, False, "", "follows nobody", f"a replica of {up.name}", f"anew/{member.name}")
        return _Stage(progress, "anew")


def _group(id_: str) -> str:
    return id_.split("/")[4]
