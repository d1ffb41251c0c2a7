"""What "supported" means for the port `signals` (conformance.py has the others, and says how suites are inherited)."""

from __future__ import annotations

from typing import Any, Protocol

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState, heard

POLLS = 60


class SignalsHarness(Protocol):
    """One world per test: in each region the signal is quiet, and has fresh data."""

    source: str
    target: str

    def port(self) -> Any: ...

    def fire(self, region: str) -> None:
        """Have something go wrong there, by which the signal fires."""

    def calm(self, region: str) -> None:
        """It is over."""

    def stop_measuring(self, region: str) -> None:
        """From here on nothing is measured there, and long enough ago by now. Nobody tells the signal."""

    def make_unreachable(self, region: str) -> None:
        """From here on nothing in `region` answers us."""

    def restore(self, region: str) -> None:
        """It answers again."""

    def wait(self, seconds: float) -> None:
        """Let that time pass, on whichever clock the world has."""


class SignalsSuite:
    """One signal in two regions."""

    def said(self, world: SignalsHarness, region: str) -> Known[SignalState] | Unknown:
        return heard(world.port().read(region))

    def eventually(self, world: SignalsHarness, region: str, firing: bool | None) -> SignalState | None:
        """What it says once it fires, is quiet, or (None) is unknown."""
        last: Known[SignalState] | Unknown = Unknown("never read")
        for _ in range(POLLS):
            last = self.said(world, region)
            if isinstance(last, Unknown):
                if firing is None:
                    return None
            elif last.value.firing is firing:
                return last.value
            world.wait(0.5)
        raise AssertionError(f"it never came to be so; last heard: {last}")

    def test_where_nothing_is_wrong_it_is_quiet_and_says_of_what_and_when(self, world: SignalsHarness) -> None:
        state = self.eventually(world, world.source, False)
        assert state is not None
        assert state.detail
        assert state.measured_at > 0
        assert state.good_for_seconds > 0

    def test_it_fires_in_the_region_where_something_is_wrong_and_in_no_other(self, world: SignalsHarness) -> None:
        world.fire(world.source)
        self.eventually(world, world.source, True)
        other = self.said(world, world.target)
        assert isinstance(other, Known), other
        assert not other.value.firing

    def test_when_it_is_over_it_is_quiet_again(self, world: SignalsHarness) -> None:
        world.fire(world.target)
        self.eventually(world, world.target, True)
        world.calm(world.target)
        self.eventually(world, world.target, False)

    def test_a_quiet_signal_whose_data_stopped_says_nothing(self, world: SignalsHarness) -> None:
        self.eventually(world, world.source, False)
        world.stop_measuring(world.source)
        self.eventually(world, world.source, None)

    def test_a_firing_signal_whose_data_stopped_says_nothing_either(self, world: SignalsHarness) -> None:
        world.fire(world.source)
        self.eventually(world, world.source, True)
        world.stop_measuring(world.source)
        self.eventually(world, world.source, None)

    def test_a_read_of_what_does_not_answer_is_unknown_and_raises_nothing(self, world: SignalsHarness) -> None:
        world.make_unreachable(world.target)
        read = world.port().read(world.target)
        assert isinstance(read, Unknown), f"taken for known: {read}"
        assert read.reason
        world.restore(world.target)
        self.eventually(world, world.target, False)

    def test_of_a_region_that_it_does_not_know_it_says_nothing(self, world: SignalsHarness) -> None:
        assert isinstance(world.port().read("no-such-region"), Unknown)
