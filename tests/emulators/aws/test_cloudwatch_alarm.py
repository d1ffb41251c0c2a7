"""signals: cloudwatch-alarm, on ministack, which evaluates alarms, and on moto, which is told their state."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, cast

import pytest

from cloudfail.clock import SystemClock
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import PortName
from cloudfail.testing.signals_suite import SignalsHarness, SignalsSuite
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.signals.cloudwatch_alarm import CloudWatchAlarm
from cloudfail_aws.signals.options import AlarmMember
from tests.emulators.aws.front import Front
from tests.emulators.aws.gate import EXECUTE, Gate, policies_of, with_roles
from tests.emulators.aws.members import REGIONS, SOURCE, TARGET, kind_of, resource, sdk, topology, unique
from tests.emulators.aws.outages import Fault

STALE_SECONDS = 300.0
_CLIENTS: dict[str, Clients] = {}


class Later(SystemClock):
    """A clock that can be set ahead: so much later it is."""

    ahead_seconds = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead_seconds


class Site:
    """One alarm in each of two regions, over a metric of its own. Fulfils signals_suite.SignalsHarness.

    `evaluates`: whether the emulator does; otherwise it is told what CloudWatch would say."""

    source, target = SOURCE, TARGET

    def __init__(self, front: Front, *, evaluates: bool, missing: str = "notBreaching", **more: Any) -> None:
        self.front, self.evaluates = front, evaluates
        self.name = unique("checkout-5xx")
        self.metric = unique("errors")  # ministack evaluates an alarm by its metric's name, whatever its dimensions
        self.clock = Later()
        self._cut: Fault | None = None
        for region in REGIONS:
            sdk(front, "cloudwatch", region).put_metric_alarm(
                AlarmName=self.name,
                ComparisonOperator="GreaterThanThreshold",
                EvaluationPeriods=1,
                Threshold=10.0,
                TreatMissingData=missing,
                **(more or self.one_metric()),
            )
            self.measure(region, 1.0)

    def one_metric(self) -> dict[str, Any]:
        dimensions = [{"Name": "alb", "Value": self.name}]
        return {
            "Namespace": "shop", "MetricName": self.metric, "Dimensions": dimensions,
            "Statistic": "Maximum", "Period": 60,
        }  # fmt: skip

    def measure(self, region: str, value: float, seconds_ago: float = 0.0, metric: str = "") -> None:
        client = sdk(self.front, "cloudwatch", region)
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)
        client.put_metric_data(
            Namespace="shop",
            MetricData=[
                {
                    "MetricName": metric or self.metric,
                    "Dimensions": [{"Name": "alb", "Value": self.name}],
                    "Timestamp": at,
                    "Value": value,
                }
            ],
        )
        if not self.evaluates:
            self.say(region, "ALARM" if value > 10 else "OK")

    def say(self, region: str, state: str, name: str = "") -> None:
        client = sdk(self.front, "cloudwatch", region)
        client.set_alarm_state(AlarmName=name or self.name, StateValue=state, StateReason="it was told so")

    def port(self, stale_seconds: float = STALE_SECONDS, **members: Any) -> CloudWatchAlarm:
        of = resource(PortName.SIGNALS, "cloudwatch-alarm", members or dict.fromkeys(REGIONS, self.name), "errors")
        clients = _CLIENTS.setdefault(self.front.url, Clients())
        asking = Asking(of, topology(of), clients, Budget(self.clock), self.clock)
        return CloudWatchAlarm(
            asking, {at: AlarmMember.model_validate(one) for at, one in of.members.items()}, stale_seconds
        )

    def fire(self, region: str) -> None:
        self.measure(region, 100.0)

    def calm(self, region: str) -> None:
        """The worst of the minute stays the worst of it: it is over when another metric is looked at."""
        calm = unique("calm")
        client = sdk(self.front, "cloudwatch", region)
        client.delete_alarms(AlarmNames=[self.name])
        more = {**self.one_metric(), "MetricName": calm}
        client.put_metric_alarm(
            AlarmName=self.name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=10.0, **more
        )
        self.measure(region, 1.0, metric=calm)

    def stop_measuring(self, region: str) -> None:
        self.clock.ahead_seconds = STALE_SECONDS + 90.0

    def make_unreachable(self, region: str) -> None:
        self._cut = self.front.outages.refuse(region=region)

    def restore(self, region: str) -> None:
        assert self._cut is not None
        self._cut.lift()

    def wait(self, seconds: float) -> None:
        self.clock.sleep(min(seconds, 0.2))


@pytest.fixture(params=["ministack", "moto"])
def by(request: pytest.FixtureRequest, cloud: Front) -> Iterator[tuple[Front, bool]]:
    """CloudWatch as either emulator has it, and whether that one evaluates alarms."""
    cloud.serve("cloudwatch", request.param)
    yield cloud, request.param == "ministack"
    cloud.serve("cloudwatch", "ministack")


class TestAlarm(SignalsSuite):
    @pytest.fixture
    def world(self, by: tuple[Front, bool]) -> SignalsHarness:
        return Site(by[0], evaluates=by[1])


def said(port: CloudWatchAlarm, region: str = TARGET) -> Known[SignalState] | Unknown:
    return heard(port.read(region))


def unknown(port: CloudWatchAlarm, region: str = TARGET) -> str:
    read = said(port, region)
    assert isinstance(read, Unknown), read
    return read.reason


@pytest.fixture
def told(cloud: Front) -> Iterator[Front]:
    """With moto, which does what it is told, so that states can be had that only a real outage makes."""
    cloud.serve("cloudwatch", "moto")
    yield cloud
    cloud.serve("cloudwatch", "ministack")


@pytest.fixture
def site(told: Front) -> Site:
    return Site(told, evaluates=False)


def test_it_says_which_alarm_it_is_where_and_why_it_fires(site: Site) -> None:
    site.fire(TARGET)
    read = said(site.port())
    assert isinstance(read, Known)
    assert read.value.firing
    assert read.value.detail == f"the alarm {site.name} in {TARGET} is in ALARM: it was told so"
    assert 0 <= read.at - read.value.measured_at < 130, "by the beginning of the minute that was measured"


@pytest.mark.parametrize("missing", ["missing", "notBreaching", "breaching", "ignore"])
@pytest.mark.parametrize("state", ["OK", "ALARM"])
def test_however_the_alarm_treats_missing_data_it_says_nothing_without_any(
    told: Front, missing: str, state: str
) -> None:
    """`notBreaching` says OK for ever, `breaching` fires because nobody measures, `ignore` keeps what it said."""
    site = Site(told, evaluates=False, missing=missing)
    site.say(TARGET, state)
    assert isinstance(said(site.port()), Known)
    site.stop_measuring(TARGET)
    assert "data" in unknown(site.port())


def test_an_alarm_that_never_had_data_says_nothing(site: Site) -> None:
    site.metric = unique("nobody-measures")
    client = sdk(site.front, "cloudwatch", TARGET)
    client.put_metric_alarm(
        AlarmName=site.name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Threshold=10.0,
        TreatMissingData="notBreaching",
        **site.one_metric(),
    )
    site.say(TARGET, "OK")
    assert "no data of the time in which it would count" in unknown(site.port())


def test_insufficient_data_is_unknown(site: Site) -> None:
    site.say(TARGET, "INSUFFICIENT_DATA")
    assert "INSUFFICIENT_DATA: it was told so" in unknown(site.port())


def test_an_alarm_that_is_not_there_is_unknown(site: Site) -> None:
    port = site.port(**{SOURCE: site.name, TARGET: "nobody-made-this"})
    assert "there is no metric or composite alarm nobody-made-this" in unknown(port)


def test_an_alarm_may_stand_elsewhere_than_in_the_region_that_it_judges(site: Site) -> None:
    port = site.port(**{SOURCE: {"alarm": site.name, "in": TARGET}, TARGET: site.name})
    site.fire(TARGET)
    site.front.outages.silence(region=SOURCE)
    read = said(port, SOURCE)
    assert isinstance(read, Known)
    assert f"{site.name} in {TARGET} is in ALARM" in read.value.detail


# ---- on the wire


def test_the_alarm_of_a_region_that_is_gone_is_unknown_within_its_time_and_the_other_one_answers(site: Site) -> None:
    """It lives in the region that it judges, and was firing when that was lost."""
    site.fire(SOURCE)
    port = site.port()
    site.front.outages.silence(region=SOURCE)
    began = site.clock.boot()
    assert "could not be read" in unknown(port, SOURCE)
    assert site.clock.boot() - began < 20.0
    assert isinstance(said(port), Known)


@pytest.mark.parametrize("operation", ["DescribeAlarms", "GetMetricData"])
@pytest.mark.parametrize("how", ["throttle", "refuse", "denied", "broken off"])
def test_what_cannot_be_read_is_unknown(site: Site, operation: str, how: str) -> None:
    outages, where = site.front.outages, {"service": "cloudwatch", "operation": operation, "region": TARGET}
    site.fire(TARGET)
    port = site.port()
    match how:
        case "throttle":
            outages.throttle(**where)
        case "refuse":
            outages.refuse(**where)
        case "denied":
            outages.fail("AccessDenied", 403, **where)
        case "broken off":
            outages.cut(**where)
    assert "could not be read" in unknown(port)


def test_one_lost_answer_is_asked_for_again(site: Site) -> None:
    site.front.outages.refuse(service="cloudwatch", times=1)
    assert isinstance(said(site.port()), Known)


# ---- composite alarms: ministack evaluates them too


@pytest.fixture
def evaluated(cloud: Front) -> Site:
    return Site(cloud, evaluates=True)


def composite(site: Site, rule: str) -> CloudWatchAlarm:
    name = unique("composite")
    sdk(site.front, "cloudwatch", TARGET).put_composite_alarm(AlarmName=name, AlarmRule=rule)
    return site.port(**{TARGET: name})


def comes_to_fire(site: Site, port: CloudWatchAlarm) -> SignalState:
    for _ in range(100):
        read = said(port)
        if isinstance(read, Known) and read.value.firing:
            return read.value
        site.wait(0.2)
    raise AssertionError(f"it never fired: {said(port)}")


def test_a_composite_alarm_fires_by_its_rule_and_is_as_old_as_what_it_stands_on(evaluated: Site) -> None:
    port = composite(evaluated, f'ALARM("{evaluated.name}") AND NOT OK({evaluated.name})')
    quiet = said(port)
    assert isinstance(quiet, Known)
    assert not quiet.value.firing
    evaluated.fire(TARGET)
    state = comes_to_fire(evaluated, port)
    leaf = said(evaluated.port())
    assert isinstance(leaf, Known)
    assert state.measured_at == leaf.value.measured_at
    evaluated.stop_measuring(TARGET)
    assert "data" in unknown(port)


def test_a_composite_alarm_over_composite_alarms_reaches_down_to_the_metrics(evaluated: Site) -> None:
    inner = composite(evaluated, f'ALARM("{evaluated.name}")')
    name = inner._members[TARGET].alarm
    arn = sdk(evaluated.front, "cloudwatch", TARGET).describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])[
        "CompositeAlarms"
    ][0]["AlarmArn"]
    port = composite(evaluated, f'ALARM("{arn}")')
    assert isinstance(said(port), Known)
    evaluated.fire(TARGET)
    comes_to_fire(evaluated, port)
    evaluated.stop_measuring(TARGET)
    assert "data" in unknown(port)


def test_a_composite_alarm_over_one_without_data_is_unknown_though_it_says_ok(evaluated: Site) -> None:
    other = unique("nobody-measures")
    more = {**evaluated.one_metric(), "MetricName": other}
    sdk(evaluated.front, "cloudwatch", TARGET).put_metric_alarm(
        AlarmName=other, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=10.0, **more
    )
    port = composite(evaluated, f'ALARM("{evaluated.name}") OR ALARM("{other}")')
    assert f"{other} is INSUFFICIENT_DATA" in unknown(port)


def test_a_composite_alarm_that_names_more_alarms_than_are_asked_for_is_unknown(evaluated: Site) -> None:
    names = [unique("one-of-many") for _ in range(25)]
    for name in names:
        sdk(evaluated.front, "cloudwatch", TARGET).put_metric_alarm(
            AlarmName=name,
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            Threshold=10.0,
            **evaluated.one_metric(),
        )
    port = composite(evaluated, " OR ".join(f'ALARM("{name}")' for name in names))
    assert "more than 20 alarms" in unknown(port)


# ---- permissions


def test_it_is_read_under_what_is_printed_and_under_no_less(site: Site) -> None:
    port = site.port(**{SOURCE: {"alarm": site.name, "in": TARGET}, TARGET: site.name})
    of = port._asking.resource
    whole = with_roles(topology(of))
    gate = Gate(policies_of(kind_of(of.port, of.kind), of, whole, REGIONS))
    asking = Asking(of, whole, cast(Clients, gate), Budget(site.clock))
    members = {at: AlarmMember.model_validate(one) for at, one in of.members.items()}
    assert isinstance(said(CloudWatchAlarm(asking, members, STALE_SECONDS)), Known)
    gate.judge()
    assert not gate.policies[EXECUTE]["Statement"], "there is nothing to change"
