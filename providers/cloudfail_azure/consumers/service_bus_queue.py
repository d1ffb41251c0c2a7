"""consumers: service-bus-queue. One queue of Service Bus in each region, which hands messages out or keeps them.

Off is the status `ReceiveDisabled`: messages go on being sent to it and are kept, and a receive or a complete is
refused ("Suspend and reactivate messaging entities"; EntityStatus). So what a receiver works on at that moment is done,
cannot be completed, and is handed out again once the queue is on: receivers must bear a message twice, as everywhere
in Service Bus under peek-lock.

`Queues - Create Or Update` replaces the queue as a whole, so all that can be written goes back as it was read
immediately before; that Azure takes back all that it told, on every tier, was not tried. There is no condition. The
mark, application and epoch, stands in `userMetadata`, in the same request: neither is ever there without the other.

`Disabled` and `SendDisabled` are not ours: somebody, or Azure itself, suspended it. A `Disabled` queue is off, and is
never turned on; one that is `SendDisabled` is on, and is never turned off, since both would undo what was done there.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ConsumersState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.probes.serves import serves
from cloudfail_azure.asking import Asking
from cloudfail_azure.consumers.options import QueueMember
from cloudfail_azure.paths import parent_of

VERSION = "2026-01-01"
READ_SECONDS = 6.0
"""How long one look at a member may take."""
QUIET_SECONDS = 3.0
METADATA_MAX = 1024
"""Characters of `userMetadata` (Microsoft.ServiceBus, SBQueueProperties)."""
UNCHANGED = "It was not changed."
ON, OFF = "Active", "ReceiveDisabled"
_STANDS = {"active": True, "senddisabled": True, "receivedisabled": False, "disabled": False}
_READ_ONLY = frozenset({"countDetails", "createdAt", "updatedAt", "accessedAt", "sizeInBytes", "messageCount"})
_MARK = re.compile(r"\s*\[cloudfail app=(?P<app>\S+) epoch=(?P<epoch>\d+) run=\S+\]")
_UNFIT = re.compile(r"[^A-Za-z0-9_.:-]")


@dataclass(frozen=True)
class Queue:
    """One member as it was read. enabled: None where it is neither on nor off (it is being made, say)."""

    id: str
    status: str
    properties: Mapping[str, Any]
    owner: str
    epoch: int | None

    @property
    def enabled(self) -> bool | None:
        return _STANDS.get(self.status.lower())

    @property
    def metadata(self) -> str:
        return str(self.properties.get("userMetadata") or "")

    @property
    def version(self) -> str:
        """Counts change by themselves, and are no part of it."""
        return hashlib.sha256(repr(sorted(self.written().items())).encode()).hexdigest()[:16]

    def written(self) -> dict[str, Any]:
        """All of it that can be written."""
        return {key: value for key, value in self.properties.items() if key not in _READ_ONLY and value is not None}


class ServiceBusQueue:
    """ports.Consumers. Fulfils ports.Preflight too."""

    def __init__(self, asking: Asking, members: Mapping[str, QueueMember]) -> None:
        self._asking = asking
        self._members = members

    def read(self, region: str) -> Known[ConsumersState] | Unknown:
        at = time.time()
        try:
            seen = self._look(region, READ_SECONDS)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        if seen.enabled is None:
            return Unknown(f"{region}: the queue {seen.id} is {seen.status}", at)
        still = "" if seen.enabled else self._still(region, seen)
        return Known(ConsumersState(seen.enabled, seen.version, seen.epoch, still), at)

    def enable(self, region: str, enabled: bool, *, expect: ConsumersState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        try:
            seen = self._look(region, min(READ_SECONDS, call.timeout_seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            # Nothing was changed yet, so whatever came of the look is no doubt about an effect.
            raise Transient(f"The queue in {region} cannot be read: {error}") from error
        if enabled is seen.enabled:
            return
        if problem := self._refusal(seen):
            raise problem
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(f"{seen.id} was changed under epoch {seen.epoch}, and this is {call.epoch}.", UNCHANGED)
        if seen.version != expect.version:
            raise Conflict(f"{seen.id} is not as it was seen.", UNCHANGED)
        body = {
            "properties": {**seen.written(), "status": ON if enabled else OFF, "userMetadata": self._marked(seen, call)}
        }
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient("The time of this call was over before its request.")
        timed = replace(call, timeout_seconds=left)
        self._asking.change(region, "PUT", seen.id, VERSION, call=timed, body=body)
        kept = "hands out what waited, too" if enabled else "keeps what is sent to it"
        call.log(f"{seen.id} {kept}")

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse the verb."""
        at, found = time.time(), list[str]()
        for region in self._members:
            try:
                problem = self._refusal(self._look(region, READ_SECONDS))
            except Permanent as error:
                problem = error
            except CloudfailError as error:
                return Unknown(f"{region}: {error}", at)
            if problem is not None:
                found.append(f"{region}: {problem}")
        return Known(tuple(found), at)

    def _look(self, region: str, within: float) -> Queue:
        """Raises Transient where the answer says nothing of it; Permanent where it stands in another region."""
        if region not in self._members:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        until = self._asking.deadline(within)
        id_ = self._members[region].queue
        told = self._asking.read(region, id_, VERSION, within=within)
        properties = told.get("properties") or {}
        if not properties.get("status"):
            raise Transient(f"Azure answers, and does not tell the status of {id_}.")
        space = self._asking.read(region, parent_of(id_), VERSION, within=self._asking.left_until(until))
        stands = str(space.get("location", "")).replace(" ", "").lower()
        if not stands:
            raise Transient(f"Azure answers, and does not tell where {parent_of(id_)} stands.")
        if stands != region:
            # The one slip that would turn on what must stay off.
            raise Permanent(
                f"The queue {id_} that is written for {region} stands in {stands}.",
                "Nothing was changed.",
                f"Correct the members of {self._asking.resource.name} in cloudfail.yaml.",
            )
        mark = _MARK.search(str(properties.get("userMetadata") or ""))
        owner = mark["app"] if mark else ""
        epoch = int(mark["epoch"]) if mark and owner == self._application else None
        return Queue(id_, str(properties["status"]), properties, owner, epoch)

    @property
    def _application(self) -> str:
        return _UNFIT.sub("-", self._asking.topology.application)

    def _refusal(self, seen: Queue) -> CloudfailError | None:
        """Why it is not turned, whichever way."""
        if seen.owner and seen.owner != self._application:
            return Permanent(
                f"{seen.id} is turned on and off for the application {seen.owner}, and this is {self._application}.",
                UNCHANGED,
                "Take it out of one of the two cloudfail.yaml; to take it over, remove [cloudfail …] from its "
                "userMetadata.",
            )
        if seen.status.lower() in ("disabled", "senddisabled"):
            return Permanent(
                f"{seen.id} is {seen.status}, which no run of cloudfail does: somebody, or Azure, suspended it.",
                UNCHANGED,
                f"See why, and then: az servicebus queue update --ids {seen.id} --status {ON} (or {OFF})",
            )
        if seen.enabled is None:
            return Transient(f"{seen.id} is {seen.status}, and was left so.")
        return None

    def _marked(self, seen: Queue, call: Call) -> str:
        text = _MARK.sub("", seen.metadata)
        mark = f"[cloudfail app={self._application} epoch={call.epoch} run={_UNFIT.sub('-', call.run)[:80]}]"
        whole = f"{text} {mark}" if text else mark
        if len(whole) > METADATA_MAX:
            raise Permanent(
                f"The userMetadata of {seen.id} has no room for the mark of a run.",
                UNCHANGED,
                f"Shorten it by {len(whole) - METADATA_MAX} characters.",
            )
        return whole

    def _still(self, region: str, seen: Queue) -> str:
        """Why what receives cannot be taken for quiet; "" where it says that it is, or nobody is named to ask."""
        url = self._members[region].quiet
        if not url:
            return ""
        said = serves(url, within_seconds=QUIET_SECONDS)
        if isinstance(said, Unknown):
            return (
                f"{seen.id} is {seen.status}, and what receives could not be asked whether it is quiet ({said.reason})"
            )
        if said.value.answers:
            return ""
        return f"{seen.id} is {seen.status}, and what receives does not say that it is quiet ({said.value.what})"


def build(resource: Resource, topology: Topology) -> ServiceBusQueue:
    """Kind.build."""
    members = {region: QueueMember.model_validate(member) for region, member in resource.members.items()}
    return ServiceBusQueue(Asking.of(resource, topology), members)
