"""Making the old member of an rds-replica a replica again. RDS can only build a new one: an instance that was promoted,
or that lost its replica, is never turned back.

In this order, each an effect of its own and read from the world: keep what the old instance holds (a manual snapshot,
which no retention removes); take its name from it (it is kept, renamed); build a replica under that name, so that the
endpoint's name stays. Nothing of it deletes anything: the old instance is somebody's to compare, and to delete.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.database.instances import KEPT_LETTERS, Instance, Instances, kept_start
from cloudfail_aws.database.marks import refuse_older
from cloudfail_databases.fence import Fencing
from cloudfail_postgres.plane import Plane
from cloudfail_postgres.session import SessionError

READY = "available"


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    member: Instance | None = None
    up: Instance | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


def _short(instance: Instance) -> str:
    letters = "".join(sign for sign in instance.resource_id.lower().removeprefix("db-") if sign.isalnum())
    return letters[:KEPT_LETTERS] or "before"


def snapshot_name(instance: Instance) -> str:
    """The name under which what this instance holds is kept. Made from the instance itself: the same in each look."""
    return f"cloudfail-tail-{instance.name}-{_short(instance)}"


def kept_name(instance: Instance) -> str:
    """The name that the old instance gets."""
    return kept_start(instance.name) + _short(instance)


class Following:
    """The follow verb of one database."""

    def __init__(self, instances: Instances, plane: Plane, fencing: Fencing) -> None:
        self._instances = instances
        self._plane = plane
        self._fencing = fencing

    def state(self, region: str, upstream: str) -> Known[Progress] | Unknown:
        at = time.time()
        try:
            return Known(self._stage(region, upstream).progress, at)
        except (CloudfailError, *SessionError) as error:
            return Unknown(f"{region}: {error}", at)

    def act(self, region: str, upstream: str, expect: Progress, call: Call) -> None:
        timed = TimeLeft(call)
        try:
            stage = self._stage(region, upstream)
        except SessionError as error:
            raise Transient(f"How far {region} has come cannot be read: {error}.") from error
        now = stage.progress
        if now.done:
            return
        if now.next is None or now.version != expect.version:
            raise Conflict(f"{region} is at {now.version or now.detail}, not {expect.version} as it was seen.")
        if stage.member is not None:
            refuse_older(stage.member.epoch, call, f"{stage.member.name} in {region}")
        self._do(stage, region, upstream, timed.rest())

    def _do(self, stage: _Stage, region: str, upstream: str, call: Call) -> None:
        member, up = stage.member, stage.up
        if stage.name == "keep" and member is not None:
            self._instances.take_snapshot(region, member, snapshot_name(member), call)
        elif stage.name == "rename" and member is not None:
            self._instances.rename(region, member, kept_name(member), call)
        elif stage.name == "create" and member is not None and up is not None:
            self._instances.create_replica(region, member, up, upstream, call)
        elif stage.name == "open":
            self._fencing.open_network(region, call)
        else:
            raise Permanent(f"No such stage: {stage.name}.")

    def _stage(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        up = self._instances.describe(upstream)
        if up is None:
            raise Permanent(f"RDS in {upstream} knows no instance {self._instances.name(upstream)}.")
        member = self._instances.describe(region)
        if member is None:
            return self._build(region, up)
        if member.replicates(up.arn):
            return self._comes(region, upstream, member)
        if member.source:
            return _moving(
                f"{member.name} replicates {member.source}: RDS cannot point it elsewhere; nothing is changed"
            )
        return self._old(region, upstream, member)

    def _comes(self, region: str, upstream: str, member: Instance) -> _Stage:
        if member.status != READY:
            return _moving(f"RDS says that {member.name} is {member.status}")
        if self._fencing.shuts(region):
            words = f"open the way to {region} again: a replica takes no writes"
            return _Stage(Progress(words, False, "", "shut", "open", f"open/{member.resource_id}"), "open")
        if not self._plane.look(region).sight.recovery:
            return _moving(f"RDS says that {member.name} is a replica; its server is in no recovery")
        return _Stage(Progress(None, True, f"{member.name} in {region} is a replica of {upstream}"))

    def _old(self, region: str, upstream: str, member: Instance) -> _Stage:
        if member.status != READY:
            return _moving(f"RDS says that {member.name} is {member.status}")
        if not self._fencing.cuts(region) and self._plane.look(region).takes_writes:
            return _moving(f"{region} still takes writes: fence it first (database.fence)")
        name = snapshot_name(member)
        kept = self._instances.snapshot(region, name)
        if kept is None:
            words = f"keep what {member.name} holds that {upstream} never had: snapshot {name}"
            return _Stage(
                Progress(words, False, "", "in itself only", name, f"keep/{member.resource_id}"), "keep", member
            )
        if kept.status != READY:
            return _moving(f"the snapshot {name} is {kept.status}")
        words = f"rename {member.name} to {kept_name(member)}; it is kept"
        version = f"rename/{member.resource_id}"
        return _Stage(Progress(words, False, "", member.name, kept_name(member), version), "rename", member)

    def _build(self, region: str, up: Instance) -> _Stage:
        name = self._instances.name(region)
        old = self._instances.kept(region)
        if old is None:
            return _moving(f"RDS in {region} knows no {name}, and none that was: nothing says how to build it")
        words = f"create {name} in {region} as a replica of {up.name}, like {old.name} was"
        version = f"create/{old.resource_id}/{up.resource_id}"
        return _Stage(Progress(words, False, "", "no instance", f"a replica of {up.name}", version), "create", old, up)
