"""loadbalancer: traffic-manager. The endpoints of one Traffic Manager profile.

Traffic Manager answers a name by what its own probes see, and takes an endpoint back at the first probe that succeeds
("Traffic Manager endpoint monitoring", learn.microsoft.com/azure/traffic-manager/traffic-manager-monitoring). So what
was evacuated is disabled, which no probe undoes; that is the latch. The last endpoint is never disabled: a profile
without one answers no address at all.

Where the profile routes by `Weighted`, an endpoint's weight (1 to 1000) is its share, ten for each percent, and 0 is
disabled. Where it routes by `Priority`, `Performance` or `MultiValue` an endpoint is enabled or disabled, and a share
is refused. `Geographic` and `Subnet` map each client to one endpoint: while that is disabled they get no answer, so
that is refused too, and the way out is said.

There is no ETag. Each endpoint is written by itself (`Endpoints - Update`, a merge, so that target, priority and what
else stands there stay), what gains traffic before what loses it (invariant I5), and is read again immediately before.
What an older lease sends late is put back by watching.

Whom clients are sent to meanwhile: a resolver keeps an answer for the profile's TTL, a client its connection for as
long as it likes.
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
from cloudfail_azure.paths import parent_of, same
from cloudfail_names.weights import UNCHANGED, wanted

VERSION = "2026-09-01"
READ_SECONDS = 8.0
PERCENT, PER_PERCENT = 100, 10
WEIGHTED = "weighted"
# endpointMonitorStatus -> how many of its targets are well; what is not there was not probed.
_WELL = {"online": 1, "degraded": 0, "stopped": 0}


@dataclass(frozen=True)
class _Endpoint:
    enabled: bool
    weight: int
    well: int | None

    def share(self, *, weighted: bool) -> int:
        """In percent. What is open by a hair is not closed."""
        if not self.enabled:
            return 0
        return max(1, min(PERCENT, round(self.weight / PER_PERCENT))) if weighted else PERCENT


@dataclass(frozen=True)
class _Seen:
    """The profile as it was read: region -> its endpoint; whether somebody else's endpoint answers as well."""

    endpoints: Mapping[str, _Endpoint]
    method: str
    ttl_seconds: float

    @property
    def weighted(self) -> bool:
        return self.method == WEIGHTED

    @property
    def weights(self) -> dict[str, int]:
        return {region: one.share(weighted=self.weighted) for region, one in self.endpoints.items()}

    @property
    def version(self) -> str:
        told = (f"{region}={one.weight if one.enabled else 'off'}" for region, one in self.endpoints.items())
        return f"{self.method}:{'/'.join(told)}"


class TrafficManager:
    """One profile; a member is the endpoint that stands for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._profile = str(asking.resource.options["profile"])
        self._method = str(asking.resource.options["routing"])
        self._members = {region: str(member["endpoint"]) for region, member in asking.resource.members.items()}
        for endpoint in self._members.values():
            if not same(parent_of(endpoint), self._profile):
                raise Permanent(
                    f"The endpoint {endpoint} is not of the profile {self._profile}.",
                    UNCHANGED,
                    f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                )

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._asking.deadline(READ_SECONDS))
        except CloudfailError as error:
            return Unknown(str(error), at)
        healthy = {region: one.well for region, one in seen.endpoints.items() if one.well is not None}
        state = LoadBalancerState(seen.weights, healthy, seen.version, lingering_seconds=seen.ttl_seconds)
        return Known(state, at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=PERCENT, what=self._asking.resource.name)
        self._refuse_share(asked)
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._before(until)
        due = [region for region in asked if seen.weights[region] != asked[region]]
        if not due:
            return
        if seen.version != expect.version:
            raise Conflict(f"The endpoints are {seen.version}, not {expect.version} as they were seen.", UNCHANGED)
        done: list[str] = []
        for region in sorted(due, key=lambda region: asked[region] < seen.weights[region]):
            try:
                if done and self._before(until).weights[region] != seen.weights[region]:
                    raise Conflict(f"The endpoint of {region} was changed by somebody else.")
                self._set(region, asked[region], seen, replace(call, timeout_seconds=self._asking.left_until(until)))
            except (Transient, Permanent, Conflict) as error:
                if not done:
                    raise
                raise OutcomeUnknown(f"{', '.join(done)} was changed, {region} was not: {error.happened}") from error
            done.append(region)

    def _refuse_share(self, asked: Mapping[str, int]) -> None:
        for region, share in asked.items():
            if share not in (0, PERCENT) and self._method != WEIGHTED:
                raise Permanent(
                    f"{self._profile} routes by {self._method}, without shares: {region} is 0 or 100, not {share}.",
                    UNCHANGED,
                    "Shift all at once, or have the profile route by Weighted.",
                )

    def _refuse_method(self, method: str) -> None:
        """Raises Permanent where the profile does not route as the file says."""
        if method == self._method:
            return
        if method in ("geographic", "subnet"):
            raise Permanent(
                f"{self._profile} routes by {method}: clients that it maps to one endpoint get no answer while that is "
                "disabled.",
                UNCHANGED,
                "Put a nested profile that routes by priority behind each mapping, and name that profile's endpoints.",
            )
        raise Permanent(
            f"{self._profile} routes by {method}, and cloudfail.yaml says {self._method}.",
            UNCHANGED,
            f"Write routing: {method}",
        )

    def _set(self, region: str, share: int, seen: _Seen, call: Call) -> None:
        told: dict[str, Any] = {"endpointStatus": "Enabled" if share else "Disabled"}
        if share and seen.weighted:
            told["weight"] = share * PER_PERCENT
        body = {"properties": told}
        self._asking.change("global", "PATCH", self._members[region], VERSION, call=call, body=body)

    def _before(self, until: float) -> _Seen:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            return self._look(until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{self._profile} cannot be read: {error}") from error

    def _look(self, until: float) -> _Seen:
        profile = self._asking.read("global", self._profile, VERSION, within=self._asking.left_until(until))
        told = profile.get("properties") or {}
        if not told.get("trafficRoutingMethod") or "endpoints" not in told:
            raise Transient(f"Traffic Manager answers, and does not tell the endpoints of {self._profile}.")
        self._refuse_method(str(told["trafficRoutingMethod"]).lower())
        if str(told.get("profileStatus", "Enabled")).lower() != "enabled":
            raise Transient(f"{self._profile} is disabled: it answers nobody.")
        by_id = {str(one.get("id", "")).lower(): one.get("properties") or {} for one in told["endpoints"]}
        found = {}
        for region, endpoint in self._members.items():
            if endpoint.lower() not in by_id:
                raise Permanent(
                    f"{self._profile} has no endpoint {endpoint}, which is to stand for {region}.",
                    UNCHANGED,
                    f"It has: {', '.join(sorted(by_id))}.",
                )
            found[region] = _endpoint(by_id[endpoint.lower()])
        dns = told.get("dnsConfig") or {}
        return _Seen(found, str(told["trafficRoutingMethod"]).lower(), float(dns.get("ttl") or 0))


def _endpoint(told: Mapping[str, Any]) -> _Endpoint:
    return _Endpoint(
        str(told.get("endpointStatus", "Enabled")).lower() == "enabled",
        int(told.get("weight") or 1),
        _WELL.get(str(told.get("endpointMonitorStatus", "")).lower()),
    )


def build(resource: Resource, topology: Topology) -> TrafficManager:
    """Kind.build."""
    return TrafficManager(Asking.of(resource, topology))
