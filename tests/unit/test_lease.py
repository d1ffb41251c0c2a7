"""The lease as its holder counts it (design.md §4 rule 6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfail.lease import DRIFT_SECONDS_MAX, Lease
from cloudfail.testing.clock import VirtualClock


def held(seconds: float = 30.0) -> tuple[Lease, VirtualClock]:
    clock = VirtualClock()
    lease = Lease(clock, seconds)
    lease.renewed(lease.before_sending())
    return lease, clock


def test_a_lease_that_was_never_held_has_nothing_left() -> None:
    assert Lease(VirtualClock(), 30.0).remaining() == 0.0


def test_it_counts_from_before_the_renewal_was_sent() -> None:
    clock = VirtualClock()
    lease = Lease(clock, 30.0)
    mark = lease.before_sending()
    clock.sleep(12.0)  # the store took its time to answer
    lease.renewed(mark)
    assert lease.remaining() == pytest.approx(18.0)


def test_it_counts_the_time_that_the_machine_slept() -> None:
    lease, clock = held()
    clock.suspend(31.0)
    assert lease.remaining() == 0.0


@pytest.mark.parametrize("jump", [-600.0, -1.5, 1.5, 600.0])
def test_clocks_that_disagree_lose_it(jump: float) -> None:
    lease, clock = held()
    clock.jump_wall(jump)
    assert lease.remaining() == 0.0


@pytest.mark.parametrize("jump", [-0.9, 0.9])
def test_a_wall_clock_that_is_slewed_a_little_does_not(jump: float) -> None:
    lease, clock = held()
    clock.jump_wall(jump)
    assert lease.remaining() == 30.0


def test_a_renewal_after_a_jump_holds_it_again() -> None:
    lease, clock = held()
    clock.jump_wall(600.0)
    lease.renewed(lease.before_sending())
    assert lease.remaining() == 30.0


def test_once_lost_it_stays_lost_until_it_is_renewed() -> None:
    lease, clock = held()
    lease.lost()
    clock.sleep(1.0)
    assert lease.remaining() == 0.0


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["sleep", "jump", "renew"]), st.floats(-100, 100)), max_size=20),
    st.floats(0.1, 100),
)
def test_nobody_ever_holds_it_for_longer_than_its_length(moves: list[tuple[str, float]], seconds: float) -> None:
    lease, clock = held(seconds)
    sent, walls = clock.boot(), 0.0
    for move, amount in moves:
        match move:
            case "sleep":
                clock.sleep(abs(amount))
            case "jump":
                clock.jump_wall(amount)
                walls += amount
            case _:
                lease.renewed(lease.before_sending())
                sent, walls = clock.boot(), 0.0
        left = lease.remaining()
        assert left <= max(0.0, seconds - (clock.boot() - sent)) + 1e-9
        if abs(walls) > DRIFT_SECONDS_MAX + 1e-6:
            assert left == 0.0
