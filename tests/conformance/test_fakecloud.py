"""FakeCloud is a real implementation of the ports: it holds what every provider must."""

from __future__ import annotations

from typing import Any

import pytest

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
from cloudfail.testing.fakecloud import FakeCloud
from cloudfail.testing.fakeworld import FakeWorld
from cloudfail.testing.many_writers_suite import ManyWritersSuite
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
        return world.changes(self.target)[self.name]

    def make_unreachable(self, region: str) -> None:
        self.cloud.cut_off(region or self.name)

    def restore(self, region: str) -> None:
        self.cloud.give_back(region or self.name)

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def fencing(self, verb: str) -> str:
        return "mark"


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
