"""Switchover and follow of a global cluster: what comes next, read from the API and from the servers.

A switchover is AWS's own: it waits until the secondary has everything, then exchanges the roles, and the old primary
becomes a reader of the new one. After a failover that allowed data loss AWS takes the old primary back in by itself,
once its region answers, and keeps what only it held as a snapshot, which its retention removes: that one is copied.
"""

from __future__ import annotations

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.global_clusters import GlobalCluster, GlobalClusters, Member, Tail
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.data_plane import DataPlane
from cloudfail_databases.fence import Fencing
from cloudfail_databases.moves import PlaneMoves, Reached, arrived, moving, switching

READY = "available"
IN_SYNC = ("", "connected")
Pair = tuple[Member, Member]
"""The old writer and the new one."""


class Moves(PlaneMoves[Pair | Tail]):
    """Of one database."""

    def __init__(self, clusters: GlobalClusters, plane: DataPlane, fencing: Fencing) -> None:
        super().__init__(plane, fencing)
        self._clusters = clusters

    def _give_order(self, on: Pair | Tail, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if isinstance(on, tuple):
            old, new = on
            refuse_older(self._clusters.epoch(new), call, f"{self._clusters.cluster(target)} in {target}")
            self._clusters.switch_over(old, new, timed.rest())

    def _bring_back(self, on: Pair | Tail, region: str, timed: TimeLeft) -> None:
        if isinstance(on, Tail):
            self._clusters.copy(region, on, timed.rest())

    # ---- switchover

    def _order(self, source: str, target: str) -> Reached[Pair | Tail]:
        self._plane.look(source)
        known = self._clusters.describe(target)
        if known.underway is not None:
            return moving(known.underway.words)
        return self._switched(source, target, known)

    def _switched(self, source: str, target: str, known: GlobalCluster) -> Reached[Pair | Tail]:
        old = known.member(self._clusters.cluster(source), source)
        new = known.member(self._clusters.cluster(target), target)
        if new is None or old is None:
            return moving(f"{known.name} has not both {source} and {target} as members: nothing is switched")
        if new.writer:
            return moving(f"AWS calls {self._clusters.cluster(target)} the writer; its server takes no writes yet")
        if not old.writer:
            return moving(f"AWS calls neither {source} nor {target} the writer of {known.name}")
        if new.synchronization not in IN_SYNC:
            return moving(f"{self._clusters.cluster(target)} is {new.synchronization}: AWS would refuse")
        words = f"switch {known.name} over to {self._clusters.cluster(target)}; AWS waits until it holds everything"
        return Reached(switching(words, source, target, f"switch/{old.arn}/{new.arn}"), (old, new))

    # ---- follow

    def _back(self, region: str, upstream: str) -> Reached[Pair | Tail]:
        known = self._clusters.describe(upstream)
        if known.underway is not None:
            return moving(known.underway.words)
        cluster = self._clusters.cluster(region)
        member = known.member(cluster, region)
        if member is None:
            raise Permanent(
                f"{cluster} in {region} is no member of {known.name}.",
                "AWS has not taken it back in, or somebody took it out; nothing was changed.",
                f"Add a secondary cluster in {region} to {known.name}.",
            )
        if member.writer:
            return moving(f"AWS calls {cluster} in {region} the writer")
        for tail in self._clusters.tails(region):
            if not tail.copied:
                words = f"copy {tail.name}, which holds what only {cluster} had, to {tail.copy}"
                progress = Progress(words, False, "", "kept for a while", "kept", f"copy/{tail.name}")
                return Reached(progress, tail)
            if tail.copied != READY:
                return moving(f"the snapshot {tail.copy} is {tail.copied}")
        if self._fencing.shuts(region):
            return self._to_open(region, "reader", member.arn)
        if member.synchronization not in IN_SYNC:
            return moving(f"{cluster} is {member.synchronization}")
        if not self._plane.look(region).replica:
            return moving(f"AWS calls {cluster} a reader; its server is not {self._plane.reader}")
        return arrived(f"{cluster} in {region} is a reader of {upstream}")
