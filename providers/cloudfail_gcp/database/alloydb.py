"""database: alloydb. A primary cluster of AlloyDB, and secondary clusters of it in other regions.

The API says what a cluster is to be; SQL shows who writes. A cluster that the API calls a primary is one only once its
server is out of recovery and let a write in. `dsn` and `writer` of a member go to its own instance, through which way
ever: private address, Private Service Connect, a proxy beside cloudfail. None of them moves with the primary.

A promotion makes a secondary a cluster of its own. Nothing demotes the old primary: it comes back as one, which is why
its fence is owed until it is proven, and `follow` says what is left to do by hand.

Sources: AlloyDB, "Cross-region replication overview" and "Work with cross-region replication"; AlloyDB v1's reference.
"""

from __future__ import annotations

import time

from cloudfail.errors import CloudfailError, Conflict, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, Role
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import View
from cloudfail_databases.fence import Fencing
from cloudfail_databases.on_servers import GIVE_BACK
from cloudfail_databases.sql_members import plane_of
from cloudfail_databases.sql_plane import SqlPlane
from cloudfail_databases.two_planes import TwoPlanes, version_of
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.alloydb_clusters import READY, Cluster, Clusters, same
from cloudfail_gcp.database.alloydb_moves import Moves
from cloudfail_gcp.database.alloydb_options import AlloyDbMember, AlloyDbOptions
from cloudfail_gcp.database.alloydb_readiness import sentences
from cloudfail_gcp.database.alloydb_stop import InstanceStop
from cloudfail_gcp.database.marks import refuse_older
from cloudfail_gcp.sessions import Sessions

PROMOTING = "PROMOTING"
GOOGLES = (
    "alloydbadmin",
    "alloydbagent",
    "alloydbexport",
    "alloydbiamgroupuser",
    "alloydbiamuser",
    "alloydbimportexport",
    "alloydbmetadata",
    "alloydbobservability",
    "alloydbreplica",
    "alloydbsqllogical",
    "alloydbsuperuser",
)
"""Roles by which Google runs the server, or groups that nobody logs in as. `postgres` is none of them: it is
somebody's. Sources: AlloyDB, "Manage AlloyDB user roles"; AlloyDB Omni, "User roles", which lists the reserved ones."""


class AlloyDb(TwoPlanes[Cluster]):
    """ports.Database, ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, sessions: Sessions | None = None) -> None:
        options = AlloyDbOptions.model_validate(dict(resource.options))
        self._members = {region: AlloyDbMember.model_validate(one) for region, one in resource.members.items()}
        names = {region: one.cluster for region, one in self._members.items()}
        asking, seconds = Asking.of(resource, topology, sessions), float(options.api_within)
        self.clusters = Clusters(asking, names, seconds=seconds)
        plane = SqlPlane(plane_of(self._members, options, spared=GOOGLES))
        stops = InstanceStop(asking, self.clusters, self._members, seconds=seconds)
        fencing = Fencing(plane, (stops,), options.fences, tuple(names))
        super().__init__(plane, fencing, names, Moves(self.clusters, plane, fencing))

    def _told(self, region: str) -> Cluster:
        return self.clusters.there(region)

    def _unseen(self, region: str, silence: str, told: Cluster, *, shut: bool) -> DatabaseState:
        moving = told.underway
        if not moving and told.primary and not shut:
            moving = f"Google calls it a primary; {silence}"
        role = Role.PRIMARY if told.primary else Role.REPLICA
        upstream = self.clusters.region_of(told.upstream)
        version = version_of(region, None, told.api)
        return DatabaseState(role, False, 0, upstream=upstream, moving=moving, version=version)

    def _state(self, region: str, seen: View, told: Cluster | None) -> DatabaseState:
        upstream = self.clusters.region_of(told.upstream) if seen.replica and told is not None else None
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.position,
            timeline=seen.timeline,
            lag_seconds=seen.lag_seconds,
            upstream=upstream,
            moving=_moving(region, seen, told),
            version=version_of(region, seen, told.api if told is not None else None),
            epoch=seen.epoch,
            next=GIVE_BACK if seen.shut_out(region) else "",
        )

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        seen = self._shown(target)
        if seen is not None:
            if seen.takes_writes:
                return
            refuse_older(seen.epoch, call, f"{target}'s database")
        cluster = self.clusters.there(target)
        if cluster.state == PROMOTING:
            return  # ordered before: it comes by itself
        if cluster.primary:
            if seen is not None and not seen.replica:
                self.plane.admit(target, timed.rest())
            return
        now = version_of(target, seen, cluster.api)
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        if cluster.state != READY:
            raise Conflict(f"{cluster.name} cannot be promoted now: {cluster.underway}.")
        if not same(cluster.upstream, self.clusters.path(source)):
            raise Permanent(
                f"{cluster.name} in {target} replicates {cluster.upstream or 'nothing'}, which is not the member in "
                f"{source}.",
                "Nothing was promoted: it would not hold what that one acknowledged.",
                f"See what there is: gcloud alloydb clusters describe {cluster.name} --region={target}",
            )
        refuse_older(cluster.epoch, call, f"{cluster.name} in {target}")
        self.clusters.promote(cluster, timed.rest())

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            found = {region: self.clusters.there(region) for region in self._members}
            instances = {region: self.clusters.instances(one) for region, one in found.items()}
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(sentences(found, instances, self._members), at)


def _moving(region: str, seen: View, cluster: Cluster | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or cluster is None:
        return ""
    if cluster.underway and (seen.replica or not seen.shut_out(region)):
        return cluster.underway
    if cluster.primary and seen.replica:
        return f"Google calls {cluster.name} a primary; its server is in recovery still"
    return ""


def build(resource: Resource, topology: Topology, sessions: Sessions | None = None) -> AlloyDb:
    """Kind.build."""
    return AlloyDb(resource, topology, sessions)
