"""Record sets as Google words them, as values: what of them counts, and how two are told apart. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail_gcp.dns.options import CloudDnsMember
from cloudfail_names.names import RecordType, canonical, value_of

RecordSet = Mapping[str, Any]
# What Google adds to what it is given: it is no part of what a deletion must match.
_ADDED = frozenset({"kind", "signatureRrdatas"})
_POLICIES = {"wrr": "wrr", "geo": "geo", "primaryBackup": "primary-backup"}


@dataclass(frozen=True)
class Place:
    """What one region answers with. `targets`: what Cloud DNS checks the health of, in its own words; {} for none."""

    region: str
    answers: tuple[str, ...]
    location: str
    targets: Mapping[str, Any]

    @property
    def content(self) -> dict[str, Any]:
        """Of its item in a policy."""
        return {"healthCheckedTargets": dict(self.targets)} if self.targets else {"rrdatas": list(self.answers)}

    @property
    def primary_targets(self) -> dict[str, Any]:
        return dict(self.targets) or {"externalEndpoints": list(self.answers)}


def place(region: str, member: CloudDnsMember, kind: RecordType) -> Place:
    """As cloudfail.yaml says it."""
    given = member.answers or tuple(one.ip_address for one in member.load_balancers)
    answers = tuple(sorted(value_of(answer, kind) for answer in given))
    targets: dict[str, Any] = {}
    if member.health_checked:
        targets = {"externalEndpoints": list(answers)}
    elif member.load_balancers:
        targets = {
            "internalLoadBalancers": [
                {
                    "loadBalancerType": one.type,
                    "ipAddress": one.ip_address,
                    "port": str(one.port),
                    "ipProtocol": one.ip_protocol,
                    "networkUrl": one.network_url,
                    "project": one.project,
                    **({"region": one.region} if one.region is not None else {}),
                }
                for one in member.load_balancers
            ]
        }
    return Place(region, answers, member.location or region, targets)


def plain(one: RecordSet) -> dict[str, Any]:
    """A record set without what Google adds to it by itself, its name in lower case with the dot at its end."""
    return {**_without_added(one), "name": canonical(str(one["name"]))}


def changes(seen: Sequence[RecordSet], wanted: Sequence[RecordSet]) -> tuple[list[RecordSet], list[RecordSet]]:
    """(deletions, additions): exactly what was seen out, what is wanted in. Google refuses the whole change if a record
    set that is to go is not as it was seen, or if one that is to come stands there already."""
    kept = {_key(one) for one in wanted} & {_key(one) for one in seen}
    gone = [one for one in seen if _key(one) not in kept]
    return gone, [one for one in wanted if _key(one) not in kept]


def routing_of(one: RecordSet) -> str:
    policy = one.get("routingPolicy")
    if not policy:
        return "simple"
    return next((word for key, word in _POLICIES.items() if policy.get(key)), "by a policy that is not known here")


def in_order_of(items: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]]) -> list[Any]:
    """In the order in which the zone has them, so that the same items are the same record set."""
    order = [comparable({key: value for key, value in one.items() if key != "weight"}) for one in seen]

    def where(item: Mapping[str, Any]) -> int:
        told = comparable({key: value for key, value in item.items() if key != "weight"})
        return order.index(told) if told in order else len(order)

    return sorted(items, key=where)


def weighing(item: Mapping[str, Any], weight: int) -> Mapping[str, Any]:
    """The same item where it weighs that already: a weight of zero may be left out."""
    same = "weight" in item and float(item["weight"]) == weight
    return item if same else {**item, "weight": weight}


def percent(share: float) -> int:
    """Of a region that gets anything, at least 1."""
    return max(1, round(100 * share)) if share > 0 else 0


def _without_added(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_added(one) for key, one in value.items() if key not in _ADDED}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 100.0 and 100 are one number in JSON
    return [_without_added(one) for one in value] if isinstance(value, list) else value


def comparable(value: Any) -> Any:
    """For comparing: the order in a list of values says nothing, nor does what is empty (gcloud writes empty targets
    beside values)."""
    if isinstance(value, Mapping):
        return json.dumps(
            {key: comparable(one) for key, one in value.items() if one not in ({}, [], "")}, sort_keys=True
        )
    return sorted(map(comparable, value)) if isinstance(value, (list, tuple)) else value


def _key(one: RecordSet) -> str:
    return json.dumps(one, sort_keys=True)
