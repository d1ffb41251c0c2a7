"""consumers: eventarc-trigger. A trigger of Eventarc, stopped at the Pub/Sub subscription that delivers for it.

Eventarc has no way to pause a trigger. Its destination can be patched; but that moves its events to another service, at
once, also to a region that is not promoted yet (invariant I5), and keeps none of them. Its transport is a push
subscription, which Eventarc makes and names in `transport.pubsub.subscription`, and whose settings it leaves to people
("Retry events": retries and retention are configured in that subscription). So that is where it is stopped and started,
as pubsub_subscription.py does.

Whose hand it is all the same: an update of the trigger may write the push configuration anew. It is read afterwards,
from the subscription and not from the trigger, and the run goes on watching. A trigger that was made anew has another
subscription, so the trigger is asked each time which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail_consumers.switches import UNCHANGED
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.consumers.options import TriggerMember
from cloudfail_gcp.consumers.pubsub_subscription import PubsubSubscription
from cloudfail_gcp.consumers.switches import at_home


class EventarcTrigger(PubsubSubscription):
    """One trigger in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, Any]) -> None:
        super().__init__(asking, members)
        at_home({region: member.trigger for region, member in members.items()}, asking.resource.name)

    def path(self, region: str, *, within: float) -> str:
        trigger: str = self.member(region).trigger
        raw = self._asking.read("eventarc", region, f"v1/{trigger}", within=within)
        if raw.get("name") != trigger:
            raise Transient(f"Eventarc answers, and says nothing of {trigger}.")
        path = str(((raw.get("transport") or {}).get("pubsub") or {}).get("subscription") or "")
        if not path:
            raise Permanent(
                f"The trigger {trigger} names no subscription that delivers for it.",
                UNCHANGED,
                f"Look at its conditions: gcloud eventarc triggers describe {trigger}",
            )
        return path


def build(resource: Resource, topology: Topology) -> EventarcTrigger:
    """Kind.build."""
    members = {region: TriggerMember.model_validate(member) for region, member in resource.members.items()}
    return EventarcTrigger(Asking.of(resource, topology), members)
