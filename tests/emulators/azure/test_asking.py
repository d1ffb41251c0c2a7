"""How Azure is asked: as whom, within which bound, how often, and what of an answer is taken for what."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest

from cloudfail.clock import SystemClock
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.topology import Objectives, PortName, Region, Resource, Roles, Topology
from cloudfail.ports import Call
from cloudfail.testing.clock import VirtualClock
from cloudfail.testing.conformance import Calls
from cloudfail_azure import arm_errors
from cloudfail_azure.asking import Asking, Reply
from cloudfail_azure.budget import LEFT, Budget
from cloudfail_azure.identity import whoami
from cloudfail_azure.roles import role_mistake
from cloudfail_azure.sessions import Sessions
from cloudfail_azure.under_way import followed
from tests.emulators.azure.front import OWN, SUBSCRIPTION, Ask, Fault, Front, Told
from tests.emulators.azure.standins.arm import Resources, merged

WATCH, EXECUTE = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
NETWORK, TABLE_VERSION = "azure.mgmt.network", "2026-03-01"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Network"
TABLE = f"{GROUP}/routeTables/out"
ROUTE = f"{TABLE}/routes/default"


class Routes(Resources):
    """Route tables, two on a page, whose routes are changed by a long-running operation."""

    service = "network"

    def route_tables_list(self, ask: Ask) -> dict[str, Any]:
        start, found = int(ask.query.get("$skiptoken", "0")), self.below(f"{GROUP}/routeTables")
        page: dict[str, Any] = {"value": found[start : start + 2]}
        more = f"{self.front.url}{ask.path}?api-version={TABLE_VERSION}&$skiptoken={start + 2}"
        return page | ({"nextLink": more} if start + 2 < len(found) else {})

    def route_tables_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def routes_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def route_tables_update_tags(self, ask: Ask) -> dict[str, Any]:
        self.matched(ask, ask.path)
        found = self.at(ask.path)
        found["tags"] = ask.body["tags"]
        self.orders.append(("tags", ask.path))
        self.touch(ask.path)
        return found

    def routes_create_or_update(self, ask: Ask) -> Told:
        made = merged({"name": "default"}, ask.body)
        return self.order(
            ask, "route", ask.path, lambda: self.put(ask.path, made) and None, lambda: self.at(ask.path),
            status=201, body=made,
        )  # fmt: skip


@pytest.fixture
def routes(serving: Callable[[str, Any], Any]) -> Routes:
    made: Routes = serving(NETWORK, Routes())
    made.put(TABLE, {"location": "westeurope"}, "westeurope")
    return made


def asking(roles: Roles | None = None, clock: Any = None) -> Asking:
    one = Resource("out", PortName.NETWORK, "route-table", "azure", None, {})
    region = Region("westeurope", "azure", SUBSCRIPTION, roles=roles or Roles())
    topology = Topology("shop", Objectives(900, 30), {region.name: region}, region.name, "memory:", {"out": one})
    clock = clock or SystemClock()
    return Asking(one, topology, Sessions(), Budget(clock), clock)


def tag(asks: Asking, call: Call | None = None, **more: Any) -> Reply:
    body = {"tags": {"epoch": "1"}}
    return asks.change("westeurope", "PATCH", TABLE, TABLE_VERSION, call=call or Calls().make(), body=body, **more)


def order(asks: Asking, call: Call | None = None) -> Reply:
    body = {"properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}}
    return asks.change("westeurope", "PUT", ROUTE, TABLE_VERSION, call=call or Calls().make(), body=body)


def test_all_pages_are_read_and_none_twice(routes: Routes) -> None:
    for number in range(4):
        routes.put(f"{GROUP}/routeTables/more-{number}", {"location": "westeurope"}, "westeurope")
    found = asking().pages("westeurope", f"{GROUP}/routeTables", TABLE_VERSION, within=10.0)
    assert [one["name"] for one in found] == ["out", *(f"more-{number}" for number in range(4))]


def test_a_page_at_another_place_is_not_asked_for(
    routes: Routes, azure: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be sent our token."""
    elsewhere = {"value": [], "nextLink": "https://elsewhere.example/next"}
    monkeypatch.setattr(Routes, "route_tables_list", lambda self, ask: elsewhere)
    with pytest.raises(OutcomeUnknown, match="not its own"):
        asking().pages("westeurope", f"{GROUP}/routeTables", TABLE_VERSION, within=3.0)


@pytest.mark.parametrize("what", ["fail", "throttle", "refuse", "silence"])
def test_a_read_is_tried_again_and_a_change_only_where_nothing_was_done(
    routes: Routes, azure: Front, what: str
) -> None:
    def once() -> Fault:
        outages = azure.outages
        fault: Fault = (
            outages.fail("ServiceUnavailable", 503, times=1) if what == "fail" else getattr(outages, what)(times=1)
        )
        return fault

    fault = once()
    assert asking().read("westeurope", TABLE, TABLE_VERSION, within=15.0)
    assert fault.hits == 1
    once()
    if what == "throttle":
        tag(asking())
        assert routes.orders == [("tags", TABLE)]
        return
    with pytest.raises(OutcomeUnknown):
        tag(asking())
    assert routes.orders == []


def test_a_door_that_is_shut_proves_that_nothing_was_done(routes: Routes, azure: Front) -> None:
    asks = asking()
    asks.read("westeurope", TABLE, TABLE_VERSION, within=5.0)
    azure._door.shut()
    with pytest.raises(Transient):
        tag(asks, dataclasses.replace(Calls().make(), timeout_seconds=1.0))
    azure._door.open()
    tag(asks)


def test_reads_go_out_as_who_watches_and_changes_as_who_executes(routes: Routes, azure: Front) -> None:
    asks = asking(Roles(WATCH, EXECUTE))
    asks.read("westeurope", TABLE, TABLE_VERSION, within=5.0)
    tag(asks)
    assert [(one.operation, one.by) for one in azure.seen()] == [
        ("route_tables.get", WATCH),
        ("route_tables.update_tags", EXECUTE),
    ]
    azure.forget()
    asking().read("westeurope", TABLE, TABLE_VERSION, within=5.0)
    assert [one.by for one in azure.seen()] == [OWN]


def test_an_older_leases_session_is_dropped(routes: Routes) -> None:
    asks = asking(Roles(WATCH, EXECUTE))
    call = Calls().make()
    tag(asks, call)
    tag(asks, dataclasses.replace(call, epoch=call.epoch + 1))
    held = [key for key in asks.sessions._made if key[0] == EXECUTE]
    assert held == [(EXECUTE, f"{call.run}/{call.epoch + 1}")]


def test_the_check_stands_before_the_request_and_after_the_token(routes: Routes, azure: Front) -> None:
    with pytest.raises(LeaseLost):
        tag(asking(Roles(WATCH, EXECUTE)), Calls().make(raises=LeaseLost("another took over.")))
    assert azure.count(mutating=True) == 0


def test_without_any_credentials_nothing_was_done(
    routes: Routes, azure: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    with pytest.raises((Transient, Permanent)):
        tag(asking(Roles(WATCH, EXECUTE)))
    assert azure.seen() == []


def test_an_etag_that_is_no_longer_so_is_a_conflict(routes: Routes) -> None:
    """Tags take no ETag in Azure's description; the front holds that against us as an answer, not as an offence."""
    with pytest.raises(Conflict, match="PreconditionFailed"):
        tag(asking(), if_match='W/"0"')
    tag(asking(), if_match=routes.at(TABLE)["etag"])


def test_what_is_left_as_azure_says_bounds_what_is_asked() -> None:
    clock = VirtualClock()
    budget = Budget(clock)
    assert budget.reserve(SUBSCRIPTION, "", "PUT", changes=True) == 0.0
    budget.told(SUBSCRIPTION, "", "PUT", {f"{LEFT}writes": "0"})
    assert budget.reserve(SUBSCRIPTION, "", "PUT", changes=True) == pytest.approx(0.1)
    assert budget.reserve(SUBSCRIPTION, "", "DELETE", changes=True) == 0.0, "another limit"
    assert budget.reserve("another", "", "PUT", changes=True) == 0.0, "another subscription"


def test_watching_leaves_half_of_the_limit_to_a_run() -> None:
    clock, asked = VirtualClock(), 0
    budget = Budget(clock)
    while budget.reserve(SUBSCRIPTION, "", "GET", changes=False) == 0.0:
        asked += 1
    assert asked == 125
    assert budget.reserve(SUBSCRIPTION, "", "GET", changes=True) == 0.0


def test_a_throttled_subscription_is_waited_for(routes: Routes, azure: Front) -> None:
    azure.outages.throttle(times=2)
    began = time.monotonic()
    tag(asking())
    assert routes.orders == [("tags", TABLE)]
    assert time.monotonic() - began >= 0.1, "the bucket was emptied, and fills at 10 a second"


# ---- operations, in both styles


@pytest.fixture(params=["status", "location"])
def styled(routes: Routes, request: pytest.FixtureRequest) -> Routes:
    routes.style = request.param
    # `Location` without a body to come is answered with 202 alone.
    return routes


def test_an_operation_is_followed_to_its_end(styled: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = asking()
    reply = order(asks)
    if styled.style == "location":
        reply = dataclasses.replace(reply, status=202)
    assert followed(asks, "westeurope", reply, "PUT a route", within=10.0)
    assert asks.read("westeurope", ROUTE, TABLE_VERSION, within=5.0)["properties"]["nextHopType"] == "Internet"


@pytest.mark.parametrize(
    ("ending", "code", "kind"),
    [
        ("Failed", "AllocationFailed", Transient),
        ("Failed", "QuotaExceeded", Permanent),
        ("Failed", "InternalServerError", OutcomeUnknown),
        ("Canceled", "Preempted", OutcomeUnknown),
    ],
)
def test_one_that_failed_or_was_cancelled_says_so_in_its_own_words(
    styled: Routes, ending: str, code: str, kind: type[Exception]
) -> None:
    styled.ending, styled.code = ending, code
    asks = asking()
    reply = order(asks)
    if styled.style == "location":
        reply = dataclasses.replace(reply, status=202)
    with pytest.raises(kind, match=code):
        followed(asks, "westeurope", reply, "PUT a route", within=10.0)


def test_one_that_takes_longer_is_left_to_the_next_look(styled: Routes) -> None:
    styled.seconds = 60.0
    asks = asking()
    reply = dataclasses.replace(order(asks), status=202)
    began = time.monotonic()
    assert not followed(asks, "westeurope", reply, "PUT a route", within=1.5)
    assert time.monotonic() - began < 10.0


def test_an_operation_whose_place_is_silent_says_nothing(styled: Routes, azure: Front) -> None:
    asks = asking()
    reply = dataclasses.replace(order(asks), status=202)
    azure.outages.silence(operation="operation")
    assert not followed(asks, "westeurope", reply, "PUT a route", within=2.0)


# ---- words


@pytest.mark.parametrize("code", sorted(arm_errors.CODE))
def test_every_code_is_classed_as_its_row_says(routes: Routes, azure: Front, code: str) -> None:
    azure.outages.fail(code, 400, mutating=True)
    with pytest.raises(arm_errors.CODE[code]) as raised:
        tag(asking(), dataclasses.replace(Calls().make(), timeout_seconds=5.0))
    assert code in str(raised.value) or isinstance(raised.value, Transient)


@pytest.mark.parametrize("status", [*sorted(arm_errors.STATUS), 500, 502, 503, 504])
def test_every_status_without_a_code_too(status: int) -> None:
    said = arm_errors.from_refusal(arm_errors.refusal(status, None), "GET x")
    assert type(said) is arm_errors.STATUS.get(status, OutcomeUnknown)


@pytest.mark.parametrize("code", sorted(arm_errors.OPERATION))
def test_every_end_of_an_operation_too(code: str) -> None:
    assert type(arm_errors.from_operation("Failed", {"code": code}, "PUT x")) is arm_errors.OPERATION[code]


def test_a_role_is_a_client_id() -> None:
    assert role_mistake(WATCH) is None
    said = role_mistake("watcher@shop.example")
    assert said is not None and "clientId" in said[1]


def test_who_we_are_is_what_the_token_says(azure: Front) -> None:
    from cloudfail.model.observation import Known

    known = whoami(1.0)
    assert isinstance(known, Known) and known.value == OWN
