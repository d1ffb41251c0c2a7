"""consumers: event-grid-subscription. An event subscription of Event Grid, stopped at the queue that it delivers to.

Event Grid has no way to pause one. A filter that nothing passes, or a subscription that is deleted and made again,
loses what is published meanwhile: what passes no filter is kept for nobody. A receiver that refuses loses it after a
day at most, or at once where it refuses as 400, 401, 403 or 413 ("Event Grid message delivery and retry").

Where the destination is a queue of Service Bus, all is well as it stands: Event Grid goes on delivering into it, the
queue keeps that while it is `ReceiveDisabled`, and hands it out afterwards. So that queue is what is turned, as
service_bus.py does. The event subscription is asked each time which one it is, and is itself never written. One that
leads elsewhere is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail_azure.asking import Asking
from cloudfail_azure.consumers.options import EventsMember
from cloudfail_azure.consumers.service_bus import ServiceBus
from cloudfail_azure.paths import same
from cloudfail_consumers.switches import UNCHANGED

EVENTS_VERSION = "2025-02-15"
QUEUE = "ServiceBusQueue"
_INSTEAD = {
    "ServiceBusTopic": "Name the subscription of that topic, as `consumers: service-bus-subscription`.",
    "AzureFunction": "Turn the function off, as `consumers: function-app`: Event Grid tries again for a day at most.",
}


class EventGridSubscription(ServiceBus):
    """One event subscription in each region."""

    def id_of(self, region: str, *, within: float) -> str:
        member: EventsMember = self.member(region)
        told = self._asking.read(region, member.events, EVENTS_VERSION, within=within)
        properties = told.get("properties") or {}
        if not same(str(told.get("id", "")), member.events) or not properties:
            raise Transient(f"Event Grid answers, and says nothing of {member.events}.")
        destination = _destination(properties)
        kind = str(destination.get("endpointType") or "nowhere that it tells")
        queue = str((destination.get("properties") or {}).get("resourceId") or "")
        if kind != QUEUE or not queue:
            instead = "Let it deliver to a queue of Service Bus, from which the receiver reads."
            raise Permanent(
                f"{member.events} delivers to {kind}, and Event Grid has no way to stop that and keep what comes.",
                UNCHANGED,
                _INSTEAD.get(kind, instead),
            )
        if member.queue is not None and not same(queue, member.queue):
            raise Permanent(
                f"{member.events} delivers to {queue}, and not to {member.queue}, which is written for {region}.",
                UNCHANGED,
                f"Correct the members of {self._asking.resource.name} in cloudfail.yaml, and what its roles may do.",
            )
        return queue


def _destination(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where it delivers to, by Event Grid's own account or by an identity of the topic's."""
    by_identity = properties.get("deliveryWithResourceIdentity") or {}
    found: Mapping[str, Any] = properties.get("destination") or by_identity.get("destination") or {}
    return found


def build(resource: Resource, topology: Topology) -> EventGridSubscription:
    """Kind.build."""
    members = {region: EventsMember.model_validate(member) for region, member in resource.members.items()}
    return EventGridSubscription(Asking.of(resource, topology), members)
