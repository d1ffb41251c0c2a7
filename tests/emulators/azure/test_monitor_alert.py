"""signals: monitor-alert against a stand-in that judges rules by what is measured; its wire is Microsoft's own
packages'."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import PortName
from cloudfail.testing.signals_suite import SignalsHarness, SignalsSuite
from cloudfail_azure import provider
from cloudfail_azure.signals import metric_age
from cloudfail_azure.signals.metric_age import Unseen
from cloudfail_azure.signals.monitor_alert import MonitorAlert
from cloudfail_azure.signals.options import RuleMember
from tests.emulators.azure.balancing import NORTH, WEST, port_of, topology
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.monitoring import Alerts, Monitor

pytestmark = pytest.mark.timeout(120)
STALE_SECONDS = 420.0
WHOLE = f"/subscriptions/{SUBSCRIPTION}"
P = f"{WHOLE}/resourceGroups/shop/providers"
RULE = {region: f"{P}/Microsoft.Insights/metricAlerts/errors-{region}" for region in (WEST, NORTH)}
SITE = {region: f"{P}/Microsoft.Web/sites/shop-{region}" for region in (WEST, NORTH)}
ERRORS, TOTAL = "Http5xx", "Requests"
KIND = provider.kinds()[PortName.SIGNALS, "monitor-alert"]


def above(metric: str = ERRORS, **more: Any) -> dict[str, Any]:
    return {
        "name": f"too many {metric}", "criterionType": "StaticThresholdCriterion", "metricName": metric,
        "metricNamespace": "Microsoft.Web/sites", "operator": "GreaterThan", "threshold": 10.0,
        "timeAggregation": "Total", **more,
    }  # fmt: skip


class Site:
    """Fulfils signals_suite.SignalsHarness: one rule for each region."""

    source, target = WEST, NORTH

    def __init__(self, front: Front, machine: Monitor) -> None:
        self.front, self.machine, self.alerts = front, machine, machine.alerts
        self.ahead_seconds = 0.0
        for region in (WEST, NORTH):
            machine.rule(RULE[region], [SITE[region]], above())
            self.measure(region, 1.0)

    def measure(self, region: str, value: float, ago: float = 0.0, metric: str = ERRORS, **dimensions: str) -> None:
        self.machine.measure(SITE[region], metric, value, ago, **dimensions)

    def port(self) -> MonitorAlert:
        resource, whole = topology(KIND, RULE)
        members = {region: RuleMember.model_validate(one) for region, one in resource.members.items()}
        stale = float(resource.options["stale_after"])
        now = lambda: time.time() + self.ahead_seconds  # noqa: E731  (the clock of this world)
        return port_of(lambda asking: MonitorAlert(asking, members, stale, now), resource, whole)

    def said(self, region: str = NORTH) -> Known[SignalState] | Unknown:
        return heard(self.port().read(region))

    def fire(self, region: str) -> None:
        self.measure(region, 100.0)

    def calm(self, region: str) -> None:
        self.measure(region, 1.0)

    def stop_measuring(self, region: str) -> None:
        self.ahead_seconds = STALE_SECONDS + 90.0

    def make_unreachable(self, region: str) -> None:
        """Azure Monitor stands in no region that it judges; it is Azure Monitor itself that does not answer."""
        self.front.outages.refuse(service="monitor")

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(0.02)


@pytest.fixture
def site(azure: Front, serving: Callable[[str, Any], Any]) -> Site:
    alerts: Alerts = serving("azure.mgmt.alertsmanagement", Alerts())
    return Site(azure, serving("azure.mgmt.monitor", Monitor(alerts)))


class TestMonitorAlert(SignalsSuite):
    @pytest.fixture
    def world(self, site: Site) -> SignalsHarness:
        return site


def unknown(site: Site, why: str) -> None:
    read = site.said()
    assert isinstance(read, Unknown), f"taken for known: {read}"
    assert why in read.reason


def state(site: Site) -> SignalState:
    read = site.said()
    assert isinstance(read, Known), read.reason
    return read.value


def test_it_names_what_fires_and_is_as_old_as_the_newest_of_its_data(site: Site) -> None:
    site.fire(NORTH)
    said = state(site)
    assert said.firing
    assert f"errors-{NORTH}" in said.detail
    assert f"Sev1 on shop-{NORTH}" in said.detail
    site.machine.points.clear()
    site.measure(NORTH, 1.0, ago=200.0)
    assert state(site).measured_at == pytest.approx(time.time() - 200.0, abs=90)


def test_an_alert_that_stays_fired_when_nothing_is_measured_any_more_says_nothing(site: Site) -> None:
    site.fire(NORTH)
    site.ahead_seconds = 3600.0
    unknown(site, "there is no data of Http5xx of the last 420 s")


def test_data_of_another_resource_does_not_make_it_fresh(site: Site) -> None:
    site.machine.points.clear()
    site.measure(WEST, 1.0)
    site.measure(NORTH, 1.0, ago=1000.0)
    unknown(site, "there is no data")


def test_each_condition_and_each_resource_must_have_had_fresh_data(site: Site) -> None:
    site.machine.rule(RULE[NORTH], [SITE[NORTH]], above(), above(TOTAL))
    unknown(site, "there is no data of Requests")
    site.measure(NORTH, 1.0, ago=100.0, metric=TOTAL)
    assert state(site).measured_at == pytest.approx(time.time() - 100.0, abs=90)
    other = f"{SITE[NORTH]}-b"
    site.machine.rule(RULE[NORTH], [SITE[NORTH], other], above())
    unknown(site, "there is no data")
    site.machine.measure(other, ERRORS, 0.0)
    assert not state(site).firing, "a zero that was measured is data"


def test_data_of_other_dimensions_does_not_make_it_fresh(site: Site) -> None:
    site.machine.points.clear()
    dimensions = [
        {"name": "Instance", "operator": "Include", "values": ["it's-1", "2"]},
        {"name": "Slot", "operator": "Exclude", "values": ["staging"]},
        {"name": "Path", "operator": "Include", "values": ["*"]},
    ]
    site.machine.rule(RULE[NORTH], [SITE[NORTH]], above(dimensions=dimensions))
    site.measure(NORTH, 1.0, Instance="3", Slot="production")
    site.measure(NORTH, 1.0, Instance="2", Slot="staging")
    unknown(site, "there is no data")
    site.measure(NORTH, 1.0, Instance="it's-1", Slot="production")
    assert not state(site).firing


@pytest.mark.parametrize(
    ("criteria", "why"),
    [
        ({"odata.type": "Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria", "webTestId": "w",
          "componentId": "c", "failedLocationCount": 2.0}, "WebtestLocationAvailabilityCriteria"),
        ({"odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": []}, "no condition"),
        ({"odata.type": "Microsoft.Azure.Monitor.SomethingNew"}, "SomethingNew"),
    ],
)  # fmt: skip
def test_criteria_of_which_the_age_of_their_data_cannot_be_told_are_unknown(criteria: dict[str, Any], why: str) -> None:
    with pytest.raises(Unseen, match=why):
        metric_age.criteria({"criteria": criteria})


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"enabled": False}, "not enabled"),
        ({"autoMitigate": False}, "autoMitigate"),
        ({"scopes": [WHOLE]}, "watches all of"),
        ({"scopes": [f"{WHOLE}/resourceGroups/shop"]}, "watches all of"),
        ({"scopes": [SITE[NORTH].replace(SUBSCRIPTION, "0" * 8 + SUBSCRIPTION[8:])]}, "another subscription"),
        ({"scopes": [SITE[NORTH]] * 11}, "watches 11 resources"),
    ],
)
def test_a_rule_that_says_nothing_now_is_not_calm(site: Site, more: dict[str, Any], why: str) -> None:
    site.machine.rules[RULE[NORTH].lower()]["properties"].update(more)
    unknown(site, why)


def test_whatever_was_asked_for_only_its_own_fired_alerts_count_in_any_case_of_its_id(site: Site) -> None:
    site.alerts.unfiltered = True
    site.fire(WEST)
    site.alerts.fire(RULE[NORTH], SITE[NORTH], monitorCondition="Resolved")
    site.alerts.fire(f"{RULE[NORTH]}-2", SITE[NORTH])
    assert not state(site).firing
    site.alerts.fire(RULE[NORTH].lower().replace("resourcegroups", "resourceGroups"), SITE[NORTH])
    assert state(site).firing


def test_an_alert_that_names_its_rule_by_a_name_is_of_it_on_what_it_watches(site: Site) -> None:
    name = RULE[NORTH].rpartition("/")[2]
    site.alerts.fire(name, SITE[WEST])
    assert not state(site).firing
    site.alerts.fire(name.upper(), SITE[NORTH])
    assert state(site).firing


def test_what_people_answer_to_an_alert_is_no_word_on_what_fires(site: Site) -> None:
    site.alerts.fire(RULE[NORTH], SITE[NORTH], ago=3 * 86_400, alertState="Closed")
    assert state(site).firing, "of three days ago, where the API gives those of one day unless it is asked"


def test_an_alert_on_a_later_page_is_found(site: Site) -> None:
    for number in range(300):
        site.alerts.fire(f"{RULE[WEST]}-{number}", SITE[WEST])
    site.fire(NORTH)
    assert state(site).firing
    assert site.front.count(operation="alerts.get_all") == 2


def test_where_alerts_cannot_be_listed_it_is_not_calm(site: Site, azure: Front) -> None:
    azure.outages.fail("ServerBusy", 503, service="alertsmanagement")
    unknown(site, "could not be read")


def test_data_that_monitor_did_not_look_at_in_full_is_unknown(site: Site) -> None:
    site.machine.incomplete = True
    unknown(site, "did not look at all")


def test_a_rule_that_is_not_there_is_unknown(site: Site) -> None:
    del site.machine.rules[RULE[NORTH].lower()]
    unknown(site, "could not be read")


@pytest.mark.parametrize("how", ["throttle", "silence", "cut"])
def test_what_goes_wrong_on_the_way_is_unknown(site: Site, azure: Front, how: str) -> None:
    getattr(azure.outages, how)(service="monitor")
    assert isinstance(site.said(), Unknown)


def test_an_answer_of_something_else_is_unknown(site: Site, azure: Front) -> None:
    azure.outages.lie(service="monitor")
    unknown(site, "says nothing of it")


def test_microsofts_own_example_of_an_alert_is_read_and_is_none_of_its_own(site: Site) -> None:
    """Source: azure-rest-api-specs, AlertsManagement 2019-05-05-preview, examples/Alerts_List.json."""
    group = "/subscriptions/3b540246-808d-4331-99aa-917b808a9166/resourcegroups/servicedeskresourcegroup"
    essentials = {
        "severity": "Sev3", "signalType": "Log", "alertState": "Acknowledged", "monitorCondition": "Fired",
        "monitorService": "Application Insights",
        "targetResource": f"{group}/providers/microsoft.insights/components/servicedeskappinsight",
        "targetResourceName": "servicedeskappinsight", "targetResourceGroup": "servicedeskresourcegroup",
        "targetResourceType": "components", "sourceCreatedId": "6cd6b2ce-8c54-468f-aff0-9d12aebb7e49",
        "smartGroupId": "23d6b2ce-8c54-468f-aff0-sd32aebb7e56",
        "smartGroupingReason": "Occurred frequently with other alerts",
        "alertRule": "https://servisdffsdf.portal.mms.microsoft.com/#Workspace/overview/settings/details/"
                     "Edit Alert Rule/details/index?savedSearchId=&scheduleId=",
        "startDateTime": "2018-09-13T15:51:02Z", "lastModifiedDateTime": "2018-09-13T15:51:02Z",
        "lastModifiedUserName": "System", "monitorConditionResolvedDateTime": "2018-09-13T15:51:02Z",
        "actionStatus": {"isSuppressed": False}, "description": "description of the alert",
    }  # fmt: skip
    site.alerts.alerts.append(
        {
            "properties": {"essentials": essentials, "egressConfig": {}, "context": {}},
            "id": "/subscriptions/9e261de7-c804-4b9d-9ebf-6f50fe350a9a/providers/Microsoft.AlertsManagement/alerts/"
            "66114d64-d9d9-478b-95c9-b789d6502100",
            "type": "Microsoft.AlertsManagement/alerts",
            "name": "cpu alert",
        }
    )
    site.alerts.unfiltered = True
    assert not state(site).firing


def test_it_asks_nothing_that_changes_anything(site: Site) -> None:
    state(site)
    assert site.front.count(mutating=True) == 0
    assert {one.operation for one in site.front.seen()} == {"metric_alerts.get", "alerts.get_all", "metrics.list"}


def test_a_time_that_is_none_is_not_taken_for_one() -> None:
    with pytest.raises(Unseen):
        metric_age.instant("just now")
    assert metric_age.instant("2026-11-30T21:00:00.1234567Z") == pytest.approx(1796072400.123, abs=0.01)
    assert metric_age.instant("2026-11-30T21:00:00") == 1796072400.0


def test_what_it_must_be_allowed_is_to_read(site: Site) -> None:
    resource, whole = topology(KIND, RULE)
    assert KIND.permissions is not None
    told = KIND.permissions(resource, whole, [NORTH])
    assert told.execute == ()
    rule, rest = told.watch
    assert (rule.on, rest.on) == ((RULE[NORTH],), (WHOLE,))
    assert all(action.endswith("/read") for one in told.watch for action in one.actions)
    assert rest.why
