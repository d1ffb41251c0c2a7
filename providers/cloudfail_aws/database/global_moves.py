"""Switchover and follow of a global cluster: what comes next, read from the API and from the servers.

A switchover is AWS's own: it waits until the secondary has everything, then exchanges the roles, and the old primary
becomes a reader of the new one. After a failover that allowed data loss AWS takes the old primary back in by itself,
once its region answers, and keeps what only it held as a snapshot, which its retention removes: that one is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.global_clusters import GlobalCluster, GlobalClusters, Member, Tail
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.data_plane import DataPlane, NoWord
from cloudfail_databases.fence import Fencing
from cloudfail_databases.staged import StagedMoves

READY = "available"
IN_SYNC = ("", "connected")


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    primary: Member | None = None
    target: Member | None = None
    tail: Tail | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


class Moves(StagedMoves[_Stage]):
    """Of one database."""

    def __init__(self, clusters: GlobalClusters, plane: DataPlane, fencing: Fencing) -> None:
        self._clusters = clusters
        self._plane = plane
        self._fencing = fencing

    def _switch(self, stage: _Stage, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if stage.name == "admit":
            self._plane.admit(target, timed.rest())
        elif stage.primary is not None and stage.target is not None:
            refuse_older(self._clusters.epoch(stage.target), call, f"{self._clusters.cluster(target)} in {target}")
            self._clusters.switch_over(stage.primary, stage.target, timed.rest())

    def _rejoin(self, stage: _Stage, region: str, upstream: str, timed: TimeLeft) -> None:
        if stage.name == "open":
            self._fencing.open_network(region, timed.rest())
        elif stage.tail is not None:
            self._clusters.copy(region, stage.tail, timed.rest())

    # ---- switchover

    def _switchover(self, source: str, target: str) -> _Stage:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if new.shut_out(target):
            words = f"let clients in on {target}, and give back what the fence on {source} took"
            version = f"admit/{target}"
            return _Stage(Progress(words, False, "", new.refusal, f"{target} takes writes", version), "admit")
        self._plane.look(source)
        known = self._clusters.describe(target)
        if known.underway is not None:
            return _moving(known.underway.words)
        return self._order(source, target, known)

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._plane.look(source)
        except NoWord as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes: fence {source}")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _order(self, source: str, target: str, known: GlobalCluster) -> _Stage:
        old = known.member(self._clusters.cluster(source), source)
        new = known.member(self._clusters.cluster(target), target)
        if new is None or old is None:
            return _moving(f"{known.name} has not both {source} and {target} as members: nothing is switched")
        if new.writer:
            return _moving(f"AWS calls {self._clusters.cluster(target)} the writer; its server takes no writes yet")
        if not old.writer:
            return _moving(f"AWS calls neither {source} nor {target} the writer of {known.name}")
        if new.synchronization not in IN_SYNC:
            return _moving(f"{self._clusters.cluster(target)} is {new.synchronization}: AWS would refuse")
        words = f"switch {known.name} over to {self._clusters.cluster(target)}; AWS waits until it holds everything"
        return _Stage(
            Progress(
                words, False, "", f"{source} takes writes", f"{target} takes writes", f"switch/{old.arn}/{new.arn}"
            ),
            "switch",
            old,
            new,
        )

    # ---- follow

    def _follow(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        known = self._clusters.describe(upstream)
        if known.underway is not None:
            return _moving(known.underway.words)
        cluster = self._clusters.cluster(region)
        member = known.member(cluster, region)
        if member is None:
            raise Permanent(
                f"{cluster} in {region} is no member of {known.name}.",
                "AWS has not taken it back in, or somebody took it out; nothing was changed.",
                f"Add a secondary cluster in {region} to {known.name}.",
            )
        if member.writer:
            return _moving(f"AWS calls {cluster} in {region} the writer")
        for tail in self._clusters.tails(region):
            if not tail.copied:
                words = f"copy {tail.name}, which holds what only {cluster} had, to {tail.copy}"
                return _Stage(
                    Progress(words, False, "", "kept for a while", "kept", f"copy/{tail.name}"), "copy", tail=tail
                )
            if tail.copied != READY:
                return _moving(f"the snapshot {tail.copy} is {tail.copied}")
        if self._fencing.shuts(region):
            words = f"open the way to {region} again: a reader takes no writes"
            return _Stage(Progress(words, False, "", "shut", "open", f"open/{member.arn}"), "open")
        if member.synchronization not in IN_SYNC:
            return _moving(f"{cluster} is {member.synchronization}")
        if not self._plane.look(region).replica:
            return _moving(f"AWS calls {cluster} a reader; its server is not {self._plane.reader}")
        return _Stage(Progress(None, True, f"{cluster} in {region} is a reader of {upstream}"))
