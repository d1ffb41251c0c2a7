"""loadbalancer: global-accelerator. The traffic dials of the endpoint groups of one listener.

A dial is the share of what Global Accelerator would send to a region that it does send there, 0 to 100.
`update_endpoint_group` leaves alone what it is not given; the list of endpoints, if it were given, would be replaced,
so it is never given. There is one API, in us-west-2, and it has no condition: each group is read again immediately
before its dial is set, and what an older lease sends late is put back by watching. Groups carry no tags, and the
accelerator that does may serve others.

What gains traffic is dialled up before what loses it is dialled down, so that no moment is without a region (invariant
I5).

A dial of 0 is no fence. Where no endpoint elsewhere is healthy, Global Accelerator sends traffic to a group whose dial
is 0, and established connections stay where they are until they end (developer guide, "How failover works for unhealthy
endpoints").
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
from cloudfail_aws.asking import Asking
from cloudfail_aws.loadbalancer.options import ENDPOINT_GROUP
from cloudfail_names.weights import UNCHANGED, wanted

HOME = "us-west-2"
DIAL_MAX = 100
READ_SECONDS = 8.0


@dataclass(frozen=True)
class _Group:
    """One endpoint group: its dial, and how many of its endpoints are healthy (None: it tells none)."""

    dial: float
    healthy: int | None

    @property
    def weight(self) -> int:
        """A dial that is open by a hair is not closed."""
        return max(1, round(self.dial)) if self.dial > 0 else 0


class GlobalAccelerator:
    """One listener; a member is the ARN of the endpoint group in its region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._members = {region: str(group) for region, group in asking.resource.members.items()}
        for group in self._members.values():
            if not ENDPOINT_GROUP.fullmatch(group):
                raise Permanent(f"{group!r} is no ARN of an endpoint group.", UNCHANGED)
        listeners = {group.partition("/endpoint-group/")[0] for group in self._members.values()}
        if len(listeners) != 1:
            raise Permanent(
                f"The endpoint groups of {asking.resource.name} are of {len(listeners)} listeners.",
                UNCHANGED,
                "Write one resource for each listener.",
            )
        self._accelerator = listeners.pop().partition("/listener/")[0]

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            groups = {region: self._group(region, until) for region in self._members}
            accelerator = self._read("describe_accelerator", until, AcceleratorArn=self._accelerator)["Accelerator"]
        except CloudfailError as error:
            return Unknown(str(error), at)
        if not accelerator.get("Enabled", False):
            return Unknown(f"{self._accelerator} is disabled: it serves nobody", at)
        state = LoadBalancerState(
            {region: group.weight for region, group in groups.items()},
            {region: group.healthy for region, group in groups.items() if group.healthy is not None},
            _version(groups),
            moving="" if accelerator.get("Status") == "DEPLOYED" else "Global Accelerator has not deployed it yet",
        )
        return Known(state, at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=DIAL_MAX, what=self._asking.resource.name)
        until = self._asking.deadline(call.timeout_seconds)
        groups = {region: self._group(region, until) for region in self._members}
        due = [region for region in asked if groups[region].weight != asked[region]]
        if not due:
            return
        if _version(groups) != expect.version:
            raise Conflict(f"The dials are {_version(groups)}, not {expect.version} as they were seen.", UNCHANGED)
        done: list[str] = []
        for region in sorted(due, key=lambda region: asked[region] < groups[region].dial):
            try:
                if done and self._group(region, until).dial != groups[region].dial:
                    raise Conflict(f"The dial of {region} was changed by somebody else.")
                self._dial(region, asked[region], call, until)
            except (Transient, Permanent, Conflict) as error:
                if not done:
                    raise
                raise OutcomeUnknown(f"{', '.join(done)} was dialled, {region} was not: {error.happened}") from error
            done.append(region)

    def _dial(self, region: str, dial: int, call: Call, until: float) -> None:
        left = replace(call, timeout_seconds=self._asking.left_until(until))
        self._asking.change(
            "globalaccelerator",
            HOME,
            "update_endpoint_group",
            call=left,
            EndpointGroupArn=self._members[region],
            TrafficDialPercentage=float(dial),
        )

    def _group(self, region: str, until: float) -> _Group:
        arn = self._members[region]
        told = self._read("describe_endpoint_group", until, EndpointGroupArn=arn).get("EndpointGroup") or {}
        if told.get("EndpointGroupArn") != arn or "TrafficDialPercentage" not in told:
            raise Transient(f"Global Accelerator answers, and does not tell the dial of {arn}.")
        if told.get("EndpointGroupRegion") != region:
            # The one slip that would send users to the region that is lost.
            raise Permanent(
                f"The endpoint group that is written for {region} stands in {told.get('EndpointGroupRegion')}.",
                UNCHANGED,
                f"Correct the members of {self._asking.resource.name} in cloudfail.yaml.",
            )
        endpoints = told.get("EndpointDescriptions") or []
        healthy = [one for one in endpoints if one.get("HealthState") == "HEALTHY" and one.get("Weight", 1) > 0]
        return _Group(float(told["TrafficDialPercentage"]), len(healthy) if endpoints else None)

    def _read(self, operation: str, until: float, **parameters: Any) -> dict[str, Any]:
        left = self._asking.left_until(until)
        return self._asking.read("globalaccelerator", HOME, operation, within=left, **parameters)


def _version(groups: Mapping[str, _Group]) -> str:
    return "/".join(f"{region}={group.dial:g}" for region, group in groups.items())


def build(resource: Resource, topology: Topology) -> GlobalAccelerator:
    """Kind.build."""
    return GlobalAccelerator(Asking.of(resource, topology))
