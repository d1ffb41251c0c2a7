"""database: aurora-global. An Aurora PostgreSQL global database: one writing cluster, readers in other regions.

The API says who is to be the writer; SQL shows who is. A member that the API calls the writer is one only once it is
out of recovery and let a write in: a secondary that forwards writes to the primary lets them in too, and stays in
recovery. `dsn` and `writer` of a member name that cluster's own endpoint, never the global writer endpoint: it moves.

Sources: Aurora user guide, "Using switchover or failover in an Aurora global database"; the API reference.
"""

from __future__ import annotations

from cloudfail.model.topology import Resource, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.global_clusters import GlobalClusters
from cloudfail_aws.database.global_database import GlobalDatabase, identifier
from cloudfail_aws.database.members import fencing_of
from cloudfail_aws.database.options import AuroraGlobalOptions, ClusterMember
from cloudfail_aws.database.reported_lag import AURORA, ReportedLag
from cloudfail_databases.sql_members import plane_of
from cloudfail_databases.sql_plane import SqlPlane


class AuroraGlobal(GlobalDatabase):
    """ports.Database."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        name = identifier(resource)
        options = AuroraGlobalOptions.model_validate(dict(resource.options))
        members = {region: ClusterMember.model_validate(member) for region, member in resource.members.items()}
        names = {region: one.cluster for region, one in members.items()}
        asking = Asking.of(resource, topology, clients)
        plane = plane_of(members, options)
        seconds, stale = float(options.api_within), float(options.lag_stale)
        reported = ReportedLag(asking, AURORA, names, seconds=seconds, stale_seconds=stale)
        super().__init__(
            GlobalClusters(asking, "rds", name, names, seconds=seconds),
            SqlPlane(plane),
            fencing_of(members, options, plane, asking, sort="cluster", names=names),
            tuple(members),
            reported=lambda region: reported.noted(region, plane),
        )


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> AuroraGlobal:
    """Kind.build."""
    return AuroraGlobal(resource, topology, clients)
