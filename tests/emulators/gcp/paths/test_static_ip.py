"""network: static-ip, where it is unlike the others: it is taken from nobody, and reaches no other region."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls
from cloudfail_gcp.network import static_ip
from tests.emulators.gcp.balancing import PROJECT
from tests.emulators.gcp.paths.world import HOLDERS, HOME, VALUE, VIP, ZONE_B, ZONE_C, AddressSite, Making, resource

LET_GO, GIVE, LABEL = "instances.deleteAccessConfig", "instances.addAccessConfig", "addresses.setLabels"
SOMEBODY = f"projects/{PROJECT}/zones/{HOME}-d/instances/somebody"


@pytest.fixture
def vip(site: Making) -> AddressSite:
    made: AddressSite = site("static-ip")
    return made


def acted(vip: AddressSite, memory: Any = None, epoch: int = 10) -> Todo:
    todo = vip.look(memory)
    assert isinstance(todo, Todo), todo
    vip.act(todo, memory, epoch)
    vip.settled()
    return todo


def test_a_move_is_two_effects_with_nobody_between_and_the_words_say_so(vip: AddressSite) -> None:
    assert acted(vip).effect == "give path to zone-c (now zone-b)"
    assert vip.state().points == {VIP: ()}
    assert vip.machine.held(VALUE) == ""
    assert acted(vip).effect == "give path to zone-c (now nowhere)"
    assert isinstance(vip.look(), Done)
    assert vip.changes() == [LET_GO, GIVE]


def test_what_is_given_has_a_name_of_its_own_and_the_address_s_own_tier(vip: AddressSite) -> None:
    vip.machine.address(VIP, VALUE, networkTier="STANDARD")
    assert isinstance(vip.drive(), Done)
    config = vip.machine.config(HOLDERS[ZONE_C])
    assert (config["name"], config["networkTier"], config["natIP"]) == ("cloudfail-10", "STANDARD", VALUE)


def test_the_epoch_is_a_label_beside_those_that_are_there(vip: AddressSite) -> None:
    vip.machine.address(VIP, VALUE, labels={"team": "shop"})
    assert isinstance(vip.drive(), Done)
    assert vip.machine.labels(VIP) == {"team": "shop", "cloudfail-shop-epoch": "10"}
    assert vip.front.count(operation=LABEL) == 1


def test_labels_that_changed_in_that_instant_are_a_conflict_and_nothing_is_moved(vip: AddressSite) -> None:
    points, state = vip.to(ZONE_C), vip.state()
    vip.front.outages.stale(600.0, operation="addresses.get")
    vip.machine.address(VIP, VALUE, labels={"team": "shop"})
    with pytest.raises(Conflict):
        vip.order(points, state)
    assert vip.changes() == []


def test_a_mark_that_may_not_be_written_is_no_reason_not_to_move(vip: AddressSite) -> None:
    fault = vip.front.outages.fail("forbidden", 403, operation=LABEL)
    assert isinstance(vip.drive(), Done)
    assert fault.hits >= 1
    assert vip.state().epoch is None


def test_an_address_that_somebody_else_holds_is_a_conflict_that_names_the_holder(vip: AddressSite) -> None:
    state, points = vip.state(), vip.to(ZONE_C)
    vip.machine.let_go(HOLDERS[ZONE_B])
    vip.machine.give(vip.machine.instance(SOMEBODY), VALUE)
    seen = vip.look()
    assert isinstance(seen, NotKnown)
    assert f"is held by {SOMEBODY}, which is no member of path" in seen.reason
    with pytest.raises(Conflict, match="somebody"):
        vip.order(points, state)
    assert vip.changes() == []
    assert vip.machine.held(VALUE) == SOMEBODY


def test_one_that_somebody_took_in_the_instant_before_the_request_is_left_to_them(vip: AddressSite) -> None:
    vip.machine.instance(SOMEBODY)
    acted(vip)
    todo = vip.look()
    assert isinstance(todo, Todo)
    vip.machine.meanwhile = lambda: vip.machine.give(SOMEBODY, VALUE)
    with pytest.raises(Conflict, match="somebody"):
        vip.act(todo)
    assert vip.machine.held(VALUE) == SOMEBODY


def test_a_request_to_let_go_that_lands_late_finds_its_configuration_by_name_or_not_at_all(vip: AddressSite) -> None:
    first = vip.look()
    assert isinstance(first, Todo)
    held = vip.front.outages.hold(operation=LET_GO, times=1)
    with pytest.raises(OutcomeUnknown):
        vip.act(first, epoch=10)
    acted(vip, epoch=20)
    acted(vip, epoch=20)
    for _ in range(2):
        acted(vip, first.memory, 20)
    assert vip.machine.config(HOLDERS[ZONE_B])["name"] == "cloudfail-20"
    held.land()
    vip.settled()
    assert vip.machine.held(VALUE) == HOLDERS[ZONE_B]


def test_a_gift_that_lands_late_is_refused_while_anybody_holds_it(vip: AddressSite) -> None:
    first = acted(vip)
    second = vip.look()
    assert isinstance(second, Todo)
    held = vip.front.outages.hold(operation=GIVE, times=1)
    with pytest.raises(OutcomeUnknown):
        vip.act(second)
    assert isinstance(vip.drive(first.memory), Done)
    held.land()
    vip.settled()
    assert vip.machine.held(VALUE) == HOLDERS[ZONE_B]


def test_a_gift_that_lands_late_where_nobody_holds_it_is_seen_and_put_right(vip: AddressSite) -> None:
    vip.machine.let_go(HOLDERS[ZONE_B])
    first = vip.look()
    assert isinstance(first, Todo)
    held = vip.front.outages.hold(operation=GIVE, times=1)
    with pytest.raises(OutcomeUnknown):
        vip.act(first)
    assert isinstance(vip.look(first.memory), Done)
    held.land()
    vip.settled()
    assert vip.machine.held(VALUE) == HOLDERS[ZONE_C]
    assert isinstance(vip.drive(first.memory), Done)
    assert vip.machine.held(VALUE) == ""


def test_a_holder_that_has_another_address_is_refused_before_this_one_is_let_go(vip: AddressSite) -> None:
    vip.machine.give(HOLDERS[ZONE_C], "198.51.100.7")
    with pytest.raises(Permanent, match=r"198\.51\.100\.7 already") as refused:
        acted(vip)
    assert "gcloud compute instances delete-access-config gw --zone europe-west1-c" in refused.value.to_do
    assert vip.changes() == []
    assert vip.machine.held(VALUE) == HOLDERS[ZONE_B]


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"holder": f"{HOLDERS[ZONE_C]}-2"}, "was not found"),
        ({"interface": "nic1"}, "has no nic1"),
    ],
)
def test_one_that_goes_where_nothing_can_take_it_is_not_let_go(
    vip: AddressSite, member: dict[str, str], said: str
) -> None:
    vip.resource.members[ZONE_C].update(member)
    with pytest.raises(Permanent, match=said):
        acted(vip)
    assert vip.machine.held(VALUE) == HOLDERS[ZONE_B]


def test_one_whose_next_holder_cannot_be_read_is_not_let_go(vip: AddressSite) -> None:
    todo = vip.look()
    assert isinstance(todo, Todo)
    vip.resource.members[ZONE_B]["holder"], there = SOMEBODY, vip.machine
    there.let_go(HOLDERS[ZONE_B])
    there.give(there.instance(SOMEBODY), VALUE)
    state = vip.state()
    vip.front.outages.cut(operation="instances.get", after=1)
    with pytest.raises((Transient, Conflict)):
        vip.order({VIP: (ZONE_C,)}, state, replace(Calls().make(), timeout_seconds=5.0))
    assert vip.changes() == []


def test_a_free_address_is_given_in_one_effect_and_taken_back_to_nobody(vip: AddressSite) -> None:
    vip.machine.let_go(HOLDERS[ZONE_B])
    first = vip.look()
    assert isinstance(first, Todo)
    vip.front.forget()
    assert isinstance(vip.drive(), Done)
    assert vip.changes() == [GIVE]
    assert isinstance(vip.drive(first.memory), Done)
    assert vip.machine.held(VALUE) == ""


def test_a_holder_that_does_not_run_completes_nothing_although_it_has_the_address(vip: AddressSite) -> None:
    assert isinstance(vip.drive(), Done)
    vip.machine.edit(HOLDERS[ZONE_C], status="TERMINATED")
    seen = vip.look()
    assert isinstance(seen, Moving)
    assert "is TERMINATED" in seen.detail


def test_an_address_on_another_interface_than_is_written_is_unknown(vip: AddressSite) -> None:
    vip.resource.members[ZONE_B]["interface"] = "nic1"
    read = vip.port().read()
    assert isinstance(read, Unknown)
    assert f"{VALUE} is on nic0 of {HOLDERS[ZONE_B]}, and nic1 is written" in read.reason


def test_an_internal_address_is_refused_for_good(vip: AddressSite) -> None:
    state, points = vip.state(), vip.to(ZONE_C)
    vip.machine.address(VIP, VALUE, addressType="INTERNAL")
    assert isinstance(vip.port().read(), Unknown)
    with pytest.raises(Permanent, match="internal address") as refused:
        vip.order(points, state)
    assert "network: route" in refused.value.to_do


def test_an_address_and_an_instance_that_disagree_are_unknown(vip: AddressSite) -> None:
    """One of the two answers is old."""
    vip.state()
    vip.front.outages.stale(600.0, operation="addresses.get")
    vip.machine.let_go(HOLDERS[ZONE_B])
    read = vip.port().read()
    assert isinstance(read, Unknown)
    assert "does not say so" in read.reason


def test_an_instance_of_another_region_is_refused_with_what_to_do_instead() -> None:
    away = f"projects/{PROJECT}/zones/us-central1-a/instances/gw"
    of = resource("static-ip", {ZONE_B: HOLDERS[ZONE_B], ZONE_C: away}, address=VIP)
    with pytest.raises(Refused, match=f"an address of {HOME} cannot be held by {away}") as refused:
        static_ip.build(of, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
    assert "move a name or shift a balancer instead" in refused.value.to_do


def test_two_zones_with_one_holder_cannot_be_told_apart() -> None:
    of = resource("static-ip", {ZONE_B: HOLDERS[ZONE_B], ZONE_C: HOLDERS[ZONE_B]}, address=VIP)
    with pytest.raises(Refused, match="zone-b and in zone-c"):
        static_ip.build(of, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
