"""dns: route53. One name of a hosted zone, whose record sets choose the region.

A change is one batch: DELETE of exactly what was seen beside CREATE of what is wanted, and the same for the mark beside
it. Route 53 applies a batch whole or not at all, and refuses it where a record set that is to go is not as it was seen.
So `expect` is enforced by the service itself (fenced by condition); a call of an older epoch finds another mark and has
no effect; and no moment has an empty answer set (invariant I5).

What `read` says comes from Route 53's control plane, whose home is us-east-1. INSYNC is never asked for: it speaks of
Route 53's own servers, and the outside resolvers, whose word counts, are asked anyway.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.dns import zones
from cloudfail_aws.dns.options import NameMember, Route53Options
from cloudfail_aws.dns.records import Name, NotOurs, RecordSet, changes, health_checks, place
from cloudfail_names.names import Mark, canonical, is_owned_by, mark_name, mark_of, quoted, unquoted
from cloudfail_names.resolving import Resolvers

LOOK_AGAIN_SECONDS = 3.0
"""For finding out, after a batch was refused, what it was refused for."""


@dataclass(frozen=True)
class Seen:
    """The record sets of the name, and those of its mark (one, or none)."""

    sets: tuple[RecordSet, ...]
    marks: tuple[RecordSet, ...]

    @property
    def version(self) -> str:
        return json.dumps([list(self.sets), list(self.marks)], sort_keys=True)

    @classmethod
    def of(cls, version: str) -> Seen:
        sets, marks = json.loads(version)
        return cls(tuple(sets), tuple(marks))

    def mark(self) -> Mark | None:
        """Raises NotOurs for a text there that no run of ours wrote."""
        if not self.marks:
            return None
        values = [unquoted(str(one["Value"])) for one in self.marks[0].get("ResourceRecords", ())]
        found = mark_of(values[0]) if len(values) == 1 else None
        if found is None:
            raise NotOurs(f"{self.marks[0]['Name']} TXT is somebody else's; remove it, or move the name by hand")
        return found


class Route53:
    """One name. `asking`: that of the process unless a test has its own."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        self._options = options = Route53Options.model_validate(dict(resource.options))
        self._asking = asking or Asking.of(resource, topology)
        self._owner = topology.application
        self._name = Name(
            options.name,
            options.type,
            options.routing or "simple",
            int(options.ttl),
            {
                region: place(region, NameMember.model_validate(resource.members[region]), options.type)
                for region in zones.primary_first(resource.members, topology.primary)
            },
        )
        self._resolvers = Resolvers(options.resolvers, options.answer_within)

    # ---- reading

    def read(self) -> Known[DnsState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._options.answer_within)
            mark = seen.mark()
            weights = self._name.weights(seen.sets)
        except NotOurs as error:
            return Unknown(str(error), at)
        except CloudfailError as error:
            return Unknown(f"Route 53 did not say what {self._options.name} answers: {error}", at)
        answers = self._name.answers(weights)
        if mark is not None and set(mark.weights) == set(weights) and self._name.answers(mark.weights) == answers:
            # Where record sets have no weight of their own, the mark remembers the one that was meant.
            weights = weights if self._name.routing == "weighted" else dict(mark.weights)
        return Known(
            DnsState(
                weights=weights,
                answers=answers,
                ttl_seconds=float(next((one["TTL"] for one in seen.sets if "TTL" in one), self._options.ttl)),
                version=seen.version,
                epoch=mark.epoch if mark is not None else None,
                one_at_a_time=self._name.one_at_a_time,
            ),
            at,
        )

    def _look(self, within: float) -> Seen:
        until = self._asking.deadline(within)
        name, mark = canonical(self._options.name), mark_name(self._options.name)
        sets = zones.sets_of(self._asking, self._options.zone, name, self._options.type, within)
        marks = zones.sets_of(self._asking, self._options.zone, mark, "TXT", self._asking.left_until(until))
        return Seen(tuple(sets), tuple(marks))

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        targets = [one.answers[0] for one in self._name.places.values() if one.alias is not None]
        return self._resolvers.answers(self._options.name, self._options.type, targets)

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return self._name.answers(weights)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse a shift, found while nothing burns: protected record sets, health checks that are disabled,
        names of another owner. One sentence each; none is good."""
        at, within = time.time(), self._options.answer_within
        found: list[str] = []
        try:
            seen = self._look(within)
        except CloudfailError as error:
            return Unknown(str(error), at)
        try:
            self._must_be_ours(seen)
            self._name.weights(seen.sets)
        except (NotOurs, Permanent) as error:
            found.append(str(error))
        try:
            found += self._protected(within)
            for one in health_checks(seen.sets):
                found += zones.disabled(self._asking, one, within)
        except CloudfailError as error:
            return Known(tuple(found), at) if found else Unknown(str(error), at)
        return Known(tuple(found), at)

    # ---- changing

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        seen = Seen.of(expect.version)
        try:
            wanted = self._name.wanted(weights, seen.sets)
            mark = self._must_be_ours(seen)
        except NotOurs as error:
            raise Permanent(f"{error}.", "Nothing was changed.") from error
        if mark is not None and mark.epoch > call.epoch:
            raise Conflict(f"Epoch {mark.epoch} moved {self._options.name} after this run's, {call.epoch}.")
        noted = Mark(
            self._owner, call.epoch, {region: weights.get(region, 0) for region in self._name.places}, call.run
        )
        if not changes(seen.sets, wanted) and mark is not None and mark.text == noted.text:
            return
        self._health_checks_must_count(wanted, until)
        batch = changes(seen.sets, wanted) + changes(seen.marks, [self._mark_set(noted)])
        try:
            self._asking.change(
                zones.SERVICE,
                zones.HOME,
                "change_resource_record_sets",
                call=zones.within(call, self._asking.left_until(until)),
                HostedZoneId=self._options.zone,
                ChangeBatch={"Comment": f"cloudfail {call.run} epoch {call.epoch}", "Changes": batch},
            )
        except Permanent as error:
            self._why_refused(error, seen, wanted, noted)

    def _must_be_ours(self, seen: Seen) -> Mark | None:
        mark = seen.mark()
        if mark is not None and not is_owned_by(mark, self._owner):
            raise Permanent(
                f"{self._options.name} is moved by the application {mark.owner}: {mark_name(self._options.name)} TXT.",
                "Nothing was changed.",
                f"Take the name out of one of the two, then remove that TXT record if {self._owner} is to move it.",
            )
        return mark

    def _health_checks_must_count(self, wanted: Sequence[RecordSet], until: float) -> None:
        for one in health_checks(wanted):
            for sentence in zones.disabled(self._asking, one, self._asking.left_until(until)):
                raise Permanent(
                    sentence,
                    "Nothing was changed.",
                    f"Enable it: aws route53 update-health-check --health-check-id {one} --no-disabled",
                )

    def _mark_set(self, mark: Mark) -> RecordSet:
        return {
            "Name": mark_name(self._options.name),
            "Type": "TXT",
            "TTL": int(self._options.ttl),
            "ResourceRecords": [{"Value": quoted(mark.text)}],
        }

    def _why_refused(self, error: Permanent, seen: Seen, wanted: Sequence[RecordSet], noted: Mark) -> None:
        """Route 53 has one error for all that may be wrong with a batch; what is in the zone tells them apart. Returns
        if an earlier try of this very call is what stands there."""
        try:
            now = self._look(LOOK_AGAIN_SECONDS)
        except CloudfailError:
            raise error from None
        if now.version != seen.version:
            if not changes(now.sets, wanted) and not changes(now.marks, [self._mark_set(noted)]):
                return
            raise Conflict(f"{self._options.name} is not as it was seen: {error.happened}") from error
        protected: list[str] = []
        with contextlib.suppress(CloudfailError):
            protected = self._protected(LOOK_AGAIN_SECONDS)
        if protected:
            raise Permanent(" ".join(protected), "Nothing was changed.", zones.UNPROTECT) from error
        raise error

    def _protected(self, within: float) -> list[str]:
        """A sentence for each protection on the name or its mark."""
        found = []
        for name, kind in ((self._options.name, self._options.type), (mark_name(self._options.name), "TXT")):
            found += zones.protections(self._asking, self._options.zone, name, kind, within)
        return found


def build(resource: Resource, topology: Topology) -> Any:
    """Kind.build."""
    if Route53Options.model_validate(dict(resource.options)).switch is not None:
        from cloudfail_aws.dns import s3_switch

        return s3_switch.of_route53(resource, topology)
    return Route53(resource, topology)
