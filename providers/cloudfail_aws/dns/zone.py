"""dns: route53-zone. Many names of one hosted zone, moved together, a batch at a time.

Each call of `shift` is one batch and so one effect; the next look says how many names are left. A batch says of each
name what was seen, so that Route 53 refuses it where a name is not as it was. One that is refused although the zone is
as it was seen (a name is protected, say) is cut in halves until what is wrong stands alone, and everything else moves.
There is no mark beside each name, which would double the batches: a late call whose names have come back to exactly
what it saw is not refused, and is repaired by watching.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.dns import zones
from cloudfail_aws.dns.batches import RECORDS_MAX, Isolation, Move, TooLarge, batches, changes_of
from cloudfail_aws.dns.options import ZoneMember, ZoneOptions
from cloudfail_aws.dns.records import NotOurs, RecordSet, changes, held_by
from cloudfail_aws.errors import code_of
from cloudfail_names.names import MARK_LABEL, canonical, is_owned_by, mark_name, mark_of, unquoted, value_of
from cloudfail_names.resolving import Resolvers

PAGE = "300"
SNAPSHOTS_MAX = 4
"""How many readings are kept for the calls that follow them."""
NAMED_MAX = 5
REFUSED = "InvalidChangeBatch"
BATCH_SECONDS = 12.0
"""How long Route 53 may take to answer a batch, within the call's time: it holds a thousand records against the zone
before it says yes. A batch that is given up sooner is an outcome that nobody knows."""


@dataclass
class _Snapshot:
    sets: Mapping[str, RecordSet]
    version: str
    weights: Mapping[str, int]
    spread: str
    ttl: float
    poisoned: dict[str, str] = field(default_factory=dict)


class Zone:
    """Many names. `asking`: that of the process unless a test has its own. records_max: of one batch."""

    def __init__(
        self,
        resource: Resource,
        topology: Topology,
        asking: Asking | None = None,
        *,
        records_max: int = RECORDS_MAX,
    ) -> None:
        self._records_max = records_max
        self._options = options = ZoneOptions.model_validate(dict(resource.options))
        self._asking = asking or Asking.of(resource, topology)
        self._owner = topology.application
        domain = canonical(options.domain)
        self._names = [name if name.endswith(".") else f"{name}.{domain}" for name in map(str.lower, options.names)]
        outside = [name for name in self._names if name != domain and not name.endswith(f".{domain}")]
        if outside or len(set(self._names)) != len(self._names):
            raise Permanent(
                f"{outside[0]} is not in {domain}" if outside else f"A name of {resource.name} stands twice."
            )
        self._domain = domain
        self._members = {
            region: ZoneMember.model_validate(resource.members[region])
            for region in zones.primary_first(resource.members, topology.primary)
        }
        words = [self._words(region) for region in self._members]
        if len(words) < 2 or len({one for held in words for one in held}) != sum(map(len, words)):
            raise Permanent(f"{resource.name} needs two regions or more that answer differently.")
        if any(one.suffix is not None for one in self._members.values()) and options.type != "CNAME":
            raise Permanent(f"{resource.name} has a suffix, which only names of type CNAME answer with.")
        self._snapshots: dict[str, _Snapshot] = {}
        # Name -> the record set that was refused, and why: it is not tried again while it stands so.
        self._poisoned: dict[str, tuple[RecordSet, str]] = {}
        self._resolvers = Resolvers(options.resolvers, options.answer_within)

    # ---- what a region means

    def _words(self, region: str) -> tuple[str, ...]:
        """What stands for the region's answers: its values, or *.suffix."""
        member = self._members[region]
        if member.suffix is not None:
            return (f"*.{canonical(member.suffix)}",)
        return tuple(value_of(answer, self._options.type) for answer in member.answers)

    def _values(self, region: str, name: str) -> tuple[str, ...]:
        member = self._members[region]
        if member.suffix is None:
            return self._words(region)
        return (f"{name.removesuffix(self._domain)}{canonical(member.suffix)}",)

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(sorted(one for region, weight in weights.items() if weight > 0 for one in self._words(region)))

    # ---- reading

    def read(self) -> Known[DnsState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._options.answer_within)
        except NotOurs as error:
            return Unknown(str(error), at)
        except CloudfailError as error:
            return Unknown(f"Route 53 did not say what the names of {self._domain} answer: {error}", at)
        return Known(
            DnsState(
                weights=seen.weights,
                answers=self.answers(seen.weights),
                ttl_seconds=seen.ttl,
                version=seen.version,
                detail=seen.spread,
            ),
            at,
        )

    def _look(self, within: float) -> _Snapshot:
        """The whole zone, page by page; what is of our names. Raises NotOurs and what `Asking.pages` raises."""
        listed = self._asking.pages(
            zones.SERVICE,
            zones.HOME,
            "list_resource_record_sets",
            "ResourceRecordSets",
            within=within,
            HostedZoneId=self._options.zone,
            MaxItems=PAGE,
        )
        ours, marks = set(self._names), {mark_name(name): name for name in self._names}
        found: dict[str, RecordSet] = {}
        for one in listed:
            name = canonical(one["Name"])
            if name in ours and one["Type"] == self._options.type:
                if name in found or "SetIdentifier" in one:
                    raise NotOurs(f"{name} {one['Type']} is no simple record; name it in a resource of dns: route53")
                found[name] = one
            elif name in marks and one["Type"] == "TXT":
                self._refuse_marked(marks[name], one)
        missing = [name for name in self._names if name not in found]
        if missing:
            raise NotOurs(
                f"{_some(missing)} {self._options.type} {'is' if len(missing) == 1 else 'are'} not in the zone"
            )
        return self._remember(self._snapshot(found))

    def _refuse_marked(self, name: str, mark: RecordSet) -> None:
        said = mark_of(unquoted(str(mark["ResourceRecords"][0]["Value"]))) if mark.get("ResourceRecords") else None
        if said is None or not is_owned_by(said, self._owner):
            owner = f"the application {said.owner}" if said is not None else "somebody else"
            raise NotOurs(f"{name} is moved by {owner}, as {MARK_LABEL}.{name} TXT says; take it out of one of the two")

    def _snapshot(self, found: Mapping[str, RecordSet]) -> _Snapshot:
        serving: Counter[str] = Counter()
        for name, one in found.items():
            held = set(held_by(one, self._options.type))
            regions = [region for region in self._members if held.issuperset(self._values(region, name))]
            strange = held.difference(value for region in regions for value in self._values(region, name))
            if strange or not regions:
                raise NotOurs(f"{name} answers {', '.join(sorted(held))}, which is no region's in cloudfail.yaml")
            serving.update(regions)
        digest = hashlib.sha256(json.dumps([found[name] for name in self._names], sort_keys=True).encode()).hexdigest()
        return _Snapshot(
            found,
            digest,
            {region: 100 * bool(serving[region]) for region in self._members},
            ", ".join(f"{serving[region]} of {len(found)} names in {region}" for region in self._members),
            max(float(one.get("TTL", self._options.ttl)) for one in found.values()),
        )

    def _remember(self, snapshot: _Snapshot) -> _Snapshot:
        self._snapshots[snapshot.version] = snapshot
        while len(self._snapshots) > SNAPSHOTS_MAX:
            del self._snapshots[next(iter(self._snapshots))]
        return snapshot

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        """Of names spread over the list, `resolve` at most: each must give the new answer for the step to be done."""
        asked = spread(self._names, self._options.resolve)
        heard = self._resolvers.each(dict.fromkeys(asked, self._options.type))
        if isinstance(heard, Unknown):
            return heard
        means = {
            name: {value: word for region in self._members for value, word in self._pairs(region, name)}
            for name in asked
        }
        return Known(
            {
                who: tuple(sorted({means[name].get(one, one) for name, given in said.items() for one in given}))
                for who, said in heard.value.items()
            },
            heard.at,
        )

    def _pairs(self, region: str, name: str) -> list[tuple[str, str]]:
        return list(zip(self._values(region, name), self._words(region), strict=True))

    # ---- changing

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        wanted = self._wanted(weights)
        seen = self._snapshots.get(expect.version)
        try:
            if seen is None or not self._moves(seen, wanted):
                # Nothing would be sent, so that Route 53 would not hold it against the zone: we do.
                seen = self._look(self._asking.left_until(until))
        except NotOurs as error:
            raise Permanent(f"{error}.", "Nothing was changed.") from error
        if seen.version != expect.version:
            raise Conflict(f"The names of {self._domain} are not as they were seen.")
        moves = self._moves(seen, wanted)
        tried = [move for move in moves if not self._is_poisoned(move.name, seen)]
        if moves and not tried:
            self._raise_poisoned([move.name for move in moves])
        if not tried:
            return
        try:
            first = batches(tried, records_max=self._records_max)[0]
        except TooLarge as error:
            raise Permanent(f"{error}.", "Nothing was changed.") from error
        self._apply(Isolation(first), seen, wanted, call, until)

    def _wanted(self, weights: Mapping[str, int]) -> list[str]:
        unknown = [region for region in weights if region not in self._members]
        if unknown:
            raise Permanent(f"The names of {self._domain} have no answer for {unknown[0]}.", "Nothing was changed.")
        serving = [region for region in self._members if weights.get(region, 0) > 0]
        if not serving:
            raise Permanent(
                "Every weight is zero: this would leave every name without an answer.", "Nothing was changed."
            )
        if self._options.type == "CNAME" and len(serving) > 1:
            raise Permanent(
                f"A CNAME answers with one region, not with {' and '.join(serving)}.", "Nothing was changed."
            )
        return serving

    def _moves(self, seen: _Snapshot, serving: Sequence[str]) -> list[Move]:
        found = []
        for name in self._names:
            one = seen.sets[name]
            values = sorted(value for region in serving for value in self._values(region, name))
            if sorted(held_by(one, self._options.type)) != values:
                new = {
                    **{key: one[key] for key in ("Name", "Type", "HealthCheckId") if key in one},
                    "TTL": int(self._options.ttl),
                    "ResourceRecords": [{"Value": value} for value in values],
                }
                found.append(Move(name, tuple(changes([one], [new]))))
        return found

    def _apply(self, isolation: Isolation, seen: _Snapshot, serving: Sequence[str], call: Call, until: float) -> None:
        """The first group that Route 53 takes, and no other: one effect. What it refuses because the zone is not as it
        was seen is Conflict, and the next look begins anew; only what it refuses of a zone that is, is cut apart."""
        looked = False
        while (group := isolation.next()) is not None:
            left = self._asking.left_until(until)
            if left <= 0:
                raise Transient("The call's time was up while a batch that was refused was cut apart.")
            try:
                self._asking.patient(BATCH_SECONDS).change(
                    zones.SERVICE,
                    zones.HOME,
                    "change_resource_record_sets",
                    call=zones.within(call, left),
                    HostedZoneId=self._options.zone,
                    ChangeBatch={"Comment": f"cloudfail {call.run} epoch {call.epoch}", "Changes": changes_of(group)},
                )
            except Permanent as error:
                if not isinstance(error.__cause__, Exception) or code_of(error.__cause__) != REFUSED:
                    raise
                if not looked and self._came_to_be_so(group, seen, serving, self._asking.left_until(until)):
                    return
                looked = True
                isolation.refused()
                for move in isolation.poisoned:
                    if move.name not in self._poisoned or not self._is_poisoned(move.name, seen):
                        self._poisoned[move.name] = (seen.sets[move.name], error.happened)
                        call.log(f"{move.name} is not moved: {error.happened}")
            else:
                isolation.applied()
                return
        self._raise_poisoned([move.name for move in isolation.poisoned])

    def _came_to_be_so(self, group: Sequence[Move], seen: _Snapshot, serving: Sequence[str], within: float) -> bool:
        """Whether the names of a batch that was refused are as it wanted them: an earlier try of it had that effect."""
        try:
            now = self._look(within)
        except NotOurs as error:
            raise Conflict(f"{error}.") from error
        if now.version == seen.version:
            return False
        if not {move.name for move in group} & {move.name for move in self._moves(now, serving)}:
            return True
        raise Conflict(f"The names of {self._domain} are not as they were seen.")

    def _is_poisoned(self, name: str, seen: _Snapshot) -> bool:
        return name in self._poisoned and self._poisoned[name][0] == seen.sets[name]

    def _raise_poisoned(self, names: Sequence[str]) -> None:
        raise Permanent(
            f"Route 53 refuses to move {_some(names)}: {self._poisoned[names[0]][1]}",
            "Every name that could be moved was, or is in a batch to come.",
            f"Look what is so: aws route53 list-resource-record-sets --hosted-zone-id {self._options.zone} "
            f"--start-record-name {names[0]}",
        )

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse a shift: names that are protected, not there, or not as cloudfail.yaml says."""
        at, ours = time.time(), set(self._names)
        try:
            self._look(self._options.answer_within)
            listed = self._asking.pages(
                zones.SERVICE,
                zones.HOME,
                "list_resource_record_set_protections",
                "ResourceRecordSetProtections",
                within=self._options.answer_within,
                HostedZoneId=self._options.zone,
            )
        except NotOurs as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        named = [canonical(one["RecordName"]) for one in listed if one["RecordType"] == self._options.type]
        return Known(tuple(f"{name} is protected against changes." for name in named if name in ours), at)


def spread(names: Sequence[str], count: int) -> list[str]:
    """So many of them, evenly over the list, its first and its last among them."""
    if count >= len(names):
        return list(names)
    last = len(names) - 1
    return [names[round(number * last / max(1, count - 1))] for number in range(count)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


def build(resource: Resource, topology: Topology) -> Zone:
    """Kind.build."""
    return Zone(resource, topology)
