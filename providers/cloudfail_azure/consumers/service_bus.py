"""consumers: service-bus-queue, service-bus-subscription. One queue of Service Bus in each region, or one subscription
of a topic, which hands messages out or keeps them.

Off is the status `ReceiveDisabled`: messages go on being sent to it and are kept, and a receive or a complete is
refused ("Suspend and reactivate messaging entities"; EntityStatus). So what a receiver works on at that moment is done,
cannot be completed, and is handed out again once it is on: receivers must bear a message twice, as everywhere in
Service Bus under peek-lock.

`Create Or Update` replaces the whole of it, so all that can be written goes back as it was read immediately before;
that Azure takes back all that it told, on every tier, was not tried. A subscription's rules are resources of their own,
and are not touched. There is no condition. The mark, application and epoch, stands in `userMetadata`, in the same
request: neither is ever there without the other.

`Disabled` and `SendDisabled` are not ours: somebody, or Azure itself, suspended it. One that is `Disabled` is off, and
is never turned on; one that is `SendDisabled` is on, and is never turned off: both would undo what was done there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.consumers.options import QueueMember, TopicMember
from cloudfail_azure.paths import must_stand, parent_of, type_of
from cloudfail_consumers.switches import UNCHANGED, Switch, Switched

VERSION = "2026-01-01"
METADATA_MAX = 1024
"""Characters of `userMetadata` (Microsoft.ServiceBus, SBQueueProperties, SBSubscriptionProperties)."""
ON, OFF = "Active", "ReceiveDisabled"
_STANDS = {"active": True, "senddisabled": True, "receivedisabled": False, "disabled": False}
_READ_ONLY = frozenset({"countDetails", "createdAt", "updatedAt", "accessedAt", "sizeInBytes", "messageCount"})
_MARK = re.compile(r"\s*\[cloudfail app=(?P<app>\S+) epoch=(?P<epoch>\d+) run=\S+\]")
_UNFIT = re.compile(r"[^A-Za-z0-9_.:-]")
_NEVER = re.compile(r"P10675199D.*")
"""TimeSpan.MaxValue, which is how Service Bus says that there is no such time."""


class ServiceBus(Switched[Asking]):
    """One queue, or one subscription, in each region."""

    mark_kept = "[cloudfail …] in userMetadata"

    def id_of(self, region: str, *, within: float) -> str:
        """Of what is turned in that region."""
        return str(self.member(region).id)

    @property
    def application(self) -> str:
        return _UNFIT.sub("-", self._asking.topology.application)

    def describe(self, region: str, *, within: float) -> Switch:
        """Raises Transient where the answer says nothing of it; Permanent where it stands in another region."""
        until = self._asking.deadline(within)
        id_ = self.id_of(region, within=within)
        properties = self._properties(region, id_, self._asking.left_until(until))
        _at_home(self._asking, region, id_, within=self._asking.left_until(until))
        mark = _MARK.search(str(properties.get("userMetadata") or ""))
        owner = mark["app"] if mark else ""
        status = str(properties["status"])
        return Switch(
            name=id_,
            enabled=_STANDS.get(status.lower()),
            # Counts change by themselves, and are no part of it.
            version=hashlib.sha256(repr(sorted(written(properties).items())).encode()).hexdigest()[:16],
            said=status,
            epoch=int(mark["epoch"]) if mark and owner == self.application else None,
            owner=owner,
            raw=properties,
        )

    def _properties(self, region: str, id_: str, within: float) -> Mapping[str, Any]:
        properties: Mapping[str, Any] = self._asking.read(region, id_, VERSION, within=within).get("properties") or {}
        if not properties.get("status"):
            raise Transient(f"Azure answers, and does not tell the status of {id_}.")
        return properties

    def refusal(self, region: str, seen: Switch, enabled: bool) -> CloudfailError | None:
        if seen.said.lower() in ("disabled", "senddisabled"):
            what = "topic subscription" if type_of(seen.name).lower() == "subscriptions" else "queue"
            return Permanent(
                f"{seen.name} is {seen.said}, which no run of cloudfail does: somebody, or Azure, suspended it.",
                UNCHANGED,
                f"See why, and then: az servicebus {what} update --ids {seen.name} --status {ON} (or {OFF})",
            )
        return None

    def dangers(self, region: str, seen: Switch) -> tuple[str, ...]:
        """One that nobody receives from is idle, and Service Bus deletes it, with all that it keeps, after
        `autoDeleteOnIdle` ("Azure Service Bus: topics and subscriptions", AutoDeleteOnIdle)."""
        idle = str(seen.raw.get("autoDeleteOnIdle") or "")
        if not idle or _NEVER.fullmatch(idle):
            return ()
        return (f"{seen.name} is deleted, with all that it keeps, once it was idle for {idle} (autoDeleteOnIdle).",)

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        body = {
            "properties": {
                **written(seen.raw),
                "status": ON if enabled else OFF,
                "userMetadata": self._marked(seen, call),
            }
        }
        self._asking.change(region, "PUT", seen.name, VERSION, call=call, body=body)
        kept = "hands out what waited, too" if enabled else "keeps what is sent to it"
        call.log(f"{seen.name} {kept}")

    def _marked(self, seen: Switch, call: Call) -> str:
        text = _MARK.sub("", str(seen.raw.get("userMetadata") or ""))
        mark = f"[cloudfail app={self.application} epoch={call.epoch} run={_UNFIT.sub('-', call.run)[:80]}]"
        whole = f"{text} {mark}" if text else mark
        if len(whole) > METADATA_MAX:
            raise Permanent(
                f"The userMetadata of {seen.name} has no room for the mark of a run.",
                UNCHANGED,
                f"Shorten it by {len(whole) - METADATA_MAX} characters.",
            )
        return whole


def written(properties: Mapping[str, Any]) -> dict[str, Any]:
    """All of it that can be written."""
    return {key: value for key, value in properties.items() if key not in _READ_ONLY and value is not None}


def namespace_of(id_: str) -> str:
    """The namespace of a queue, or of a topic's subscription."""
    above = parent_of(id_)
    return above if type_of(above).lower() == "namespaces" else parent_of(above)


def _at_home(asking: Asking, region: str, id_: str, *, within: float) -> None:
    """Raises Permanent where it stands in another region: the one slip that would turn on what must stay off."""
    space = namespace_of(id_)
    location = str(asking.read(region, space, VERSION, within=within).get("location") or "")
    if not location:
        raise Transient(f"Azure answers, and does not tell where {space} stands.")
    must_stand(id_, region, location, asking.resource.name)


def queue(resource: Resource, topology: Topology) -> ServiceBus:
    """Kind.build of service-bus-queue."""
    members = {region: QueueMember.model_validate(member) for region, member in resource.members.items()}
    return ServiceBus(Asking.of(resource, topology), members)


def subscription(resource: Resource, topology: Topology) -> ServiceBus:
    """Kind.build of service-bus-subscription."""
    members = {region: TopicMember.model_validate(member) for region, member in resource.members.items()}
    return ServiceBus(Asking.of(resource, topology), members)
