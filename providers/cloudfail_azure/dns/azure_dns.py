"""dns: azure-dns. One record set of a public or a private zone, whose values choose the region.

A change is one PUT of the whole record set under the ETag that was seen (Record Sets - Create Or Update, If-Match): one
that is no longer so is refused by the service itself (412; fenced by condition), and every change makes another ETag,
so that an old call is refused also where the values are again as it saw them. The mark (owner, epoch, weights, run) is
a metadata entry of the record set, written in the same request; other metadata, and the TTL, stay as they stand.

Azure DNS has no weights and no health of its own: a region answers or does not. That a change succeeded
means that the zone has it; name servers follow, typically within a minute (Azure DNS FAQ), and outside resolvers, whose
word counts, are asked.
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
from cloudfail_azure.asking import Asking
from cloudfail_azure.dns.options import AzureDnsMember, AzureDnsOptions, relative
from cloudfail_azure.dns.records import VERSION, NotOurs, answers_of, body_of, ttl_of, values_of, weights_of
from cloudfail_azure.paths import type_of
from cloudfail_names.names import Mark, is_owned_by, mark_of, value_of
from cloudfail_names.resolving import Resolvers
from cloudfail_names.weights import wanted

METADATA = "cloudfail"
WEIGHT_MAX = 100


@dataclass(frozen=True)
class _Seen:
    """The record set as it was read."""

    etag: str
    ttl_seconds: float
    values: tuple[str, ...]
    metadata: Mapping[str, str]

    @property
    def version(self) -> str:
        return json.dumps([self.etag, self.ttl_seconds, list(self.values), dict(self.metadata)], sort_keys=True)

    @classmethod
    def of(cls, version: str) -> _Seen:
        etag, ttl, values, metadata = json.loads(version)
        return cls(etag, ttl, tuple(values), metadata)

    def mark(self) -> Mark | None:
        """Raises NotOurs for a text there that no run of ours wrote."""
        said = self.metadata.get(METADATA)
        found = mark_of(said) if said is not None else None
        if said is not None and found is None:
            raise NotOurs(f"its metadata entry {METADATA!r} is somebody else's; remove it, or move the name by hand")
        return found


class AzureDns:
    """One name. `asking`: that of the process unless a test has its own."""

    def __init__(self, resource: Resource, topology: Topology, asking: Asking | None = None) -> None:
        self._options = options = AzureDnsOptions.model_validate(dict(resource.options))
        self._asking = asking or Asking.of(resource, topology)
        self._owner = topology.application
        self._set = f"{options.zone}/{options.type}/{relative(options.name, options.zone)}"
        self._private = type_of(options.zone).lower() == "privatednszones"
        self._version = VERSION[type_of(options.zone).lower()]
        self._places = {
            region: tuple(
                sorted(
                    value_of(one, options.type)
                    for one in AzureDnsMember.model_validate(resource.members[region]).answers
                )
            )
            for region in sorted(resource.members, key=lambda region: region != topology.primary)
        }
        self._resolvers = Resolvers(options.resolvers, options.answer_within)

    # ---- reading

    def read(self) -> Known[DnsState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._options.answer_within)
            mark = seen.mark()
            weights = weights_of(seen.values, self._places)
        except NotOurs as error:
            return Unknown(f"{self._options.name}: {error}", at)
        except CloudfailError as error:
            return Unknown(f"Azure DNS did not say what {self._options.name} answers: {error}", at)
        answers = answers_of(weights, self._places)
        if mark is not None and set(mark.weights) == set(weights) and self.answers(mark.weights) == answers:
            # A record set has no weights of its own: the mark remembers the ones that were meant.
            weights = dict(mark.weights)
        state = DnsState(
            weights=weights,
            answers=answers,
            ttl_seconds=seen.ttl_seconds,
            version=seen.version,
            epoch=mark.epoch if mark is not None else None,
        )
        return Known(state, at)

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        return self._resolvers.answers(self._options.name, self._options.type)

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return answers_of(weights, self._places)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse a shift, found while nothing burns. One sentence each; none is good."""
        at, within = time.time(), self._options.answer_within
        try:
            self._asking.read("global", self._options.zone, self._version, within=within)
            seen = self._look(within)
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        try:
            self._must_be_ours(seen)
            weights_of(seen.values, self._places)
        except (NotOurs, Permanent) as error:
            return Known((f"{self._options.name}: {error}",), at)
        return Known((), at)

    def _look(self, within: float) -> _Seen:
        told = self._asking.read("global", self._set, self._version, within=within)
        properties = told.get("properties") or {}
        etag = str(told.get("etag") or "")
        if not etag or not properties:
            raise NotOurs("Azure DNS answers, and tells no record set")
        metadata = {str(key): str(value) for key, value in (properties.get("metadata") or {}).items()}
        values = values_of(properties, self._options.type)
        return _Seen(etag, ttl_of(properties, self._options.ttl), values, metadata)

    # ---- changing

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        asked = wanted(weights, self._places, most=WEIGHT_MAX, what=self._options.name)
        values = answers_of(asked, self._places)
        if self._options.type == "CNAME" and len(values) > 1:
            raise Permanent(
                f"{self._options.name} is a CNAME, which answers one name, and {len(values)} are wanted.",
                "Nothing was changed.",
                "Shift to one region at a time.",
            )
        seen = _Seen.of(expect.version)
        try:
            mark = self._must_be_ours(seen)
        except NotOurs as error:
            raise Permanent(f"{self._options.name}: {error}.", "Nothing was changed.") from error
        if mark is not None and mark.epoch > call.epoch:
            raise Conflict(f"Epoch {mark.epoch} moved {self._options.name} after this run's, {call.epoch}.")
        noted = Mark(self._owner, call.epoch, asked, call.run)
        metadata = {**seen.metadata, METADATA: noted.text}
        if values == seen.values and metadata == seen.metadata:
            return
        self._asking.change(
            "global",
            "PUT",
            self._set,
            self._version,
            call=replace(call, timeout_seconds=self._asking.left_until(until)),
            body=body_of(values, self._options.type, int(seen.ttl_seconds), metadata, private=self._private),
            if_match=seen.etag,
        )

    def _must_be_ours(self, seen: _Seen) -> Mark | None:
        mark = seen.mark()
        if mark is not None and not is_owned_by(mark, self._owner):
            raise Permanent(
                f"{self._options.name} is moved by the application {mark.owner}: metadata {METADATA!r}.",
                "Nothing was changed.",
                f"Take the name out of one of the two, then remove that entry if {self._owner} is to move it.",
            )
        return mark


def build(resource: Resource, topology: Topology) -> Any:
    """Kind.build."""
    return AzureDns(resource, topology)
