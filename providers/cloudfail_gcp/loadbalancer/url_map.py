"""loadbalancer: url-map. Which backend service, or which shares of several, one route of a global URL map leads to.

For applications that have a backend service in each region instead of one with groups in all: services of Cloud Run
and other serverless ones, whose groups have no capacity to scale, or a stack for each region.

`urlMaps.patch` merges objects and replaces arrays (JSON merge patch). So the path matchers are written back as they
were read, with nothing changed but the one route: other routes, rewrites, headers and retries stay. It carries the
fingerprint that was read within the call, without which Google refuses it, and with an old one too (412
conditionNotMet): a request that lands late has no effect once anything of the map was changed (fenced by condition).
The fingerprint is a hash: where somebody put back exactly what was there before, an older request fits again, and
watching puts that right.

One URL map commonly has the routes of many applications, all of which fail over in the same minute, and Compute Engine
works on one operation at a time. So each holds the map's own log for its call (`Kind.shared`), and holds its own route
against what it saw: what others changed in theirs is kept, and no conflict.

The answer to a patch is an operation. While one is under way the route is `moving`; DONE completes nothing, what is
read afterwards does. Google does not tell when each of its proxies has it.

What happens to clients. Requests that are under way end where they are, and the next ones go by the map. "The weighted
traffic splitting configuration takes precedence" over a service's session affinity (Compute Engine v1,
`WeightedBackendService.weight`), and affinity is a service's own: nobody is kept with a service that the map no longer
leads to.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.loadbalancer.routes import WEIGHT_MAX, Route
from cloudfail_gcp.loadbalancer.services import API, NOWHERE, counted
from cloudfail_gcp.loadbalancer.weights import UNCHANGED, one_of, shares
from cloudfail_gcp.under_way import anew, taken, under_way

READ_SECONDS = 8.0


@dataclass(frozen=True)
class _Seen:
    """The map as it was read; region -> weight on the route; what is under way on it."""

    whole: dict[str, Any]
    weights: Mapping[str, int]
    moving: str

    @property
    def version(self) -> str:
        """Our part of the map. What others change in theirs is kept, and no reason to look again."""
        return "/".join(f"{region}={weight}" for region, weight in sorted(self.weights.items()))


class UrlMap:
    """One route of a URL map; a member is the path of the backend service that stands for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        options = asking.resource.options
        self._path = str(options["url_map"])
        self._route = Route(
            str(options["matcher"] or ""),
            str(options["path"] or ""),
            options["priority"],
            options["routing"] == "weighted",
        )
        self._members = {region: str(member["service"]) for region, member in asking.resource.members.items()}
        if len(set(self._members.values())) < len(self._members):
            raise Permanent(
                f"Two regions of {asking.resource.name} have the same backend service.",
                UNCHANGED,
                "Name a backend service for each, or move capacity by loadbalancer: backend-service.",
            )

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        healthy = {}
        try:
            seen = self._look(until)
            for region, service in self._members.items():
                count = counted(self._asking, [service], region, until)
                if count is not None:
                    healthy[region] = count
        except CloudfailError as error:
            return Unknown(str(error), at)
        state = LoadBalancerState(seen.weights, healthy, seen.version, moving=seen.moving, lingering_seconds=0.0)
        return Known(state, at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = self._wanted(weights)
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._before(until)
        if seen.weights == asked:
            return
        if seen.version != expect.version:
            raise Conflict(f"{self._route.said} of {self._path} is {seen.version}, not as it was seen.", UNCHANGED)
        if seen.moving:
            raise Transient(f"{self._path}: {seen.moving}, and nothing is ordered on top of it.")
        reply = self._asking.change(
            API,
            NOWHERE,
            "PATCH",
            self._path,
            call=replace(anew(call), timeout_seconds=self._asking.left_until(until)),
            body={
                "fingerprint": str(seen.whole["fingerprint"]),
                **self._route.patch(seen.whole, self._members, asked),
            },
            request_id="requestId",
        )
        taken(reply, f"PATCH {self._path}")

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """Whether Google would take the map in which one region serves, asked of Google (`urlMaps.validate`, which
        changes nothing): above all, whether the map's own tests would refuse it."""
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        found: list[str] = []
        try:
            seen = self._look(until)
            for service, weight in self._route.strangers(seen.whole, self._members).items():
                found.append(f"{service} stands for no region, and keeps its weight of {weight} whatever is shifted")
            for region in self._members:
                found += self._refused(region, seen.whole, until)
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(tuple(found), at)

    def _refused(self, region: str, whole: Mapping[str, Any], until: float) -> list[str]:
        alone = {one: 100 if one == region else 0 for one in self._members}
        changed = {**whole, **_merged(whole, self._route.patch(whole, self._members, alone))}
        told = self._asking.read(
            API,
            NOWHERE,
            f"{self._path}/validate",
            within=self._asking.left_until(until),
            method="POST",
            body={"resource": changed},
        )
        result = told.get("result") or {}
        found = [
            f"{self._path} would not load with all of it in {region}: {one}" for one in result.get("loadErrors") or ()
        ]
        for one in result.get("testFailures") or ():
            found.append(
                f"a test of {self._path} ({one.get('host', '')}{one.get('path', '')} to {one.get('expectedService')}) "
                f"fails with all of it in {region}, and Google refuses a map whose tests fail; take it out"
            )
        return found

    def _wanted(self, weights: Mapping[str, int]) -> dict[str, int]:
        name = self._asking.resource.name
        if self._route.weighted:
            return shares(weights, self._members, WEIGHT_MAX, name)
        return one_of(weights, self._members, name, "Write routing: weighted, once the map splits by weights.")

    def _before(self, until: float) -> _Seen:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            return self._look(until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{self._path} cannot be read: {error}") from error

    def _look(self, until: float) -> _Seen:
        """What is under way is asked first: what ends between the two is then seen in the map."""
        moving = under_way(self._asking, NOWHERE, self._path, within=self._asking.left_until(until))
        whole = self._asking.read(API, NOWHERE, self._path, within=self._asking.left_until(until))
        if not whole.get("fingerprint"):
            raise Transient(f"Compute Engine answers, and does not tell what {self._path} is.")
        return _Seen(whole, self._route.weights(whole, self._members), moving)


def _merged(whole: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """What a patch of ours makes of the parts that it names: an action keeps what it does beside its split."""
    return {key: {**whole[key], **value} if isinstance(value, dict) else value for key, value in patch.items()}


def build(resource: Resource, topology: Topology) -> UrlMap:
    """Kind.build."""
    return UrlMap(Asking.of(resource, topology))
