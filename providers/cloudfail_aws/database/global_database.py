"""The Database port of a global cluster (Aurora, DocumentDB, Neptune): one writing cluster, readers in other regions.

The API says who is to be the writer; the data plane shows who is. A member that the API calls the writer is one only
once it calls itself one and let a write in. A kind of this port is its data plane (`data_plane.DataPlane`), the name
of its service, and this.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, Progress, Role
from cloudfail.model.topology import Resource
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.global_clusters import GlobalCluster, GlobalClusters, Member
from cloudfail_aws.database.global_moves import Moves
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.data_plane import DataPlane, NoWord, View
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import GIVE_BACK, OnServers


def identifier(resource: Resource) -> str:
    """The global cluster's. Raises Permanent where cloudfail.yaml has none."""
    if resource.id:
        return resource.id
    raise Permanent(
        f"{resource.name} has no `id`.",
        "Nothing can be asked about it.",
        "Write the identifier of its global cluster: id: orders-global",
    )


class GlobalDatabase(OnServers):
    """ports.Database. regions: those of its members. reported: how far the member in a region may be behind as its
    cloud reports it, None where nobody knows; asked where the server of a reader has no word on it."""

    def __init__(
        self,
        clusters: GlobalClusters,
        plane: DataPlane,
        fencing: Fencing,
        regions: tuple[str, ...],
        reported: Callable[[str], float | None] = lambda _region: None,
    ) -> None:
        super().__init__(plane, fencing)
        self.clusters = clusters
        self._moves = Moves(clusters, plane, fencing)
        self._regions = regions
        self._reported = reported

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        if region not in self._regions:
            return Unknown(f"this database has no member in {region}", at)
        seen: View | None = None
        silence = ""
        try:
            seen = self.plane.look(region)
        except NoWord as error:
            silence = str(error)
        known: GlobalCluster | None = None
        try:
            known = self.clusters.describe(region)
        except CloudfailError as error:
            if seen is None:
                return Unknown(f"{region}: {silence}, and neither does its control plane: {error}", at)
        if seen is not None:
            return Known(self._state(region, seen, known), at)
        return self._unseen(region, silence, known, at)

    def _unseen(
        self, region: str, silence: str, known: GlobalCluster | None, at: float
    ) -> Known[DatabaseState] | Unknown:
        """What is left where the server says nothing: the API's word for the role, and no word on writes. Only where
        nobody was told how to ask the server, or where the silence is our own fence."""
        shut = self.fencing.shuts(region)
        if known is None or (self.plane.has(region) and not shut):
            return Unknown(f"{region}: {silence}", at)
        member = known.member(self.clusters.cluster(region), region)
        if member is None:
            return Unknown(f"{region}: {self.clusters.cluster(region)} is no member of {known.name}", at)
        moving = "" if shut or not member.writer else f"AWS calls it the writer; {silence}"
        if known.underway is not None:
            moving = known.underway.words
        role = Role.PRIMARY if member.writer else Role.REPLICA
        version = f"{region}/unseen/{_api(known)}"
        lag = None if member.writer else self._reported(region)
        upstream = _upstream(member, known)
        state = DatabaseState(role, False, 0, lag_seconds=lag, upstream=upstream, moving=moving, version=version)
        return Known(state, at)

    def _state(self, region: str, seen: View, known: GlobalCluster | None) -> DatabaseState:
        member = known.member(self.clusters.cluster(region), region) if known is not None else None
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.position,
            timeline=seen.timeline,
            lag_seconds=self._reported(region) if seen.replica and seen.lag_seconds is None else seen.lag_seconds,
            upstream=_upstream(member, known) if seen.replica else None,
            moving=_moving(seen, self.plane.reader, member, known),
            version=_version(region, seen, known),
            epoch=seen.epoch,
            next=GIVE_BACK if seen.shut_out(region) else "",
        )

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        seen: View | None = None
        if self.plane.has(target):
            try:
                seen = self.plane.look(target)
            except NoWord as error:
                raise Transient(f"{target} does not answer: {error}.") from error
            if seen.takes_writes:
                return
        known = self.clusters.describe(target)
        member = known.member(self.clusters.cluster(target), target)
        if member is None:
            raise Permanent(
                f"{self.clusters.cluster(target)} in {target} is no member of {known.name}.",
                "Nothing was promoted.",
                f"See what AWS has: aws {self.clusters.service} describe-global-clusters --region {target}",
            )
        if known.underway is not None:
            if known.underway.target == member.arn:
                return  # ordered before: it comes by itself
            raise Conflict(f"Another move of {known.name} is under way: {known.underway.words}.")
        if member.writer:
            if seen is not None and not seen.replica:
                refuse_older(seen.epoch, call, f"{target}'s database")
                self.plane.admit(target, timed.rest())
            return
        now = _version(target, seen, known) if seen is not None else f"{target}/unseen/{_api(known)}"
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        refuse_older(self.clusters.epoch(member), call, f"{self.clusters.cluster(target)} in {target}")
        self.clusters.fail_over(member, timed.rest())

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._moves.switchover_state(source, target)

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        self._moves.switchover(source, target, expect, call)

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._moves.follow_state(region, upstream)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        self._moves.follow(region, upstream, expect, call)


def _upstream(member: Member | None, known: GlobalCluster | None) -> str | None:
    if member is None or known is None or member.writer or len(known.writers) != 1:
        return None
    return known.writers[0].region


def _moving(seen: View, reader: str, member: Member | None, known: GlobalCluster | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or known is None:
        return ""
    if known.underway is not None:
        return known.underway.words
    if member is None or not member.writer or seen.shut_out(member.region):
        return ""
    if seen.replica:
        return f"AWS calls {member.arn.rsplit(':', 1)[-1]} the writer; its server is {reader} still"
    return ""


def _api(known: GlobalCluster) -> str:
    writers = ",".join(one.arn for one in known.writers) or "-"
    return f"writer={writers}/{known.underway.status if known.underway is not None else 'settled'}"


def _version(region: str, seen: View, known: GlobalCluster | None) -> str:
    """Changes with role, fences and what the API says; not with each write."""
    fences = ",".join(f"{one.region}:{one.epoch}" for one in seen.fences)
    role = "replica" if seen.replica else "primary"
    api = _api(known) if known is not None else "?"
    return f"{region}/{role}/{'rw' if seen.takes_writes else 'ro'}/fences={fences or '-'}/{api}"
