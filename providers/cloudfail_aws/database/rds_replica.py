"""database: rds-replica. An RDS instance for PostgreSQL with a read replica in another region.

Role and readiness are what the servers themselves show: a replica that the API calls promoted and available is a
replica still, for as long as it is in recovery, and a writer is one that let a write in. The API is asked for what only
it knows: whether an order was taken, and whether another may be given.

Sources: RDS user guide, "Working with DB instance read replicas" (a promotion is one-way, reboots, and is refused while
the instance is backing up), and the API reference of the operations named below.
"""

from __future__ import annotations

import contextlib
import time

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceState, LossBound, Progress, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.instances import Instance, Instances
from cloudfail_aws.database.marks import refuse_older
from cloudfail_aws.database.members import fencing_of
from cloudfail_aws.database.options import InstanceMember, RdsReplicaOptions
from cloudfail_aws.database.replica_follow import Following
from cloudfail_aws.database.replica_switchover import Switchover
from cloudfail_aws.database.reported_lag import REPLICA, ReportedLag, lag_of
from cloudfail_databases.sql_members import plane_of
from cloudfail_postgres.plane import GIVE_BACK, Seen, shut_out
from cloudfail_postgres.session import SessionError

READY = "available"


class RdsReplica:
    """ports.Database."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        self.options = RdsReplicaOptions.model_validate(dict(resource.options))
        members = {region: InstanceMember.model_validate(member) for region, member in resource.members.items()}
        asking = Asking.of(resource, topology, clients)
        seconds = float(self.options.api_within)
        names = {region: one.instance for region, one in members.items()}
        self._instances = Instances(asking, names, seconds=seconds)
        self.plane = plane_of(members, self.options)
        self.fencing = fencing_of(members, self.options, self.plane, asking, sort="instance", names=names)
        stale = float(self.options.lag_stale)
        self._reported = ReportedLag(asking, REPLICA, names, seconds=seconds, stale_seconds=stale)
        self._regions = tuple(members)
        self._switchover = Switchover(self)
        self._following = Following(self._instances, self.plane, self.fencing)

    def close(self) -> None:
        """End every session."""
        self.plane.close()

    def read(self, region: str) -> Known[DatabaseState] | Unknown:
        at = time.time()
        if region not in self._regions:
            return Unknown(f"this database has no member in {region}", at)
        try:
            seen = self.plane.look(region)
        except SessionError as error:
            return self._silent(region, str(error), at)
        instance: Instance | None = None
        with contextlib.suppress(CloudfailError):
            # The server has spoken; what the API would have added stays unknown.
            instance = self._instances.describe(region)
        return Known(self._state(region, seen, instance), at)

    def _silent(self, region: str, silence: str, at: float) -> Known[DatabaseState] | Unknown:
        """A server that does not answer is unknown, except where our own fence shuts the way to it: then its silence is
        the fence, and whoever lifts it must see that it is there."""
        if not self.fencing.shuts(region):
            return Unknown(f"{region}: {silence}", at)
        try:
            instance = self._instances.describe(region)
        except CloudfailError as error:
            return Unknown(f"{region}: {silence}, and neither does its control plane: {error}", at)
        if instance is None or instance.source:
            return Unknown(f"{region}: {silence}", at)
        return Known(DatabaseState(Role.PRIMARY, False, 0, version="shut"), at)

    def _state(self, region: str, seen: Seen, instance: Instance | None) -> DatabaseState:
        sight = seen.sight
        where = sight.position
        return DatabaseState(
            role=Role.REPLICA if sight.recovery else Role.PRIMARY,
            writable=seen.takes_writes,
            position=where.at if where is not None else 0,
            timeline=where.timeline if where is not None else 0,
            lag_seconds=lag_of(self._reported, region, seen, self.plane),
            upstream=self.upstream_of(region, instance) if sight.recovery and instance is not None else None,
            moving=_moving(seen, instance),
            version=_version(region, seen, instance),
            epoch=sight.epoch,
            next=GIVE_BACK if shut_out(seen, region) else "",
        )

    def upstream_of(self, region: str, instance: Instance) -> str | None:
        """The region of the member that this one replicates, as the API words it; None for nobody of ours."""
        for other in self._regions:
            name = self._instances.name(other)
            # An ARN names the region and the instance; the name alone is an instance of the same region.
            if other != region and instance.source.split(":")[3:4] == [other] and instance.source.endswith(f":{name}"):
                return other
        return None

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
        try:
            seen = self.plane.look(target)
        except SessionError as error:
            raise Transient(f"{target} does not answer: {error}.") from error
        if seen.takes_writes:
            return
        instance = self._instances.describe(target)
        if instance is None:
            raise Permanent(f"RDS in {target} knows no instance {self._instances.name(target)}.")
        refuse_older(instance.epoch, call, f"{instance.name} in {target}")
        refuse_older(seen.sight.epoch, call, f"{target}'s database")
        now = _version(target, seen, instance)
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        self.promote(target, seen, instance, timed.rest())

    def promote(self, target: str, seen: Seen, instance: Instance, call: Call) -> None:
        """The next effect of a promotion: the order, or, once the server is out of recovery, letting clients in."""
        if not seen.sight.recovery:
            self.plane.admit(target, call)
            return
        if not instance.source:
            return  # ordered before, and the API has done its part: the server comes by itself
        if instance.status != READY:
            raise Transient(
                f"{instance.name} in {target} is {instance.status}: RDS promotes a replica only while it is available."
            )
        self._instances.promote(target, instance, self.options.backup_days, call)

    def switchover_state(self, source: str, target: str) -> Known[Progress] | Unknown:
        return self._switchover.state(source, target)

    def switchover(self, source: str, target: str, *, expect: Progress, call: Call) -> None:
        self._switchover.act(source, target, expect, call)

    def follow_state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        return self._following.state(region, upstream)

    def follow(self, region: str, upstream: str, *, expect: Progress, call: Call) -> None:
        self._following.act(region, upstream, expect, call)

    def read_canary(self, region: str, token: str) -> Known[WriteProof | None] | Unknown:
        return self.plane.read_canary(region, token)

    def write_canary(self, region: str, token: str, *, call: Call) -> None:
        self.plane.write_canary(region, token, call)

    # For the switchover, which is made of the same parts.

    def instance(self, region: str) -> Instance:
        """Raises errors of ours."""
        found = self._instances.describe(region)
        if found is None:
            raise Permanent(f"RDS in {region} knows no instance {self._instances.name(region)}.")
        return found


def _moving(seen: Seen, instance: Instance | None) -> str:
    """What is under way by itself: said so that nobody orders it again."""
    if seen.takes_writes or instance is None:
        return ""
    if seen.sight.recovery:
        if not instance.source:
            return f"RDS says that {instance.name} is promoted ({instance.status}); the server is in recovery still"
        if instance.status != READY:
            return f"RDS says that {instance.name} is {instance.status}"
        return ""
    if shut_out(seen, ""):
        return ""
    return "" if instance.status == READY else f"RDS says that {instance.name} is {instance.status}"


def _version(region: str, seen: Seen, instance: Instance | None) -> str:
    """Changes with role, fences and what the API says of the instance; not with each write."""
    sight = seen.sight
    fences = ",".join(f"{one.region}:{one.epoch}" for one in sight.fences if one.standing)
    api = f"{instance.resource_id}/{instance.status}/{instance.source or '-'}" if instance is not None else "?"
    role = "replica" if sight.recovery else "primary"
    return f"{region}/{role}/{'rw' if seen.takes_writes else 'ro'}/fences={fences or '-'}/api={api}"


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> RdsReplica:
    """Kind.build."""
    return RdsReplica(resource, topology, clients)
