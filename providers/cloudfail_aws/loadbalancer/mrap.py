"""loadbalancer: s3-mrap. The routes of an S3 Multi-Region Access Point: per region active (100) or passive (0).

The routes are read and submitted at endpoints in five regions, any one of which is enough (S3 user guide, "Using S3
Multi-Region Access Point failover controls"). They are asked in an order drawn anew, so that not every client leans on
one, and each is given a part of the time, so that one that is gone costs little. One request sets all members at once;
buckets that are no members keep theirs. S3 itself refuses routes of which none is active.

There is no condition. The routes are read again immediately before, and what an older lease sends late is put back by
watching. A submit that got no answer is looked for at the next endpoint, and sent there too if it is not seen: it sets
the same absolute values, so where the first one landed the second changes nothing.

It can take two minutes until traffic follows, and the API does not tell when it has. Requests that are under way end in
the region where they began.
"""

from __future__ import annotations

import random
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
from cloudfail_names.weights import UNCHANGED, wanted

ENDPOINTS = ("us-east-1", "us-west-2", "ap-southeast-2", "ap-northeast-1", "eu-west-1")
ACTIVE = 100
READ_SECONDS = 12.0
ENDPOINT_SECONDS = 3.0
"""For one endpoint, before the next is asked."""


@dataclass(frozen=True)
class _Seen:
    """The members' dials, the endpoint that told them, and all routes as one word."""

    weights: dict[str, int]
    endpoint: str
    version: str


class Mrap:
    """One access point; a member is the name of the bucket in its region."""

    def __init__(self, asking: Asking, *, draw: random.Random | None = None) -> None:
        self._asking = asking
        self._arn = str(asking.resource.options["access_point"])
        self._account = self._arn.split(":")[4]
        self._members = {region: str(bucket) for region, bucket in asking.resource.members.items()}
        self._draw = draw or random.Random()

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        try:
            seen = self._look(self._endpoints(), self._asking.deadline(READ_SECONDS))
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(LoadBalancerState(seen.weights, {}, seen.version), at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=ACTIVE, what=self._asking.resource.name)
        if set(asked.values()) - {0, ACTIVE}:
            raise Permanent(f"A route is active ({ACTIVE}) or passive (0), with nothing between.", UNCHANGED)
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._look(self._endpoints(), until)
        if seen.weights == asked:
            return
        if seen.version != expect.version:
            raise Conflict(f"The routes are {seen.version}, not {expect.version} as they were seen.", UNCHANGED)
        # The endpoint that answered just now first.
        left = [seen.endpoint, *(one for one in self._endpoints() if one != seen.endpoint)]
        doubt: OutcomeUnknown | None = None
        while True:
            endpoint = left.pop(0)
            try:
                self._submit(endpoint, asked, call, until)
            except (Transient, OutcomeUnknown) as error:
                doubt = error if isinstance(error, OutcomeUnknown) else doubt
                if not left or not self._asking.left_until(until):
                    raise (doubt or error) from error
            except (Permanent, Conflict) as error:
                raise (doubt or error) from error
            else:
                return
            if doubt is not None and self._landed(left, asked, seen, doubt, until):
                return

    def _landed(self, left: list[str], asked: dict[str, int], seen: _Seen, doubt: OutcomeUnknown, until: float) -> bool:
        """Whether the routes are as asked after a submit that got no answer; False if they are as before. Raises
        `doubt` where nobody says, or where they are neither."""
        try:
            now = self._look(left, until)
        except CloudfailError:
            raise doubt from None
        if now.weights == asked:
            return True
        if now.version != seen.version:
            raise doubt
        left.sort(key=lambda endpoint: endpoint != now.endpoint)
        return False

    def _submit(self, endpoint: str, asked: Mapping[str, int], call: Call, until: float) -> None:
        seconds = min(ENDPOINT_SECONDS, self._asking.left_until(until))
        self._asking.change(
            "s3control",
            endpoint,
            "submit_multi_region_access_point_routes",
            call=replace(call, timeout_seconds=seconds),
            AccountId=self._account,
            Mrap=self._arn,
            RouteUpdates=[
                {"Bucket": self._members[region], "Region": region, "TrafficDialPercentage": dial}
                for region, dial in asked.items()
            ],
        )

    def _look(self, endpoints: list[str], until: float) -> _Seen:
        """From the first endpoint that answers. What one refuses, all refuse."""
        failures: list[str] = []
        for endpoint in endpoints:
            seconds = min(ENDPOINT_SECONDS, self._asking.left_until(until))
            try:
                reply = self._asking.read(
                    "s3control",
                    endpoint,
                    "get_multi_region_access_point_routes",
                    within=seconds,
                    AccountId=self._account,
                    Mrap=self._arn,
                )
            except (Transient, OutcomeUnknown) as error:
                failures.append(f"{endpoint}: {error.happened}")
                continue
            return self._seen(endpoint, reply.get("Routes") or [])
        raise Transient(f"No endpoint tells the routes of {self._arn} ({'; '.join(failures)}).")

    def _seen(self, endpoint: str, routes: list[dict[str, Any]]) -> _Seen:
        by_bucket = {route["Bucket"]: route for route in routes if "Bucket" in route}
        weights = {}
        for region, bucket in self._members.items():
            if bucket not in by_bucket:
                raise Permanent(f"{self._arn} has no route to the bucket {bucket}.", UNCHANGED)
            stands = by_bucket[bucket].get("Region", region)
            if stands != region:
                # The one slip that would send users to the region that is lost.
                raise Permanent(
                    f"The bucket {bucket} that is written for {region} stands in {stands}.",
                    UNCHANGED,
                    f"Correct the members of {self._asking.resource.name} in cloudfail.yaml.",
                )
            weights[region] = int(by_bucket[bucket]["TrafficDialPercentage"])
        version = "/".join(f"{name}={by_bucket[name]['TrafficDialPercentage']}" for name in sorted(by_bucket))
        return _Seen(weights, endpoint, version)

    def _endpoints(self) -> list[str]:
        return self._draw.sample(ENDPOINTS, len(ENDPOINTS))


def build(resource: Resource, topology: Topology) -> Mrap:
    """Kind.build."""
    return Mrap(Asking.of(resource, topology))
