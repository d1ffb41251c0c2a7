"""The record set of one name: what it answers now, and what it must be for other weights. Pure.

A name of one type has one record set: plain values, or a routing policy whose items have no name of their own. An item
is a region's if its values are those that cloudfail.yaml says of the region.

What stays true, whatever is asked for:

- An answer set is never empty (invariant I5): no weights at all are refused, and a change is applied whole or not.
- A region of weight zero does not come back by a health check (I8). Where health decides, Cloud DNS samples another
  item when all targets of one are unhealthy, and gives a backup when the primary is. So an item of a region that is
  left is taken out wherever health decides; cloudfail.yaml says how it is put back. A weight of zero keeps a region out
  only where nothing is health-checked.
- What is not ours of a policy (its health check, fencing) stays as it was seen.

Sources: Cloud DNS, "DNS routing policies and health checks" and "Configure DNS routing policies"; dns.v1,
RRSetRoutingPolicy and what it refers to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent
from cloudfail_gcp.dns.options import Routing
from cloudfail_gcp.dns.sets import Place, RecordSet, comparable, in_order_of, percent, routing_of, weighing
from cloudfail_names.names import RecordType, value_of

WEIGHT_MAX = 1000


class NotOurs(Exception):
    """The zone holds what cloudfail.yaml does not say; the text is one sentence, with what to write."""


@dataclass(frozen=True)
class Name:
    """One name of one type. `places`: the first is the one that serves when all is well; for primary-backup it is the
    primary. Raises Permanent for what no zone can hold."""

    name: str
    kind: RecordType
    routing: Routing
    ttl: int
    places: Mapping[str, Place]

    def __post_init__(self) -> None:
        answers = [answer for one in self.places.values() for answer in one.answers]
        checked = [one.region for one in self.places.values() if one.targets]
        if len(self.places) < 2:
            raise Permanent(f"{self.name} has {len(self.places)} region to answer with; it needs two.")
        if len(answers) != len(set(answers)):
            raise Permanent(f"Two regions of {self.name} answer alike, so that nobody could tell which one serves.")
        if self.kind == "CNAME" and any(len(one.answers) > 1 for one in self.places.values()):
            raise Permanent(f"{self.name} is a CNAME: each region has one value.")
        if checked and (self.routing == "simple" or self.kind == "CNAME"):
            raise Permanent(
                f"{self.name} is {self.routing} {self.kind}, and has no health that Cloud DNS could follow."
            )
        if self.routing in ("wrr", "geo") and 0 < len(checked) < len(self.places):
            raise Permanent(f"{self.name}: a policy has health-checked targets for every region, or for none.")
        balanced = any("internalLoadBalancers" in one.targets for one in self.places.values())
        if self.routing == "primary-backup" and balanced and len(checked) < len(self.places):
            raise Permanent(f"{self.name}: any region may become the primary; write the load_balancers of both.")
        if self.routing == "primary-backup" and (
            len(self.places) != 2 or self.kind == "CNAME" or not self._first.targets
        ):
            raise Permanent(
                f"{self.name} is routed by primary-backup: that takes two regions, A or AAAA, and health-checked "
                f"targets for {self._first.region}."
            )

    @property
    def _first(self) -> Place:
        return next(iter(self.places.values()))

    @property
    def one_at_a_time(self) -> bool:
        return self.routing != "simple"

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(
            sorted(
                answer for region, one in self.places.items() if weights.get(region, 0) > 0 for answer in one.answers
            )
        )

    # ---- what is there

    def weights(self, seen: Sequence[RecordSet]) -> dict[str, int]:
        """Region -> weight, as Cloud DNS answers. Raises NotOurs for what cloudfail.yaml does not describe."""
        policy = self._policy(seen)
        if self.routing == "simple":
            return self._simple_weights(seen[0])
        if self.routing == "primary-backup":
            return self._primary_backup_weights(policy)
        found = self._items(policy[self.routing].get("items") or [])
        if self.routing == "geo":
            return {region: 100 * (region in found) for region in self.places}
        given = {region: float(found[region].get("weight", 0)) if region in found else 0.0 for region in self.places}
        if not any(given.values()):
            raise NotOurs(
                f"{self.name} has the weight zero everywhere, for which Google names no answer; give one a weight"
            )
        if all(weight.is_integer() for weight in given.values()):
            return {region: int(weight) for region, weight in given.items()}
        whole = sum(given.values())
        return {region: percent(weight / whole) for region, weight in given.items()}

    def may_come_back(self, seen: Sequence[RecordSet]) -> list[str]:
        """Regions of weight zero that are in the zone where health decides. Raises NotOurs."""
        if self.routing != "wrr":
            return []
        found = self._items(self._policy(seen)["wrr"].get("items") or [])
        checked = any(one.get("healthCheckedTargets") for one in found.values())
        return [region for region, one in found.items() if checked and not float(one.get("weight", 0))]

    def _policy(self, seen: Sequence[RecordSet]) -> Mapping[str, Any]:
        found = routing_of(seen[0]) if len(seen) == 1 else "not there"
        if found != self.routing:
            raise NotOurs(
                f"{self.name} {self.kind} is {found} in the zone, and {self.routing} in cloudfail.yaml; "
                f"write routing: {found}"
            )
        policy: Mapping[str, Any] = seen[0].get("routingPolicy") or {}
        return policy

    def _simple_weights(self, seen: RecordSet) -> dict[str, int]:
        held = set(self._values(seen.get("rrdatas") or ()))
        weights = {region: 100 * held.issuperset(one.answers) for region, one in self.places.items()}
        strange = held.difference(self.answers(weights))
        if strange or not any(weights.values()):
            raise NotOurs(f"{self.name} answers {', '.join(sorted(held))}, which is no region's in cloudfail.yaml")
        return weights

    def _items(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for one in items:
            meant = self._whose(self._held(one))
            if meant.region in found:
                raise NotOurs(f"{self.name} has two items with what {meant.region} answers; leave one of them")
            if "location" in one and one["location"] != meant.location:
                raise NotOurs(
                    f"{self.name} has {meant.region} at {one['location']} in the zone, and at {meant.location} in "
                    f"cloudfail.yaml; write location: {one['location']}"
                )
            found[meant.region] = one
        if not found:
            raise NotOurs(f"{self.name} {self.kind} has a policy without items")
        return found

    def _primary_backup_weights(self, policy: Mapping[str, Any]) -> dict[str, int]:
        first, second = self.places
        primary, backups = self._primary_and_backups(policy)
        if backups == {primary}:
            return {region: 100 * (region == primary) for region in self.places}
        if primary != first or backups != {second}:
            raise NotOurs(
                f"{self.name} has {primary} as its primary and {' and '.join(sorted(backups))} as backup; "
                f"cloudfail.yaml means {first}, the topology's primary, and {second} alone as backup"
            )
        # A primary that is in the zone may answer, also where all is sent to the backup.
        trickle = min(99, percent(float(policy["primaryBackup"].get("trickleTraffic") or 0.0)))
        return {first: 100 - trickle, second: trickle}

    def _primary_and_backups(self, policy: Mapping[str, Any]) -> tuple[str, set[str]]:
        both = policy["primaryBackup"]
        primary = self._whose(self._held({"healthCheckedTargets": both.get("primaryTargets") or {}})).region
        return primary, set(self._items((both.get("backupGeoTargets") or {}).get("items") or []))

    def _whose(self, held: tuple[str, ...]) -> Place:
        for one in self.places.values():
            if set(one.answers) == set(held):
                return one
        raise NotOurs(
            f"{self.name} has an item that answers {', '.join(held) or 'nothing'}, which is no region's in "
            f"cloudfail.yaml"
        )

    def _held(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        targets = item.get("healthCheckedTargets") or {}
        balancers = [str(one.get("ipAddress")) for one in targets.get("internalLoadBalancers") or ()]
        return self._values([*(item.get("rrdatas") or ()), *(targets.get("externalEndpoints") or ()), *balancers])

    def _values(self, given: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted(value_of(str(one), self.kind) for one in given))

    # ---- what it must be

    def wanted(self, weights: Mapping[str, int], seen: Sequence[RecordSet]) -> list[RecordSet]:
        """The record set for these weights, of that which was seen. Raises Permanent, NotOurs."""
        serving = [region for region in self.places if weights.get(region, 0) > 0]
        self._refuse(weights, serving)
        policy = self._policy(seen)
        if self.routing == "simple":
            return [self._simple(serving, seen[0])]
        if self.routing == "primary-backup":
            made = self._primary_backup(weights, serving, policy)
        else:
            made = self._weighted(weights, serving, policy) if self.routing == "wrr" else self._geo(serving, policy)
        return [{**seen[0], "routingPolicy": {**policy, **made}}]

    def _refuse(self, weights: Mapping[str, int], serving: Sequence[str]) -> None:
        unknown = [region for region in weights if region not in self.places]
        if unknown:
            raise Permanent(f"{self.name} has no answer for {unknown[0]}.", "Nothing was changed.")
        if any(not 0 <= weight <= WEIGHT_MAX for weight in weights.values()):
            raise Permanent(f"A weight is a number from 0 to {WEIGHT_MAX}.", "Nothing was changed.")
        if not serving:
            raise Permanent(
                "Every weight is zero: this would leave the name without an answer.", "Nothing was changed."
            )
        if len(serving) > 1 and self.routing == "simple" and self.kind == "CNAME":
            raise Permanent(
                f"{self.name} is a CNAME: it answers with one region, not with {' and '.join(serving)}.",
                "Nothing was changed.",
            )

    def _simple(self, serving: Sequence[str], seen: RecordSet) -> RecordSet:
        values = sorted(answer for region in serving for answer in self.places[region].answers)
        if list(self._values(seen.get("rrdatas") or ())) == values:
            return seen
        return {"name": seen["name"], "type": self.kind, "ttl": self.ttl, "rrdatas": values}

    def _weighted(
        self, weights: Mapping[str, int], serving: Sequence[str], policy: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = self._items(policy["wrr"].get("items") or [])
        checked = any(one.get("healthCheckedTargets") for one in found.values())
        items = []
        for region, one in self.places.items():
            if region in serving:
                items.append(weighing(found.get(region) or one.content, weights[region]))
            elif region in found and not checked:
                items.append(weighing(found[region], 0))
            elif region in found:
                self._can_be_put_back(one, found[region])
        return {"wrr": {**policy["wrr"], "items": in_order_of(items, policy["wrr"].get("items") or [])}}

    def _geo(self, serving: Sequence[str], policy: Mapping[str, Any]) -> dict[str, Any]:
        found = self._items(policy["geo"].get("items") or [])
        for region in found:
            if region not in serving:
                self._can_be_put_back(self.places[region], found[region])
        items = [found.get(region) or self._at_its_place(self.places[region]) for region in serving]
        return {"geo": {**policy["geo"], "items": in_order_of(items, policy["geo"].get("items") or [])}}

    def _primary_backup(
        self, weights: Mapping[str, int], serving: Sequence[str], policy: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The region that was left is neither primary nor backup: both are the other one. Trickle is the share of a
        backup that serves as well, and nothing where one region serves."""
        first, second = self.places.values()
        now = self._primary_backup_weights(policy)
        if now == dict(weights) or (serving == [first.region] and now == {first.region: 100, second.region: 0}):
            return {}
        both, backups = policy["primaryBackup"], policy["primaryBackup"].get("backupGeoTargets") or {}
        self._primary_can_be_put_back(both)
        primary, backup = (second, second) if serving == [second.region] else (first, second)
        share = weights.get(second.region, 0) / sum(weights.values()) if len(serving) == 2 else 0.0
        return {
            "primaryBackup": {
                **both,
                "primaryTargets": primary.primary_targets,
                "backupGeoTargets": {**backups, "items": [self._at_its_place(backup)]},
                "trickleTraffic": round(share, 4),
            }
        }

    def _primary_can_be_put_back(self, both: Mapping[str, Any]) -> None:
        for item in both["backupGeoTargets"]["items"]:
            self._can_be_put_back(self._whose(self._held(item)), item)
        held = both["primaryTargets"]
        meant = self._whose(self._held({"healthCheckedTargets": held}))
        self._can_be_put_back(meant, held, meant.primary_targets)

    def _at_its_place(self, one: Place) -> dict[str, Any]:
        return {"location": one.location, **one.content}

    def _can_be_put_back(self, one: Place, seen: Mapping[str, Any], meant: Mapping[str, Any] | None = None) -> None:
        """What takes an item out of the zone must know how it was."""
        held = {key: value for key, value in seen.items() if key not in ("weight", "location")}
        if comparable(held) != comparable(meant or one.content):
            raise Permanent(
                f"{self.name} has {json.dumps(held)} for {one.region} in the zone, unlike cloudfail.yaml: taken out, "
                f"it could not be put back as it was.",
                "Nothing was changed.",
                f"Write in members: {{{one.region}: …}} what the zone holds (health_checked, load_balancers).",
            )
