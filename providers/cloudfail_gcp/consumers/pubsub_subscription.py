"""consumers: pubsub-subscription. A push subscription, stopped by taking its push configuration out.

Without one Pub/Sub pushes nothing, keeps what is published for as long as the subscription retains it, and hands it to
whoever pulls: "effectively pausing the subscription if Pull or StreamingPull is not called" (Pub/Sub v1,
ModifyPushConfigRequest). Whether somebody does cannot be seen. `detach` is final, loses the backlog, and is not used.

One `subscriptions.patch` carries the push configuration and the labels, which are the mark: application and epoch.
Neither is ever there without the other. The mask has no finer part of the labels, so all of them go back as they were
read (VerbFacts "watching", and `shared`).

Members of two regions may name one subscription, each with where it pushes for them. Then the region that takes over
takes it: what waits is delivered once, and there is no second backlog.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_consumers.switches import UNCHANGED, Switch
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.consumers.options import Push, SubscriptionMember
from cloudfail_gcp.consumers.push import config, endpoint, unlike
from cloudfail_gcp.consumers.switches import Switched

EPOCH, OWNER = "cloudfail-epoch", "cloudfail-application"
_EXPORTS = ("bigqueryConfig", "cloudStorageConfig", "bigtableConfig")


class PubsubSubscription(Switched):
    """One subscription in each region, or one for all."""

    def path(self, region: str, *, within: float) -> str:
        """The subscription of that region."""
        return str(self.member(region).subscription)

    def elsewhere(self, region: str, path: str) -> list[Push]:
        """Where that subscription pushes for other regions."""
        return [
            one.push
            for other, one in self._members.items()
            if other != region and getattr(one, "subscription", "") == path
        ]

    def describe(self, region: str, *, within: float) -> Switch:
        until = self._asking.deadline(within)
        path = self.path(region, within=within)
        raw = self._asking.read("pubsub", region, f"v1/{path}", within=max(0.01, self._asking.left_until(until)))
        if raw.get("name") != path:
            raise Transient(f"Pub/Sub answers, and says nothing of {path}.")
        name = f"the subscription {path}"
        _refuse_others(raw, name)
        found = raw.get("pushConfig") or {}
        labels = raw.get("labels") or {}
        enabled, said = self._stands(region, path, raw, found, name)
        kept = repr(sorted(found.items())), labels.get(EPOCH), labels.get(OWNER), raw.get("state")
        owner, epoch = str(labels.get(OWNER, "")), str(labels.get(EPOCH, ""))
        return Switch(
            name=name,
            enabled=enabled,
            version=hashlib.sha256(repr(kept).encode()).hexdigest()[:16],
            said=said,
            epoch=int(epoch) if epoch.isdigit() and owner == self.application else None,
            owner=owner,
            raw=raw,
        )

    def _stands(
        self, region: str, path: str, raw: Mapping[str, Any], found: Mapping[str, Any], name: str
    ) -> tuple[bool | None, str]:
        push: Push = self.member(region).push
        if not endpoint(found):
            return False, "not pushed"
        differs = unlike(found, push)
        if not differs:
            # An endpoint that is set, and to which Pub/Sub says that nothing can be delivered.
            state = str(raw.get("state") or "ACTIVE")
            return (True, "pushed") if state == "ACTIVE" else (None, f"in {state}")
        if any(not unlike(found, one) for one in self.elsewhere(region, path)):
            return False, f"pushed to {endpoint(found)}, another region's"
        raise Permanent(
            f"{name} {differs}, and that is not what cloudfail.yaml says of {region}: it could not be put back.",
            UNCHANGED,
            f"Correct `push` of {region} in cloudfail.yaml: gcloud pubsub subscriptions describe {path}",
        )

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        path, push = str(seen.raw["name"]), self.member(region).push
        mark = {EPOCH: str(call.epoch), OWNER: self.application}
        wanted = {
            "name": path,
            "pushConfig": config(push) if enabled else {},
            "labels": {**(seen.raw.get("labels") or {}), **mark},
        }
        body = {"subscription": wanted, "updateMask": "pushConfig,labels"}
        self._asking.change("pubsub", region, "PATCH", f"v1/{path}", call=call, body=body)
        if enabled:
            call.log(f"{seen.name} pushes to {push.endpoint}, what waited for it as well")
        else:
            kept = seen.raw.get("messageRetentionDuration", "7 days")
            call.log(f"{seen.name} pushes nothing, and keeps each message for {kept} from when it was published")

    def dangers(self, region: str, seen: Switch) -> tuple[str, ...]:
        """An idle subscription is deleted (Subscription.expirationPolicy; 31 days unless it says otherwise)."""
        policy = seen.raw.get("expirationPolicy")
        ttl = "31 days" if policy is None else policy.get("ttl")
        if seen.enabled or not ttl or endpoint(seen.raw.get("pushConfig") or {}):
            return ()
        ends = f"gcloud pubsub subscriptions update {seen.raw['name']} --expiration-period=never"
        return (f"{seen.name} is not pushed, and Pub/Sub deletes it after {ttl} without a subscriber: {ends}",)


def _refuse_others(raw: Mapping[str, Any], name: str) -> None:
    if raw.get("detached"):
        raise Permanent(
            f"{name} is detached from its topic, and that is final: it gets no message any more.",
            UNCHANGED,
            "Make a new one, and write it into cloudfail.yaml.",
        )
    if exports := next((one for one in _EXPORTS if raw.get(one)), ""):
        raise Permanent(
            f"{name} writes into a store ({exports}), and pushes to nobody.",
            UNCHANGED,
            "Take it out of cloudfail.yaml.",
        )


def build(resource: Resource, topology: Topology) -> PubsubSubscription:
    """Kind.build."""
    members = {region: SubscriptionMember.model_validate(member) for region, member in resource.members.items()}
    return PubsubSubscription(Asking.of(resource, topology), members)
