"""signals: service-health against a stand-in; its wire is Microsoft's own package's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState, heard
from cloudfail.model.topology import PortName
from cloudfail.testing.signals_suite import SignalsHarness, SignalsSuite
from cloudfail_azure import provider
from cloudfail_azure.paths import plain_region
from cloudfail_azure.signals import service_health
from cloudfail_azure.signals.service_health import ServiceHealth
from tests.emulators.azure.balancing import NORTH, WEST, topology
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.monitoring import HealthEvents

pytestmark = pytest.mark.timeout(120)
SHOWN = {WEST: "West Europe", NORTH: "North Europe"}
SERVICES = ["Virtual Machines", "SQL Database"]
KIND = provider.kinds()[PortName.SIGNALS, "service-health"]


class Site:
    """Fulfils signals_suite.SignalsHarness."""

    source, target = WEST, NORTH

    def __init__(self, front: Front, machine: HealthEvents) -> None:
        self.front, self.machine = front, machine
        self._kept: Known[SignalState] | Unknown | None = None
        machine.add("East US", status="Resolved")

    def port(self) -> Any:
        return Kept(self._kept) if self._kept is not None else built()

    def fire(self, region: str) -> None:
        self.machine.add(SHOWN[region])

    def calm(self, region: str) -> None:
        for event in self.machine.events:
            event["properties"]["status"] = "Resolved"

    def stop_measuring(self, region: str) -> None:
        """What was heard last, read again when it is old: each answer is of its own moment."""
        read = self.port().read(region)
        assert isinstance(read, Known)
        self._kept = Known(read.value, read.at + 3600.0)

    def make_unreachable(self, region: str) -> None:
        """It stands in no region that it judges; it is Service Health itself that does not answer."""
        self.front.outages.refuse(service="resourcehealth")

    def restore(self, region: str) -> None:
        self.front.outages.heal()

    def wait(self, seconds: float) -> None:
        time.sleep(0.02)


class Kept:
    def __init__(self, read: Known[SignalState] | Unknown) -> None:
        self._read = read

    def read(self, region: str) -> Known[SignalState] | Unknown:
        return self._read


def built(members: dict[str, Any] | None = None, services: list[str] = SERVICES) -> ServiceHealth:
    """As cloudfail makes it."""
    return service_health.build(*topology(KIND, members or {}, services=services))


@pytest.fixture
def site(azure: Front, serving: Callable[[str, Any], Any]) -> Site:
    return Site(azure, serving("azure.mgmt.resourcehealth", HealthEvents()))


class TestServiceHealth(SignalsSuite):
    @pytest.fixture
    def world(self, site: Site) -> SignalsHarness:
        return site


def state(port: Any, region: str = NORTH) -> SignalState:
    read = heard(port.read(region))
    assert isinstance(read, Known), read.reason
    return read.value


def unknown(port: Any, why: str, region: str = NORTH) -> None:
    read = port.read(region)
    assert isinstance(read, Unknown), read
    assert why in read.reason


def test_an_active_issue_of_a_service_that_was_named_fires_and_is_named(site: Site) -> None:
    name = site.machine.add("North Europe", "sql database")
    said = state(site.port())
    assert said.firing
    assert said.detail == f"Service Health has active issues in northeurope: SQL Database {name}"


@pytest.mark.parametrize(
    "issue",
    [
        {"service": "Storage"},
        {"region": "Global"},
        {"region": "North Europe 2"},
        {"eventType": "PlannedMaintenance"},
        {"eventType": "HealthAdvisory"},
        {"status": "Resolved"},
        {"there": "Resolved"},
        {"impact": None},
    ],
    ids=str,
)
def test_what_is_of_something_else_or_over_does_not_fire(site: Site, issue: dict[str, Any]) -> None:
    site.machine.add(**{"region": "North Europe", **issue})
    assert not state(site.port()).firing


def test_a_subscription_of_which_nothing_was_ever_told_says_nothing(site: Site) -> None:
    site.machine.events.clear()
    unknown(site.port(), "no event of the subscription")


def test_an_issue_on_a_later_page_is_found(site: Site) -> None:
    for _ in range(12):
        site.machine.add("East US")
    site.machine.add("North Europe")
    assert state(site.port()).firing
    assert site.front.count(operation="events.list_by_subscription_id") == 2


def test_a_region_may_have_another_name_and_another_subscription(site: Site) -> None:
    site.machine.add("East US 2")
    port = built({"left": {"region": "eastus2", "subscription": SUBSCRIPTION.replace("1", "2")}})
    unknown(port, "no region of Azure is written for left", region="left")  # it is no region of the file
    port = built({NORTH: {"region": "eastus2", "subscription": SUBSCRIPTION.replace("1", "2")}})
    assert state(port).firing
    assert site.front.seen()[-1].path.startswith(f"/subscriptions/{SUBSCRIPTION.replace('1', '2')}/")
    unknown(port, "no region of Azure is written", region=WEST)


def test_without_an_account_nothing_is_asked(site: Site) -> None:
    resource, whole = topology(KIND, {}, services=SERVICES)
    regions = {name: replace(region, account=None) for name, region in whole.regions.items()}
    unknown(service_health.build(resource, replace(whole, regions=regions)), "give the region its account")
    assert site.front.count() == 0


@pytest.mark.parametrize(
    ("code", "status"), [("AuthorizationFailed", 403), ("MissingSubscriptionRegistration", 409), ("ServerBusy", 503)]
)
def test_what_is_refused_is_unknown(site: Site, azure: Front, code: str, status: int) -> None:
    azure.outages.fail(code, status, service="resourcehealth")
    unknown(site.port(), code)


def test_an_answer_without_events_is_unknown(site: Site, azure: Front) -> None:
    azure.outages.lie(service="resourcehealth")
    unknown(site.port(), "says nothing")


def test_microsofts_own_example_of_an_event_is_read(site: Site) -> None:
    """Source: azure-rest-api-specs, ResourceHealth 2025-05-01, examples/Events_ListBySubscriptionId.json."""
    update = "An outage alert is being investigated. More information will be provided as it is known."
    told = {
        "article": {"articleContent": f"<html>{update}</html>"},
        "enableChatWithUs": False, "enableMicrosoftSupport": True, "eventLevel": "Warning",
        "eventSource": "ResourceHealth",
        "eventTags": ["Action Recommended", "False Positive", "Preliminary PIR", "Final PIR"],
        "eventType": "ServiceIssue",
        "faqs": [{"answer": "This is an answer", "localeCode": "en", "question": "This is a question"}],
        "header": "Your service might have been impacted by an Azure service issue", "hirStage": "resolved",
        "impact": [{
            "impactedRegions": [{
                "impactedRegion": "West US", "impactedSubscriptions": ["{subscriptionId}"], "impactedTenants": [],
                "lastUpdateTime": "2025-05-13T15:43:48.1203530Z", "status": "Active",
                "updates": [{"eventTags": ["Final PIR"], "summary": f"Update 3 - {update}",
                             "updateDateTime": "2025-05-13T15:43:48.1203530Z"}],
            }],
            "impactedService": "Virtual Machines", "impactedServiceGuid": "fd8065f5-ffd0-4756-8788-e6a11bf36257",
        }],
        "impactMitigationTime": "2025-05-14T15:43:48.1203530Z", "impactStartTime": "2025-05-12T14:45:48.1203530Z",
        "isEventSensitive": False, "isHIR": False, "lastUpdateTime": "2025-05-13T15:43:48.1203530Z",
        "level": "Warning", "priority": 2,
        "links": [{"type": "Hyperlink", "bladeName": "RequestRCABlade", "extensionName": "Microsoft_Azure_Health",
                   "displayText": {"localizedValue": "Request RCA", "value": "Request RCA"},
                   "parameters": {"rcaRequested": "False", "trackingId": "BC_1-FXZ"}}],
        "recommendedActions": {"actions": [{"actionText": "action 1", "groupId": 23243}], "localeCode": "en",
                               "message": "Recommended actions title"},
        "status": "Active", "summary": update, "title": "ACTIVE: Virtual machines in West US",
    }  # fmt: skip
    site.machine.put(
        {
            "name": "BC_1-FXZ",
            "type": "/providers/Microsoft.ResourceHealth/events",
            "id": "/providers/Microsoft.ResourceHealth/events/BC_1-FXZ",
            "properties": told | {"lastUpdateTime": "2099-05-13T15:43:48.1203530Z"},  # so that it is of these days
        }
    )
    said = state(built({WEST: "westus"}), WEST)
    assert said.detail == "Service Health has active issues in westus: Virtual Machines BC_1-FXZ"


def test_a_region_is_named_as_it_is_shown() -> None:
    assert plain_region("West Europe") == WEST
    assert plain_region("East US 2") == "eastus2"


def test_what_it_must_be_allowed_is_to_read_events(site: Site) -> None:
    resource, whole = topology(KIND, {}, services=SERVICES)
    assert KIND.permissions is not None
    told = KIND.permissions(resource, whole, [NORTH])
    (grant,) = told.watch
    assert told.execute == ()
    assert grant.actions == ("Microsoft.ResourceHealth/events/read",)
    assert grant.on == (f"/subscriptions/{SUBSCRIPTION}",)
    assert grant.why
