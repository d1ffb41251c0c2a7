"""Switchover and follow of Cloud SQL: what comes next, read from the API and from the servers.

A switchover is Cloud SQL's own: it stops the primary, waits until the replica for disaster recovery has everything,
then exchanges the roles. After a failover to that replica it takes the old primary back in by itself, once its region
is there again (an operation RECONFIGURE_OLD_PRIMARY), and what only that one held is gone. A replica that was promoted
to an instance of its own has no way back: Cloud SQL makes no replica of a primary, so that a new one is built by hand.
"""

from __future__ import annotations

from cloudfail.errors import Permanent
from cloudfail.model.states import Progress
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_databases.data_plane import DataPlane
from cloudfail_databases.fence import Fencing
from cloudfail_databases.moves import PlaneMoves, Reached, arrived, moving, switching
from cloudfail_gcp.database.instances import READY, Instance, Instances


class Moves(PlaneMoves[Instance]):
    """Of one database. wait_seconds: for how long a switchover may wait for the replica."""

    def __init__(self, instances: Instances, plane: DataPlane, fencing: Fencing, *, wait_seconds: float) -> None:
        super().__init__(plane, fencing)
        self._instances = instances
        self._wait_seconds = wait_seconds

    def _give_order(self, on: Instance, source: str, target: str, call: Call, timed: TimeLeft) -> None:
        self._instances.switch_over(target, on, self._wait_seconds, timed.rest())

    # ---- switchover

    def _order(self, source: str, target: str) -> Reached[Instance]:
        replica = self._instances.describe(target)
        for region in (target, source):
            operation = self._instances.under_way(region)
            if operation is not None:
                return moving(f"{operation.words} on {self._instances.name(region)}")
        if not replica.replica:
            return moving(f"Cloud SQL calls {replica.name} a primary; its server takes no writes yet")
        self._plane.look(source)
        return self._switched(source, target, self._instances.describe(source), replica)

    def _switched(self, source: str, target: str, old: Instance, new: Instance) -> Reached[Instance]:
        if new.master != old.name:
            return moving(f"{new.name} replicates {new.master or 'nobody'}, and not {old.name}: nothing is switched")
        if not new.dr:
            words = f"{new.name} is no replica for disaster recovery: Cloud SQL will not switch over to it"
            refused = Permanent(
                f"{new.name} is not the replica that {old.name} designated for disaster recovery, and Cloud SQL "
                "switches over to no other.",
                "Nothing was changed.",
                f"Designate it (edition Enterprise Plus): gcloud sql instances patch {old.name} "
                f"--failover-dr-replica-name={new.name}",
            )
            return Reached(switching(words, source, target, f"designate/{new.name}"), by_hand=refused)
        for one in (old, new):
            if one.state != READY:
                return moving(f"Cloud SQL says that {one.name} is {one.state}; nothing was stopped")
        words = f"switch {old.name} over to {new.name}; Cloud SQL waits until it holds everything"
        return Reached(switching(words, source, target, f"switch/{old.name}/{new.name}"), new)

    # ---- follow

    def _back(self, region: str, upstream: str) -> Reached[Instance]:
        up, member = self._instances.describe(upstream), self._instances.describe(region)
        operation = self._instances.under_way(region)
        if operation is not None:
            return moving(f"{operation.words} on {member.name}")
        if member.state != READY:
            return moving(f"Cloud SQL says that {member.name} is {member.state}")
        if not member.replica:
            return self._apart(region, up, member)
        if member.master != up.name:
            return moving(f"{member.name} replicates {member.master}, and not {up.name}")
        if self._fencing.shuts(region):
            return self._to_open(region, "replica", member.name)
        if not self._plane.look(region).replica:
            return moving(f"Cloud SQL calls {member.name} a replica; its server is in no recovery")
        return arrived(f"{member.name} in {region} is a replica of {upstream}")

    def _apart(self, region: str, up: Instance, member: Instance) -> Reached[Instance]:
        """A primary still, beside the new one."""
        if self._plane.look(region).takes_writes:
            return moving(f"{region} still takes writes: fence it first (database.fence)")
        if member.name == up.dr_replica or up.name == member.dr_replica:
            return moving(f"Cloud SQL is to take {member.name} back as a replica of {up.name}; it has not begun to")
        words = f"{member.name} is a primary of its own, and Cloud SQL makes no replica of it: it is built anew by hand"
        progress = Progress(words, False, "", "a primary", f"a replica of {up.name}", f"anew/{member.name}")
        refused = Permanent(
            f"{member.name} is a primary of its own: {up.name} was promoted without it, and Cloud SQL makes no replica "
            "of it.",
            f"{member.name} was left as it is, with what only it holds.",
            f"Build another: gcloud sql instances create NAME --master-instance-name={up.name} --region={region}; "
            "write its name in cloudfail.yaml, and delete the old one when nobody needs it.",
        )
        return Reached(progress, by_hand=refused)
