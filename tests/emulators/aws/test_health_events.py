"""signals: health-events against a stand-in: its wire is botocore's model. No emulator has AWS Health."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from cloudfail.clock import SystemClock
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import PortName, Resource
from cloudfail.testing.signals_suite import SignalsHarness, SignalsSuite
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.signals import health_events
from cloudfail_aws.signals.health_events import HealthEvents, active
from cloudfail_aws.signals.options import HealthOptions
from tests.emulators.aws.front import Front
from tests.emulators.aws.gate import EXECUTE, Gate, policies_of, with_roles
from tests.emulators.aws.members import REGIONS, SOURCE, TARGET, kind_of, topology
from tests.emulators.aws.standin import StandIn
from tests.emulators.aws.standins.health_events import HealthEventsOf
from tests.emulators.aws.test_cloudwatch_alarm import Later

SERVICES = ("RDS", "EC2")


class Site:
    """Fulfils signals_suite.SignalsHarness."""

    source, target = SOURCE, TARGET

    def __init__(self, front: Front, machine: HealthEventsOf) -> None:
        self.front, self.machine, self.clock = front, machine, Later()
        self.clients = Clients()
        self._kept: Known[SignalState] | Unknown | None = None
        machine.add("eu-west-1", status="closed")

    def port(self) -> Any:
        if self._kept is not None:
            return Kept(self._kept)
        of = a_resource()
        asking = Asking(of, topology(of), self.clients, Budget(self.clock), self.clock)
        return HealthEvents(asking, {region: region for region in REGIONS}, SERVICES)

    def fire(self, region: str) -> None:
        self.machine.add(region)

    def calm(self, region: str) -> None:
        for event in self.machine.events:
            if event["region"] == region:
                event["statusCode"] = "closed"

    def stop_measuring(self, region: str) -> None:
        """What was heard last, read again when it is old: each answer of Health is of its own moment."""
        read = self.port().read(region)
        assert isinstance(read, Known)
        self._kept = Known(read.value, read.at + 3600.0)

    def make_unreachable(self, region: str) -> None:
        """Health stands in no region that it judges; it is Health itself that does not answer."""
        self.front.outages.refuse(service="health")

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        self.clock.sleep(min(seconds, 0.2))


class Kept:
    def __init__(self, read: Known[SignalState] | Unknown) -> None:
        self._read = read

    def read(self, region: str) -> Known[SignalState] | Unknown:
        return self._read


def a_resource() -> Resource:
    options = HealthOptions(services=list(SERVICES)).model_dump()
    return Resource("health", PortName.SIGNALS, "health-events", "aws", None, {}, options)


@pytest.fixture
def machine(cloud: Front, stand_in: Callable[[str, Any], StandIn]) -> HealthEventsOf:
    made = HealthEventsOf()
    cloud.serve("health", stand_in("health", made).answer)
    return made


@pytest.fixture
def world(cloud: Front, machine: HealthEventsOf) -> Site:
    return Site(cloud, machine)


class TestHealthEvents(SignalsSuite):
    @pytest.fixture
    def world(self, cloud: Front, machine: HealthEventsOf) -> SignalsHarness:
        return Site(cloud, machine)


def said(site: Site, region: str = TARGET) -> Known[SignalState] | Unknown:
    return heard(site.port().read(region))


def unknown(site: Site) -> str:
    read = said(site)
    assert isinstance(read, Unknown), read
    return read.reason


def test_an_open_issue_of_a_service_that_was_named_fires_and_is_named(world: Site) -> None:
    world.machine.add(TARGET, "EC2")
    read = said(world)
    assert isinstance(read, Known)
    assert read.value.firing
    assert read.value.detail == f"AWS Health has open issues in {TARGET}: EC2 AWS_EC2_OPERATIONAL_ISSUE"


@pytest.mark.parametrize(
    "event",
    [
        {"service": "SES"},
        {"status": "closed"},
        {"status": "upcoming"},
        {"category": "scheduledChange"},
        {"category": "accountNotification"},
    ],
)
def test_nothing_else_fires(world: Site, event: dict[str, str]) -> None:
    world.machine.add(TARGET, **event)
    read = said(world)
    assert isinstance(read, Known)
    assert not read.value.firing
    assert "no open issue of RDS, EC2" in read.value.detail


def test_an_account_without_a_support_plan_is_unknown_and_the_reason_says_so(world: Site) -> None:
    world.machine.plan = False
    assert "SubscriptionRequiredException" in unknown(world)


def test_an_account_of_which_health_never_told_anything_is_unknown(world: Site) -> None:
    world.machine.events.clear()
    assert "no event of this account at all" in unknown(world)


def test_many_issues_are_told_in_few_words(world: Site) -> None:
    for _ in range(150):
        world.machine.add(TARGET)
    read = said(world)
    assert isinstance(read, Known)
    assert read.value.firing
    assert read.value.detail.endswith("and 95 more"), "of the first hundred"


@pytest.mark.parametrize("how", ["silence", "throttle", "refuse", "cut"])
def test_what_cannot_be_read_is_unknown_within_its_time(world: Site, how: str) -> None:
    getattr(world.front.outages, how)(service="health")
    began = time.monotonic()
    assert "could not be asked" in unknown(world)
    assert time.monotonic() - began < 20.0


def test_an_answer_about_another_region_is_none_about_this_one(world: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that a service does not keep to would make each region's issue everybody's."""
    world.machine.add("eu-west-1")
    monkeypatch.setattr(world.machine, "describe_events", lambda given, what: {"events": world.machine.events})
    read = said(world)
    assert isinstance(read, Known)
    assert not read.value.firing


# ---- which endpoint


@pytest.mark.parametrize(
    ("names", "region"),
    [
        (("health.us-east-1.amazonaws.com", "global.health.amazonaws.com"), "us-east-1"),
        (("x.elb.amazonaws.com", "global.health.amazonaws.com", "health.us-east-2.amazonaws.com."), "us-east-2"),
        (("global.health.amazonaws.com",), ""),
        (("health.us-east-2.amazonaws.com.attacker.example",), ""),
        ((), ""),
    ],
)
def test_the_active_endpoint_is_the_one_that_the_global_name_stands_for(names: tuple[str, ...], region: str) -> None:
    assert active(names) == region


def port_with(lookup: Callable[[], tuple[str, ...]]) -> HealthEvents:
    of = a_resource()
    asking = Asking(of, topology(of), Clients(), Budget(SystemClock()))
    return HealthEvents(asking, {TARGET: TARGET}, SERVICES, lookup)


def test_the_endpoint_that_is_active_is_asked_and_signed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    port = port_with(lambda: ("health.us-east-2.amazonaws.com",))
    assert port._endpoint() == ("us-east-2", "https://health.us-east-2.amazonaws.com")


def test_where_the_global_name_does_not_answer_or_does_not_say_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def nobody() -> tuple[str, ...]:
        raise OSError("no such name")

    for lookup in (nobody, lambda: ("global.health.amazonaws.com",)):
        assert isinstance(port_with(lookup).read(TARGET), Unknown)


def test_a_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(health_events, "LOOKUP_SECONDS", 0.2)

    def hangs() -> tuple[str, ...]:
        time.sleep(5)
        return ()

    assert "no answer within" in port_with(hangs).read(TARGET).reason  # type: ignore[union-attr]  # or the test fails


# ---- permissions


def test_it_is_read_under_what_is_printed_and_under_no_less(world: Site) -> None:
    of = a_resource()
    whole = with_roles(topology(of))
    gate = Gate(policies_of(kind_of(of.port, of.kind), of, whole, REGIONS))
    asking = Asking(of, whole, cast(Clients, gate), Budget(world.clock))
    assert isinstance(HealthEvents(asking, {TARGET: TARGET}, SERVICES).read(TARGET), Known)
    gate.judge()
    assert not gate.policies[EXECUTE]["Statement"]
