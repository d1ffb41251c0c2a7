"""What holds for paths of every kind: the conformance suite on moto's EC2 with packets over sockets, an API whose word
nothing follows, a network that fails, workers that come late."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, Harness
from cloudfail.testing.network_suite import NetworkSuite
from tests.emulators.aws.emulator import Emulator
from tests.emulators.aws.front import Front
from tests.emulators.aws.network_world import EAST, SITES, WEST, ZONE_A, ZONE_B, Site
from tests.emulators.wire import Answer
from tests.path_server import Greeter, greeting

Making = Callable[[str], Any]
KINDS = list(SITES)


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(EAST, WEST, ZONE_A, ZONE_B) as made:
        yield made


@pytest.fixture
def site(
    cloud: Front, moto_process: Emulator, greeters: dict[str, Greeter], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Making]:
    monkeypatch.setenv("CLOUDFAIL_ALLOW_LOOPBACK", "1")
    made: list[Site] = []

    def make(kind: str) -> Site:
        made.append(SITES[kind](cloud, moto_process.url, greeters))
        cloud.forget()
        return made[-1]

    yield make
    for one in made:
        one.close()


class TestRouteTable(NetworkSuite):
    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("route-table")
        return made


class TestElasticIp(NetworkSuite):
    verb = "move_address"

    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("elastic-ip")
        return made


class TestPrefixList(NetworkSuite):
    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("prefix-list")
        return made


def changes(site: Site) -> list[str]:
    """What was changed, marks apart."""
    return [one.operation for one in site.front.seen(mutating=True) if one.operation != "CreateTags"]


ORDERS = {
    "route-table": ["ReplaceRoute", "ReplaceRoute"],
    "elastic-ip": ["AssociateAddress", "DisassociateAddress", "AssociateAddress"],  # the first is a dry run
    "prefix-list": ["ModifyManagedPrefixList", "ModifyManagedPrefixList"],
}


FIRST = {kind: next(one for one in orders if one != "AssociateAddress") for kind, orders in ORDERS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_done_when_the_other_region_is_heard_through_it(site: Making, kind: str) -> None:
    one = site(kind)
    done = one.drive()
    assert isinstance(done, Done)
    assert f"220 {one.target}" in done.detail
    assert changes(one) == ORDERS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_api_says_completes_nothing_while_packets_go_where_they_went(site: Making, kind: str) -> None:
    one = site(kind)
    one.packets.freeze()
    seen = one.drive()
    assert isinstance(seen, Moving), seen
    assert "does not lead there" in seen.detail
    assert one.state().points == one.to(one.target)
    one.packets.follow()
    assert isinstance(one.look(), Done)


@pytest.mark.parametrize("kind", KINDS)
def test_an_api_that_says_yes_and_does_nothing_completes_nothing(site: Making, kind: str) -> None:
    one = site(kind)
    todo = one.look()
    assert isinstance(todo, Todo)
    yes = b"<R xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><return>true</return></R>"
    operation = FIRST[kind]
    one.front.serve("ec2", lambda _request: Answer(200, (("Content-Type", "text/xml"),), yes), operation)
    try:
        one.act(todo)
        again = one.look()
    finally:
        one.front.serve("ec2", "moto", operation)
    assert isinstance(again, Todo)
    assert again.effect == todo.effect


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_named_that_must_answer_the_result_says_that_only_ec2_was_read(
    site: Making, kind: str
) -> None:
    one = site(kind)
    for member in one.resource.members.values():
        member["reach"] = None
    done = one.drive()
    assert isinstance(done, Done)
    assert "only what EC2 says of it was read" in done.detail


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_taken_back_to_where_the_first_intent_saw_it(site: Making, kind: str) -> None:
    one = site(kind)
    first = one.look()
    assert isinstance(first, Todo)
    before = one.state().points
    one.act(first)
    assert one.state().points != before
    back = one.drive(first.memory)
    assert isinstance(back, Done)
    assert one.state().points == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["closed", "silent", "busy"])
def test_a_lost_answer_is_in_doubt_and_the_order_is_given_once(site: Making, kind: str, how: str) -> None:
    one = site(kind)
    todo = one.look()
    assert isinstance(todo, Todo)
    fault = one.front.outages.lose(how, operation=FIRST[kind], times=1)
    with pytest.raises(OutcomeUnknown):
        one.act(todo)
    assert fault.hits == 1
    assert isinstance(one.drive(), Done)
    assert changes(one) == ORDERS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_throttled_orders_are_given_once_they_are_let_through(site: Making, kind: str) -> None:
    one = site(kind)
    fault = one.front.outages.throttle(mutating=True, times=2)
    assert isinstance(one.drive(), Done)
    assert fault.hits == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_that_is_silent_is_unknown_and_takes_no_order(site: Making, kind: str) -> None:
    one = site(kind)
    state, points = one.state(), one.to(one.target)
    one.front.outages.silence(service="ec2")
    assert isinstance(one.look(), NotKnown)
    call = Calls().make()
    with pytest.raises(Transient):
        one.order(points, state, call)
    assert changes(one) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_that_is_cut_or_empty_is_unknown(site: Making, kind: str) -> None:
    one = site(kind)
    one.front.outages.cut(service="ec2", mutating=False)
    assert isinstance(one.port().read(), Unknown)
    one.front.outages.heal()
    reads = {"route-table": "DescribeRouteTables", "elastic-ip": "DescribeAddresses"}
    operation = reads.get(kind, "DescribeManagedPrefixLists")
    nothing = b"<R xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'></R>"
    one.front.serve("ec2", lambda _request: Answer(200, (("Content-Type", "text/xml"),), nothing), operation)
    try:
        read = one.port().read()
    finally:
        one.front.serve("ec2", "moto", operation)
    assert isinstance(read, Unknown)
    assert "tells nothing of" in read.reason


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_look_after_the_change_orders_nothing_wrong(site: Making, kind: str) -> None:
    """EC2's answers may be old. What is ordered on one is refused, or changes nothing."""
    one = site(kind)
    first = one.look()
    assert isinstance(first, Todo)
    one.act(first)
    now = one.state().points
    fault = one.front.outages.stale(600.0, service="ec2")
    with contextlib.suppress(Conflict, Permanent, Transient, OutcomeUnknown):
        one.act(first)
    assert fault.hits > 0
    one.front.outages.heal()
    assert one.state().points == now


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_of_an_older_epoch_finds_the_newer_mark_and_changes_nothing(site: Making, kind: str) -> None:
    one = site(kind)
    todo = one.look()
    assert isinstance(todo, Todo)
    one.act(todo, epoch=20)
    state = one.state()
    assert state.epoch == 20
    with pytest.raises(Conflict, match="epoch 20"):
        one.order(one.to(one.source), state, Calls().make(19))
    assert one.state().points == state.points


@pytest.mark.parametrize("kind", KINDS)
def test_a_mark_that_may_not_be_written_is_no_reason_not_to_move(site: Making, kind: str) -> None:
    one = site(kind)
    fault = one.front.outages.fail("UnauthorizedOperation", 403, operation="CreateTags")
    assert isinstance(one.drive(), Done)
    assert fault.hits >= 1
    assert one.state().epoch is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_lease_that_is_lost_after_the_mark_stops_the_change(site: Making, kind: str) -> None:
    one = site(kind)
    state, points, checked = one.state(), one.to(one.target), []

    def check() -> None:
        checked.append(1)
        if len(checked) == 2:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        one.order(points, state, replace(Calls().make(), check=check))
    assert changes(one) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_without_a_member_is_refused_for_good(site: Making, kind: str) -> None:
    one = site(kind)
    with pytest.raises(Permanent, match="no member in mars"):
        one.order(one.to("mars"), one.state())
    assert changes(one) == []
