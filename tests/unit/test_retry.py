"""One call to a vendor is tried again by our clock, by class, and within its bound."""

from __future__ import annotations

import pytest

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.retry import ATTEMPTS, READS, again
from cloudfail.testing.clock import VirtualClock


class Vendor:
    """Raises what it is given, one after the other, then answers. takes: how long each call lasts."""

    def __init__(self, clock: VirtualClock, *raises: CloudfailError, takes: float = 0.0) -> None:
        self.clock = clock
        self.raises = list(raises)
        self.takes = takes
        self.left: list[float] = []

    def __call__(self, left: float) -> str:
        self.left.append(left)
        self.clock.sleep(self.takes)
        if self.raises:
            raise self.raises.pop(0)
        return "an answer"


def test_what_had_no_effect_is_tried_again() -> None:
    clock = VirtualClock()
    vendor = Vendor(clock, Transient("busy"), Transient("busy"))
    assert again(vendor, within=10, clock=clock) == "an answer"
    assert len(vendor.left) == 3
    assert vendor.left[0] == 10
    assert vendor.left == sorted(vendor.left, reverse=True), "what is left only shrinks"


@pytest.mark.parametrize("error", [Permanent("no"), Conflict("other"), OutcomeUnknown("silence")])
def test_what_may_have_had_one_or_never_will_is_not(error: CloudfailError) -> None:
    clock = VirtualClock()
    vendor = Vendor(clock, error)
    with pytest.raises(type(error)):
        again(vendor, within=10, clock=clock)
    assert len(vendor.left) == 1


def test_a_read_that_got_no_answer_is_tried_again() -> None:
    clock = VirtualClock()
    vendor = Vendor(clock, OutcomeUnknown("silence"))
    assert again(vendor, within=10, clock=clock, also=READS) == "an answer"


def test_it_ends_after_so_many_attempts() -> None:
    clock = VirtualClock()
    vendor = Vendor(clock, *[Transient("busy")] * 20)
    with pytest.raises(Transient):
        again(vendor, within=10_000, clock=clock)
    assert len(vendor.left) == ATTEMPTS


def test_it_ends_when_the_time_is_over_by_the_clock_that_it_was_given() -> None:
    clock = VirtualClock()
    vendor = Vendor(clock, *[Transient("busy")] * 20, takes=4.0)
    began = clock.boot()
    with pytest.raises(Transient):
        again(vendor, within=5, clock=clock, attempts=20)
    assert len(vendor.left) == 2
    assert clock.boot() - began < 9


def test_the_pause_that_the_vendor_asked_for_is_kept() -> None:
    clock = VirtualClock()
    vendor = Vendor(clock, Transient("busy", retry_after_seconds=3.0))
    began = clock.boot()
    again(vendor, within=10, clock=clock)
    assert clock.boot() - began >= 3


def test_a_pause_that_does_not_fit_is_not_begun() -> None:
    """The machine tries again later, and says so in the journal, instead of sleeping its lease away."""
    clock = VirtualClock()
    vendor = Vendor(clock, Transient("busy", retry_after_seconds=60.0))
    began = clock.boot()
    with pytest.raises(Transient) as caught:
        again(vendor, within=10, clock=clock)
    assert caught.value.retry_after_seconds == 60.0
    assert clock.boot() == began
