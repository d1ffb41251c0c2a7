"""How much an account may still ask of a cloud, kept here as the cloud keeps it: buckets that fill at a steady rate.

All steps of a process share one bucket for each limit of each account. A change may take the last token, a read leaves
half of them, so that watching never takes what a failover needs. Other processes draw on the same account and are not
seen here: whoever is told "too much" all the same empties the bucket with `empty`. What the limits are, each provider
knows.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from cloudfail.clock import Clock

READ_SHARE = 0.5
ON_ITS_WAY_SECONDS = 0.25
"""How long a request may be on its way to the cloud's bucket. One that is full fills no further until then, so that
ours, of which the tokens are taken when a request is sent, would be ahead of it by that much."""
_SHORTEST_SECONDS = 1e-3
"""What is missing after a shorter wait is a rounding of the clock's, and is owed."""


@dataclass(frozen=True)
class Rate:
    """burst: how many at once. per_second: how fast it fills again."""

    burst: float
    per_second: float


@dataclass(frozen=True)
class Cost:
    """What one request takes from one bucket. key: of account and limit; the same key has the same rate."""

    key: Hashable
    rate: Rate
    tokens: float = 1.0


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


class Buckets:
    """Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[Hashable, _Bucket] = {}

    def take(self, costs: Sequence[Cost], *, changes: bool) -> float:
        """Seconds to wait before the request may be sent; at 0.0 its tokens are taken, from all or from none."""
        with self._lock:
            found = [(self._bucket(cost), cost.tokens) for cost in costs]
            share = 1.0 if changes else READ_SHARE
            wait = max((bucket.wait(tokens, share) for bucket, tokens in found), default=0.0)
            if wait <= 0:
                now = self._clock.boot()
                for bucket, tokens in found:
                    bucket.take(tokens, now)
            return wait

    def empty(self, costs: Sequence[Cost]) -> None:
        """The cloud said that it was too much: somebody else draws on the same account."""
        with self._lock:
            for cost in costs:
                bucket = self._bucket(cost)
                bucket.tokens = min(bucket.tokens, 0.0)

    def at_most(self, cost: Cost, tokens: float) -> None:
        """The cloud said how many are left, all who draw on the account counted: there are no more than that."""
        with self._lock:
            bucket = self._bucket(cost)
            bucket.tokens = min(bucket.tokens, tokens)

    def give_back(self, cost: Cost, *, again_seconds: float) -> None:
        """A request was refused, and so took nothing: what was taken for it here is given back, but that so much may be
        asked again only after that time."""
        with self._lock:
            bucket = self._bucket(cost)
            soon = cost.tokens - again_seconds * bucket.rate.per_second
            bucket.tokens = min(bucket.tokens + cost.tokens, soon)

    def _bucket(self, cost: Cost) -> _Bucket:
        now = self._clock.boot()
        if cost.key not in self._buckets:
            self._buckets[cost.key] = _Bucket(cost.rate, now)
        self._buckets[cost.key].fill(now)
        return self._buckets[cost.key]
