"""network: router-advertisement, where it is unlike the others: one router, one patch, and nothing asked of the other
region."""

from __future__ import annotations

import pytest

from cloudfail.actions import Done, Moving, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import Calls
from cloudfail_gcp.network import KINDS, router_advertisement
from tests.emulators.gcp.balancing import EAST, WEST
from tests.emulators.gcp.paths.world import EDGES, HALVES, Making, RouterSite, resource

PATCH = "routers.patch"
BOTH = pytest.mark.parametrize("by", ["ranges", "priority"])


@pytest.fixture
def edge(site: Making) -> RouterSite:
    made: RouterSite = site("ranges")
    return made


@BOTH
def test_nothing_is_asked_of_the_region_that_is_left(site: Making, by: str) -> None:
    edge = site(by)
    edge.front.outages.silence(region=EAST)
    assert isinstance(edge.drive(), Done)
    assert edge.front.count(region=EAST) == 0
    assert edge.changes() == [PATCH]


def test_ranges_of_others_and_the_description_stay_as_they_were(edge: RouterSite) -> None:
    before = edge.machine.there(EDGES[WEST])
    first = edge.look()
    assert isinstance(first, Todo)
    assert isinstance(edge.drive(), Done)
    there = edge.machine.there(EDGES[WEST])
    assert edge.machine.ranges(EDGES[WEST]) == ["10.99.0.0/16", *HALVES]
    assert there["description"] == "ours [cloudfail app=shop epoch=10 run=r1]"
    assert there["bgp"]["advertisedGroups"] == ["ALL_SUBNETS"]
    assert there["bgpPeers"] == before["bgpPeers"]
    assert isinstance(edge.drive(first.memory), Done)
    assert edge.machine.ranges(EDGES[WEST]) == ["10.99.0.0/16"]


def test_the_mark_of_another_application_stays(edge: RouterSite) -> None:
    edge.machine.set(EDGES[WEST], description="ours [cloudfail app=mail epoch=99 run=r7]")
    assert isinstance(edge.drive(), Done)
    said = edge.machine.there(EDGES[WEST])["description"]
    assert said == "ours [cloudfail app=mail epoch=99 run=r7] [cloudfail app=shop epoch=10 run=r1]"


def test_sessions_that_are_not_written_keep_their_priority(site: Making) -> None:
    edge = site("priority")
    assert isinstance(edge.drive(), Done)
    peers = edge.machine.there(EDGES[WEST])["bgpPeers"]
    assert {one["name"]: one["advertisedRoutePriority"] for one in peers} == {
        "onprem": 50, "other": 300, "onprem-2": 50,
    }  # fmt: skip


def test_what_somebody_else_changed_since_the_look_is_not_put_back(edge: RouterSite) -> None:
    """The array is written back as it was read in the call, not as it was when the step looked."""
    todo = edge.look()
    assert isinstance(todo, Todo)
    edge.machine.set(EDGES[WEST], bgp={"advertisedIpRanges": [{"range": "10.98.0.0/16"}]})
    edge.act(todo)
    edge.settled()
    assert edge.machine.ranges(EDGES[WEST]) == ["10.98.0.0/16", *HALVES]


@BOTH
def test_what_is_set_and_not_advertised_completes_nothing(site: Making, by: str) -> None:
    """The patch is done, and neighbours go on as they did."""
    edge = site(by)
    for member in edge.resource.members.values():
        member["reach"] = None
    edge.machine.deaf = by == "ranges"
    if by == "priority":
        edge.machine.down |= {(EDGES[WEST], "onprem"), (EDGES[WEST], "onprem-2")}
    seen = edge.drive()
    assert isinstance(seen, Moving), seen
    assert "carries nothing" in seen.detail
    edge.machine.down.clear()
    edge.machine.hears()
    assert isinstance(edge.look(), Done)


def test_what_is_advertised_and_not_preferred_completes_nothing(edge: RouterSite) -> None:
    edge.packets.freeze()
    seen = edge.drive()
    assert isinstance(seen, Moving)
    assert "does not lead there" in seen.detail
    edge.packets.follow()
    assert isinstance(edge.look(), Done)


def test_a_session_that_is_down_is_no_obstacle_while_it_is_left(edge: RouterSite) -> None:
    edge.machine.down.add((EDGES[WEST], "onprem"))
    assert edge.state().obstacle == ""


def test_ranges_of_which_some_are_advertised_are_unknown_and_nothing_is_ordered(edge: RouterSite) -> None:
    state, points = edge.state(), edge.to(WEST)
    edge.machine.set(EDGES[WEST], bgp={"advertisedIpRanges": [{"range": HALVES[0]}]})
    seen = edge.look()
    assert isinstance(seen, NotKnown)
    assert f"advertises {HALVES[0]}, and not {HALVES[1]}" in seen.reason
    with pytest.raises(Conflict):
        edge.order(points, state)
    assert edge.changes() == []


def test_sessions_of_other_priorities_are_unknown_and_nothing_is_ordered(site: Making) -> None:
    edge = site("priority")
    state, points = edge.state(), edge.to(WEST)
    peers = edge.machine.there(EDGES[WEST])["bgpPeers"]
    peers[0]["advertisedRoutePriority"] = 50
    edge.machine.set(EDGES[WEST], bgpPeers=peers)
    seen = edge.look()
    assert isinstance(seen, NotKnown)
    assert "onprem 50, onprem-2 10200" in seen.reason
    with pytest.raises(Conflict):
        edge.order(points, state)


@pytest.mark.parametrize(
    "changes", [{"bgp": {"advertiseMode": "DEFAULT"}}, {"bgpPeers": [{"name": "onprem", "advertiseMode": "CUSTOM"}]}]
)
def test_a_router_that_advertises_no_ranges_of_its_own_choice_is_refused_for_good(
    edge: RouterSite, changes: dict[str, object]
) -> None:
    state, points = edge.state(), edge.to(WEST)
    edge.machine.set(EDGES[WEST], **changes)
    with pytest.raises(Permanent, match="no ranges of its own choice") as refused:
        edge.order(points, state)
    assert "--advertisement-mode custom" in refused.value.to_do
    assert edge.changes() == []


def test_a_session_that_is_gone_is_unknown(site: Making) -> None:
    edge = site("priority")
    edge.machine.set(EDGES[WEST], bgpPeers=[])
    read = edge.port().read()
    assert isinstance(read, Unknown)
    assert "has no session onprem, onprem-2" in read.reason


def test_a_patch_that_lands_late_is_seen_and_taken_back(edge: RouterSite) -> None:
    first = edge.look()
    assert isinstance(first, Todo)
    held = edge.front.outages.hold(operation=PATCH, times=1)
    with pytest.raises(OutcomeUnknown):
        edge.act(first)
    assert isinstance(edge.look(first.memory), Done)
    held.land()
    edge.settled()
    assert edge.machine.sends("10.20.7.1") == {EDGES[WEST]}
    assert isinstance(edge.drive(first.memory), Done)
    assert edge.machine.sends("10.20.7.1") == {EDGES[EAST]}


def test_it_leads_somewhere_always(edge: RouterSite) -> None:
    with pytest.raises(Permanent, match="leads to one region"):
        edge.order({EDGES[WEST]: ()}, edge.state(), Calls().make())


def test_one_worker_at_a_time_changes_a_router_whichever_application_it_is_for(edge: RouterSite) -> None:
    (kind,) = [one for one in KINDS if one.name == "router-advertisement"]
    assert kind.shared_names(edge.resource, edge.topology) == (f"gcp/compute/{EDGES[WEST]}",)


@pytest.mark.parametrize("members", [{EAST: {}, "mars": {}}, {WEST: {}}, {EAST: {}, WEST: {}, "mars": {}}])
def test_members_that_one_router_cannot_stand_for_are_refused(members: dict[str, object]) -> None:
    of = resource("router-advertisement", members, router=EDGES[WEST], ranges=HALVES)
    with pytest.raises(Refused, match="either takes packets over for europe-west1") as refused:
        router_advertisement.build(of, topology=None)  # type: ignore[arg-type]  # refused before that is looked at
    assert "Write two members" in refused.value.to_do
