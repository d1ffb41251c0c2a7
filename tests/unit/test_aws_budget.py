"""What an account may still ask of AWS is kept as AWS keeps it, and a failover comes before watching."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudfail.budget import READ_SHARE
from cloudfail.testing.clock import VirtualClock
from cloudfail_aws.budget import Budget, records_in

DNS = ("111111111111", "us-east-1", "route53")
CHANGE = "change_resource_record_sets"


class Limiter:
    """Route 53's side of it: three buckets, of the account, of the action and of records. Raises where one is empty."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.at = clock.boot()
        self.full = [(50.0, 10.0), (50.0, 10.0), (1500.0, 100.0)]
        self.tokens = [burst for burst, _ in self.full]

    def asked(self, records: int) -> None:
        now = self.clock.boot()
        for index, (burst, rate) in enumerate(self.full):
            self.tokens[index] = min(burst, self.tokens[index] + (now - self.at) * rate)
        self.at = now
        for index, cost in enumerate((1.0, 1.0, float(records))):
            assert self.tokens[index] >= cost - 0.11, "throttled"
            self.tokens[index] -= cost


def send(budget: Budget, clock: VirtualClock, operation: str, records: int = 0, *, changes: bool = True) -> None:
    while wait := budget.reserve(*DNS, operation, changes=changes, records=records):
        clock.sleep(wait)


def test_ten_thousand_records_take_hardly_longer_than_the_limits_force() -> None:
    """20 batches of 500 records, each a DELETE of what was seen beside a CREATE: 20,000 changes of records. 1,500 go at
    once, the rest at 100 a second: 185 s at the least."""
    clock = VirtualClock()
    budget, limiter, began = Budget(clock), Limiter(clock), clock.boot()
    for _ in range(20):
        send(budget, clock, CHANGE, 1000)
        limiter.asked(1000)
    taken, least = clock.boot() - began, (20_000 - 1_500) / 100
    assert least <= taken + 1e-6 <= 1.05 * least


def test_it_never_asks_more_than_the_account_takes() -> None:
    clock = VirtualClock()
    budget, limiter = Budget(clock), Limiter(clock)
    for _ in range(300):
        send(budget, clock, CHANGE, 2)
        limiter.asked(2)


def test_watching_leaves_half_to_a_failover() -> None:
    clock = VirtualClock()
    budget = Budget(clock)

    def at_once(operation: str, *, changes: bool) -> int:
        count = 0
        while budget.reserve(*DNS, operation, changes=changes) == 0.0:
            count += 1
        return count

    assert at_once("list_resource_record_sets", changes=False) == 50 * READ_SHARE
    assert at_once(CHANGE, changes=True) == 50 - 50 * READ_SHARE, "what the account has left, down to the last"


@pytest.mark.parametrize("wait", [0.5, 20.0])
def test_who_is_throttled_all_the_same_waits(wait: float) -> None:
    clock = VirtualClock()
    budget = Budget(clock)
    assert budget.reserve(*DNS, CHANGE, changes=True) == 0.0
    budget.penalise(*DNS, CHANGE)
    assert budget.reserve(*DNS, CHANGE, changes=True) > 0.0
    clock.sleep(wait)
    assert budget.reserve(*DNS, CHANGE, changes=True) == 0.0


def test_accounts_and_regions_have_their_own() -> None:
    clock = VirtualClock()
    budget = Budget(clock)
    place: Callable[[str, str], tuple[str, str, str]] = lambda account, region: (account, region, "ec2")  # noqa: E731
    budget.penalise(*place("1", "us-east-1"), "replace_route")
    assert budget.reserve(*place("1", "us-east-1"), "replace_route", changes=True) > 0
    assert budget.reserve(*place("2", "us-east-1"), "replace_route", changes=True) == 0
    assert budget.reserve(*place("1", "us-west-2"), "replace_route", changes=True) == 0
    assert budget.reserve(*place("1", "us-east-1"), "create_route", changes=True) == 0


def test_what_is_more_than_the_bucket_holds_waits_for_a_full_one() -> None:
    clock = VirtualClock()
    budget = Budget(clock)
    assert budget.reserve(*DNS, CHANGE, changes=True, records=2000) == 0.0
    assert budget.reserve(*DNS, CHANGE, changes=True, records=2000) == pytest.approx(20.0)


def test_an_upsert_counts_twice() -> None:
    batch = {"Changes": [{"Action": "CREATE"}, {"Action": "DELETE"}, {"Action": "UPSERT"}]}
    assert records_in("route53", CHANGE, {"ChangeBatch": batch}) == 4
    assert records_in("route53", "get_change", {}) == 0
