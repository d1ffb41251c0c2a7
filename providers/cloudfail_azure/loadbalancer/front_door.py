"""loadbalancer: front-door. The origins of one origin group of Azure Front Door (Standard or Premium).

Front Door probes its origins and takes one back at the probes that succeed, so what was evacuated is disabled and has
the last priority (origins.py). The last one that serves is never closed: edges would answer everything with an error.

There is no ETag. Each origin is written by itself (`AFD Origins - Update`, a merge: host, ports and certificates stay),
what gains traffic before what loses it (invariant I5), and is read again immediately before. An order that gives
traffic is followed to its end before the next one takes traffic away: one that failed must not leave an edge with
nobody to ask. What an older lease sends late is put back by watching.

Edges follow after up to 45 minutes, and a second change is queued behind the first: up to 90 ("Configuration
propagation times", MicrosoftDocs/azure-docs, commit 5bece721). So where an origin stands by already, enabled at a worse
priority, the other one is closed by one order and nothing waits; and edges had come to it before, by their own probes.
`deploymentStatus` is believed where it says that a deployment runs; where it says nothing, a check asks an edge.

Whether an origin is well, Resource Manager does not tell at all: what edges' probes see is a metric of Azure Monitor
(OriginHealthPercentage), and no part of this read. With session affinity a client keeps its origin while that serves,
for as long as its cookie.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.loadbalancer.origins import LAST, PERCENT, STANDBY, Order, Origin, Origins
from cloudfail_azure.paths import parent_of, same
from cloudfail_azure.under_way import followed
from cloudfail_names.weights import UNCHANGED, wanted

VERSION = "2026-10-01"
READ_SECONDS = 8.0
LOOK_SECONDS = 2.0  # between two looks at an order that is under way
LAST_FOLLOWED_SECONDS = 5.0  # the last order, for an error in the cloud's own words; then looks do it
KEPT_SECONDS = 5.0  # of a call, for the look after an order that was followed
RETRY_SECONDS = 60.0
WEIGHTED = "weighted"


@dataclass(frozen=True)
class _Seen:
    """origins: as read. latency_ms: how much slower than the fastest an origin may be to be asked. sticky: session
    affinity."""

    origins: Origins
    latency_ms: int
    sticky: bool


class FrontDoor:
    """One origin group; a member is the origin that stands for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._group = str(asking.resource.options["origin_group"])
        self._weighted = str(asking.resource.options["routing"]) == WEIGHTED
        self._members = {region: str(member["origin"]) for region, member in asking.resource.members.items()}
        for origin in self._members.values():
            if not same(parent_of(origin), self._group):
                raise Permanent(
                    f"The origin {origin} is not of the origin group {self._group}.",
                    UNCHANGED,
                    f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                )

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._asking.deadline(READ_SECONDS))
        except CloudfailError as error:
            return Unknown(str(error), at)
        lingering = None if seen.sticky else 0.0
        found = seen.origins
        return Known(LoadBalancerState(found.weights, {}, found.version, None, found.moving, lingering), at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=PERCENT, what=self._asking.resource.name)
        self._refuse_share(asked)
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._ready(until)
        orders = seen.origins.orders(asked)
        if not orders:
            return
        if seen.origins.version != expect.version:
            raise Conflict(
                f"The origins are {seen.origins.version}, not {expect.version} as they were seen.", UNCHANGED
            )
        self._refuse_latency(asked, seen)
        done: list[str] = []
        for order in orders:
            try:
                if done and self._ready(until).origins.settings(order.region) != seen.origins.settings(order.region):
                    raise Conflict(f"The origin of {order.region} was changed by somebody else.")
                self._give(order, order is orders[-1], until, call)
            except (Transient, Permanent, Conflict) as error:
                if not done:
                    raise
                changed = ", ".join(done)
                raise OutcomeUnknown(f"{changed} was changed, {order.region} was not: {error.happened}") from error
            done.append(order.region)

    def _give(self, order: Order, last: bool, until: float, call: Call) -> None:
        path = self._members[order.region]
        body = {"properties": dict(order.properties)}
        timed = replace(call, timeout_seconds=self._asking.left_until(until))
        reply = self._asking.change("global", "PATCH", path, VERSION, call=timed, body=body)
        left = self._asking.left_until(until)
        bound = min(left, LAST_FOLLOWED_SECONDS) if last else max(0.0, left - KEPT_SECONDS)
        try:
            followed(self._asking, "global", reply, f"PATCH {path}", within=bound)
        except CloudfailError as error:
            # It was accepted, and failed on its way: no word on what it left at the edges.
            raise OutcomeUnknown(f"The order on {order.region} ended badly: {error}") from error

    def _refuse_share(self, asked: Mapping[str, int]) -> None:
        if self._weighted:
            return
        for region, share in asked.items():
            if share not in (0, STANDBY, PERCENT):
                raise Permanent(
                    f"{self._group} routes by priority, without shares: {region} is 0, 100, or {STANDBY} to stand by, "
                    f"not {share}.",
                    UNCHANGED,
                    "Shift all at once, or write routing: weighted",
                )
        if PERCENT not in asked.values():
            raise Permanent(f"No region of {self._group} would serve: one is to be 100.", UNCHANGED)

    def _refuse_latency(self, asked: Mapping[str, int], seen: _Seen) -> None:
        """Weights count among origins that are about as fast as the fastest: at 0 ms they never do."""
        if any(0 < share < PERCENT for share in asked.values()) and self._weighted and seen.latency_ms == 0:
            raise Permanent(
                f"{self._group} has a latency of 0 ms: a client is sent to its fastest origin, whatever the weights.",
                UNCHANGED,
                "Set additionalLatencyInMilliseconds to more than lies between the regions, or shift all at once.",
            )

    def _ready(self, until: float) -> _Seen:
        """As it is immediately before the next order, once no other is under way: Azure would refuse a second one.
        Whatever came of this look, nothing was changed."""
        while True:
            try:
                seen = self._look(until)
            except Permanent:
                raise
            except CloudfailError as error:
                raise Transient(f"{self._group} cannot be read: {error}") from error
            if not seen.origins.updating:
                return seen
            if self._asking.left_until(until) <= 2 * LOOK_SECONDS:
                regions = ", ".join(seen.origins.updating)
                raise Transient(f"An order is still under way on {regions}.", retry_after_seconds=RETRY_SECONDS)
            self._asking.clock.sleep(LOOK_SECONDS)

    def _look(self, until: float) -> _Seen:
        asking = self._asking
        group = asking.read("global", self._group, VERSION, within=asking.left_until(until)).get("properties")
        if not isinstance(group, Mapping):
            raise Transient(f"Front Door answers, and does not tell the settings of {self._group}.")
        listed = asking.pages("global", f"{self._group}/origins", VERSION, within=asking.left_until(until))
        by_id = {str(one.get("id", "")).lower(): one.get("properties") or {} for one in listed}
        found = {}
        for region, origin in self._members.items():
            if origin.lower() not in by_id:
                raise Permanent(
                    f"{self._group} has no origin {origin}, which is to stand for {region}.",
                    UNCHANGED,
                    f"It has: {', '.join(sorted(by_id))}.",
                )
            found[region] = Origin.told(by_id.pop(origin.lower()))
        origins = Origins(found, self._weighted)
        self._refuse_others({id_: Origin.told(said) for id_, said in by_id.items()}, origins)
        self._refuse_priorities(origins)
        settings: Mapping[str, Any] = group.get("loadBalancingSettings") or {}
        return _Seen(
            origins,
            int(settings.get("additionalLatencyInMilliseconds") or 0),
            str(group.get("sessionAffinityState") or "").lower() == "enabled",
        )

    def _refuse_others(self, others: Mapping[str, Origin], origins: Origins) -> None:
        """An enabled origin that is nobody's would get what a shift takes away; behind all others it may stay, as the
        page that says sorry."""
        for id_, one in others.items():
            if one.enabled and (one.priority < LAST or origins.best == LAST):
                raise Permanent(
                    f"{id_} is enabled at priority {one.priority}, and stands for no region: it would take traffic.",
                    UNCHANGED,
                    f"Name it as a member, disable it, or put it at priority {LAST}, behind all members.",
                )

    def _refuse_priorities(self, origins: Origins) -> None:
        """Weights divide within one priority alone."""
        at = {one.priority for one in origins.by_region.values() if one.enabled}
        if self._weighted and len(at) > 1:
            raise Permanent(
                f"The enabled origins of {self._group} have different priorities {sorted(at)}: weights do not divide.",
                UNCHANGED,
                "Write routing: priority, or give them one priority.",
            )


def build(resource: Resource, topology: Topology) -> FrontDoor:
    """Kind.build."""
    return FrontDoor(Asking.of(resource, topology))
