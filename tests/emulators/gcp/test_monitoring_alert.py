"""signals: monitoring-alert against a stand-in that judges policies by what is measured; its wire is Google's own
description."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import PortName
from cloudfail.testing.signals_suite import SignalsHarness, SignalsSuite
from cloudfail_gcp import provider
from cloudfail_gcp.signals import metric_age
from cloudfail_gcp.signals.metric_age import Unseen
from cloudfail_gcp.signals.monitoring_alert import MonitoringAlert
from cloudfail_gcp.signals.options import PolicyMember
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST, port_of, topology
from tests.emulators.gcp.front import Front
from tests.emulators.gcp.standins.monitoring import Monitoring

pytestmark = pytest.mark.timeout(120)
STALE_SECONDS = 420.0
POLICY = {EAST: f"projects/{PROJECT}/alertPolicies/1111", WEST: f"projects/{PROJECT}/alertPolicies/2222"}
RATIO, TOTAL = "loadbalancing.googleapis.com/https/errors", "loadbalancing.googleapis.com/https/request_count"
KIND = provider.kinds()[PortName.SIGNALS, "monitoring-alert"]


def selects(region: str, metric: str = RATIO) -> str:
    return f'metric.type = "{metric}" AND resource.type = "https_lb_rule" AND resource.labels.region = "{region}"'


def threshold(region: str, metric: str = RATIO, **more: Any) -> dict[str, Any]:
    told = {"filter": selects(region, metric), "comparison": "COMPARISON_GT", "thresholdValue": 10.0, "duration": "60s"}
    return {"conditionThreshold": {**told, **more}}


class Site:
    """Fulfils signals_suite.SignalsHarness: one policy for each region."""

    source, target = EAST, WEST

    def __init__(self, front: Front, machine: Monitoring) -> None:
        self.front, self.machine = front, machine
        self.ahead_seconds = 0.0
        for region in (EAST, WEST):
            machine.policy(POLICY[region], threshold(region))
            self.measure(region, 1.0)

    def measure(self, region: str, value: float, ago: float = 0.0, metric: str = RATIO) -> None:
        self.machine.measure(value, time.time() - ago, metric_type=metric, region=region)

    def port(self) -> MonitoringAlert:
        resource, whole = topology(KIND, POLICY)
        members = {region: PolicyMember.model_validate(one) for region, one in resource.members.items()}
        stale = float(resource.options["stale_after"])
        now = lambda: time.time() + self.ahead_seconds  # noqa: E731  (the clock of this world)
        return port_of(lambda asking: MonitoringAlert(asking, members, stale, now), resource, whole)

    def said(self, region: str = WEST) -> Known[SignalState] | Unknown:
        return heard(self.port().read(region))

    def fire(self, region: str) -> None:
        self.measure(region, 100.0)

    def calm(self, region: str) -> None:
        self.measure(region, 1.0)

    def stop_measuring(self, region: str) -> None:
        self.ahead_seconds = STALE_SECONDS + 90.0

    def make_unreachable(self, region: str) -> None:
        self.front.outages.refuse(service="monitoring")

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(0.02)


@pytest.fixture
def site(google: Front, serving: Callable[[str, Any], Any]) -> Site:
    return Site(google, serving("monitoring.v3", Monitoring()))


class TestMonitoringAlert(SignalsSuite):
    @pytest.fixture
    def world(self, site: Site) -> SignalsHarness:
        return site


def unknown(site: Site, why: str) -> None:
    read = site.said()
    assert isinstance(read, Unknown), f"taken for known: {read}"
    assert why in read.reason


def firing(site: Site) -> SignalState:
    read = site.said()
    assert isinstance(read, Known), read.reason
    return read.value


def test_it_is_as_old_as_the_newest_of_its_data(site: Site) -> None:
    before = time.time()
    assert firing(site).measured_at == pytest.approx(before, abs=30)
    site.machine._points.clear()
    site.measure(WEST, 1.0, ago=200.0)
    assert firing(site).measured_at == pytest.approx(time.time() - 200.0, abs=30)


def test_an_alert_that_stays_open_when_nothing_is_measured_any_more_says_nothing(site: Site) -> None:
    site.fire(WEST)
    assert firing(site).firing
    site.ahead_seconds = 3600.0
    unknown(site, "there is no data of the last 420 s")


def test_data_of_another_region_does_not_make_it_fresh(site: Site) -> None:
    site.machine._points.clear()
    site.measure(EAST, 1.0)
    site.measure(WEST, 1.0, ago=1000.0)
    unknown(site, "there is no data")


def test_each_condition_must_have_had_fresh_data(site: Site) -> None:
    """An absent half of `A or B` is not judged as calm."""
    site.machine.policy(POLICY[WEST], threshold(WEST), threshold(WEST, TOTAL))
    unknown(site, "there is no data")
    site.measure(WEST, 1.0, ago=100.0, metric=TOTAL)
    assert firing(site).measured_at == pytest.approx(time.time() - 100.0, abs=30)


def test_errors_that_are_counted_only_where_there_are_some_are_as_fresh_as_what_they_are_a_share_of(site: Site) -> None:
    site.machine._points.clear()
    site.machine.policy(POLICY[WEST], threshold(WEST, denominatorFilter=selects(WEST, TOTAL)))
    unknown(site, "there is no data")
    site.measure(WEST, 1.0, metric=TOTAL)
    assert not firing(site).firing


@pytest.mark.parametrize(
    "condition",
    [
        {"conditionAbsent": {"filter": selects(WEST), "duration": "300s"}},
        {"conditionPrometheusQueryLanguage": {"query": "sum(errors) or vector(0)"}},
        {"conditionMonitoringQueryLanguage": {"query": "fetch x", "duration": "60s"}},
        {"conditionMatchedLog": {"filter": "severity=ERROR"}},
        {},
    ],
    ids=lambda condition: next(iter(condition), "none"),
)
def test_a_condition_of_which_the_age_of_its_data_cannot_be_told_is_unknown(
    site: Site, condition: dict[str, Any]
) -> None:
    site.machine.policy(POLICY[WEST], threshold(WEST), condition)
    unknown(site, "does not say how old its data is")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"enabled": False}, "not enabled"),
        ({"validity": {"code": 3, "message": "no such metric"}}, "no such metric"),
        ({"conditions": []}, "has no condition"),
    ],
)
def test_a_policy_that_opens_no_alert_is_not_calm(site: Site, more: dict[str, Any], why: str) -> None:
    site.machine.policies[POLICY[WEST]].update(more)
    unknown(site, why)


def test_a_policy_that_is_snoozed_is_not_calm_and_what_is_open_still_fires(site: Site) -> None:
    now = time.time()
    site.fire(EAST)
    for number, region in enumerate((EAST, WEST)):
        site.machine.snooze(f"projects/{PROJECT}/snoozes/{number}", POLICY[region], now - 60, now + 600)
    unknown(site, "it is snoozed until")
    told = site.said(EAST)
    assert isinstance(told, Known)
    assert told.value.firing


def test_a_snooze_that_is_over_and_one_of_another_policy_are_nothing(site: Site) -> None:
    now = time.time()
    site.machine.snooze(f"projects/{PROJECT}/snoozes/1", POLICY[WEST], now - 600, now - 60)
    site.machine.snooze(f"projects/{PROJECT}/snoozes/2", POLICY[EAST], now - 60, now + 600)
    assert not firing(site).firing


def test_another_policys_alert_is_none_of_its_own_and_a_closed_one_fires_no_more(site: Site) -> None:
    site.fire(EAST)
    site.fire(WEST)
    site.calm(WEST)
    assert not firing(site).firing
    assert {one["state"] for one in site.machine.alerts.values()} == {"OPEN", "CLOSED"}


def test_whatever_was_asked_for_a_closed_alert_does_not_fire(site: Site) -> None:
    site.machine.unfiltered = True
    site.fire(WEST)
    site.calm(WEST)
    assert not firing(site).firing


def test_a_project_that_is_told_by_its_number_is_the_same(site: Site) -> None:
    site.fire(WEST)
    for alert in site.machine.alerts.values():
        alert["policy"]["name"] = alert["policy"]["name"].replace(PROJECT, "123456789012")
    assert firing(site).firing


def test_an_alert_on_a_later_page_is_found(site: Site) -> None:
    for number in range(1500):
        snapshot = {"name": f"projects/{PROJECT}/alertPolicies/9{number}"}
        name = f"projects/{PROJECT}/alerts/a{number}"
        site.machine.alerts[name] = {"name": name, "state": "OPEN", "policy": snapshot}
    site.fire(WEST)
    assert firing(site).firing
    assert site.front.count(operation="projects.alerts.list") == 2


def test_pages_that_do_not_end_are_unknown(site: Site, google: Front) -> None:
    for number in range(1500):
        name = f"projects/{PROJECT}/alerts/a{number}"
        site.machine.alerts[name] = {"name": name, "state": "OPEN", "policy": {"name": "projects/p/alertPolicies/9"}}
    google.outages.repeat_page(operation="projects.alerts.list")
    unknown(site, "the same page")


def test_data_that_monitoring_did_not_look_at_in_full_is_unknown(site: Site) -> None:
    site.machine.incomplete = True
    unknown(site, "did not look at all")


def test_a_policy_that_is_not_there_is_unknown(site: Site) -> None:
    del site.machine.policies[POLICY[WEST]]
    unknown(site, "could not be read")


@pytest.mark.parametrize("how", ["throttle", "silence", "cut", "fail"])
def test_what_goes_wrong_on_the_way_is_unknown_and_in_time(site: Site, google: Front, how: str) -> None:
    arguments = ("backendError", 503) if how == "fail" else ()
    getattr(google.outages, how)(*arguments, service="monitoring")
    began = time.monotonic()
    assert isinstance(site.said(), Unknown)
    assert time.monotonic() - began < 30


def test_an_answer_of_something_else_is_unknown(site: Site, google: Front) -> None:
    google.outages.lie(service="monitoring")
    unknown(site, "says nothing of it")


def test_it_asks_nothing_that_changes_anything(site: Site) -> None:
    firing(site)
    assert site.front.count(mutating=True) == 0
    assert {one.operation for one in site.front.seen()} == {
        "projects.alertPolicies.get",
        "projects.alerts.list",
        "projects.snoozes.list",
        "projects.timeSeries.list",
    }


def test_a_time_that_is_none_is_not_taken_for_one() -> None:
    with pytest.raises(Unseen):
        metric_age.instant("just now")
    assert metric_age.instant("2026-11-30T21:00:00.123456789Z") == pytest.approx(1796072400.123, abs=0.01)


def test_what_it_must_be_allowed_is_to_read(site: Site) -> None:
    resource, whole = topology(KIND, POLICY)
    assert KIND.permissions is not None
    told = KIND.permissions(resource, whole, [WEST])
    assert told.execute == ()
    (grant,) = told.watch
    assert grant.on == (f"projects/{PROJECT}",)
    assert all(action.endswith((".get", ".list")) for action in grant.actions)
    assert grant.why
