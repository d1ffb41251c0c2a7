"""The Database port of a global cluster (Aurora, DocumentDB, Neptune): one writing cluster, readers in other regions.

The API says who is to be the writer; the data plane shows who is. A member that the API calls the writer is one only
once it calls itself one and let a write in. A kind of this port is its data plane (`data_plane.DataPlane`), the name
of its service, and this.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cloudfail.errors import Conflict, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.states import DatabaseState, Role
from cloudfail.model.topology import Resource
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.global_clusters import GlobalCluster, GlobalClusters, Member
from cloudfail_aws.database.global_moves import Moves
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.data_plane import DataPlane, View
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import GIVE_BACK
from cloudfail_databases.two_planes import TwoPlanes, version_of


def identifier(resource: Resource) -> str:
    """The global cluster's. Raises Permanent where cloudfail.yaml has none."""
    if resource.id:
        return resource.id
    raise Permanent(
        f"{resource.name} has no `id`.",
        "Nothing can be asked about it.",
        "Write the identifier of its global cluster: id: orders-global",
    )


class GlobalDatabase(TwoPlanes[GlobalCluster]):
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
        super().__init__(plane, fencing, regions, Moves(clusters, plane, fencing))
        self.clusters = clusters
        self._reported = reported

    def _told(self, region: str) -> GlobalCluster:
        return self.clusters.describe(region)

    def _unseen(self, region: str, silence: str, told: GlobalCluster, *, shut: bool) -> DatabaseState | Unknown:
        member = told.member(self.clusters.cluster(region), region)
        if member is None:
            return Unknown(f"{region}: {self.clusters.cluster(region)} is no member of {told.name}", time.time())
        moving = "" if shut or not member.writer else f"AWS calls it the writer; {silence}"
        if told.underway is not None:
            moving = told.underway.words
        role = Role.PRIMARY if member.writer else Role.REPLICA
        lag = None if member.writer else self._reported(region)
        upstream, version = _upstream(member, told), version_of(region, None, _api(told))
        return DatabaseState(role, False, 0, lag_seconds=lag, upstream=upstream, moving=moving, version=version)

    def _state(self, region: str, seen: View, told: GlobalCluster | None) -> DatabaseState:
        member = told.member(self.clusters.cluster(region), region) if told is not None else None
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.position,
            timeline=seen.timeline,
            lag_seconds=self._reported(region) if seen.replica and seen.lag_seconds is None else seen.lag_seconds,
            upstream=_upstream(member, told) if seen.replica else None,
            moving=_moving(seen, self.plane.reader, member, told),
            version=version_of(region, seen, _api(told) if told is not None else None),
            epoch=seen.epoch,
            next=GIVE_BACK if seen.shut_out(region) else "",
        )

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        seen = self._shown(target)
        if seen is not None and seen.takes_writes:
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
        now = version_of(target, seen, _api(known))
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        refuse_older(self.clusters.epoch(member), call, f"{self.clusters.cluster(target)} in {target}")
        self.clusters.fail_over(member, timed.rest())


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
