"""What Google's name servers answer from a managed zone's record sets: values in, values out.

After its documentation: items by weight, those whose targets are all unhealthy left out; where every weight is on such
items another one is sampled, and an item of weight zero is not kept from it, which is the worse of two readings; the
nearest location; the primary while it is healthy, else the backups, but for the trickle. All unhealthy: all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.emulators.aws.route53_answers import Found

RecordSet = dict[str, Any]
Item = Mapping[str, Any]


def as_records(sets: Sequence[Mapping[str, Any]]) -> list[RecordSet]:
    """In the shape that the name server (aws/zone_server.py) keeps them."""
    return [
        {
            "Name": one["name"],
            "Type": one["type"],
            "TTL": one.get("ttl", 300),
            "ResourceRecords": [{"Value": value} for value in one.get("rrdatas", ())],
            "policy": one.get("routingPolicy"),
        }
        for one in sets
    ]


class Answers:
    """Of one zone. `healthy` says it of one address. `near`: locations by how near the asker is. Weights are kept
    exactly, by counting."""

    def __init__(self, healthy: Callable[[str], bool], near: Sequence[str]) -> None:
        self._healthy = healthy
        self._near = list(near)
        self._asked = 0

    def find(self, records: Sequence[RecordSet], name: str, kind: str) -> Found:
        plain = name.rstrip(".").lower()
        same = [one for one in records if one["Name"].rstrip(".").lower() == plain]
        sets = [one for one in same if one["Type"] == kind] or [one for one in same if one["Type"] == "CNAME"]
        if not sets:
            return Found((), 0, kind, bool(same))
        one = sets[0]
        values = self._policy(one["policy"]) if one["policy"] else [each["Value"] for each in one["ResourceRecords"]]
        return Found(tuple(values), one["TTL"], one["Type"], True)

    def _policy(self, policy: Mapping[str, Any]) -> list[str]:
        self._asked += 1
        if "wrr" in policy:
            return self._by_weight(policy["wrr"]["items"])
        if "geo" in policy:
            return self._nearest(policy["geo"]["items"])
        both = policy["primaryBackup"]
        primary = [value for value in _targets(both["primaryTargets"]) if self._healthy(value)]
        trickle = float(both.get("trickleTraffic", 0))
        trickles = int(self._asked * trickle) > int((self._asked - 1) * trickle)
        return primary if primary and not trickles else self._nearest(both["backupGeoTargets"]["items"])

    def _by_weight(self, items: Sequence[Item]) -> list[str]:
        well = [one for one in items if self._well(one)]
        if not well:
            return _values(items[self._asked % len(items)])
        weighing = [one for one in well if one.get("weight", 0) > 0] or well
        at = self._asked % max(1, int(sum(one.get("weight", 0) for one in weighing)))
        for one in weighing:
            at -= int(one.get("weight", 0))
            if at < 0:
                return self._well(one) or _values(one)
        return self._well(weighing[0])

    def _nearest(self, items: Sequence[Item]) -> list[str]:
        order = sorted(items, key=lambda one: self._near.index(one["location"]))
        return next((found for one in order if (found := self._well(one))), _values(order[0]))

    def _well(self, item: Item) -> list[str]:
        if not item.get("healthCheckedTargets"):
            return list(item["rrdatas"])
        return [value for value in _values(item) if self._healthy(value)]


def _values(item: Item) -> list[str]:
    return [*item.get("rrdatas", ()), *_targets(item.get("healthCheckedTargets", {}))]


def _targets(targets: Mapping[str, Any]) -> list[str]:
    return [
        *targets.get("externalEndpoints", ()),
        *(one["ipAddress"] for one in targets.get("internalLoadBalancers", ())),
    ]
