"""dns: azure-dns against a stand-in that is held against Microsoft's own packages, seen through a real name server that
answers from the zone. In a public zone and in a private one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from cloudfail.actions import Done, Moving, StepContext, Todo
from cloudfail.actions.traffic import Switch
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.plan import PlannedStep
from cloudfail.testing.conformance import DnsSuite
from cloudfail_azure.dns.azure_dns import METADATA, AzureDns
from cloudfail_azure.dns.options import AzureDnsOptions, relative
from tests.emulators.aws.zone_server import ZoneServer
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.names_world import (
    ADDRESS,
    DOMAIN,
    KIND,
    LABEL,
    NAME,
    TO_NORTH,
    TO_WEST,
    NamesWorld,
    OneName,
    call,
    heard,
    known,
    port_of,
    resource,
    serving_names,
    topology,
)
from tests.emulators.azure.standins.names import Zones

pytestmark = pytest.mark.timeout(300)
PUT = "record_sets.create_or_update"


class Site:
    """A name that answers with the west, and a name server that follows its zone."""

    def __init__(self, front: Front, zones: Zones, names: ZoneServer) -> None:
        self.front, self.zones, self.names = front, zones, names
        self.zone = zones.zone(DOMAIN)
        self.set = zones.record(self.zone, LABEL, [ADDRESS[WEST]], metadata={"owner": "platform"})

    def port(self, members: Any = None, **options: Any) -> AzureDns:
        told = {"zone": self.zone, "resolvers": [self.names.address], "answer_within": "8s", **options}
        return port_of(told, members or ADDRESS)

    def stands(self) -> dict[str, Any]:
        return self.zones.at(self.set)


@pytest.fixture(params=["public", "private"])
def site(request: pytest.FixtureRequest, azure: Front, serving: Callable[[str, Any], Any]) -> Iterator[Site]:
    private = request.param == "private"
    zones: Zones = serving(f"azure.mgmt.{'privatedns' if private else 'dns'}", Zones(private=private))
    with serving_names(zones) as names:
        yield Site(azure, zones, names)


class TestAzureDns(DnsSuite):
    @pytest.fixture
    def world(self, site: Site) -> NamesWorld:
        return NamesWorld(site.port, site.front)


def test_one_request_moves_the_name_and_leaves_the_mark_and_nothing_else_is_changed(site: Site) -> None:
    port = site.port()
    before = known(port.read())
    assert (before.weights, before.answers, before.epoch) == (TO_WEST, (ADDRESS[WEST],), None)
    site.front.forget()
    port.shift({WEST: 0, NORTH: 50}, expect=before, call=call(7))
    assert [one.operation for one in site.front.seen(mutating=True)] == [PUT]
    metadata = site.stands()["properties"]["metadata"]
    assert metadata == {
        "owner": "platform",
        METADATA: f"cloudfail owner=shop epoch=7 weights={WEST}:0,{NORTH}:50 run=r1",
    }
    after = known(port.read())
    assert (after.weights, after.epoch, after.ttl_seconds) == ({WEST: 0, NORTH: 50}, 7, 60.0)
    heard(port, site.names, NORTH)
    with pytest.raises(Conflict, match="Epoch 7"):
        port.shift(TO_WEST, expect=after, call=call(6))


def test_an_old_call_is_refused_by_the_service_itself_also_where_the_values_are_again_as_it_saw_them(
    site: Site,
) -> None:
    port = site.port()
    first = known(port.read())
    port.shift(TO_NORTH, expect=first, call=call(7))
    port.shift(TO_WEST, expect=known(port.read()), call=call(8))
    with pytest.raises(Conflict, match="PreconditionFailed"):
        port.shift(TO_NORTH, expect=first, call=call(7))
    assert known(port.read()).answers == (ADDRESS[WEST],)


def test_of_calls_that_saw_the_same_one_has_an_effect(site: Site) -> None:
    seen = known(site.port().read())
    refused: list[int] = []

    def shift(epoch: int) -> None:
        try:
            site.port().shift({WEST: 1, NORTH: epoch}, expect=seen, call=call(epoch))
        except Conflict:
            refused.append(epoch)

    threads = [threading.Thread(target=shift, args=(epoch,)) for epoch in (11, 12, 13)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    now = known(site.port().read())
    assert sorted([*refused, now.epoch]) == [11, 12, 13]
    assert now.weights == {WEST: 1, NORTH: now.epoch}


def test_a_lost_answer_is_found_out_by_looking(site: Site) -> None:
    port = site.port()
    seen = known(port.read())
    site.front.outages.lose(operation=PUT, times=1)
    with pytest.raises(OutcomeUnknown):
        port.shift(TO_NORTH, expect=seen, call=call())
    assert known(port.read()).weights == TO_NORTH
    with pytest.raises(Conflict):
        port.shift(TO_NORTH, expect=seen, call=call())


def test_the_step_is_done_when_resolvers_say_so_and_not_when_azure_does(site: Site) -> None:
    port = site.port()
    step = PlannedStep("names", "traffic.switch", None, {"name": "www", "to": NORTH}, (), 300.0, 0.0, 0)
    world: Any = OneName(port, site.zone)
    context = StepContext(step, "r1", WEST, NORTH)
    switch = Switch()
    site.names.freeze()
    todo = switch.observe(world, context)
    assert isinstance(todo, Todo)
    switch.act(world, context, todo, call())
    assert known(port.read()).weights == TO_NORTH
    assert isinstance(switch.observe(world, context), Moving)
    heard(port, site.names, NORTH)
    assert isinstance(switch.observe(world, context), Done)


def test_success_that_nothing_follows_completes_nothing(site: Site) -> None:
    site.zones.obeying = False
    port = site.port()
    seen = known(port.read())
    port.shift(TO_NORTH, expect=seen, call=call())
    assert known(port.read()).weights == TO_WEST
    assert known(port.resolve()) == {site.names.address: (ADDRESS[WEST],)}


def test_a_value_that_nobody_wrote_down_makes_the_name_unknown(site: Site) -> None:
    site.zones.record(site.zone, LABEL, [ADDRESS[WEST], "192.0.2.9"])
    read = site.port().read()
    assert isinstance(read, Unknown) and "192.0.2.9" in read.reason
    found = known(site.port().preflight())
    assert len(found) == 1 and "192.0.2.9" in found[0]


@pytest.mark.parametrize("site", ["public"], indirect=True)  # a private zone has none
def test_an_alias_is_moved_by_its_own_kind(site: Site) -> None:
    target = "/subscriptions/x/resourceGroups/y/providers/Microsoft.Network/trafficManagerProfiles/shop"
    site.zones.put(site.set, {"properties": {"TTL": 60, "targetResource": {"id": target}}})
    read = site.port().read()
    assert isinstance(read, Unknown) and "alias" in read.reason


def test_a_name_of_another_application_is_left_alone(site: Site) -> None:
    port = site.port()
    seen = known(port.read())
    other = port_of({"zone": site.zone, "resolvers": [site.names.address]}, ADDRESS, topology("billing"))
    port.shift(TO_NORTH, expect=seen, call=call())
    with pytest.raises(Permanent, match="application shop"):
        other.shift(TO_WEST, expect=known(other.read()), call=call(20))
    assert any("application shop" in line for line in known(other.preflight()))


def test_a_text_that_is_not_ours_in_our_place_is_said(site: Site) -> None:
    site.stands()["properties"]["metadata"][METADATA] = "hands off"
    read = site.port().read()
    assert isinstance(read, Unknown) and "somebody else's" in read.reason


def test_a_record_set_that_is_not_there_is_said_before_the_night(site: Site) -> None:
    gone = site.port(name=f"gone.{DOMAIN}")
    found = known(gone.preflight())
    assert len(found) == 1 and "ResourceNotFound" in found[0]
    assert isinstance(gone.read(), Unknown)
    assert isinstance(site.port().preflight(), Known)
    assert known(site.port().preflight()) == ()


def test_a_cname_answers_one_region_at_a_time(site: Site) -> None:
    targets = {WEST: "west.shop.example", NORTH: "north.shop.example"}
    site.zones.record(site.zone, "app", [f"{targets[WEST]}."], kind="CNAME")
    port = site.port(targets, name=f"app.{DOMAIN}", type="CNAME")
    seen = known(port.read())
    assert seen.weights == TO_WEST
    with pytest.raises(Permanent, match="CNAME"):
        port.shift({WEST: 50, NORTH: 50}, expect=seen, call=call())
    port.shift(TO_NORTH, expect=seen, call=call())
    assert known(port.read()).answers == ("north.shop.example.",)


def test_the_lease_is_checked_before_the_request(site: Site) -> None:
    def lost() -> None:
        raise LeaseLost("another took over.")

    port = site.port()
    seen = known(port.read())
    site.front.forget()
    with pytest.raises(LeaseLost):
        port.shift(TO_NORTH, expect=seen, call=call(check=lost))
    assert site.front.count(mutating=True) == 0


def test_names_are_written_without_their_zone() -> None:
    network = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Network"
    zone = f"{network}/dnsZones/shop.example"
    names = ("WWW.shop.example.", "shop.example", "*.shop.example")
    assert [relative(name, zone) for name in names] == ["www", "@", "*"]
    assert relative("www.myshop.example", zone) is None
    with pytest.raises(ValidationError, match="is not in the zone"):
        AzureDnsOptions.model_validate({"zone": f"{network}/dnsZones/a.example", "name": NAME})
    with pytest.raises(ValidationError, match="no id of a DNS zone"):
        AzureDnsOptions.model_validate({"zone": "a.example", "name": NAME})


@pytest.mark.parametrize(("kind_of", "divides"), [("A", "evenly"), ("AAAA", "evenly"), ("CNAME", "not")])
def test_what_shares_it_gives_is_said_by_its_type(kind_of: str, divides: str) -> None:
    zone = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Network/dnsZones/{DOMAIN}"
    one = resource({"zone": zone, "type": kind_of}, ADDRESS)
    assert KIND.facts("shift", one).divides == divides
