"""A replica's lag as CloudWatch has it: on ministack and on moto. It bounds by its age, and -1, absent or stale is
unknown."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import pytest

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.topology import PortName, Resource
from cloudfail_aws.asking import Asking
from cloudfail_aws.budget import Budget
from cloudfail_aws.clients import Clients
from cloudfail_aws.database.reported_lag import AURORA, REPLICA, Metric, Report, ReportedLag, lag_of
from cloudfail_postgres.heartbeat import LagSample, loss_bound
from cloudfail_postgres.managed import Position, Sight
from cloudfail_postgres.plane import Plane, Seen
from tests.emulators.aws.front import Front
from tests.emulators.aws.members import SOURCE, TARGET, sdk, topology, unique
from tests.emulators.aws.test_cloudwatch_alarm import Later

_CLIENTS: dict[str, Clients] = {}


class Site:
    """One replica in the target, of which datapoints are written by the test."""

    def __init__(self, front: Front, metric: Metric) -> None:
        self.front, self.metric, self.clock = front, metric, Later()
        self.name = unique("orders-w")

    def report(self, value: float, seconds_ago: float = 0.0, **dimensions: str) -> None:
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)
        named = {self.metric.dimension: self.name, **dimensions}
        sdk(self.front, "cloudwatch", TARGET).put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": self.metric.name,
                    "Dimensions": [{"Name": key, "Value": one} for key, one in named.items()],
                    "Timestamp": at,
                    "Value": value,
                }
            ],
        )

    def lag(self, stale_seconds: float = 300.0) -> ReportedLag:
        of = Resource("orders", PortName.DATABASE, "aurora-global", "aws", "orders-global", {})
        clients = _CLIENTS.setdefault(self.front.url, Clients())
        asking = Asking(of, topology(of), clients, Budget(self.clock), self.clock)
        return ReportedLag(asking, self.metric, {TARGET: self.name}, seconds=8.0, stale_seconds=stale_seconds)


@pytest.fixture(params=["ministack", "moto"])
def by(request: pytest.FixtureRequest, cloud: Front) -> Iterator[Front]:
    cloud.serve("cloudwatch", request.param)
    yield cloud
    cloud.serve("cloudwatch", "ministack")


@pytest.mark.parametrize(("metric", "value"), [(AURORA, 1500.0), (REPLICA, 1.5)], ids=["aurora", "rds"])
def test_the_lag_is_told_in_seconds_and_bounds_by_its_age(by: Front, metric: Metric, value: float) -> None:
    site = Site(by, metric)
    site.report(value, seconds_ago=120.0)
    read = site.lag().read(TARGET)
    assert isinstance(read, Known), read
    assert read.value.lag_seconds == 1.5
    age = read.value.age_seconds(time.time())
    assert 115.0 <= age < 190.0, "it is as old as the beginning of its minute"
    assert read.value.behind_seconds(time.time()) == pytest.approx(1.5 + age, abs=1.0)


def test_minus_one_is_unknown_and_never_no_lag(by: Front) -> None:
    site = Site(by, REPLICA)
    site.report(-1.0)
    read = site.lag().read(TARGET)
    assert isinstance(read, Unknown)
    assert "not replicating" in read.reason


def test_a_replica_of_which_nothing_is_reported_is_unknown(by: Front) -> None:
    read = Site(by, AURORA).lag().read(TARGET)
    assert isinstance(read, Unknown)
    assert "has no AuroraGlobalDBRPOLag" in read.reason
    assert isinstance(Site(by, AURORA).lag().read(SOURCE), Unknown), "no member there"


def test_a_report_that_is_stale_is_unknown(by: Front) -> None:
    site = Site(by, AURORA)
    site.report(10.0, seconds_ago=240.0)
    assert isinstance(site.lag().read(TARGET), Known)
    assert isinstance(site.lag(stale_seconds=120.0).read(TARGET), Unknown)


def test_a_report_that_grows_stale_while_it_is_kept_is_unknown(by: Front) -> None:
    site = Site(by, AURORA)
    site.report(10.0)
    lag = site.lag()
    assert isinstance(lag.read(TARGET), Known)
    site.clock.ahead_seconds = 400.0
    assert isinstance(lag.read(TARGET), Unknown)


def test_a_report_of_a_time_to_come_is_unknown(by: Front) -> None:
    site = Site(by, AURORA)
    site.report(10.0)
    lag = site.lag()
    assert isinstance(lag.read(TARGET), Known)
    site.clock.ahead_seconds = -200.0
    read = lag.read(TARGET)
    assert isinstance(read, Unknown), "our clock was set back, or theirs is wrong"


def test_of_several_reports_the_worst_counts(by: Front) -> None:
    """The metric has the source's region beside the cluster's name, too."""
    site = Site(by, AURORA)
    # Both in the middle of the last whole minute: of another minute, the older one bounds worse.
    ago = time.time() % 60.0 + 30.0
    site.report(100.0, ago, SourceRegion="us-east-1")
    site.report(9000.0, ago, SourceRegion="eu-west-1")
    read = site.lag().read(TARGET)
    assert isinstance(read, Known)
    assert read.value.lag_seconds == 9.0


def test_a_region_whose_cloudwatch_does_not_answer_is_unknown_within_its_time_and_is_not_asked_each_second(
    cloud: Front,
) -> None:
    site = Site(cloud, AURORA)
    lag = site.lag()
    cloud.outages.silence(service="cloudwatch")
    began = time.monotonic()
    assert isinstance(lag.read(TARGET), Unknown)
    assert time.monotonic() - began < 10.0
    asked = cloud.count(service="cloudwatch")
    assert isinstance(lag.read(TARGET), Unknown)
    assert cloud.count(service="cloudwatch") == asked


@pytest.mark.parametrize("operation", ["ListMetrics", "GetMetricData"])
def test_throttled_denied_or_cut_is_unknown(cloud: Front, operation: str) -> None:
    for fault in (cloud.outages.throttle, cloud.outages.cut):
        site = Site(cloud, AURORA)
        site.report(10.0)
        made = fault(service="cloudwatch", operation=operation)
        assert isinstance(site.lag().read(TARGET), Unknown)
        made.lift()
    site = Site(cloud, AURORA)
    site.report(10.0)
    cloud.outages.fail("AccessDenied", 403, service="cloudwatch", operation=operation)
    assert isinstance(site.lag().read(TARGET), Unknown)


# ---- what becomes of it


def seen(*, recovery: bool, lag: bool) -> Seen:
    """A server that is in recovery or not, and that knows its lag (none) or nothing of it."""
    where = Position(100, 1, True, 100, None) if lag else None
    return Seen(Sight(recovery, False, time.time(), where, None, ()), not recovery)


def test_it_counts_only_where_the_server_itself_does_not_say_and_never_for_a_writer(cloud: Front) -> None:
    site, plane = Site(cloud, AURORA), Plane({}, {}, stale_seconds=10.0)
    site.report(2000.0)
    assert lag_of(site.lag(), TARGET, seen(recovery=True, lag=True), plane) == 0.0
    assert lag_of(site.lag(), TARGET, seen(recovery=False, lag=False), plane) is None
    assert not plane._samples
    behind = lag_of(site.lag(), TARGET, seen(recovery=True, lag=False), plane)
    assert behind is not None
    assert 2.0 <= behind < 65.0, "the lag and its age"
    assert lag_of(site.lag(), TARGET, None, plane) == pytest.approx(behind, abs=5.0)


def test_a_bound_on_the_loss_is_the_lag_and_its_age_when_the_primary_was_last_seen_to_serve() -> None:
    sample = LagSample(2.0, False, sampled=50.0, served=110.0, reported_by="CloudWatch (ReplicaLag)", stale_seconds=300)
    bound = loss_bound(None, Unknown("none"), sample, standby="", now=500.0, stale_seconds=10.0)
    assert bound.if_dead_seconds == 62.0
    assert bound.if_alive_seconds is None
    assert "by CloudWatch (ReplicaLag) 2.0 s" in bound.parts[0]
    late = LagSample(2.0, False, sampled=50.0, served=351.0, stale_seconds=300)
    assert loss_bound(None, Unknown("none"), late, standby="", now=500.0, stale_seconds=10.0).if_dead_seconds is None
    unserved = LagSample(2.0, False, sampled=50.0, served=None, stale_seconds=300)
    assert loss_bound(None, Unknown("none"), unserved, standby="", now=5.0, stale_seconds=10.0).if_dead_seconds is None


def test_what_the_server_said_itself_is_not_replaced_by_a_report() -> None:
    plane = Plane({}, {}, stale_seconds=10.0)
    plane._samples[TARGET] = LagSample(0.5, False, 50.0, None)
    plane.reported(TARGET, 9.0, 60.0, by="CloudWatch", stale_seconds=300.0)
    assert plane._samples[TARGET].lag_seconds == 0.5
    plane._samples[TARGET] = LagSample(None, False, 50.0, None)
    plane.reported(TARGET, 9.0, 60.0, by="CloudWatch", stale_seconds=300.0)
    kept = plane._samples[TARGET]
    assert kept.lag_seconds == 9.0
    assert time.monotonic() - kept.sampled == pytest.approx(60.0, abs=5.0)


def test_a_report_from_a_clock_that_is_ahead_of_ours_is_not_fresher_than_now() -> None:
    assert Report(1.0, 1000.0).behind_seconds(900.0) == 1.0
