"""How many requests a subscription may still make of Resource Manager, so that a run is not throttled half-way.

Figures: "Understand how Azure Resource Manager throttles requests" (learn.microsoft.com/azure/azure-resource-manager/
management/request-limits-and-throttling): by subscription, region and principal, 250 reads at once and 25 a second, 200
writes and 10 a second, 200 deletions and 10 a second. Each answer tells what is left; a resource provider may be
stricter, and says so by 429 with Retry-After.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudfail.budget import Buckets, Cost, Rate
from cloudfail.clock import Clock

RATES: Mapping[str, Rate] = {"reads": Rate(250, 25), "writes": Rate(200, 10), "deletes": Rate(200, 10)}
LEFT = "x-ms-ratelimit-remaining-subscription-"
"""The header that tells what is left, before the sort's name."""


def sort_of(method: str) -> str:
    """Which limit a request is counted by."""
    return {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(method, "writes")


class Budget:
    """Safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._buckets = Buckets(clock)

    def reserve(self, subscription: str, role: str, method: str, *, changes: bool) -> float:
        """Seconds to wait before the request may be sent; at 0.0 its token is taken."""
        return self._buckets.take([_cost(subscription, role, method)], changes=changes)

    def told(self, subscription: str, role: str, method: str, headers: Mapping[str, str]) -> None:
        """What an answer said is left, all who draw on it counted. No more than that is believed to be there."""
        said = headers.get(f"{LEFT}{sort_of(method)}", "")
        if said.isdigit():
            self._buckets.at_most(_cost(subscription, role, method), float(said))

    def penalise(self, subscription: str, role: str, method: str) -> None:
        """Azure said that it was too much."""
        self._buckets.empty([_cost(subscription, role, method)])


def _cost(subscription: str, role: str, method: str) -> Cost:
    sort = sort_of(method)
    return Cost((subscription, role, sort), RATES[sort])
