"""network: elastic-ip, where it is unlike the others: it is taken from nobody, and reaches no other region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cloudfail.actions import Done, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused
from cloudfail_aws.network import elastic_ip
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.network_world import EAST, HOME, WEST, ZONE_A, ZONE_B, Address, resource
from tests.emulators.wire import Answer, Lost, Request, Upstream
from tests.path_server import greeting

ALLOCATION = "eipalloc-0aa11bb22cc33dd44"
ENI_A, ENI_B = "eni-0aa11bb22cc33dd44", "eni-0ee55ff66aa77bb88"


@pytest.fixture
def site(cloud: Front, moto_process: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with greeting(ZONE_A, ZONE_B) as greeters:
        made = Address(cloud, moto_process.url, greeters)
        cloud.forget()
        yield made
        made.close()


def orders(site: Address) -> list[str]:
    return [one.operation for one in site.front.seen(mutating=True) if one.operation != "CreateTags"]


def test_a_move_is_two_effects_with_nobody_between_and_the_words_say_so(site: Address) -> None:
    first = site.look()
    assert isinstance(first, Todo)
    assert first.effect == "give path to zone-b (now zone-a)"
    site.act(first)
    assert site.state().points == {site.allocation: ()}
    second = site.look()
    assert isinstance(second, Todo)
    assert second.effect == "give path to zone-b (now nowhere)"
    site.act(second)
    assert isinstance(site.look(), Done)
    assert orders(site) == ["AssociateAddress", "DisassociateAddress", "AssociateAddress"], "the first is a dry run"


def test_every_request_for_it_says_that_it_may_not_be_taken_from_anybody(site: Address, moto_process: Emulator) -> None:
    sent: list[tuple[str | None, str | None]] = []
    really = Upstream(moto_process.port)

    def listen(request: Request) -> Answer | Lost:
        sent.append((request.form.get("AllowReassociation"), request.form.get("DryRun")))
        return really(request)

    site.front.serve("ec2", listen, "AssociateAddress")
    try:
        assert isinstance(site.drive(), Done)
    finally:
        site.front.serve("ec2", "moto", "AssociateAddress")
    assert sent == [("false", "true"), ("false", None)]


def test_an_address_that_somebody_else_holds_is_a_conflict_that_names_the_holder(site: Address) -> None:
    state, points = site.state(), site.to(ZONE_B)
    site.let_go()
    somebody = site.interface()
    site.give(somebody)
    seen = site.look()
    assert isinstance(seen, NotKnown)
    assert f"is held by {somebody}, which is no member of path" in seen.reason
    site.front.forget()
    with pytest.raises(Conflict, match=somebody):
        site.order(points, state)
    assert orders(site) == []
    assert site.described()["NetworkInterfaceId"] == somebody


def test_one_that_somebody_took_in_the_instant_before_the_request_is_left_to_them(
    site: Address, moto_process: Emulator
) -> None:
    first = site.look()
    assert isinstance(first, Todo)
    site.act(first)
    second = site.look()
    assert isinstance(second, Todo)
    really, somebody = Upstream(moto_process.port), site.interface()

    def too_late(request: Request) -> Answer | Lost:
        site.give(somebody)
        return really(request)

    site.front.serve("ec2", too_late, "AssociateAddress")
    try:
        with pytest.raises(Conflict, match=r"Resource\.AlreadyAssociated"):
            site.act(second)
    finally:
        site.front.serve("ec2", "moto", "AssociateAddress")
    assert site.described()["NetworkInterfaceId"] == somebody


def test_an_association_that_is_another_by_now_is_not_let_go(site: Address) -> None:
    """A call that was on its way for long: its association is gone, and the new one of the same holder stays."""
    state = site.state()
    held = site.front.outages.hold(operation="DisassociateAddress", times=1)
    with pytest.raises(OutcomeUnknown):
        site.order(site.to(ZONE_B), state)
    site.let_go()
    site.give(site.holders[ZONE_A])
    held.land()
    assert site.described()["NetworkInterfaceId"] == site.holders[ZONE_A]


def test_a_gift_that_lands_late_is_refused_while_anybody_holds_it(site: Address) -> None:
    """What a worker ordered before its lease was lost arrives after another one gave the address back."""
    first = site.look()
    assert isinstance(first, Todo)
    site.act(first)
    second = site.look()
    assert isinstance(second, Todo)
    held = site.front.outages.hold(operation="AssociateAddress", times=1)
    with pytest.raises(OutcomeUnknown):
        site.act(second)
    assert isinstance(site.drive(first.memory), Done)
    held.land()
    assert site.described()["NetworkInterfaceId"] == site.holders[ZONE_A]


def test_a_holder_that_has_another_address_is_refused_before_this_one_is_let_go(site: Address) -> None:
    """AWS would take the other one from it. Refused later, this one would be with nobody."""
    other = site.ec2.allocate_address(Domain="vpc")
    site.ec2.associate_address(AllocationId=other["AllocationId"], NetworkInterfaceId=site.holders[ZONE_B])
    todo = site.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match=other["PublicIp"]):
        site.act(todo)
    assert orders(site) == []
    assert site.described()["NetworkInterfaceId"] == site.holders[ZONE_A]


def test_one_that_could_not_be_given_is_not_let_go(site: Address) -> None:
    site.front.outages.fail("UnauthorizedOperation", 403, operation="AssociateAddress")
    todo = site.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match="UnauthorizedOperation"):
        site.act(todo)
    assert site.described()["NetworkInterfaceId"] == site.holders[ZONE_A]


def test_one_that_goes_to_an_interface_that_is_not_there_is_not_let_go(site: Address) -> None:
    site.resource.members[ZONE_B]["holder"] = ENI_B
    todo = site.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent, match=ENI_B):
        site.act(todo)
    assert site.described()["NetworkInterfaceId"] == site.holders[ZONE_A]


def test_a_free_address_is_given_in_one_effect_and_taken_back_to_nobody(site: Address) -> None:
    site.let_go()
    first = site.look()
    assert isinstance(first, Todo)
    site.front.forget()
    assert isinstance(site.drive(), Done)
    assert orders(site) == ["AssociateAddress"]
    assert isinstance(site.drive(first.memory), Done)
    assert "AssociationId" not in site.described()


def test_a_member_in_another_region_is_refused_with_what_to_do_instead() -> None:
    of = resource("elastic-ip", {EAST: ENI_A, WEST: ENI_B}, allocation=ALLOCATION)
    with pytest.raises(Refused, match=f"an Elastic IP of {HOME} cannot be held in {EAST}, {WEST}") as refused:
        elastic_ip.build(of, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
    assert "move a name or a balancer instead" in refused.value.to_do


def test_two_zones_with_one_holder_cannot_be_told_apart() -> None:
    of = resource("elastic-ip", {ZONE_A: ENI_A, ZONE_B: ENI_B}, allocation=ALLOCATION)
    same = replace(of, members={**of.members, ZONE_B: of.members[ZONE_A]})
    with pytest.raises(Refused, match=ENI_A):
        elastic_ip.build(same, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
