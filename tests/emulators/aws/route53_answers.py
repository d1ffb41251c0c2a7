"""What Route 53's name servers answer from a hosted zone's record sets: values in, values out.

After its documentation: weighted sets in proportion, those of weight 0 only when no other is healthy, and all alike
when every weight is 0; failover's primary while it is healthy, and also when neither is; an alias by what it points to;
a set without a health check is healthy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

ALIASES_MAX = 8
MULTIVALUE_MAX = 8
# Of an alias to a name outside of the zone: AWS's own load balancers have that.
OUTSIDE_TTL_SECONDS = 60
RecordSet = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """`values` empty: the name exists with other types (`exists`), or does not. `kind` is CNAME where that answers."""

    values: tuple[str, ...]
    ttl_seconds: int
    kind: str
    exists: bool


class Answers:
    """One zone's. `healthy` says it of a health check, by its id. `near`: regions by how near the asker is, for latency
    records. `outside` resolves an alias's target that is not in the zone. Weights are kept exactly, by counting."""

    def __init__(
        self,
        healthy: Callable[[str], bool] = lambda check: True,
        near: Sequence[str] = (),
        outside: Callable[[str], Sequence[str]] = lambda name: (),
    ) -> None:
        self._healthy = healthy
        self._near = list(near)
        self._outside = outside
        self._credit: dict[tuple[str, str, str], int] = {}

    def find(self, records: Sequence[RecordSet], name: str, kind: str) -> Found:
        return self._find(records, _plain(name), kind, ALIASES_MAX)

    def _find(self, records: Sequence[RecordSet], name: str, kind: str, left: int) -> Found:
        same = [one for one in records if _plain(one["Name"]) == name] or _wildcard(records, name)
        sets = [one for one in same if one["Type"] == kind]
        if not sets and kind != "CNAME":
            sets = [one for one in same if one["Type"] == "CNAME"]
        if not sets:
            below = any(_plain(one["Name"]).endswith(f".{name}") for one in records)
            return Found((), 0, kind, bool(same) or below)
        chosen = self._choose(records, sets, left)
        values: list[str] = []
        ttl = 0
        for one in chosen:
            target = one.get("AliasTarget")
            if target is None:
                values += [value["Value"] for value in one["ResourceRecords"]]
                ttl = one["TTL"]
            elif left == 0:
                break
            elif _in_zone(records, target["DNSName"]):
                there = self._find(records, _plain(target["DNSName"]), kind, left - 1)
                values += there.values
                ttl = there.ttl_seconds
            else:
                values += self._outside(_plain(target["DNSName"]))
                ttl = OUTSIDE_TTL_SECONDS
        return Found(tuple(values), ttl, sets[0]["Type"], True)

    def _choose(self, records: Sequence[RecordSet], sets: list[RecordSet], left: int) -> list[RecordSet]:
        def well(one: RecordSet) -> bool:
            return self._is_healthy(records, one, left)

        first = sets[0]
        if "Weight" in first:
            return [self._weighted(sets, well)]
        if "Failover" in first:
            ordered = sorted(sets, key=lambda one: one["Failover"] != "PRIMARY")
            return [next((one for one in ordered if well(one)), ordered[0])]
        if "Region" in first:
            ordered = sorted(sets, key=lambda one: (self._distance(one["Region"]), one["Region"]))
            return [next((one for one in ordered if well(one)), ordered[0])]
        if first.get("MultiValueAnswer"):
            return ([one for one in sets if well(one)] or sets)[:MULTIVALUE_MAX]
        return [first]

    def _distance(self, region: str) -> int:
        return self._near.index(region) if region in self._near else len(self._near)

    def _weighted(self, sets: list[RecordSet], well: Callable[[RecordSet], bool]) -> RecordSet:
        heavy = [one for one in sets if one["Weight"] > 0]
        able = [one for one in heavy if well(one)]
        if not able and heavy:
            able = [one for one in sets if one["Weight"] == 0 and well(one)] or heavy
        able = able or [one for one in sets if well(one)] or sets
        # Every set is given its weight, the richest answers and pays for all: in proportion after every round.
        whole, best = 0, able[0]
        for one in able:
            weight = one["Weight"] or 1
            key = _key(one)
            self._credit[key] = self._credit.get(key, 0) + weight
            whole += weight
            if self._credit[key] > self._credit[_key(best)]:
                best = one
        self._credit[_key(best)] -= whole
        return best

    def _is_healthy(self, records: Sequence[RecordSet], one: RecordSet, left: int) -> bool:
        if "HealthCheckId" in one and not self._healthy(one["HealthCheckId"]):
            return False
        target = one.get("AliasTarget")
        if target is None or not target["EvaluateTargetHealth"] or left == 0:
            return True
        name = _plain(target["DNSName"])
        there = [other for other in records if _plain(other["Name"]) == name and other["Type"] == one["Type"]]
        return not there or any(self._is_healthy(records, other, left - 1) for other in there)


def _key(one: RecordSet) -> tuple[str, str, str]:
    return _plain(one["Name"]), one["Type"], one["SetIdentifier"]


def _plain(name: str) -> str:
    return name.replace("\\052", "*").rstrip(".").lower()


def _in_zone(records: Sequence[RecordSet], name: str) -> bool:
    apex = next((_plain(one["Name"]) for one in records if one["Type"] == "SOA"), "")
    return _plain(name) == apex or _plain(name).endswith(f".{apex}")


def _wildcard(records: Sequence[RecordSet], name: str) -> list[RecordSet]:
    parent = name.partition(".")[2]
    while parent:
        found = [one for one in records if _plain(one["Name"]) == f"*.{parent}"]
        if found or any(_plain(one["Name"]) == parent for one in records):
            return found
        parent = parent.partition(".")[2]
    return []
