"""How many requests an account may still make, kept here as AWS keeps it, so that a run is not throttled half-way.

AWS counts by account and action, with a bucket that fills at a steady rate. All steps of this process share one such
bucket for each; a change may take its last token, a read leaves half of it, so that watching never takes what a
failover needs. Other processes (the console, an infrastructure tool) draw on the same account and are not seen here:
whoever is throttled all the same empties the bucket with `penalise`.

Figures: Route 53 developer guide, "Quotas on API requests": 50 at once and 10 a second for the account, and the same
for each action, but for those listed; changes to records apart, 1,500 at once and 100 a second, where a CREATE or a
DELETE counts one and an UPSERT two. EC2 API reference, "Request throttling": 5 a second for most actions that change
something. What is in no list is bounded all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.clock import Clock

READ_SHARE = 0.5
ON_ITS_WAY_SECONDS = 0.25
"""How long a request may be on its way to AWS's bucket. One that is full fills no further until then, so that ours, of
which the tokens are taken when a request is sent, would be ahead of it by that much."""
AGAIN_SECONDS = 1.0
"""After a change of records that was too much: it took nothing, and is tried again then."""
_SHORTEST_SECONDS = 1e-3
"""What is missing after a shorter wait is a rounding of the clock's, and is owed."""
_CHANGE_COST = {"CREATE": 1, "DELETE": 1, "UPSERT": 2}


@dataclass(frozen=True)
class Rate:
    """burst: how many at once. per_second: how fast it fills again."""

    burst: float
    per_second: float


OTHER = Rate(20, 5)
SERVICE: Mapping[str, Rate] = {
    "route53": Rate(50, 10),
    # A cluster's own servers, and no API of the account's: they queue 8,192 requests (Neptune user guide, "openCypher
    # exceptions").
    "neptunedata": Rate(1000, 500),
}
"""For all actions of a service together, where it counts that way."""
ACTION: Mapping[tuple[str, str], Rate] = {
    ("route53", "update_health_check"): Rate(50, 5),
    ("route53", "create_health_check"): Rate(50, 0.5),
    ("route53", "get_health_check_status"): Rate(4, 1),
    ("route53", "get_health_check_last_failure_reason"): Rate(4, 1),
    ("route53", "create_hosted_zone"): Rate(40, 2),
}
RECORDS = Rate(1500, 100)


class _Bucket:
    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self.tokens = rate.burst
        self.at = now

    def fill(self, now: float) -> None:
        self.tokens = min(self.rate.burst, self.tokens + max(0.0, now - self.at) * self.rate.per_second)
        self.at = max(self.at, now)

    def take(self, cost: float, now: float) -> None:
        """Once `wait` says nothing."""
        if self.tokens > self.rate.burst - ON_ITS_WAY_SECONDS * self.rate.per_second:
            self.at = max(self.at, now + ON_ITS_WAY_SECONDS)
        self.tokens -= cost

    def wait(self, cost: float, share: float) -> float:
        """Seconds until `cost` may be taken with (1 - share) of the burst left. What is more than the bucket ever holds
        waits for a full one."""
        floor = self.rate.burst * (1 - share)
        seconds = (min(cost + floor, self.rate.burst) - self.tokens) / self.rate.per_second
        return seconds if seconds >= _SHORTEST_SECONDS else 0.0


class Budget:
    """Safe to share between threads. Keyed by account, service and action; regions count apart, as AWS counts them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, ...], _Bucket] = {}

    def reserve(
        self, account: str, region: str, service: str, operation: str, *, changes: bool, records: int = 0
    ) -> float:
        """Seconds to wait before the request may be sent; at 0.0 its tokens are taken. records: what a change of
        records counts (`records_in`)."""
        with self._lock:
            now = self._clock.boot()
            buckets = self._for(account, region, service, operation, records, now)
            share = 1.0 if changes else READ_SHARE
            wait = max(bucket.wait(cost, share) for bucket, cost in buckets)
            if wait <= 0:
                for bucket, cost in buckets:
                    bucket.take(cost, now)
            return wait

    def penalise(self, account: str, region: str, service: str, operation: str, records: int = 0) -> None:
        """AWS said that it was too much: somebody else draws on the same account. records: what the request would have
        counted; they were not taken, and are given back."""
        with self._lock:
            now = self._clock.boot()
            for bucket, cost in self._for(account, region, service, operation, records, now):
                if records and bucket.rate == RECORDS:
                    soon = cost - AGAIN_SECONDS * bucket.rate.per_second
                    bucket.tokens = min(bucket.tokens + cost, soon)
                else:
                    bucket.tokens = min(bucket.tokens, 0.0)

    def _for(
        self, account: str, region: str, service: str, operation: str, records: int, now: float
    ) -> list[tuple[_Bucket, float]]:
        found = [(self._bucket(account, region, service, operation, ACTION.get((service, operation)), now), 1.0)]
        if service in SERVICE:
            found.append((self._bucket(account, region, service, "", SERVICE[service], now), 1.0))
        if records:
            found.append((self._bucket(account, region, service, "records", RECORDS, now), float(records)))
        return found

    def _bucket(self, account: str, region: str, service: str, what: str, rate: Rate | None, now: float) -> _Bucket:
        key = (account, region, service, what)
        if key not in self._buckets:
            self._buckets[key] = _Bucket(rate or SERVICE.get(service, OTHER), now)
        self._buckets[key].fill(now)
        return self._buckets[key]


def records_in(service: str, operation: str, parameters: Mapping[str, Any]) -> int:
    """What a request counts as changes of records: 0 for all but Route 53's."""
    if (service, operation) != ("route53", "change_resource_record_sets"):
        return 0
    changes = parameters["ChangeBatch"]["Changes"]
    return sum(_CHANGE_COST.get(change["Action"], 1) for change in changes)
