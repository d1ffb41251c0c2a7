"""Switchover and follow of Cloud SQL: what comes next, read from the API and from the servers.

A switchover is Cloud SQL's own: it stops the primary, waits until the replica for disaster recovery has everything,
then exchanges the roles. After a failover to that replica it takes the old primary back in by itself, once its region
is there again (an operation RECONFIGURE_OLD_PRIMARY), and what only that one held is gone. A replica that was promoted
to an instance of its own has no way back: Cloud SQL makes no replica of a primary, so that a new one is built by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import DataPlane, NoWord
from cloudfail_databases.fence import Fencing
from cloudfail_databases.staged import StagedMoves
from cloudfail_gcp.database.instances import READY, Instance, Instances


@dataclass(frozen=True)
class _Stage:
    progress: Progress
    name: str = ""
    instance: Instance | None = None


def _moving(detail: str) -> _Stage:
    return _Stage(Progress(None, False, detail))


class Moves(StagedMoves[_Stage]):
    """Of one database. wait_seconds: for how long a switchover may wait for the replica."""

    def __init__(self, instances: Instances, plane: DataPlane, fencing: Fencing, *, wait_seconds: float) -> None:
        self._instances = instances
        self._plane = plane
        self._fencing = fencing
        self._wait_seconds = wait_seconds

    def _switch(self, stage: _Stage, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        if stage.name == "admit":
            self._plane.admit(target, timed.rest())
        elif stage.name == "designate":
            raise Permanent(
                f"{self._instances.name(target)} is not the replica that {self._instances.name(source)} designated for "
                "disaster recovery, and Cloud SQL switches over to no other.",
                "Nothing was changed.",
                f"Designate it (edition Enterprise Plus): gcloud sql instances patch {self._instances.name(source)} "
                f"--failover-dr-replica-name={self._instances.name(target)}",
            )
        elif stage.instance is not None:
            self._instances.switch_over(target, stage.instance, self._wait_seconds, timed.rest())

    def _rejoin(self, stage: _Stage, region: str, upstream: str, timed: TimeLeft) -> None:
        if stage.name == "open":
            self._fencing.open_network(region, timed.rest())
            return
        name, up = self._instances.name(region), self._instances.name(upstream)
        raise Permanent(
            f"{name} is a primary of its own: {up} was promoted without it, and Cloud SQL makes no replica of it.",
            f"{name} was left as it is, with what only it holds.",
            f"Build another: gcloud sql instances create NAME --master-instance-name={up} --region={region}; write its "
            "name in cloudfail.yaml, and delete the old one when nobody needs it.",
        )

    # ---- switchover

    def _switchover(self, source: str, target: str) -> _Stage:
        new = self._plane.look(target)
        if new.takes_writes:
            return self._over(source, target)
        if new.shut_out(target):
            words = f"let clients in on {target}, and give back what the fence on {source} took"
            progress = Progress(words, False, "", new.refusal, f"{target} takes writes", f"admit/{target}")
            return _Stage(progress, "admit")
        replica = self._instances.describe(target)
        for region in (target, source):
            operation = self._instances.under_way(region)
            if operation is not None:
                return _moving(f"{operation.words} on {self._instances.name(region)}")
        if not replica.replica:
            return _moving(f"Cloud SQL calls {replica.name} a primary; its server takes no writes yet")
        self._plane.look(source)
        return self._order(source, target, self._instances.describe(source), replica)

    def _over(self, source: str, target: str) -> _Stage:
        try:
            old = self._plane.look(source)
        except NoWord as error:
            return _Stage(Progress(None, True, f"{target} takes writes; {source} does not answer: {error}"))
        if old.takes_writes:
            return _moving(f"both {source} and {target} take writes: fence {source}")
        return _Stage(Progress(None, True, f"{target} takes writes; {source} takes none"))

    def _order(self, source: str, target: str, old: Instance, new: Instance) -> _Stage:
        if new.master != old.name:
            return _moving(f"{new.name} replicates {new.master or 'nobody'}, and not {old.name}: nothing is switched")
        before, after = f"{source} takes writes", f"{target} takes writes"
        if not new.dr:
            words = f"{new.name} is no replica for disaster recovery: Cloud SQL will not switch over to it"
            return _Stage(Progress(words, False, "", before, after, f"designate/{new.name}"), "designate", new)
        for one in (old, new):
            if one.state != READY:
                return _moving(f"Cloud SQL says that {one.name} is {one.state}; nothing was stopped")
        words = f"switch {old.name} over to {new.name}; Cloud SQL waits until it holds everything"
        return _Stage(Progress(words, False, "", before, after, f"switch/{old.name}/{new.name}"), "switch", new)

    # ---- follow

    def _follow(self, region: str, upstream: str) -> _Stage:
        if not self._plane.look(upstream).takes_writes:
            return _moving(f"{upstream} takes no writes: promote it first")
        up, member = self._instances.describe(upstream), self._instances.describe(region)
        operation = self._instances.under_way(region)
        if operation is not None:
            return _moving(f"{operation.words} on {member.name}")
        if member.state != READY:
            return _moving(f"Cloud SQL says that {member.name} is {member.state}")
        if not member.replica:
            return self._apart(region, up, member)
        if member.master != up.name:
            return _moving(f"{member.name} replicates {member.master}, and not {up.name}")
        if self._fencing.shuts(region):
            words = f"open the way to {region} again: a replica takes no writes"
            return _Stage(Progress(words, False, "", "shut", "open", f"open/{member.name}"), "open")
        if not self._plane.look(region).replica:
            return _moving(f"Cloud SQL calls {member.name} a replica; its server is in no recovery")
        return _Stage(Progress(None, True, f"{member.name} in {region} is a replica of {upstream}"))

    def _apart(self, region: str, up: Instance, member: Instance) -> _Stage:
        """A primary still, beside the new one."""
        if self._plane.look(region).takes_writes:
            return _moving(f"{region} still takes writes: fence it first (database.fence)")
        if member.name == up.dr_replica or up.name == member.dr_replica:
            return _moving(f"Cloud SQL is to take {member.name} back as a replica of {up.name}; it has not begun to")
        words = f"{member.name} is a primary of its own, and Cloud SQL makes no replica of it: it is built anew by hand"
        return _Stage(Progress(words, False, "", "a primary", f"a replica of {up.name}", f"anew/{member.name}"), "anew")
