"""network: route, where it is unlike the others: a new route before the old one goes, and never a moment without."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls
from cloudfail_gcp.network import route
from cloudfail_gcp.network.options import key_of
from tests.emulators.gcp.balancing import EAST, PROJECT, WEST
from tests.emulators.gcp.paths.world import FAR, HOPS, NEAR, VPC, Making, RouteSite, resource

INSERT, DELETE = "routes.insert", "routes.delete"
OURS = "[cloudfail app=shop epoch=9 run=r0]"


@pytest.fixture
def path(site: Making) -> RouteSite:
    made: RouteSite = site("route")
    return made


def mute(path: RouteSite) -> None:
    """Nothing is named that must answer."""
    for member in path.resource.members.values():
        member["reach"] = None


def acted(path: RouteSite, memory: Any = None, epoch: int = 10) -> Todo:
    todo = path.look(memory)
    assert isinstance(todo, Todo), todo
    path.act(todo, memory, epoch)
    path.settled()
    return todo


def custom(path: RouteSite) -> list[str]:
    return [name for name in path.machine.names() if not name.startswith("default-")]


def test_a_move_is_a_new_route_for_each_destination_and_then_the_old_ones_go(path: RouteSite) -> None:
    said = [acted(path).effect for _ in range(4)]
    assert isinstance(path.look(), Done)
    both = " and ".join(sorted((EAST, WEST)))
    assert said[0] == f"lead path to {WEST} (now {EAST})"
    assert f"{both} 1 of 2" in said[1]
    assert f"{EAST} 1 of 2" in said[1]
    assert said[2] == f"lead path to {WEST} (now {both})"
    assert f"{WEST} 1 of 2" in said[3]
    assert len(set(said)) == 4, "attempts are counted by these words"
    assert path.changes() == [INSERT, INSERT, DELETE, DELETE]


def test_what_is_inserted_is_better_by_one_and_says_whose_it_is(path: RouteSite) -> None:
    assert isinstance(path.drive(), Done)
    for name in custom(path):
        made = path.machine.stands(name)
        assert made["priority"] == 999
        assert made["nextHopInstance"].endswith(HOPS[WEST])
        assert made["description"] == "[cloudfail app=shop epoch=10 run=r1]"
        assert name.startswith("cloudfail-")
        assert name.endswith("-10-999")
    assert {path.machine.stands(name)["destRange"] for name in custom(path)} == {NEAR, FAR}


def test_there_is_no_moment_without_a_route(path: RouteSite) -> None:
    """Packets are sent all the while, there and back."""
    over, empty, seen = threading.Event(), [], set()

    def send() -> None:
        while not over.is_set():
            for destination in (NEAR, FAR):
                hops = path.machine.goes(VPC, destination)
                seen.update(hops)
                if not hops:
                    empty.append(destination)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    first = path.look()
    assert isinstance(first, Todo)
    assert isinstance(path.drive(), Done)
    assert isinstance(path.drive(first.memory), Done)
    over.set()
    sender.join(10)
    assert seen == set(HOPS.values())
    assert empty == []


def test_the_old_route_stays_while_packets_go_where_they_went(path: RouteSite) -> None:
    path.packets.freeze()
    acted(path)
    acted(path)
    points, state = path.to(WEST), path.state()
    with pytest.raises(Transient, match="The old one stays until it does"):
        path.order(points, state, replace(Calls().make(), timeout_seconds=9.0))
    assert path.front.count(operation=DELETE) == 0
    assert {"to-0", "to-1"} <= set(custom(path))
    path.packets.follow()
    assert isinstance(path.drive(), Done)


def test_where_the_new_route_carries_nothing_an_undo_takes_it_away_and_the_old_one_was_never_gone(
    path: RouteSite,
) -> None:
    path.packets.freeze()
    first = acted(path)
    assert isinstance(path.drive(first.memory), Done)
    assert custom(path) == ["to-0", "to-1"]
    assert path.changes() == [INSERT, DELETE]


def test_the_old_route_stays_while_google_says_that_the_new_hop_is_no_good(path: RouteSite) -> None:
    mute(path)
    path.machine.gone.add(HOPS[WEST])
    acted(path)
    acted(path)
    points, state = path.to(WEST), path.state()
    assert "NEXT_HOP_NOT_RUNNING" in state.obstacle
    with pytest.raises(Transient, match="NEXT_HOP_NOT_RUNNING"):
        path.order(points, state)
    assert path.front.count(operation=DELETE) == 0
    assert path.machine.goes(VPC, NEAR) == {HOPS[EAST]}


def test_a_hop_that_is_gone_completes_nothing_although_the_route_is_set(path: RouteSite) -> None:
    assert isinstance(path.drive(), Done)
    path.machine.gone.add(HOPS[WEST])
    seen = path.look()
    assert isinstance(seen, Moving)
    assert f"{HOPS[WEST]} is not running" in seen.detail


def test_a_hop_of_the_region_that_is_left_is_no_obstacle(path: RouteSite) -> None:
    path.machine.gone.add(HOPS[EAST])
    assert isinstance(path.drive(), Done)


def test_somebody_s_standby_behind_the_route_that_leads_is_not_where_it_leads(path: RouteSite) -> None:
    path.machine.route("standby", VPC, NEAR, HOPS[WEST], priority=2000)
    assert path.state().points == {NEAR: (EAST,), FAR: (EAST,)}
    first = path.look()
    assert isinstance(first, Todo)
    assert isinstance(path.drive(), Done)
    assert isinstance(path.drive(first.memory), Done)
    assert path.machine.goes(VPC, NEAR) == {HOPS[EAST]}


def test_two_routes_of_one_priority_lead_to_both_and_are_not_made_again_by_an_undo(path: RouteSite) -> None:
    for number, destination in enumerate((NEAR, FAR)):
        path.machine.route(f"too-{number}", VPC, destination, HOPS[WEST])
    mute(path)
    first = path.look()
    assert isinstance(first, Todo)
    assert first.memory["points"][NEAR] == sorted((EAST, WEST))
    assert isinstance(path.drive(), Done)
    assert path.changes() == [DELETE, DELETE]
    back = path.look(first.memory)
    assert isinstance(back, Todo)
    with pytest.raises(Permanent, match="leads to one region"):
        path.act(back, first.memory)


def test_a_route_to_what_is_no_member_is_unknown_and_nothing_is_ordered(path: RouteSite) -> None:
    state, points = path.state(), path.to(WEST)
    path.machine.route("mine", VPC, FAR, "10.9.9.9", priority=5)
    seen = path.look()
    assert isinstance(seen, NotKnown)
    assert "mine to 10.30.0.0/16 leads to 10.9.9.9, which is no member of path" in seen.reason
    with pytest.raises(Conflict, match=r"10\.9\.9\.9"):
        path.order(points, state)
    assert path.changes() == []


def test_routes_of_other_networks_other_tags_and_others_behind_are_not_looked_at(path: RouteSite) -> None:
    path.machine.route("elsewhere", VPC + "-2", NEAR, "10.9.9.9", priority=1)
    path.machine.route("tagged", VPC, NEAR, "10.9.9.9", priority=1, tags=["edge"])
    path.machine.route("behind", VPC, NEAR, "10.9.9.9", priority=3000)
    assert isinstance(path.drive(), Done)
    assert {"elsewhere", "tagged", "behind"} <= set(custom(path))


def test_tagged_routes_are_led_where_the_tags_are_written(path: RouteSite) -> None:
    path.machine.route("tagged", VPC, NEAR, HOPS[EAST], tags=["edge"])
    path.resource.options.update(tags=("edge",), destinations=(NEAR,))  # type: ignore[attr-defined]
    mute(path)
    assert isinstance(path.drive(), Done)
    assert {"to-0", "to-1"} <= set(custom(path))
    (made,) = [path.machine.stands(name) for name in custom(path) if name.startswith("cloudfail-")]
    assert made["tags"] == ["edge"]


def test_what_led_nowhere_is_taken_back_to_nowhere(path: RouteSite) -> None:
    path.machine.drop("to-1")
    mute(path)
    first = path.look()
    assert isinstance(first, Todo)
    assert isinstance(path.drive(), Done)
    (made,) = [name for name in custom(path) if path.machine.stands(name)["destRange"] == FAR]
    assert path.machine.stands(made)["priority"] == 1000
    assert isinstance(path.drive(first.memory), Done)
    assert path.machine.goes(VPC, FAR) == set()
    assert path.machine.goes(VPC, NEAR) == {HOPS[EAST]}


def test_a_route_that_no_run_made_is_not_taken_away_to_lead_nowhere(path: RouteSite) -> None:
    with pytest.raises(Permanent, match="was made by no run"):
        path.order({NEAR: ()}, path.state())
    assert path.changes() == []


def test_where_no_priority_is_better_it_is_refused_for_good(path: RouteSite) -> None:
    path.machine.drop("to-0")
    path.machine.route("best", VPC, NEAR, HOPS[EAST], priority=0)
    with pytest.raises(Permanent, match="priority 0"):
        acted(path)
    assert path.changes() == []


def test_a_name_that_somebody_took_in_that_instant_is_a_conflict(path: RouteSite) -> None:
    twin = RouteSite.port(path)
    points, state = path.to(WEST), path.state()
    path.machine.meanwhile = lambda: path.machine.route(
        f"{twin._stems[NEAR, WEST]}-10-999", VPC, NEAR, HOPS[WEST], priority=999, description=OURS
    )
    with pytest.raises(Conflict):
        path.order(points, state)
    assert isinstance(path.drive(), Done)


def test_a_route_that_somebody_deleted_in_that_instant_is_a_conflict_and_no_failure(path: RouteSite) -> None:
    acted(path)
    acted(path)
    todo = path.look()
    assert isinstance(todo, Todo)
    path.machine.meanwhile = lambda: path.machine.drop("to-0")
    with pytest.raises(Conflict):
        path.act(todo)
    assert isinstance(path.drive(), Done)


def test_what_changes_while_the_new_one_is_tried_is_seen_before_the_old_one_goes(path: RouteSite) -> None:
    path.packets.freeze()
    acted(path)
    acted(path)
    points, state = path.to(WEST), path.state()
    path.front.forget()
    said: list[Exception] = []

    def order() -> None:
        with contextlib.suppress(OutcomeUnknown):
            try:
                path.order(points, state)
            except Conflict as error:
                said.append(error)

    beside = threading.Thread(target=order, daemon=True)
    beside.start()
    until = time.monotonic() + 20
    while path.front.count(operation="routes.list") < 1:
        assert time.monotonic() < until
        time.sleep(0.01)
    path.machine.route("standby", VPC, NEAR, HOPS[EAST], priority=7)
    path.packets.to(path.greeters[WEST].port)
    beside.join(40)
    assert len(said) == 1
    assert path.front.count(operation=DELETE) == 0


def test_an_insert_that_lands_late_is_seen_and_taken_back(path: RouteSite) -> None:
    """Routes have no condition: what was on its way when the lease was lost arrives under its own epoch's name."""
    first = path.look()
    assert isinstance(first, Todo)
    held = path.front.outages.hold(operation=INSERT, times=1)
    with pytest.raises(OutcomeUnknown):
        path.act(first)
    assert isinstance(path.look(first.memory), Done)
    held.land()
    path.settled()
    assert path.machine.goes(VPC, NEAR) == {HOPS[WEST]}
    seen = path.look(first.memory)
    assert isinstance(seen, Todo)
    assert isinstance(path.drive(first.memory), Done)
    assert custom(path) == ["to-0", "to-1"]


def test_a_delete_that_lands_late_is_seen_and_a_route_is_made_anew(path: RouteSite) -> None:
    first = acted(path)
    acted(path)
    todo = path.look()
    assert isinstance(todo, Todo)
    held = path.front.outages.hold(operation=DELETE, times=1)
    with pytest.raises(OutcomeUnknown):
        path.act(todo)
    assert isinstance(path.drive(first.memory), Done)
    held.land()
    path.settled()
    assert path.machine.goes(VPC, NEAR) == set()
    assert isinstance(path.drive(first.memory), Done)
    assert path.machine.goes(VPC, NEAR) == {HOPS[EAST]}


def test_all_pages_are_read(path: RouteSite) -> None:
    path.machine.page = 1
    assert path.state().points == {NEAR: (EAST,), FAR: (EAST,)}


def test_an_empty_list_is_unknown_and_not_nowhere(path: RouteSite) -> None:
    state, points = path.state(), path.to(WEST)
    path.machine.lists = False
    read = path.port().read()
    assert isinstance(read, Unknown)
    assert "not even those to its own subnets" in read.reason
    with pytest.raises(Transient):
        path.order(points, state)


@pytest.mark.parametrize(
    ("hop", "key"),
    [
        ("10.1.0.2", "nextHopIp"),
        ("fd00::2", "nextHopIp"),
        (f"projects/{PROJECT}/zones/{WEST}-b/instances/gw", "nextHopInstance"),
        (f"projects/{PROJECT}/regions/{WEST}/forwardingRules/gw", "nextHopIlb"),
        (f"projects/{PROJECT}/regions/{WEST}/vpnTunnels/gw", "nextHopVpnTunnel"),
        (f"projects/{PROJECT}/global/gateways/default-internet-gateway", "nextHopGateway"),
    ],
)
def test_each_sort_of_next_hop_has_the_key_that_google_takes_it_by(hop: str, key: str) -> None:
    assert key_of(hop) == key
    told = f"https://www.googleapis.com/compute/v1/{hop}" if "/" in hop else hop
    assert route._hop({"destRange": NEAR, key: told}) == hop


def test_two_regions_with_one_next_hop_cannot_be_told_apart() -> None:
    of = resource("route", {EAST: "10.1.0.2", WEST: "10.1.0.2"}, vpc=VPC, destinations=[NEAR])
    with pytest.raises(Refused, match=r"10\.1\.0\.2"):
        route.build(of, topology=None)  # type: ignore[arg-type]  # it is refused before that is looked at
