"""database: cloud-sql. An instance of Cloud SQL for PostgreSQL with a replica in another region.

The API says who is to be the writer; SQL shows who is. An instance that the API calls a primary is a replica still, for
as long as its server is in recovery, and a writer is one that let a write in. The API is asked for what only it knows:
what an instance is, whether something is under way on it, and whether an order was taken.

`dsn` and `writer` of a member name that instance's own address, never the write endpoint of the pair: it moves.

The Admin API has MySQL's instances in the same way. Nobody here asks a MySQL server anything: such a member has no
`dsn`, its role is the API's word, and no verb on it is ever seen to be done.
"""

from __future__ import annotations

import contextlib
import time

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
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
from cloudfail_gcp.database.authorized_networks import AuthorizedNetworksFence
from cloudfail_gcp.database.instances import READY, Instance, Instances, Operation
from cloudfail_gcp.database.marks import refuse_older
from cloudfail_gcp.database.moves import Moves
from cloudfail_gcp.database.options import CloudSqlMember, CloudSqlOptions
from cloudfail_gcp.database.readiness import sentences
from cloudfail_gcp.sessions import Sessions

# Users that Cloud SQL itself logs in with, some of them no superusers; nobody else has their passwords, and nobody may
# change them ("About PostgreSQL users and roles", "Cloud SQL system users and roles").
SERVICE_ROLES = (
    "cloudsqladmin",
    "cloudsqlagent",
    "cloudsqlconnpooladmin",
    "cloudsqlimportexport",
    "cloudsqllogical",
    "cloudsqlobservability",
    "cloudsqlreplica",
    "cloudsqlsuperuser",
)


class CloudSql(TwoPlanes[Instance]):
    """ports.Database, ports.Preflight."""

    def __init__(self, resource: Resource, topology: Topology, sessions: Sessions | None = None) -> None:
        options = CloudSqlOptions.model_validate(dict(resource.options))
        self._members = {region: CloudSqlMember.model_validate(one) for region, one in resource.members.items()}
        names = {region: one.instance for region, one in self._members.items()}
        seconds = float(options.api_within)
        self.instances = Instances(Asking.of(resource, topology, sessions), names, seconds=seconds)
        plane = SqlPlane(plane_of(self._members, options, spared=SERVICE_ROLES))
        listed = {
            region: one.authorized_networks
            for region, one in self._members.items()
            if one.authorized_networks is not None
        }
        networks = (AuthorizedNetworksFence(self.instances, listed),)
        fencing = Fencing(plane, networks, options.fences, tuple(names))
        wait = float(options.switchover_within)
        super().__init__(plane, fencing, names, Moves(self.instances, plane, fencing, wait_seconds=wait))

    def _told(self, region: str) -> Instance:
        return self.instances.describe(region)

    def _under_way(self, region: str) -> Operation | None:
        """What is under way on it. Where that is not told it is nothing; an order on top of it is refused by the
        API."""
        with contextlib.suppress(CloudfailError):
            return self.instances.under_way(region)
        return None

    def _unseen(self, region: str, silence: str, told: Instance, *, shut: bool) -> DatabaseState:
        operation = self._under_way(region)
        moving = operation.words if operation is not None else ""
        if not moving and not shut and not told.replica:
            moving = f"Cloud SQL calls {told.name} a primary; {silence}"
        role = Role.REPLICA if told.replica else Role.PRIMARY
        upstream = self.instances.region_of(told.master)
        version = version_of(region, None, told.version)
        return DatabaseState(role, False, 0, upstream=upstream, moving=moving, version=version)

    def _state(self, region: str, seen: View, told: Instance | None) -> DatabaseState:
        operation = self._under_way(region) if told is not None and not seen.takes_writes else None
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.position,
            timeline=seen.timeline,
            lag_seconds=seen.lag_seconds,
            upstream=self.instances.region_of(told.master) if seen.replica and told is not None else None,
            moving=_moving(region, seen, told, operation),
            version=version_of(region, seen, told.version if told is not None else None),
            epoch=seen.epoch,
            next=GIVE_BACK if seen.shut_out(region) else "",
        )

    def failover(self, source: str, target: str, *, expect: DatabaseState, call: Call) -> None:
        timed = TimeLeft(call)
        if source == target:
            raise Permanent(
                f"{source} cannot be failed over to itself: Cloud SQL's own failover, between zones, is not asked for.",
                "Nothing was changed.",
                f"By hand: gcloud sql instances failover {self.instances.name(target)}",
            )
        seen = self._shown(target)
        if seen is not None:
            if seen.takes_writes:
                return
            refuse_older(seen.epoch, call, f"{target}'s database")
            if not seen.replica:
                # Out of recovery, whatever the operation still does: it may back the new primary up before it ends.
                self.plane.admit(target, timed.rest())
                return
        instance = self.instances.describe(target)
        operation = self.instances.under_way(target)
        if operation is not None and operation.moves:
            return  # ordered before: it comes by itself
        if not instance.replica:
            return  # the API has done its part: the server comes by itself
        now = version_of(target, seen, instance.version)
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        if self.instances.region_of(instance.master) != source:
            raise Permanent(
                f"{instance.name} in {target} replicates {instance.master}, which is not the member in {source}.",
                "It was not promoted.",
                "See which instance has the newest data, and make the replica follow it, or correct cloudfail.yaml.",
            )
        if operation is not None or instance.state != READY:
            words = operation.words if operation is not None else f"Cloud SQL says that it is {instance.state}"
            raise Transient(f"{instance.name} cannot be promoted now: {words}.")
        self.instances.promote(target, instance, timed.rest())

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """ports.Preflight."""
        at = time.time()
        try:
            found = {region: self.instances.describe(region) for region in self._members}
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(sentences(found, self._members), at)


def _moving(region: str, seen: View, instance: Instance | None, operation: Operation | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or instance is None or seen.shut_out(region):
        return ""
    if operation is not None and (seen.replica or operation.moves):
        return f"{operation.words} on {instance.name}"
    if instance.replica:
        return ""
    if seen.replica:
        return f"Cloud SQL calls {instance.name} a primary; its server is in recovery still"
    return "" if instance.state == READY else f"Cloud SQL says that {instance.name} is {instance.state}"


def build(resource: Resource, topology: Topology, sessions: Sessions | None = None) -> CloudSql:
    """Kind.build."""
    return CloudSql(resource, topology, sessions)
