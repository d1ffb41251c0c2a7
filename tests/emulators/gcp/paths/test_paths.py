"""What holds for paths of every kind: the conformance suite with packets over sockets, an API whose word nothing
follows, a network that fails, workers that come late."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, LeaseLost, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls, Harness
from cloudfail.testing.network_suite import NetworkSuite
from tests.emulators.gcp.paths.world import SITES, Making

KINDS = list(SITES)
INSERT, DELETE = "routes.insert", "routes.delete"
LET_GO, GIVE = "instances.deleteAccessConfig", "instances.addAccessConfig"
PATCH = "routers.patch"
SAID_AS = {INSERT: "routes.create", PATCH: "routers.update", "routers.getRouterStatus": "routers.get"}
"""By the method: the permission that it asks for, where that has another name."""
ORDERS = {
    "route": [INSERT, INSERT, DELETE, DELETE],
    "ranges": [PATCH],
    "priority": [PATCH],
    "static-ip": [LET_GO, GIVE],
}
READS = {"route": "routes.list", "ranges": "routers.get", "priority": "routers.get", "static-ip": "addresses.get"}


class TestRoute(NetworkSuite):
    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("route")
        return made


class TestRanges(NetworkSuite):
    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("ranges")
        return made


class TestPriority(NetworkSuite):
    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("priority")
        return made


class TestStaticIp(NetworkSuite):
    verb = "move_address"

    @pytest.fixture
    def world(self, site: Making) -> Harness:
        made: Harness = site("static-ip")
        return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_done_when_the_other_region_is_heard_through_it(site: Making, kind: str) -> None:
    one = site(kind)
    done = one.drive()
    assert isinstance(done, Done), done
    assert f"220 {one.target}" in done.detail
    assert one.changes() == ORDERS[kind]


@pytest.mark.parametrize(("kind", "nth"), [(kind, nth) for kind in KINDS for nth in range(len(ORDERS[kind]))])
def test_an_operation_that_is_done_and_led_to_nothing_completes_nothing(site: Making, kind: str, nth: int) -> None:
    """Of each of its effects: Google's word for it is given, and what stands there is as before."""
    one = site(kind)
    for _ in range(nth):
        todo = one.look()
        assert isinstance(todo, Todo), todo
        one.act(todo)
        one.settled()
    one.machine.obeying = False
    before = one.state().points
    todo = one.look()
    assert isinstance(todo, Todo), todo
    one.act(todo)
    one.settled()
    again = one.look()
    assert isinstance(again, Todo), again
    assert again.effect == todo.effect
    assert one.state().points == before
    one.machine.obeying = True
    assert isinstance(one.drive(), Done)
    assert len(one.changes()) == len(ORDERS[kind]) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_api_that_says_done_and_takes_no_order_completes_nothing(site: Making, kind: str) -> None:
    one = site(kind)
    fault = one.front.outages.lie(mutating=True)
    todo = one.look()
    assert isinstance(todo, Todo)
    one.act(todo)
    assert fault.hits
    again = one.look()
    assert isinstance(again, Todo)
    assert again.effect == todo.effect
    fault.lift()
    assert isinstance(one.drive(), Done)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_named_that_must_answer_the_result_says_that_only_google_was_read(
    site: Making, kind: str
) -> None:
    one = site(kind)
    for member in one.resource.members.values():
        member["reach"] = None
    done = one.drive()
    assert isinstance(done, Done)
    assert "only what Google says of it was read" in done.detail


@pytest.mark.parametrize(("kind", "nth"), [(kind, nth + 1) for kind in KINDS for nth in range(len(ORDERS[kind]))])
def test_it_is_taken_back_to_where_the_first_intent_saw_it(site: Making, kind: str, nth: int) -> None:
    """After each of its effects."""
    one = site(kind)
    before, first = one.state().points, one.look()
    assert isinstance(first, Todo)
    todo = first
    for _ in range(nth):
        assert isinstance(todo, Todo)
        one.act(todo)
        one.settled()
        todo = one.look()
    assert one.state().points != before
    assert isinstance(one.drive(first.memory), Done)
    assert one.state().points == before
    assert one.goes() == one.greeters[one.source].port


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["closed", "busy"])
def test_a_lost_answer_is_in_doubt_and_each_order_is_given_once(site: Making, kind: str, how: str) -> None:
    one = site(kind)
    faults = [one.front.outages.lose(how, operation=order, times=1) for order in dict.fromkeys(ORDERS[kind])]
    todo = one.look()
    assert isinstance(todo, Todo)
    with pytest.raises(OutcomeUnknown):
        one.act(todo)
    assert isinstance(one.drive(), Done)
    assert {fault.hits for fault in faults} == {1}
    assert one.changes() == ORDERS[kind]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["throttled", "unavailable", "reset"])
def test_orders_that_were_not_taken_are_given_once_they_are_let_through(site: Making, kind: str, what: str) -> None:
    one = site(kind)
    outages = one.front.outages
    if what == "throttled":
        fault = outages.throttle(mutating=True, times=2)
    elif what == "unavailable":
        fault = outages.fail("backendError", 503, mutating=True, times=2)
    else:
        fault = outages.refuse(mutating=True, times=2)
    assert isinstance(one.drive(), Done)
    assert fault.hits == 2
    assert one.goes() == one.greeters[one.target].port


@pytest.mark.parametrize("kind", KINDS)
def test_a_black_hole_is_unknown_and_takes_no_order(site: Making, kind: str) -> None:
    one = site(kind)
    state, points = one.state(), one.to(one.target)
    one.front.outages.silence(service="compute")
    assert isinstance(one.look(), NotKnown)
    with pytest.raises(Transient):
        one.order(points, state, replace(Calls().make(), timeout_seconds=5.0))
    assert one.changes() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_that_is_cut_is_unknown(site: Making, kind: str) -> None:
    one = site(kind)
    one.front.outages.cut(operation=READS[kind])
    assert isinstance(one.port().read(), Unknown)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_look_after_the_change_orders_nothing_wrong(site: Making, kind: str) -> None:
    """Google's answers may be old. What is ordered on one is refused, or changes nothing."""
    one = site(kind)
    first = one.look()
    assert isinstance(first, Todo)
    one.act(first)
    one.settled()
    now = one.state().points
    fault = one.front.outages.stale(600.0, service="compute")
    with contextlib.suppress(Conflict, Permanent, Transient, OutcomeUnknown):
        one.act(first)
    assert fault.hits > 0
    one.front.outages.heal()
    one.settled()
    assert one.state().points == now
    assert isinstance(one.drive(), Done)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_ordered_on_top_of_what_is_under_way(site: Making, kind: str) -> None:
    one = site(kind)
    one.machine.seconds = 3600.0
    points, todo = one.to(one.target), one.look()
    assert isinstance(todo, Todo)
    one.act(todo)
    seen = one.look()
    assert isinstance(seen, Moving)
    assert "RUNNING" in seen.detail
    with pytest.raises(Transient, match="takes no order"):
        one.order(points, one.state())
    assert len(one.changes()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_of_an_older_epoch_finds_the_newer_mark_and_changes_nothing(site: Making, kind: str) -> None:
    one = site(kind)
    todo = one.look()
    assert isinstance(todo, Todo)
    one.act(todo, epoch=20)
    one.settled()
    state = one.state()
    assert state.epoch == 20
    with pytest.raises(Conflict, match="epoch 20"):
        one.order(one.to(one.source), state, Calls().make(19))
    assert one.state().points == state.points


@pytest.mark.parametrize("kind", KINDS)
def test_a_lease_that_is_lost_before_the_request_stops_it(site: Making, kind: str) -> None:
    one = site(kind)
    state, points, checked = one.state(), one.to(one.target), []
    marks = 1 if kind == "static-ip" else 0

    def check() -> None:
        checked.append(1)
        if len(checked) > marks:
            raise LeaseLost("Another worker took over.")

    with pytest.raises(LeaseLost):
        one.order(points, state, replace(Calls().make(), check=check))
    assert one.changes() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_region_without_a_member_is_refused_for_good(site: Making, kind: str) -> None:
    one = site(kind)
    with pytest.raises(Permanent, match="no member in mars"):
        one.order(one.to("mars"), one.state())
    assert one.changes() == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_request_is_known_again_by_an_id_of_its_own(site: Making, kind: str) -> None:
    one = site(kind)
    assert isinstance(one.drive(), Done)
    ids = [seen.query["requestId"] for seen in one.front.seen(mutating=True)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_each_request_is_one_that_a_permission_is_asked_for(site: Making, kind: str) -> None:
    one = site(kind)
    said = one.served.permissions(one.resource, one.topology, [one.source, one.target])
    allowed = {action for grant in (*said.watch, *said.execute) for action in grant.actions}
    assert isinstance(one.drive(), Done)
    for seen in one.front.seen():
        needs = f"compute.{SAID_AS.get(seen.operation, seen.operation)}"
        assert needs in allowed, needs
