"""The record sets of one name: what they answer now, and what they must be for other weights. Pure.

What stays true, whatever is asked for:

- An answer set is never empty (invariant I5): no weights at all are refused, and a batch is applied whole or not.
- A region of weight zero does not come back by a health check (I8). Route 53 answers with records of weight zero, and
  with a failover's other record, while those that should answer are unhealthy. So wherever health decides about what is
  left, the record set of a region that is left is taken out of the zone; cloudfail.yaml says how it is put back.
- A record set keeps its health check: sets that stay are changed in nothing but their weight, and one whose health
  check cloudfail.yaml does not name is not taken out.

Sources: Route 53 developer guide, "How Amazon Route 53 chooses records when health checking is configured" and "Values
specific for weighted records" (all weights zero: each is answered alike).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent
from cloudfail_aws.dns.options import NameMember, Routing
from cloudfail_names.names import RecordType, canonical, value_of

RecordSet = Mapping[str, Any]
WEIGHT_MAX = 255


class NotOurs(Exception):
    """The zone holds what cloudfail.yaml does not say; the text is one sentence, with what to write."""


@dataclass(frozen=True)
class Place:
    """What one region answers with. `answers` are its literal values, or the name of its alias's target."""

    region: str
    identifier: str
    answers: tuple[str, ...]
    alias: Mapping[str, Any] | None = None
    health_check: str | None = None

    @property
    def asks_health(self) -> bool:
        return self.health_check is not None or bool(self.alias and self.alias["EvaluateTargetHealth"])


def place(region: str, member: NameMember, kind: RecordType) -> Place:
    """As cloudfail.yaml says it."""
    if member.alias is None:
        answers = tuple(sorted(value_of(answer, kind) for answer in member.answers))
        alias = None
    else:
        target = canonical(member.alias.name)
        alias = {
            "HostedZoneId": member.alias.zone,
            "DNSName": target,
            "EvaluateTargetHealth": member.alias.evaluate_target_health,
        }
        answers = (target,)
    return Place(region, member.set_identifier or region, answers, alias, member.health_check)


@dataclass(frozen=True)
class Name:
    """One name of one type, whose record sets choose the region. `places` in the order of cloudfail.yaml; for failover
    the first is PRIMARY. Raises Permanent for what no zone can hold."""

    name: str
    kind: RecordType
    routing: Routing
    ttl: int
    places: Mapping[str, Place]

    def __post_init__(self) -> None:
        answers = [answer for one in self.places.values() for answer in one.answers]
        identifiers = {one.identifier for one in self.places.values()}
        aliases = [one for one in self.places.values() if one.alias is not None]
        if len(self.places) < 2:
            raise Permanent(f"{self.name} has {len(self.places)} region to answer with; it needs two.")
        if len(answers) != len(set(answers)) or len(identifiers) != len(self.places):
            raise Permanent(f"Two regions of {self.name} answer alike, so that nobody could tell which one serves.")
        if self.routing == "failover" and len(self.places) != 2:
            raise Permanent(f"{self.name} is routed by failover, which knows two regions, and has {len(self.places)}.")
        if aliases and (self.routing == "multivalue" or self.kind == "CNAME"):
            raise Permanent(f"{self.name}: an alias can be neither {self.routing} nor {self.kind}.")
        if self.kind == "CNAME" and any(len(one.answers) > 1 for one in self.places.values()):
            raise Permanent(f"{self.name} is a CNAME: each region has one value.")

    # ---- what is there

    def weights(self, seen: Sequence[RecordSet]) -> dict[str, int]:
        """Region -> weight, as Route 53 answers. Raises NotOurs for what cloudfail.yaml does not describe."""
        if self.routing == "simple":
            return self._simple_weights(seen)
        found = self._by_region(seen)
        if self.routing == "weighted":
            weights = {region: int(found[region]["Weight"]) if region in found else 0 for region in self.places}
            # All of them zero: Route 53 answers each alike.
            return weights if any(weights.values()) else {region: int(region in found) for region in self.places}
        if self.routing == "failover":
            serves = next(region for region in self.places if region in found)
            return {region: 100 * (region == serves) for region in self.places}
        return {region: 100 * (region in found) for region in self.places}

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(
            sorted(
                answer for region, one in self.places.items() if weights.get(region, 0) > 0 for answer in one.answers
            )
        )

    @property
    def one_at_a_time(self) -> bool:
        return self.routing in ("weighted", "failover", "latency")

    def _simple_weights(self, seen: Sequence[RecordSet]) -> dict[str, int]:
        if len(seen) != 1 or "SetIdentifier" in seen[0]:
            raise NotOurs(
                f"{self.name} {self.kind} is {_routing_of(seen)} in the zone, and simple in cloudfail.yaml; "
                f"write routing: {_routing_of(seen)}"
            )
        held = set(held_by(seen[0], self.kind))
        weights = {region: 100 * held.issuperset(one.answers) for region, one in self.places.items()}
        strange = held.difference(self.answers(weights))
        if strange:
            raise NotOurs(f"{self.name} answers {', '.join(sorted(strange))}, which is no region's in cloudfail.yaml")
        return weights

    def _by_region(self, seen: Sequence[RecordSet]) -> dict[str, RecordSet]:
        named = {one.identifier: one for one in self.places.values()}
        found: dict[str, RecordSet] = {}
        for one in seen:
            identifier = one.get("SetIdentifier")
            if identifier not in named or _routing_of([one]) != self.routing:
                raise NotOurs(
                    f"{self.name} {self.kind} has a record set {identifier or 'without identifier'} "
                    f"({_routing_of([one])}) in the zone that cloudfail.yaml does not describe as {self.routing}; "
                    f"write the routing, and the set_identifier of each region, as they are"
                )
            meant = named[identifier]
            held = held_by(one, self.kind)
            if set(held) != set(meant.answers):
                raise NotOurs(
                    f"{self.name} {identifier} answers {', '.join(held)} in the zone, and "
                    f"{', '.join(meant.answers)} in cloudfail.yaml; write there what is so"
                )
            if self.routing == "failover" and one["Failover"] != self._role(meant.region):
                raise NotOurs(
                    f"{self.name} {identifier} is {one['Failover']} in the zone; "
                    f"write the PRIMARY region first in cloudfail.yaml"
                )
            found[meant.region] = one
        if not found:
            raise NotOurs(f"{self.name} {self.kind} has no record set in the zone")
        return found

    def _role(self, region: str) -> str:
        return "PRIMARY" if region == next(iter(self.places)) else "SECONDARY"

    # ---- what it must be

    def wanted(self, weights: Mapping[str, int], seen: Sequence[RecordSet]) -> list[RecordSet]:
        """The record sets for these weights, of those that were seen. Raises Permanent, NotOurs."""
        serving = [region for region in self.places if weights.get(region, 0) > 0]
        self._refuse(weights, serving)
        if self.routing == "simple":
            return [self._simple(serving, seen[0])]
        found = self._by_region(seen)
        if self.routing == "weighted":
            made = {
                region: {**(found.get(region) or self._made(region, found)), "Weight": weights[region]}
                for region in serving
            }
            if not all(_asks_health(one) for one in made.values()):
                # One of them is always healthy, so that a weight of zero keeps a region out.
                made |= {region: {**one, "Weight": 0} for region, one in found.items() if region not in serving}
        else:
            made = {region: dict(found.get(region) or self._made(region, found)) for region in serving}
            if self.routing == "failover" and serving == [next(iter(self.places))]:
                made |= {region: dict(one) for region, one in found.items() if region not in made}
        for region, one in found.items():
            if region not in made:
                self._can_be_put_back(region, one)
        return [made[region] for region in self.places if region in made]

    def _refuse(self, weights: Mapping[str, int], serving: Sequence[str]) -> None:
        unknown = [region for region in weights if region not in self.places]
        if unknown:
            raise Permanent(f"{self.name} has no answer for {unknown[0]}.", "Nothing was changed.")
        if not serving:
            raise Permanent(
                "Every weight is zero: Route 53 would answer with every region alike, or with none.",
                "Nothing was changed.",
            )
        if any(not 0 <= weight <= WEIGHT_MAX for weight in weights.values()):
            raise Permanent(f"A weight is a number from 0 to {WEIGHT_MAX}.", "Nothing was changed.")
        alone = self.kind == "CNAME" or any(one.alias is not None for one in self.places.values())
        if len(serving) > 1 and (self.routing == "failover" or (self.routing == "simple" and alone)):
            what = "routed by failover" if self.routing == "failover" else "a simple record of one value"
            raise Permanent(
                f"{self.name} is {what}: it answers with one region, not with {' and '.join(serving)}.",
                "Nothing was changed.",
            )

    def _simple(self, serving: Sequence[str], seen: RecordSet) -> RecordSet:
        kept = {key: seen[key] for key in ("Name", "Type", "HealthCheckId") if key in seen}
        if set(held_by(seen, self.kind)) == {answer for region in serving for answer in self.places[region].answers}:
            return seen
        return {**kept, **self._content(serving, self.ttl)}

    def _made(self, region: str, found: Mapping[str, RecordSet]) -> dict[str, Any]:
        one = self.places[region]
        ttl = next((int(other["TTL"]) for other in found.values() if "TTL" in other), self.ttl)
        made: dict[str, Any] = {"Name": canonical(self.name), "Type": self.kind, "SetIdentifier": one.identifier}
        if self.routing == "failover":
            made["Failover"] = self._role(region)
            if made["Failover"] == "PRIMARY" and not one.asks_health:
                raise Permanent(
                    f"{self.name} {one.identifier} would be a failover's PRIMARY without a health check, never failing "
                    "over.",
                    "Nothing was changed.",
                    f"Write members: {{{region}: {{health_check: …}}}} in cloudfail.yaml.",
                )
        elif self.routing == "latency":
            made["Region"] = region
        elif self.routing == "multivalue":
            made["MultiValueAnswer"] = True
        if one.health_check is not None:
            made["HealthCheckId"] = one.health_check
        return {**made, **self._content([region], ttl)}

    def _content(self, serving: Sequence[str], ttl: int) -> dict[str, Any]:
        alias = self.places[serving[0]].alias
        if alias is not None:
            return {"AliasTarget": dict(alias)}
        values = sorted(answer for region in serving for answer in self.places[region].answers)
        return {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}

    def _can_be_put_back(self, region: str, seen: RecordSet) -> None:
        """What takes a record set out of the zone must know how it was."""
        alias = seen.get("AliasTarget")
        if alias is not None and dict(alias) != self.places[region].alias:
            raise Permanent(
                f"{self.name} {seen['SetIdentifier']} is an alias with zone {alias['HostedZoneId']} and "
                f"evaluate_target_health {alias['EvaluateTargetHealth']}, unlike cloudfail.yaml: taken out, it could "
                f"not be put back as it was.",
                "Nothing was changed.",
                f"Write in members: {{{region}: {{alias: …}}}} what the zone holds.",
            )
        held, named = seen.get("HealthCheckId"), self.places[region].health_check
        if held != named:
            raise Permanent(
                f"{self.name} {seen['SetIdentifier']} has the health check {held or 'none'} in the zone, and "
                f"{named or 'none'} in cloudfail.yaml: taken out, it could not be put back as it was.",
                "Nothing was changed.",
                f"Write members: {{{region}: {{health_check: {held}}}}}."
                if held
                else f"Remove health_check of {region}.",
            )


def held_by(one: RecordSet, kind: RecordType) -> tuple[str, ...]:
    """The values of a record set, or the name of its alias's target."""
    if "AliasTarget" in one:
        return (canonical(str(one["AliasTarget"]["DNSName"])),)
    return tuple(sorted(value_of(str(record["Value"]), kind) for record in one.get("ResourceRecords", ())))


def changes(seen: Sequence[RecordSet], wanted: Sequence[RecordSet]) -> list[dict[str, Any]]:
    """Exactly what was seen out, what is wanted in: Route 53 refuses the whole batch if a record set that is to go is
    not as it was seen, or if one that is to come stands there already."""
    kept = {_key(one) for one in wanted} & {_key(one) for one in seen}
    gone = [{"Action": "DELETE", "ResourceRecordSet": dict(one)} for one in seen if _key(one) not in kept]
    come = [{"Action": "CREATE", "ResourceRecordSet": dict(one)} for one in wanted if _key(one) not in kept]
    return gone + come


def health_checks(sets: Sequence[RecordSet]) -> list[str]:
    """Those that decide between these record sets; where there is but one, it is answered whatever its health."""
    if len(sets) < 2:
        return []
    return list(dict.fromkeys(str(one["HealthCheckId"]) for one in sets if "HealthCheckId" in one))


def _asks_health(one: RecordSet) -> bool:
    return "HealthCheckId" in one or bool(one.get("AliasTarget", {}).get("EvaluateTargetHealth"))


def _key(one: RecordSet) -> str:
    return json.dumps(one, sort_keys=True)


def _routing_of(sets: Sequence[RecordSet]) -> str:
    if not sets:
        return "not there"
    words = {
        "Weight": "weighted",
        "Failover": "failover",
        "Region": "latency",
        "MultiValueAnswer": "multivalue",
        "GeoLocation": "geolocation",
        "GeoProximityLocation": "geoproximity",
        "CidrRoutingConfig": "by address range",
    }
    return next((word for key, word in words.items() if key in sets[0]), "simple")
