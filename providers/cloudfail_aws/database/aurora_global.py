"""database: aurora-global. An Aurora PostgreSQL global database: one writing cluster, readers in other regions.

The API says who is to be the writer; SQL shows who is. A member that the API calls the writer is one only once it is
out of recovery and let a write in: a secondary that forwards writes to the primary lets them in too, and stays in
recovery. `dsn` and `writer` of a member name that cluster's own endpoint, never the global writer endpoint: it moves.

Sources: Aurora user guide, "Using switchover or failover in an Aurora global database"; the API reference.
"""

from __future__ import annotations

import time

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceState, LossBound, Progress, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.global_clusters import GlobalCluster, GlobalClusters, Member
from cloudfail_aws.database.global_moves import Moves
from cloudfail_aws.database.marks import refuse_older
from cloudfail_aws.database.members import fencing_of, plane_of
from cloudfail_aws.database.options import AuroraGlobalOptions, ClusterMember
from cloudfail_aws.time_left import TimeLeft
from cloudfail_postgres.plane import GIVE_BACK, Seen, shut_out
from cloudfail_postgres.session import SessionError


class AuroraGlobal:
    """ports.Database."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        if not resource.id:
            raise Permanent(
                f"{resource.name} has no `id`.",
                "Nothing can be asked about it.",
                "Write the identifier of its global cluster: id: orders-global",
            )
        self.options = AuroraGlobalOptions.model_validate(dict(resource.options))
        members = {region: ClusterMember.model_validate(member) for region, member in resource.members.items()}
        names = {region: one.cluster for region, one in members.items()}
        asking = Asking.of(resource, topology, clients)
        seconds = float(self.options.api_within)
        self.clusters = GlobalClusters(asking, "rds", resource.id, names, seconds=seconds)
        self.plane = plane_of(members, self.options)
        self.fencing = fencing_of(members, self.options, self.plane, asking, sort="cluster", names=names)
        self._moves = Moves(self.clusters, self.plane, self.fencing)
        self._regions = tuple(members)

    def close(self) -> None:
        """End every session."""
        self.plane.close()

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        if region not in self._regions:
            return Unknown(f"this database has no member in {region}", at)
        seen: Seen | None = None
        silence = ""
        try:
            seen = self.plane.look(region)
        except SessionError as error:
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
        return Known(
            DatabaseState(role, False, 0, upstream=_upstream(member, known), moving=moving, version=version), at
        )

    def _state(self, region: str, seen: Seen, known: GlobalCluster | None) -> DatabaseState:
        sight = seen.sight
        where = sight.position
        member = known.member(self.clusters.cluster(region), region) if known is not None else None
        return DatabaseState(
            role=Role.REPLICA if sight.recovery else Role.PRIMARY,
            writable=seen.takes_writes,
            position=where.at if where is not None else 0,
            timeline=where.timeline if where is not None else 0,
            lag_seconds=sight.lag_seconds,
            upstream=_upstream(member, known) if sight.recovery else None,
            moving=_moving(seen, member, known),
            version=_version(region, seen, known),
            epoch=sight.epoch,
            next=GIVE_BACK if shut_out(seen, region) else "",
        )

    def beat(self, region: str) -> Known[float] | Unknown:
        return self.plane.beat(region)

    def loss(self, source: str, target: str, acknowledged: Known[float] | Unknown) -> LossBound:
        return self.plane.loss(source, target, acknowledged)

    def fence_state(self, source: str, target: str) -> Known[FenceState] | Unknown:
        return self.fencing.state(source)

    def fence(self, source: str, target: str, *, expect: FenceState, call: Call) -> None:
        self.fencing.apply(source, expect, call)

    def unfence(self, source: str, *, expect: FenceState, call: Call) -> None:
        self.fencing.lift(source, expect, call)

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        seen: Seen | None = None
        if self.plane.has(target):
            try:
                seen = self.plane.look(target)
            except SessionError as error:
                raise Transient(f"{target} does not answer: {error}.") from error
            if seen.takes_writes:
                return
        known = self.clusters.describe(target)
        member = known.member(self.clusters.cluster(target), target)
        if member is None:
            raise Permanent(
                f"{self.clusters.cluster(target)} in {target} is no member of {known.name}.",
                "Nothing was promoted.",
                f"See what AWS has: aws rds describe-global-clusters --region {target}",
            )
        if known.underway is not None:
            if known.underway.target == member.arn:
                return  # ordered before: it comes by itself
            raise Conflict(f"Another move of {known.name} is under way: {known.underway.words}.")
        if member.writer:
            if seen is not None and not seen.sight.recovery:
                refuse_older(seen.sight.epoch, call, f"{target}'s database")
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

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self.plane.read_canary(region, token)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        self.plane.write_canary(region, token, call)


def _upstream(member: Member | None, known: GlobalCluster | None) -> str | None:
    if member is None or known is None or member.writer or len(known.writers) != 1:
        return None
    return known.writers[0].region


def _moving(seen: Seen, member: Member | None, known: GlobalCluster | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or known is None:
        return ""
    if known.underway is not None:
        return known.underway.words
    if member is None or not member.writer or (not seen.sight.recovery and shut_out(seen, member.region)):
        return ""
    if seen.sight.recovery:
        return f"AWS calls {member.arn.rsplit(':', 1)[-1]} the writer; its server is in recovery still"
    return ""


def _api(known: GlobalCluster) -> str:
    writers = ",".join(one.arn for one in known.writers) or "-"
    return f"writer={writers}/{known.underway.status if known.underway is not None else 'settled'}"


def _version(region: str, seen: Seen, known: GlobalCluster | None) -> str:
    """Changes with role, fences and what the API says; not with each write."""
    sight = seen.sight
    fences = ",".join(f"{one.region}:{one.epoch}" for one in sight.fences if one.standing)
    role = "replica" if sight.recovery else "primary"
    api = _api(known) if known is not None else "?"
    return f"{region}/{role}/{'rw' if seen.takes_writes else 'ro'}/fences={fences or '-'}/{api}"


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> AuroraGlobal:
    """Kind.build."""
    return AuroraGlobal(resource, topology, clients)
