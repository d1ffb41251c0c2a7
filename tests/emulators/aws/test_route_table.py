"""network: route-table, where it is unlike the others: create or replace, black holes, routes of others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls
from cloudfail_aws.network import route_table
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.network_world import DESTINATION, EAST, HOME, WEST, Routes, resource
from tests.emulators.wire import Answer, Lost, Request, Upstream
from tests.path_server import greeting


@pytest.fixture
def site(cloud: Front, moto_process: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Routes]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    with greeting(EAST, WEST) as greeters:
        made = Routes(cloud, moto_process.url, greeters)
        cloud.forget()
        yield made
        made.close()


def orders(site: Routes) -> list[str]:
    return [one.operation for one in site.front.seen(mutating=True) if one.operation != "CreateTags"]


def without_route(site: Routes, table: str) -> None:
    site.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=DESTINATION)


def test_a_route_that_is_absent_is_created_and_one_that_is_there_replaced(site: Routes) -> None:
    without_route(site, site.tables[0])
    site.front.forget()
    assert isinstance(site.drive(), Done)
    assert orders(site) == ["CreateRoute", "ReplaceRoute"]
    assert {site.hop(table) for table in site.tables} == {site.hops[WEST]}


def test_a_route_that_the_step_created_is_taken_away_with_it_and_no_other(site: Routes) -> None:
    without_route(site, site.tables[0])
    first = site.look()
    assert isinstance(first, Todo)
    assert isinstance(site.drive(), Done)
    site.front.forget()
    assert isinstance(site.drive(first.memory), Done)
    assert orders(site) == ["DeleteRoute", "ReplaceRoute"]
    assert [site.hop(table) for table in site.tables] == [None, site.hops[EAST]]


def test_a_route_that_somebody_created_since_the_look_is_not_replaced(site: Routes) -> None:
    without_route(site, site.tables[0])
    todo = site.look()
    assert isinstance(todo, Todo)
    site.ec2.create_route(
        RouteTableId=site.tables[0], DestinationCidrBlock=DESTINATION, NetworkInterfaceId=site.hops[EAST]
    )
    with pytest.raises(Conflict):
        site.act(todo)
    assert orders(site)[-1:] != ["ReplaceRoute"]
    assert site.hop(site.tables[0]) == site.hops[EAST]


def test_what_changes_while_the_mark_is_written_is_seen_before_the_request(
    site: Routes, moto_process: Emulator
) -> None:
    todo = site.look()
    assert isinstance(todo, Todo)
    really = Upstream(moto_process.port)

    def meanwhile(request: Request) -> Answer | Lost:
        site.ec2.replace_route(
            RouteTableId=site.tables[1], DestinationCidrBlock=DESTINATION, NetworkInterfaceId=site.hops[WEST]
        )
        return really(request)

    site.front.serve("ec2", meanwhile, "CreateTags")
    try:
        with pytest.raises(Conflict):
            site.act(todo)
    finally:
        site.front.serve("ec2", "moto", "CreateTags")
    assert orders(site) == []
    assert site.hop(site.tables[0]) == site.hops[EAST]


def test_a_route_that_goes_away_between_look_and_request_is_a_conflict_and_is_then_created(
    site: Routes, moto_process: Emulator
) -> None:
    """ReplaceRoute says InvalidParameterValue of a route that is not there, as it does of a wrong next hop."""
    todo = site.look()
    assert isinstance(todo, Todo)
    really = Upstream(moto_process.port)

    def first_gone(request: Request) -> Answer | Lost:
        without_route(site, site.tables[0])
        site.front.serve("ec2", "moto", "ReplaceRoute")
        return really(request)

    site.front.serve("ec2", first_gone, "ReplaceRoute")
    with pytest.raises(Conflict):
        site.act(todo)
    site.front.forget()
    assert isinstance(site.drive(), Done)
    assert orders(site) == ["CreateRoute", "ReplaceRoute"]


def test_a_next_hop_that_ec2_does_not_take_fails_for_good(site: Routes) -> None:
    site.resource.members[WEST]["hop"] = "eni-00000000000000000"
    todo = site.look()
    assert isinstance(todo, Todo)
    with pytest.raises(Permanent):
        site.act(todo)
    assert site.hop(site.tables[0]) == site.hops[EAST]


def test_a_route_to_what_is_no_member_is_unknown_and_is_not_taken_over(site: Routes) -> None:
    state, points = site.state(), site.to(WEST)
    other = site.interface()
    site.ec2.replace_route(RouteTableId=site.tables[1], DestinationCidrBlock=DESTINATION, NetworkInterfaceId=other)
    seen = site.look()
    assert isinstance(seen, NotKnown)
    assert f"leads to {other}, which is no member of path" in seen.reason
    site.front.forget()
    with pytest.raises(Conflict, match=other):
        site.order(points, state)
    assert orders(site) == []


def rewritten(site: Routes, moto: Emulator, change: Callable[[bytes], bytes]) -> None:
    """What moto never says of a table, on the wire."""
    really = Upstream(moto.port)

    def answers(request: Request) -> Answer | Lost:
        said = really(request)
        if isinstance(said, Lost):
            return said
        kept = tuple((name, value) for name, value in said.headers if name.lower() != "content-length")
        return Answer(said.status, kept, change(said.body))

    site.front.serve("ec2", answers, "DescribeRouteTables")


@pytest.fixture
def moto_again(site: Routes) -> Iterator[None]:
    yield
    site.front.serve("ec2", "moto", "DescribeRouteTables")


@pytest.mark.usefixtures("moto_again")
def test_a_black_hole_is_seen_and_completes_nothing_although_the_route_is_set(
    site: Routes, moto_process: Emulator
) -> None:
    assert isinstance(site.drive(), Done)
    rewritten(site, moto_process, lambda body: body.replace(b"<state>active</state>", b"<state>blackhole</state>"))
    seen = site.look()
    assert isinstance(seen, Moving)
    assert f"is a black hole: {site.hops[WEST]} is gone" in seen.detail


@pytest.mark.usefixtures("moto_again")
def test_a_black_hole_of_the_region_that_is_left_is_no_obstacle(site: Routes, moto_process: Emulator) -> None:
    rewritten(site, moto_process, lambda body: body.replace(b"<state>active</state>", b"<state>blackhole</state>"))
    assert isinstance(site.look(), Todo)


@pytest.mark.usefixtures("moto_again")
def test_a_route_that_a_gateway_propagates_counts_as_not_there(site: Routes, moto_process: Emulator) -> None:
    propagated = b"<origin>EnableVgwRoutePropagation</origin>"
    rewritten(site, moto_process, lambda body: body.replace(b"<origin>CreateRoute</origin>", propagated))
    assert set(site.state().points.values()) == {()}


@pytest.mark.usefixtures("moto_again")
def test_a_table_that_is_not_in_the_answer_is_unknown(site: Routes, moto_process: Emulator) -> None:
    rewritten(site, moto_process, lambda body: re.sub(rb"rtb-[0-9a-f]+", b"rtb-00000000000000000", body))
    read = site.port().read()
    assert isinstance(read, Unknown)
    assert site.tables[0] in read.reason


def test_a_late_call_lands_and_the_next_look_puts_it_back(site: Routes) -> None:
    """Routes have no condition: what was on its way when the lease was lost arrives, and is seen and repaired."""
    state = site.state()
    held = site.front.outages.hold(operation="ReplaceRoute", times=1)
    with pytest.raises(OutcomeUnknown):
        site.order(site.to(WEST), state, Calls().make(10))
    assert isinstance(site.drive(), Done)
    first = dict.fromkeys(state.points, (EAST,))
    assert isinstance(site.drive({"points": first}), Done)
    held.land()
    assert site.hop(site.tables[0]) == site.hops[WEST]
    assert isinstance(site.drive({"points": first}), Done)
    assert {site.hop(table) for table in site.tables} == {site.hops[EAST]}


@pytest.mark.parametrize(
    ("hop", "parameter"),
    [
        ("tgw-0aa11bb22cc33dd44", "TransitGatewayId"),
        ("pcx-0aa11bb22cc33dd44", "VpcPeeringConnectionId"),
        ("i-0aa11bb22cc33dd44", "InstanceId"),
        ("nat-0aa11bb22cc33dd44", "NatGatewayId"),
        ("vpce-0aa11bb22cc33dd44", "VpcEndpointId"),
        ("vgw-0aa11bb22cc33dd44", "GatewayId"),
        ("igw-0aa11bb22cc33dd44", "GatewayId"),
    ],
)
def test_each_sort_of_next_hop_has_the_parameter_that_ec2_takes_it_by(hop: str, parameter: str) -> None:
    assert route_table.parameter_of(hop) == parameter
    told: dict[str, Any] = {"DestinationCidrBlock": DESTINATION, parameter: hop, "State": "active"}
    if parameter == "InstanceId":
        told["NetworkInterfaceId"] = "eni-0aa11bb22cc33dd44"
    assert route_table._hop(told) == hop


def test_two_regions_with_one_next_hop_cannot_be_told_apart() -> None:
    same = "tgw-0aa11bb22cc33dd44"
    of = resource("route-table", {EAST: same, WEST: same}, tables=["rtb-0aa11bb22cc33dd44"], destinations=[DESTINATION])
    with pytest.raises(Refused, match=same):
        route_table.build(of, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
    assert of.options["region"] == HOME
