"""How Google is asked: as whom, within which bound, how often, and what of an answer is taken for what."""

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
from cloudfail.testing.conformance import Calls
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.budget import Budget
from cloudfail_gcp.errors import Answered
from cloudfail_gcp.roles import role_mistake
from cloudfail_gcp.sessions import Sessions, endpoint
from tests.emulators.gcp.front import Fault, Front, Refused

WATCH, EXECUTE = "watcher@shop-prod.iam.gserviceaccount.com", "executor@shop-prod.iam.gserviceaccount.com"
ZONES = "dns/v1/projects/shop-prod/managedZones"


class Dns:
    """Zones of a project, two on a page, and no more than is needed to ask."""

    def __init__(self) -> None:
        self.zones = [f"zone-{number}" for number in range(5)]
        self.made: list[tuple[str, str]] = []

    def managed_zones_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        start = int(query.get("pageToken", "0"))
        page: dict[str, Any] = {"managedZones": [{"name": name} for name in self.zones[start : start + 2]]}
        return page | ({"nextPageToken": str(start + 2)} if start + 2 < len(self.zones) else {})

    def managed_zones_create(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if body["name"] in self.zones:
            raise Refused(409, "alreadyExists", "It is there.")
        self.made.append((body["name"], query.get("clientOperationId", "")))
        return {"name": body["name"]}


class Tokens:
    """The IAM Service Account Credentials API: a token for each service account, which names it."""

    def projects_service_accounts_generate_access_token(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        whose = list(labels.values())[-1]
        return {"accessToken": f"token-of-{whose}", "expireTime": "2099-01-01T00:00:00Z"}


@pytest.fixture
def dns(serving: Callable[[str, Any], Any]) -> Dns:
    made: Dns = serving("dns.v1", Dns())
    return made


def asking(roles: Roles | None = None) -> Asking:
    one = Resource("www", PortName.DNS, "cloud-dns", "gcp", None, {})
    region = Region("us-central1", "gcp", "shop-prod", roles=roles or Roles())
    topology = Topology("shop", Objectives(900, 30), {region.name: region}, region.name, "memory:", {"www": one})
    clock = SystemClock()
    return Asking(one, topology, Sessions(), Budget(clock), clock)


def make(asks: Asking, name: str = "new", call: Call | None = None) -> dict[str, Any]:
    return asks.change(
        "dns", "global", "POST", ZONES, call=call or Calls().make(), body={"name": name}, request_id="clientOperationId"
    )


def test_all_pages_are_read_and_none_twice(dns: Dns) -> None:
    found = asking().pages("dns", "global", ZONES, "managedZones", within=10.0)
    assert [one["name"] for one in found] == dns.zones


def test_pages_that_do_not_end_are_unknown(dns: Dns, google: Front) -> None:
    asks = asking()
    asks.read("dns", "global", ZONES, within=5.0)
    google.outages.repeat_page()
    with pytest.raises(OutcomeUnknown, match="same page"):
        asks.pages("dns", "global", ZONES, "managedZones", within=10.0)


def test_every_attempt_of_one_effect_has_the_same_request_id_and_another_lease_another(dns: Dns) -> None:
    call = Calls().make()
    make(asking(), call=call)
    make(asking(), call=call)
    make(asking(), call=dataclasses.replace(call, epoch=call.epoch + 1))
    ids = [one for _, one in dns.made]
    assert ids[0] == ids[1] != ids[2]


def test_two_orders_that_differ_in_their_query_alone_have_two_request_ids(dns: Dns) -> None:
    call = Calls().make()
    for pretty in ("true", "false"):
        asking().change(
            "dns", "global", "POST", ZONES, call=call, query={"prettyPrint": pretty}, body={"name": "new"},
            request_id="clientOperationId",
        )  # fmt: skip
    first, second = (one for _, one in dns.made)
    assert first != second


@pytest.mark.parametrize("what", ["fail", "throttle", "refuse", "silence"])
def test_a_read_is_tried_again_and_a_change_only_where_nothing_was_done(dns: Dns, google: Front, what: str) -> None:
    def once() -> Fault:
        outages = google.outages
        fault: Fault = outages.fail("backendError", 503, times=1) if what == "fail" else getattr(outages, what)(times=1)
        return fault

    fault = once()
    assert asking().read("dns", "global", ZONES, within=10.0)
    assert fault.hits == 1
    once()
    if what == "throttle":
        make(asking())
        assert len(dns.made) == 1
        return
    with pytest.raises(OutcomeUnknown):
        make(asking())
    assert not dns.made


def test_an_answer_that_was_lost_after_the_effect_is_in_doubt(dns: Dns, google: Front) -> None:
    google.outages.lose("closed", mutating=True, times=1)
    with pytest.raises(OutcomeUnknown):
        make(asking())
    assert len(dns.made) == 1


def test_an_answer_that_breaks_off_is_no_answer(dns: Dns, google: Front) -> None:
    google.outages.cut()
    with pytest.raises(OutcomeUnknown):
        asking().read("dns", "global", ZONES, within=3.0)


def test_silence_ends_within_its_bound(dns: Dns, google: Front) -> None:
    google.outages.silence()
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        asking().read("dns", "global", ZONES, within=2.0)
    assert time.monotonic() - began < 10


def test_a_name_that_is_taken_is_a_conflict_and_what_is_not_there_is_for_good(dns: Dns) -> None:
    with pytest.raises(Conflict):
        make(asking(), name="zone-1")
    with pytest.raises(Permanent):
        asking().read("dns", "global", f"{ZONES}/none/rrsets/a/A", within=3.0)


def test_a_call_that_may_not_be_made_sends_nothing(dns: Dns, google: Front) -> None:
    with pytest.raises(LeaseLost):
        make(asking(), call=Calls().make(raises=LeaseLost("over")))
    assert google.count(mutating=True) == 0


def test_reads_go_out_as_the_watch_role_and_changes_as_the_execute_role(
    dns: Dns, google: Front, serving: Callable[[str, Any], Any]
) -> None:
    serving("iamcredentials.v1", Tokens())
    asks = asking(Roles(watch=WATCH, execute=EXECUTE))
    asks.read("dns", "global", ZONES, within=10.0)
    make(asks)
    (read,), (change,) = google.seen(service="dns", mutating=False), google.seen(service="dns", mutating=True)
    assert (read.by, change.by) == (f"token-of-{WATCH}", f"token-of-{EXECUTE}")


def test_a_role_that_may_not_be_taken_on_is_no_effect(
    dns: Dns, google: Front, serving: Callable[[str, Any], Any]
) -> None:
    serving("iamcredentials.v1", Tokens())
    google.outages.fail("forbidden", 403, service="iamcredentials")
    with pytest.raises((Transient, Permanent)):
        make(asking(Roles(execute=EXECUTE)))
    assert google.count(service="dns", mutating=True) == 0


@pytest.mark.parametrize(
    ("role", "good"),
    [(WATCH, True), ("arn:aws:iam::111111111111:role/x", False), ("watch@shop.example", False), ("watch", False)],
)
def test_a_role_is_the_address_of_a_service_account(role: str, good: bool) -> None:
    assert (role_mistake(role) is None) is good


def test_places_of_ones_own_are_named_as_gcloud_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint("compute") == "https://compute.googleapis.com/compute/v1/"
    assert endpoint("sqladmin") == "https://sqladmin.googleapis.com/"
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SQL", "http://127.0.0.1:9")
    assert endpoint("sqladmin") == "http://127.0.0.1:9/"


def test_what_google_said_stays_the_cause_of_what_it_became(dns: Dns) -> None:
    with pytest.raises(Conflict) as refused:
        make(asking(), "zone-0")
    cause = refused.value.__cause__
    assert isinstance(cause, Answered)
    assert (cause.said.status, cause.said.reason) == (409, "alreadyExists")


def test_without_credentials_a_read_and_a_change_say_so_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's library raises while it looks for them, before there is a session."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(Permanent, match="No credentials yet"):
        asking().read("dns", "global", ZONES, within=5.0)
    with pytest.raises(Permanent, match="No credentials yet"):
        make(asking())
