"""dns: cloud-dns. One name of a managed zone, whose record set or routing policy chooses the region.

A change is one request (dns.changes.create): deletion of exactly what was seen beside addition of what is wanted, and
the same for the mark beside it. Google applies it whole or not at all, and refuses it where a record set that is to go
is not as it was seen (412) or not there (404), or where one that is to come stands there already (409). So `expect` is
enforced by the service itself (fenced by condition); a call of an older epoch finds another mark and has no effect; and
no moment has an empty answer set (invariant I5). resourceRecordSets.patch holds a change against nothing: it is not
used.

Everything goes over REST. google-cloud-dns would serve plain records alone: it knows no routing policy, fails on
listing any zone that holds one, and gives its requests neither our bound nor a clientOperationId. That identifier names
a request to Google, and nothing rests on it here: the condition is what makes a repeated request harmless.

A change that is "done" was sent to Google's servers, which "might not be updated yet" (dns.v1, Change.status). It is
never asked for: the outside resolvers, whose word counts, are asked anyway.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.dns.options import CloudDnsMember, CloudDnsOptions, project_of
from cloudfail_gcp.dns.records import Name, NotOurs
from cloudfail_gcp.dns.sets import RecordSet, changes, place, plain
from cloudfail_gcp.errors import Answered
from cloudfail_names.names import Mark, canonical, is_owned_by, mark_name, mark_of, quoted, unquoted
from cloudfail_names.resolving import Resolvers

API = "dns"
NOWHERE = "global"
LOOK_AGAIN_SECONDS = 3.0
"""For finding out, after a change was refused, what it was refused for."""


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
        values = [unquoted(str(one)) for one in self.marks[0].get("rrdatas", ())]
        found = mark_of(values[0]) if len(values) == 1 else None
        if found is None:
            raise NotOurs(f"{self.marks[0]['name']} TXT is somebody else's; remove it, or move the name by hand")
        return found


class CloudDns:
    """One name. `asking`: that of the process unless a test has its own."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        self._options = options = CloudDnsOptions.model_validate(dict(resource.options))
        self._asking = asking or Asking.of(resource, topology)
        self._owner = topology.application
        self._zone = f"dns/v1/projects/{project_of(resource, topology)}/managedZones/{options.zone}"
        self._name = Name(
            options.name,
            options.type,
            options.routing,
            int(options.ttl),
            {
                region: place(region, CloudDnsMember.model_validate(resource.members[region]), options.type)
                for region in sorted(resource.members, key=lambda region: region != topology.primary)
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
            return Unknown(f"Cloud DNS did not say what {self._options.name} answers: {error}", at)
        answers = self._name.answers(weights)
        if mark is not None and set(mark.weights) == set(weights) and self._name.answers(mark.weights) == answers:
            # Where the zone has no weight of its own, the mark remembers the one that was meant.
            weights = dict(mark.weights) if self._name.routing in ("simple", "geo") else weights
        return Known(
            DnsState(
                weights=weights,
                answers=answers,
                ttl_seconds=float(seen.sets[0].get("ttl", self._options.ttl)),
                version=seen.version,
                epoch=mark.epoch if mark is not None else None,
                one_at_a_time=self._name.one_at_a_time,
            ),
            at,
        )

    def _look(self, within: float) -> Seen:
        until = self._asking.deadline(within)
        sets = self._sets(self._options.name, self._options.type, within)
        return Seen(sets, self._sets(mark_name(self._options.name), "TXT", self._asking.left_until(until)))

    def _sets(self, name: str, kind: str, within: float) -> tuple[RecordSet, ...]:
        query = {"name": canonical(name), "type": kind}
        listed = self._asking.pages(API, NOWHERE, f"{self._zone}/rrsets", "rrsets", within=within, query=query)
        return tuple(one for one in map(plain, listed) if (one["name"], one["type"]) == (canonical(name), kind))

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        return self._resolvers.answers(self._options.name, self._options.type)

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return self._name.answers(weights)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse a shift, found while nothing burns. One sentence each; none is good."""
        at, within = time.time(), self._options.answer_within
        found: list[str] = []
        try:
            zone = self._asking.read(API, NOWHERE, self._zone, within=within)
            seen = self._look(within)
        except CloudfailError as error:
            return Unknown(str(error), at)
        domain = canonical(str(zone.get("dnsName") or ""))
        if not f".{canonical(self._options.name)}".endswith(f".{domain}"):
            found.append(f"{self._options.name} is not in the zone {self._options.zone}, which is {domain}")
        try:
            self._must_be_ours(seen)
            self._name.weights(seen.sets)
            found += [
                f"{region} has the weight zero in {self._options.name}, and would be answered with while the rest is "
                f"unhealthy; take its item out, as a shift does"
                for region in self._name.may_come_back(seen.sets)
            ]
        except (NotOurs, Permanent) as error:
            found.append(str(error))
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
        after = Seen(tuple(wanted), (self._mark_set(noted),))
        deletions, additions = changes([*seen.sets, *seen.marks], [*after.sets, *after.marks])
        if not additions:
            return
        try:
            self._asking.change(
                API,
                NOWHERE,
                "POST",
                f"{self._zone}/changes",
                call=replace(call, timeout_seconds=self._asking.left_until(until)),
                body={"deletions": deletions, "additions": additions},
                request_id="clientOperationId",
            )
        except (Permanent, Conflict) as error:
            self._why_refused(error, seen, after)

    def _must_be_ours(self, seen: Seen) -> Mark | None:
        mark = seen.mark()
        if mark is not None and not is_owned_by(mark, self._owner):
            raise Permanent(
                f"{self._options.name} is moved by the application {mark.owner}: {mark_name(self._options.name)} TXT.",
                "Nothing was changed.",
                f"Take the name out of one of the two, then remove that TXT record if {self._owner} is to move it.",
            )
        return mark

    def _mark_set(self, mark: Mark) -> RecordSet:
        return {
            "name": mark_name(self._options.name),
            "type": "TXT",
            "ttl": int(self._options.ttl),
            "rrdatas": [quoted(mark.text)],
        }

    def _why_refused(self, error: Permanent | Conflict, seen: Seen, after: Seen) -> None:
        """Nothing was done by this request. What is in the zone says what it was refused for. Returns if an earlier try
        of this very call is what stands there."""
        missing = isinstance(error.__cause__, Answered) and error.__cause__.said.status == 404
        try:
            now = self._look(LOOK_AGAIN_SECONDS)
        except Permanent:
            raise error from None  # the zone is not there, or not ours to read
        except CloudfailError:
            raise (_not_as_seen(self._options.name, error) if missing else error) from None
        if now.version == after.version:
            return
        if now.version != seen.version or missing:
            raise _not_as_seen(self._options.name, error) from error
        raise error


def _not_as_seen(name: str, error: CloudfailError) -> Conflict:
    return Conflict(f"{name} is not as it was seen: {error}")


def build(resource: Resource, topology: Topology) -> Any:
    """Kind.build."""
    return CloudDns(resource, topology)
