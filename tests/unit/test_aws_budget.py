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
    """Route 53's side of it: buckets of the account, of each action and of records. Raises where one is empty."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.at = clock.boot()
        self.full = {"account": (50.0, 10.0), "records": (1500.0, 100.0)}
        self.tokens = {name: burst for name, (burst, _) in self.full.items()}

    def asked(self, records: int, action: str = CHANGE) -> None:
        now = self.clock.boot()
        self.full.setdefault(action, (50.0, 10.0))
        for name, (burst, rate) in self.full.items():
            self.tokens[name] = min(burst, self.tokens.get(name, burst) + (now - self.at) * rate)
        self.at = now
        for name, cost in (("account", 1.0), (action, 1.0), ("records", float(records))):
            assert self.tokens[name] >= cost - 0.11, "throttled"
            self.tokens[name] -= cost


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


@pytest.mark.parametrize("on_its_way", [0.0, 0.05, 0.2])
def test_a_batch_that_takes_a_while_to_arrive_does_not_make_the_next_one_too_early(on_its_way: float) -> None:
    """A full bucket of AWS's fills no further until a request is there: 1,000 of 1,500 records are taken late."""
    clock = VirtualClock()
    budget, limiter = Budget(clock), Limiter(clock)
    for late in (on_its_way, 0.0, 0.0):
        send(budget, clock, CHANGE, 1000)
        clock.sleep(late)
        limiter.asked(1000)


def test_a_batch_that_was_too_much_took_nothing_and_goes_again_soon() -> None:
    clock = VirtualClock()
    budget = Budget(clock)
    send(budget, clock, CHANGE, 1000)
    send(budget, clock, CHANGE, 1000)
    budget.penalise(*DNS, CHANGE, 1000)
    began = clock.boot()
    send(budget, clock, CHANGE, 1000)
    assert 0.5 <= clock.boot() - began <= 1.5


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
