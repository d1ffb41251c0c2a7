"""FakeCloud is a real implementation of the ports: it holds what every provider must."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.model.topology import PortName, Resource
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.conformance import (
    ChangeSuite,
    ComputeSuite,
    ConsumersSuite,
    DatabaseSuite,
    DnsSuite,
    Harness,
    LoadBalancerSuite,
)
from cloudfail.testing.custom_suite import CustomHarness, CustomSuite
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FAKE_SIGNAL_SECONDS, FakeWorld
from cloudfail.testing.many_writers_suite import ManyWritersSuite
from cloudfail.testing.network_suite import NetworkSuite
from cloudfail.testing.signals_suite import SignalsHarness, SignalsSuite
from tests.crash.moves import LOADED


class FakeHarness:
    """One resource of a FakeCloud. All of its verbs carry the mark of their epoch."""

    source, target = "east", "west"

    def __init__(self, name: str, *, synchronous: bool = True, many_writers: bool = False) -> None:
        self.clock = VirtualClock()
        several = (name,) if many_writers else ()
        self.cloud = FakeCloud(LOADED.topology, self.clock, synchronous=synchronous, many_writers=several)
        self.name = name

    def port(self) -> Any:
        world = FakeWorld(self.cloud)
        match self.name:
            case "orders":
                return world.database(self.name)
            case "web":
                return world.compute(self.name)
            case "www":
                return world.dns(self.name)
            case "edge":
                return world.loadbalancer(self.name)
            case "jobs":
                return world.consumers(self.name)
            case "backbone" | "vip":
                return world.network(self.name)
            case "cdn":
                return world.custom(self.name)
        return world.changes(self.target)[self.name]

    def make_unreachable(self, region: str) -> None:
        self.cloud.cut_off(region or self.name)

    def restore(self, region: str) -> None:
        self.cloud.give_back(region or self.name)

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def fencing(self, verb: str) -> str:
        return "mark"

    def begun(self) -> int:
        return sum(effect.verb == "run" for effect in self.cloud.effects)


class TestDatabase(DatabaseSuite):
    @pytest.fixture(params=[True, False], ids=["synchronous", "asynchronous"])
    def world(self, request: pytest.FixtureRequest) -> Harness:
        return FakeHarness("orders", synchronous=request.param)


class TestManyWriters(ManyWritersSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("orders", synchronous=False, many_writers=True)


class TestDns(DnsSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("www")


class TestLoadBalancer(LoadBalancerSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("edge")


class TestCompute(ComputeSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("web")


class TestChange(ChangeSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("deploys")


class TestConsumers(ConsumersSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("jobs")


class TestRoute(NetworkSuite):
    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("backbone")


class TestAddress(NetworkSuite):
    verb = "move_address"

    @pytest.fixture
    def world(self) -> Harness:
        return FakeHarness("vip")


class TestCustom(CustomSuite):
    @pytest.fixture
    def world(self) -> CustomHarness:
        return FakeHarness("cdn")


def test_the_suite_catches_a_custom_action_that_is_begun_twice() -> None:
    world = FakeHarness("cdn")
    world.cloud.unconditional = frozenset({"run"})
    for test in (
        CustomSuite().test_ordered_again_on_what_was_seen_before_it_is_not_begun_again,
        CustomSuite().test_what_is_not_as_it_was_seen_is_left_alone,
    ):
        with pytest.raises(AssertionError):
            test(world)


class FakeSignalsHarness(FakeHarness):
    """The signal of an application with two regions."""

    def __init__(self) -> None:
        super().__init__("errors")
        errors = Resource("errors", PortName.SIGNALS, "alarm", "local", None, {})
        topology = replace(LOADED.topology, resources={**LOADED.topology.resources, "errors": errors})
        self.cloud = FakeCloud(topology, self.clock)

    def port(self) -> Any:
        return FakeWorld(self.cloud).signals("errors")

    def fire(self, region: str) -> None:
        self.cloud.firing.add(("errors", region))

    def calm(self, region: str) -> None:
        self.cloud.firing.discard(("errors", region))

    def stop_measuring(self, region: str) -> None:
        self.cloud.silent_since["errors", region] = self.clock.wall()
        self.clock.sleep(FAKE_SIGNAL_SECONDS + 1)


class TestSignals(SignalsSuite):
    @pytest.fixture
    def world(self) -> SignalsHarness:
        return FakeSignalsHarness()


def test_the_signals_suite_catches_a_signal_that_calls_old_data_fresh() -> None:
    world = FakeSignalsHarness()
    world.stop_measuring = lambda region: None  # type: ignore[method-assign]  # the data never grows old
    with pytest.raises(AssertionError):
        SignalsSuite().test_a_quiet_signal_whose_data_stopped_says_nothing(world)


def test_the_suite_catches_a_backend_without_conditions() -> None:
    """A suite that everything passes would say nothing."""
    world = FakeHarness("deploys")
    world.cloud.unconditional = frozenset({"freeze", "unfreeze"})
    for test in (
        ChangeSuite().test_a_world_that_is_not_as_it_was_seen_is_left_alone,
        ChangeSuite().test_where_it_is_fenced_by_mark_an_older_epoch_is_refused,
        ChangeSuite().test_a_verb_on_what_does_not_answer_raises_an_error_of_ours,
    ):
        with pytest.raises(AssertionError):
            test(world)


def test_the_suite_catches_a_call_that_lies() -> None:
    world = FakeHarness("edge")
    world.cloud.lie("shift", 10)
    with pytest.raises(AssertionError):
        LoadBalancerSuite().test_after_success_the_read_shows_it(world)
