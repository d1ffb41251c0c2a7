"""Instances of Cloud SQL as its Admin API has them: what it says, and the requests that change them.

Nothing here says whether an instance takes writes. `state` is RUNNABLE before a promotion has begun, and again while
the server still starts. The API is one for all regions, and takes no request id: an order whose answer was lost is
looked for in what the instance is, and in its operations. One operation at a time is under way on an instance; another
order is refused until then (409, operationInProgress).

Which promotion an instance gets follows from what it is. The replica that its primary designated for disaster recovery
(`replicationCluster.drReplica`, edition Enterprise Plus) is failed over to: Cloud SQL takes the old primary back as a
replica once that is there again. Every other replica is promoted to an instance of its own, which ends the replication
for good.

Sources: Cloud SQL Admin API v1, `instances` and `operations`; "Use advanced disaster recovery (DR)"; "Promote
replicas".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.errors import OutcomeUnknown, Permanent, Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.database.marks import epoch_in, mark, refuse_older
from cloudfail_gcp.under_way import taken

API = "sqladmin"
PRIMARY = "CLOUD_SQL_INSTANCE"
REPLICA = "READ_REPLICA_INSTANCE"
READY = "RUNNABLE"
NEWEST = 20
"""So many operations are asked for, newest first: the one that is under way is among them."""
SLICE_SECONDS = 0.5
MOVES = frozenset({"PROMOTE_REPLICA", "SWITCHOVER", "SWITCHOVER_TO_REPLICA"})

_CLOCK = SystemClock()


def bare(name: Any) -> str:
    """An instance's own name: it is told as `orders-c`, as `p:orders-c`, or as the end of a path."""
    return re.split("[:/]", str(name or ""))[-1]


@dataclass(frozen=True)
class Operation:
    """What is under way on an instance. kind: `operationType`."""

    name: str
    kind: str
    status: str

    @property
    def moves(self) -> bool:
        """Whether it makes the instance the writer, or ends that."""
        return self.kind in MOVES

    @property
    def words(self) -> str:
        return f"Cloud SQL says that {self.kind} is {self.status}"


@dataclass(frozen=True)
class Instance:
    """One answer of instances.get. master: what it replicates, "" for nobody. dr: whether it is the replica that its
    primary designated for disaster recovery; dr_replica: the one that this primary did. write_endpoint: the DNS name
    that follows the primary, "" where there is none."""

    name: str
    kind: str
    state: str
    master: str
    dr: bool
    dr_replica: str
    write_endpoint: str
    epoch: int | None
    settings: Mapping[str, Any]
    version: str

    @property
    def replica(self) -> bool:
        return self.kind == REPLICA

    @property
    def labels(self) -> dict[str, str]:
        return {str(key): str(value) for key, value in (self.settings.get("userLabels") or {}).items()}

    @property
    def addresses(self) -> Mapping[str, Any]:
        """`settings.ipConfiguration`."""
        told: Mapping[str, Any] = self.settings.get("ipConfiguration") or {}
        return told


class Instances:
    """The instances of one resource: region -> name."""

    def __init__(self, asking: Asking, names: Mapping[str, str], *, seconds: float) -> None:
        self._asking = asking
        self._names = names
        self._seconds = seconds

    def name(self, region: str) -> str:
        if region not in self._names:
            raise Permanent(f"This database has no member in {region}.")
        return self._names[region]

    def region_of(self, name: str) -> str | None:
        """Where our member with that name stands; None for nobody of ours."""
        return next((region for region, own in self._names.items() if name and own == name), None)

    def describe(self, region: str) -> Instance:
        """Raises Transient, Permanent, OutcomeUnknown."""
        name = self.name(region)
        told = self._asking.read(API, region, self._path(region), within=self._seconds)
        if told.get("name") != name or "instanceType" not in told or "settings" not in told:
            raise Transient(f"Cloud SQL answers, and does not tell what {name} is.")
        if told.get("region") != region:
            # A replica in the region that is lost is no way out of it, and zones are Cloud SQL's own.
            raise Permanent(
                f"The instance {name} that is written for {region} stands in {told.get('region')}.",
                "Nothing was changed.",
                f"Correct the members of {self._asking.resource.name} in cloudfail.yaml. Between the zones of one "
                "region Cloud SQL fails over by itself.",
            )
        if told["instanceType"] not in (PRIMARY, REPLICA):
            raise Permanent(
                f"{name} is a {told['instanceType']}: Cloud SQL promotes none, and no primary is one.",
                "Nothing was changed.",
                f"Write an instance, or a read replica of one, as the member in {region}.",
            )
        cluster, settings = told.get("replicationCluster") or {}, told["settings"]
        dr, dr_replica = bool(cluster.get("drReplica")), bare(cluster.get("failoverDrReplicaName"))
        kind, state, master = str(told["instanceType"]), str(told.get("state", "")), self._master(region, told)
        return Instance(
            name,
            kind,
            state,
            master,
            dr,
            dr_replica,
            str(cluster.get("psaWriteEndpoint") or told.get("writeEndpoint") or ""),
            epoch_in(settings.get("userLabels")),
            settings,
            f"{kind}/{state}/{master or '-'}/{'dr' if dr else dr_replica or '-'}",
        )

    def _master(self, region: str, told: Mapping[str, Any]) -> str:
        """Of another project its whole name, which is none of our members'."""
        whole = str(told.get("masterInstanceName") or "")
        project = whole.removesuffix(bare(whole)).rstrip(":")
        return bare(whole) if project in ("", self._asking.project(region)) else whole

    def under_way(self, region: str) -> Operation | None:
        """What is under way on the instance now; None for nothing. Raises as `describe`."""
        name = self.name(region)
        told = self._asking.read(
            API,
            region,
            f"{self._project(region)}/operations",
            within=self._seconds,
            query={"instance": name, "maxResults": str(NEWEST)},
        )
        for one in told.get("items") or ():
            if one.get("status") != "DONE" and bare(one.get("targetId")) == name:
                return Operation(
                    str(one.get("name", "")), str(one.get("operationType", "an operation")), str(one.get("status"))
                )
        return None

    def promote(self, region: str, instance: Instance, call: Call) -> None:
        """What was not replicated is lost. The mark first, then the promotion that the instance is for. Raises Conflict
        where the mark is a newer run's."""
        timed = TimeLeft(call)
        query = {"failover": "true"} if instance.dr else {}
        self._mark(region, instance, timed, f"promote-replica {instance.name}{' --failover' if instance.dr else ''}")
        self._order(region, "promoteReplica", query, timed.rest())
        if instance.dr:
            call.log(f"{instance.name} was failed over to; Cloud SQL takes {instance.master} back as its replica")
        else:
            call.log(f"{instance.name} is promoted to an instance of its own: it replicates {instance.master} no more")
        if instance.write_endpoint:
            call.log(f"{instance.write_endpoint} follows the primary by itself")

    def switch_over(self, region: str, replica: Instance, wait_seconds: float, call: Call) -> None:
        """Nothing is lost: Cloud SQL stops the primary, and waits until its replica for disaster recovery has it all,
        for so long at most."""
        timed = TimeLeft(call)
        self._mark(region, replica, timed, f"switchover {replica.name}")
        self._order(region, "switchover", {"dbTimeout": f"{wait_seconds:g}s"}, timed.rest())

    def patch(self, region: str, instance: Instance, changed: Mapping[str, Any], call: Call) -> None:
        """Change its settings, the mark with them, where they are as they were read (`settingsVersion`), and wait for
        the end of the operation. Raises OutcomeUnknown where its end is not seen in the call's time."""
        timed = TimeLeft(call)
        refuse_older(instance.epoch, call, f"{instance.name} in {region}")
        labels = {**instance.labels, **mark(call), **changed.get("userLabels", {})}
        settings = {**changed, "userLabels": labels, "settingsVersion": instance.settings.get("settingsVersion")}
        path = self._path(region)
        reply = self._asking.change(API, region, "PATCH", path, call=timed.rest(), body={"settings": settings})
        taken(reply, f"PATCH {path}")
        try:
            self._wait(region, str(reply.get("name", "")), timed)
            now = self.describe(region)
        except (Transient, Permanent) as error:
            # It was sent: that it cannot be looked at says nothing of what became of it.
            raise OutcomeUnknown(f"The settings of {instance.name} are being changed; {error}") from error
        refuse_older(now.epoch, call, f"{instance.name} in {region}")
        if now.epoch != call.epoch:
            raise OutcomeUnknown(f"The settings of {instance.name} were changed, and do not carry this run's mark.")

    def _mark(self, region: str, instance: Instance, timed: TimeLeft, by_hand: str) -> None:
        call = timed.rest()
        if instance.epoch == call.epoch:
            return
        try:
            self.patch(region, instance, {}, call)
        except Permanent as error:
            raise Permanent(
                f"Cloud SQL does not take the epoch's mark on {instance.name}: {error.happened}",
                "Nothing was moved.",
                f"If that cannot be mended, see that nobody else moves it, and: gcloud sql instances {by_hand}",
            ) from error

    def _wait(self, region: str, name: str, timed: TimeLeft) -> None:
        """Until the operation has ended, in slices. Raises what its error is classed as, if it ended in one."""
        path = f"{self._project(region)}/operations/{name}"
        while timed.seconds > 0:
            told = self._asking.read(API, region, path, within=min(self._seconds, timed.seconds))
            taken(told, f"operation {name}")
            if told["status"] == "DONE":
                return
            _CLOCK.sleep(min(SLICE_SECONDS, timed.seconds))
        raise Transient(f"operation {name} has not ended yet.")

    def _order(self, region: str, verb: str, query: Mapping[str, str], call: Call) -> None:
        path = f"{self._path(region)}/{verb}"
        taken(self._asking.change(API, region, "POST", path, call=call, query=query), f"POST {path}")

    def _project(self, region: str) -> str:
        return f"v1/projects/{self._asking.project(region)}"

    def _path(self, region: str) -> str:
        return f"{self._project(region)}/instances/{self.name(region)}"
