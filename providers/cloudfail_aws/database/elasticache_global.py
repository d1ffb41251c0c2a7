"""database: elasticache-global. An ElastiCache global datastore (Redis or Valkey): one region's replication group takes
writes, the others replicate it, asynchronously.

The API says who is to be the primary; the server says who is. A member that the API calls the primary is one only once
a write was taken over its own endpoint. Cluster mode is not served: one shard's word says nothing of the others.

Sources: ElastiCache user guide, "Replication across AWS Regions using global datastores"; API reference; Valkey, INFO.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DatabaseState, FenceState, LossBound, Progress, Role, WriteProof
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.cache_fence import Fencing
from cloudfail_aws.database.cache_moves import Moves
from cloudfail_aws.database.cache_plane import Endpoint, Plane, Seen
from cloudfail_aws.database.cache_session import Address, CacheError
from cloudfail_aws.database.cache_users import UsersFence
from cloudfail_aws.database.elasticache_options import CacheMember, ElastiCacheGlobalOptions
from cloudfail_aws.database.global_datastores import ClusterMode, Datastore, GlobalDatastores, Member
from cloudfail_aws.database.marks import refuse_older
from cloudfail_aws.database.network_acl import NetworkAclFence
from cloudfail_postgres.secret import secret_value

NO_LOGIN = "this member has no `endpoint`, so nobody here can see whether it takes writes"


class ElastiCacheGlobal:
    """ports.Database."""

    def __init__(self, resource: Resource, topology: Topology, clients: Clients | None = None) -> None:
        if not resource.id:
            raise Permanent(
                f"{resource.name} has no `id`.",
                "Nothing can be asked about it.",
                "Write the identifier of its global datastore, with the prefix that AWS gave it: id: ldgnf-sessions",
            )
        self.options = ElastiCacheGlobalOptions.model_validate(dict(resource.options))
        members = {region: CacheMember.model_validate(member) for region, member in resource.members.items()}
        asking = Asking.of(resource, topology, clients)
        seconds = float(self.options.api_within)
        groups = {region: member.group for region, member in members.items()}
        self.stores = GlobalDatastores(asking, resource.id, groups, seconds=seconds)
        self.plane = _plane_of(members, self.options)
        methods = (
            UsersFence(asking, {region: member.users for region, member in members.items()}, seconds=seconds),
            NetworkAclFence(
                asking,
                {region: member.network for region, member in members.items() if member.network is not None},
                seconds=seconds,
            ),
        )
        self.fencing = Fencing(self.plane, methods, self.options.fences, tuple(members))
        self._moves = Moves(self.stores, self.plane, self.fencing)
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
        except CacheError as error:
            silence = str(error)
        known: Datastore | None = None
        try:
            known = self.stores.describe(region)
        except ClusterMode as error:
            return Unknown(f"{region}: {error}", at)
        except CloudfailError as error:
            if seen is None:
                return Unknown(f"{region}: {silence}, and neither does its control plane: {error}", at)
        if seen is not None:
            return Known(self._state(region, seen, known), at)
        return self._unseen(region, silence, known, at)

    def _unseen(self, region: str, silence: str, known: Datastore | None, at: float) -> Known[DatabaseState] | Unknown:
        """What is left where the server says nothing: the API's word for the role, and no word on writes. Only where
        nobody was told how to ask the server, or where the silence is our own fence."""
        shut = self.fencing.shuts(region)
        if known is None or (self.plane.has(region) and not shut):
            return Unknown(f"{region}: {silence}", at)
        member = known.member(self.stores.group(region), region)
        if member is None:
            return Unknown(f"{region}: {self.stores.group(region)} is no member of {known.name}", at)
        moving = known.underway
        if not moving and member.primary and not shut:
            moving = f"AWS calls it the primary; {silence}"
        role = Role.PRIMARY if member.primary else Role.REPLICA
        version = f"{region}/unseen/{_api(known)}"
        state = DatabaseState(role, False, 0, upstream=_upstream(member, known), moving=moving, version=version)
        return Known(state, at)

    def _state(self, region: str, seen: Seen, known: Datastore | None) -> DatabaseState:
        member = known.member(self.stores.group(region), region) if known is not None else None
        return DatabaseState(
            role=Role.REPLICA if seen.replica else Role.PRIMARY,
            writable=seen.takes_writes,
            position=seen.sight.position,
            lag_seconds=self.plane.lag_seconds(region, seen.sight),
            upstream=_upstream(member, known) if seen.replica else None,
            moving=self._moving(region, seen, member, known),
            version=_version(region, seen, known),
        )

    def _moving(self, region: str, seen: Seen, member: Member | None, known: Datastore | None) -> str:
        """What is under way by itself: said so that nobody orders it again."""
        if seen.takes_writes or known is None:
            return ""
        if known.underway:
            return known.underway
        if member is None or not member.primary or self.fencing.shuts(region):
            return ""
        why = "its server is a replica still" if seen.replica else f"a write was not taken: {seen.refusal}"
        return f"AWS calls {member.group} the primary; {why}"

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
            except CacheError as error:
                raise Transient(f"{target} does not answer: {error}.") from error
            if seen.takes_writes:
                return
        known = self.stores.describe(target)
        member = known.member(self.stores.group(target), target)
        if member is None:
            raise Permanent(
                f"{self.stores.group(target)} in {target} is no member of {known.name}.",
                "Nothing was promoted.",
                f"See what AWS has: aws elasticache describe-global-replication-groups --region {target} "
                "--show-member-info",
            )
        if known.underway:
            raise Conflict(f"Nothing else can be ordered now: {known.underway}.")
        if member.primary:
            # It comes by itself, unless it is a fence of ours on it, left from an earlier move, that keeps writes out.
            if self.fencing.shuts(target):
                self.fencing.open(target, timed.rest())
            return
        now = _version(target, seen, known) if seen is not None else f"{target}/unseen/{_api(known)}"
        if now != expect.version:
            raise Conflict(f"{target} is {now}, not {expect.version} as it was seen.")
        refuse_older(self.stores.epoch(member), call, f"{member.group} in {target}")
        self.stores.fail_over(member, timed.rest())

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


def _plane_of(members: Mapping[str, CacheMember], options: ElastiCacheGlobalOptions) -> Plane:
    """A way to each member that has one. A secret that is not there is that member's silence, and nobody else's."""
    endpoints: dict[str, Endpoint] = {}
    silent: dict[str, str] = {}
    for region, member in members.items():
        if member.endpoint is None or member.user is None or member.writer is None:
            silent[region] = NO_LOGIN
            continue
        host, _, port = member.endpoint.rpartition(":")
        try:
            secrets = [secret_value(one) if one else "" for one in (member.password, member.writer_password)]
        except Permanent as error:
            silent[region] = error.happened
            continue
        own, writer = (
            Address(host, int(port), user, secret, member.tls, member.ca)
            for user, secret in zip((member.user, member.writer), secrets, strict=True)
        )
        endpoints[region] = Endpoint(region, own, writer, float(options.answer_within), member.spares)
    return Plane(endpoints, silent, stale_seconds=float(options.heartbeat_stale))


def _upstream(member: Member | None, known: Datastore | None) -> str | None:
    if member is None or known is None or member.primary or len(known.primaries) != 1:
        return None
    return known.primaries[0].region


def _api(known: Datastore) -> str:
    primaries = ",".join(f"{one.region}:{one.group}" for one in known.primaries) or "-"
    return f"primary={primaries}/{known.status}"


def _version(region: str, seen: Seen, known: Datastore | None) -> str:
    """Changes with role, with whether writes are taken, and with what the API says; not with each write."""
    role, writes = "replica" if seen.replica else "primary", "rw" if seen.takes_writes else "ro"
    return f"{region}/{role}/{writes}/{_api(known) if known is not None else '?'}"


def build(resource: Resource, topology: Topology, clients: Clients | None = None) -> ElastiCacheGlobal:
    """Kind.build."""
    return ElastiCacheGlobal(resource, topology, clients)
