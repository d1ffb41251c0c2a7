"""How many requests an account may still make, so that a run is not throttled half-way: AWS's own limits.

AWS counts by account and action, with a bucket that fills at a steady rate (cloudfail/budget.py).

Figures: Route 53 developer guide, "Quotas on API requests": 50 at once and 10 a second for the account, and the same
for each action, but for those listed; changes to records apart, 1,500 at once and 100 a second, where a CREATE or a
DELETE counts one and an UPSERT two. EC2 API reference, "Request throttling": 5 a second for most actions that change
something. What is in no list is bounded all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.budget import Buckets, Cost, Rate
from cloudfail.clock import Clock

AGAIN_SECONDS = 1.0
"""After a change of records that was too much: it took nothing, and is tried again then."""
_CHANGE_COST = {"CREATE": 1, "DELETE": 1, "UPSERT": 2}

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


class Budget:
    """Safe to share between threads. Keyed by account, service and action; regions count apart, as AWS counts them."""

    def __init__(self, clock: Clock) -> None:
        self._buckets = Buckets(clock)

    def reserve(
        self, account: str, region: str, service: str, operation: str, *, changes: bool, records: int = 0
    ) -> float:
        """Seconds to wait before the request may be sent; at 0.0 its tokens are taken. records: what a change of
        records counts (`records_in`)."""
        return self._buckets.take(_costs(account, region, service, operation, records), changes=changes)

    def penalise(self, account: str, region: str, service: str, operation: str, records: int = 0) -> None:
        """AWS said that it was too much: somebody else draws on the same account. records: what the request would have
        counted; they were not taken, and are given back."""
        self._buckets.empty(_costs(account, region, service, operation, 0))
        if records:
            self._buckets.give_back(_records(account, region, service, records), again_seconds=AGAIN_SECONDS)


def _costs(account: str, region: str, service: str, operation: str, records: int) -> list[Cost]:
    of = (account, region, service)
    one = ACTION.get((service, operation)) or SERVICE.get(service, OTHER)
    found = [Cost((*of, operation), one)]
    if service in SERVICE:
        found.append(Cost((*of, ""), SERVICE[service]))
    if records:
        found.append(_records(account, region, service, records))
    return found


def _records(account: str, region: str, service: str, records: int) -> Cost:
    return Cost((account, region, service, "records"), RECORDS, float(records))


def records_in(service: str, operation: str, parameters: Mapping[str, Any]) -> int:
    """What a request counts as changes of records: 0 for all but Route 53's."""
    if (service, operation) != ("route53", "change_resource_record_sets"):
        return 0
    changes = parameters["ChangeBatch"]["Changes"]
    return sum(_CHANGE_COST.get(change["Action"], 1) for change in changes)
