"""compute: app-service against stand-ins: their wire is what Microsoft's packages say, instances are real listeners."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.actions import Done, Moving, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.testing.conformance import ComputeSuite, known
from cloudfail_azure.compute import KINDS
from cloudfail_azure.compute.app_service import AppServices, written_back
from cloudfail_azure.compute.options import AppServiceMember
from tests.emulators.azure.balancing import NORTH, WEST, call
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Front
from tests.emulators.azure.sizes import BOUNDS, Workers, answering
from tests.emulators.azure.standins import app_service as standin
from tests.emulators.azure.standins.scale_sets import AutoscaleSettings

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "app-service")
PATCH = "autoscale_settings.update"
PUT = "app_service_plans.create_or_update"


class Site(Workers):
    """A plan in each region, and an app on it. The north's is sized by a setting, whose load wants two."""

    def __init__(self, azure: Front, serve: Callable[[str, Any], Any], *, sized: bool = True) -> None:
        super().__init__(azure, KIND, AppServices)
        self.web = serve("azure.mgmt.web", standin.AppService())
        self.settings = serve("azure.mgmt.monitor", AutoscaleSettings(self.web))
        self.ids = {WEST: self.web.plan("web-w", WEST, 3), NORTH: self.web.plan("web-n", NORTH, 2)}
        self.sites = {region: self.web.site(f"shop-{region}", region, self.ids[region]) for region in self.ids}
        self.setting = self.settings.setting("web-n", self.ids[NORTH], 2, *BOUNDS) if sized else None

    def members(self) -> dict[str, Any]:
        both: dict[str, Any] = {region: {"plan": self.ids[region], "site": self.sites[region]} for region in self.ids}
        if self.setting:
            both[NORTH]["autoscale"] = self.setting
        return both

    def floors(self) -> list[int]:
        assert self.setting is not None
        profiles = self.web.settings[self.setting.lower()]["properties"]["profiles"]
        return [int(one["capacity"]["minimum"]) for one in profiles]

    def plan(self) -> dict[str, Any]:
        found: dict[str, Any] = self.web.at(self.ids[NORTH])
        return found


@pytest.fixture
def world(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving)
    with contextlib.closing(site.web):
        yield site


@pytest.fixture
def by_hand(azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    site = Site(azure, serving, sized=False)
    with contextlib.closing(site.web):
        yield site


class TestAppService(ComputeSuite):
    """The world is the module's."""


def test_the_floor_of_the_setting_is_ordered_and_goes_back_and_the_plan_is_not_written(world: Site) -> None:
    world.scaled(6)
    assert world.floors() == [6, 6]
    assert len(world.web.instances(world.ids[NORTH])) == 6
    world.scaled(1)
    assert world.floors() == [1, 1]
    assert world.front.count(operation=PUT) == 0


def test_a_plan_that_nobody_sizes_goes_back_whole_with_its_capacity(by_hand: Site) -> None:
    before = dict(by_hand.plan()["properties"])
    by_hand.scaled(5)
    by_hand.web.end()
    after = by_hand.plan()
    assert after["sku"] == {"name": "P1v3", "tier": "PremiumV3", "size": "P1v3", "family": "Pv3", "capacity": 5}
    assert after["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1", "cloudfail-before": "r1 2/2/2"}
    assert after["identity"] == {"type": "SystemAssigned"}, "whose numbers Azure writes"
    assert {**after["properties"], "numberOfWorkers": 2} == {
        key: value for key, value in before.items() if key not in ("targetWorkerCount", "hostingEnvironmentProfile")
    }
    by_hand.scaled(2)
    assert by_hand.plan()["tags"] == {"team": "shop", "cloudfail-epoch": "10 r1"}
    with pytest.raises(Permanent, match="no autoscale setting"):
        by_hand.port().hold(NORTH, True, expect=by_hand.state(), call=call())


def test_more_than_the_plan_may_have_is_refused_and_told_as_its_room(by_hand: Site) -> None:
    room = by_hand.port().room(NORTH)
    assert isinstance(room, Known) and room.value.at_most == 30
    with pytest.raises(Permanent, match="at most 30"):
        by_hand.port().scale(NORTH, 31, expect=by_hand.state(), call=call())
    assert by_hand.front.count(mutating=True) == 0


def test_an_app_that_is_stopped_runs_nothing_wants_nothing_and_is_not_scaled(by_hand: Site) -> None:
    by_hand.web.at(by_hand.sites[NORTH])["properties"]["state"] = "Stopped"
    state = by_hand.state()
    assert (state.wanted, state.running, state.healthy) == (0, 0, 0)
    assert isinstance(by_hand.step(2), Todo), "so that the order says why"
    with pytest.raises(Permanent, match="is stopped") as raised:
        by_hand.port().scale(NORTH, 2, expect=state, call=call())
    assert raised.value.to_do == f"Start it: az webapp start --ids {by_hand.sites[NORTH]}"
    assert by_hand.front.count(mutating=True) == 0


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("sku/tier", "ElasticPremium", "sizes it by itself"),
        ("properties/elasticScaleEnabled", True, "automatic scaling"),
        ("properties/perSiteScaling", True, "perSiteScaling"),
        ("location", "West Europe", "stands in westeurope"),
    ],
)
def test_a_plan_that_a_count_says_nothing_of_is_refused(by_hand: Site, where: str, value: Any, said: str) -> None:
    expect = by_hand.state()
    *above, last = where.split("/")
    at = by_hand.plan()
    for key in above:
        at = at[key]
    at[last] = value
    read = by_hand.port().read(NORTH)
    assert isinstance(read, Unknown) and said in read.reason
    with pytest.raises(Permanent):
        by_hand.port().scale(NORTH, 3, expect=expect, call=call())
    assert by_hand.front.count(mutating=True) == 0


def test_an_app_on_another_plan_is_not_counted_for_this_one(by_hand: Site) -> None:
    north = {"plan": by_hand.ids[NORTH], "site": by_hand.sites[WEST]}
    read = by_hand.made({NORTH: north}).read(NORTH)
    assert isinstance(read, Unknown) and "is on the plan" in read.reason


def test_what_is_ready_counts_and_what_nobody_tells_is_unknown(by_hand: Site) -> None:
    by_hand.web.boots = False
    by_hand.scaled(3)
    by_hand.web.end()
    state = by_hand.state()
    assert (state.wanted, state.running, state.healthy) == (3, 3, 2)
    assert isinstance(by_hand.step(3), Moving)
    by_hand.web.boots = True
    by_hand.until(lambda: isinstance(by_hand.step(3), Done))
    by_hand.web.sicken(by_hand.ids[NORTH])
    assert (by_hand.state().running, by_hand.state().healthy) == (2, 2)
    by_hand.web.telling = False
    assert isinstance(by_hand.port().read(NORTH), Unknown)
    by_hand.web.telling = True
    by_hand.web.idle = True
    read = by_hand.port().read(NORTH)
    assert isinstance(read, Unknown) and "Always On" in read.reason


def test_healthy_is_nobody_while_the_url_does_not_answer(by_hand: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with answering() as url:
        north = {**by_hand.members()[NORTH], "url": url}
        assert known(by_hand.made({NORTH: north}).read(NORTH)).healthy == 2
    state = known(by_hand.made({NORTH: north}).read(NORTH))
    assert (state.running, state.healthy) == (2, 0)


def test_a_setting_that_nobody_named_is_named_and_refused(world: Site) -> None:
    north = {"plan": world.ids[NORTH], "site": world.sites[NORTH]}
    read = world.made({NORTH: north}).read(NORTH)
    assert isinstance(read, Unknown) and "would undo" in read.reason


@pytest.mark.parametrize("style", ["status", "location"])
@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_operation_that_ends_badly_is_told_in_azures_words(by_hand: Site, style: str, ending: str) -> None:
    by_hand.web.style, by_hand.web.ending, by_hand.web.code = style, ending, "InternalExecutionError"
    port = by_hand.port()
    with pytest.raises(OutcomeUnknown, match="InternalExecutionError"):
        port.scale(NORTH, 5, expect=by_hand.state(), call=call())
    assert by_hand.state().wanted == 2


@pytest.mark.parametrize("style", ["status", "location"])
def test_success_that_nothing_follows_completes_nothing(by_hand: Site, style: str) -> None:
    by_hand.web.style, by_hand.web.obeying = style, False
    by_hand.port().scale(NORTH, 3, expect=by_hand.state(), call=call())
    by_hand.web.end()
    assert isinstance(by_hand.step(3), Todo)
    by_hand.web.obeying = True
    by_hand.scaled(3)
    by_hand.until(lambda: isinstance(by_hand.step(3), Done))


def test_a_plan_that_failed_is_not_done_and_is_ordered_again(by_hand: Site) -> None:
    by_hand.web.missing = 1
    by_hand.scaled(3)
    by_hand.web.end()
    by_hand.plan()["properties"]["provisioningState"] = "InProgress"
    with pytest.raises(Transient, match="is changing the plan"):
        by_hand.port().scale(NORTH, 4, expect=by_hand.state(), call=call())
    assert isinstance(by_hand.step(4), Moving)
    by_hand.plan()["properties"]["provisioningState"] = "Failed"
    assert (by_hand.state().wanted, by_hand.state().running) == (2, 2)
    assert isinstance(by_hand.step(3), Todo)
    before = by_hand.front.count(operation=PUT)
    by_hand.port().scale(NORTH, 3, expect=by_hand.state(), call=call())
    assert by_hand.front.count(operation=PUT) == before + 1
    assert by_hand.plan()["tags"]["cloudfail-before"] == "r1 2/2/2", "what stood before is what stood before the run"


def test_who_was_here_under_a_newer_lease_or_in_between_is_not_overwritten(by_hand: Site) -> None:
    port, expect = by_hand.port(), by_hand.state()
    by_hand.plan()["sku"]["capacity"] = 4
    with pytest.raises(Conflict, match="not 2/None as it was seen"):
        port.scale(NORTH, 5, expect=expect, call=call())
    by_hand.scaled(6, call(12))
    with pytest.raises(Conflict, match="epoch 12, later"):
        port.scale(NORTH, 3, expect=by_hand.state(), call=call(11))
    assert by_hand.state().wanted == 6


def test_a_lost_answer_is_found_out_by_looking(by_hand: Site) -> None:
    expect = by_hand.state()
    by_hand.front.outages.lose(operation=PUT, times=1)
    with pytest.raises(OutcomeUnknown):
        by_hand.port().scale(NORTH, 5, expect=expect, call=call())
    by_hand.web.end()
    assert by_hand.state().wanted == 5


def test_nothing_is_asked_of_the_other_region(world: Site) -> None:
    world.front.outages.silence(region=WEST)
    world.front.forget()
    world.scaled(3)
    world.held(True)
    assert world.front.count(region=WEST) == 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("plan", "shop", "no id of an App Service plan"),
        ("site", "/subscriptions/x", "no id of an app of App Service"),
        ("url", "shop.example", "no URL to ask"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_what_to_write(world: Site, key: str, value: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AppServiceMember.model_validate({**world.members()[NORTH], key: value})


def test_what_is_replaced_as_a_whole_is_named_for_all_applications(world: Site) -> None:
    resource = world.resource()
    assert KIND.shared["scale"](*resource, WEST) == (f"azure/{world.ids[WEST].lower()}",)
    assert KIND.shared["hold"](*resource, NORTH) == (f"azure/{str(world.setting).lower()}",)


# Azure/azure-rest-api-specs, specification/web/resource-manager/Microsoft.Web/AppService/stable/2025-05-01/examples/
# GetAppServicePlan.json
EXAMPLE: dict[str, Any] = {
    "name": "testsf6141",
    "type": "Microsoft.Web/serverfarms",
    "id": "/subscriptions/34adfa4f-cedf-4dc0-ba29-b6d1a69ab345/resourceGroups/testrg123/providers/Microsoft.Web/"
    "serverfarms/testsf6141",
    "kind": "app",
    "location": "East US",
    "properties": {
        "geoRegion": "East US",
        "isSpot": False,
        "maximumNumberOfWorkers": 20,
        "numberOfSites": 4,
        "numberOfWorkers": 19,
        "provisioningState": "Succeeded",
        "reserved": False,
        "status": "Ready",
        "targetWorkerCount": 0,
        "targetWorkerSizeId": 0,
    },
    "sku": {"name": "P1", "capacity": 1, "family": "P", "size": "P1", "tier": "Premium"},
}


def test_microsofts_own_example_goes_back_as_its_reference_has_it() -> None:
    described = contract("azure.mgmt.web")
    assert described.offences("AppServicePlan", EXAMPLE, asked=False) == []
    body = written_back(EXAMPLE, 3, {"cloudfail-epoch": "10 r1"})
    assert described.offences("AppServicePlan", body, asked=True) == []
    assert body == {
        "kind": "app",
        "location": "East US",
        "tags": {"cloudfail-epoch": "10 r1"},
        "properties": {"isSpot": False, "reserved": False},
        "sku": {"name": "P1", "capacity": 3, "family": "P", "size": "P1", "tier": "Premium"},
    }
    more = {
        **EXAMPLE,
        "extendedLocation": {"name": "edge", "type": "EdgeZone"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/x": {"principalId": "p", "clientId": "c"}}},
        "properties": {"hostingEnvironmentProfile": {"id": "/e", "name": "e", "type": "t"}},
    }
    body = written_back(more, 3, {})
    assert described.offences("AppServicePlan", body, asked=True) == []
    assert body["properties"] == {"hostingEnvironmentProfile": {"id": "/e"}}
    assert body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {"/x": {}}}
