"""loadbalancer: front-door against a stand-in: its wire is what Microsoft's package says, its origins are real
listeners, and whom an edge asks is what the edges' settings say."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Moving, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import TrafficSuite, known
from cloudfail_azure.loadbalancer import KINDS
from cloudfail_azure.loadbalancer.front_door import FrontDoor
from cloudfail_azure.loadbalancer.origins import Origin, Origins
from tests.emulators.azure.balancing import NORTH, WEST, World, act, call, look, port_of, topology
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Ask, Front
from tests.emulators.azure.standins import front_door as standin
from tests.emulators.listening import listening
from tests.emulators.loopback import free_port

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "front-door")
UPDATE = "afd_origins.update"
PACKAGE = "azure.mgmt.cdn"


class Site(World):
    """A group whose west serves. Its north is closed, or is as `north` says."""

    def __init__(
        self,
        azure: Front,
        machine: standin.FrontDoor,
        ports: dict[str, int],
        routing: str = "priority",
        latency: int = 1000,
        affinity: str = "Disabled",
        **north: Any,
    ) -> None:
        super().__init__(azure, KIND, self.made)
        self.machine = machine
        self.ports = ports
        self.routing = routing
        self.group = machine.group(latency=latency, affinity=affinity)
        self.members = {
            WEST: machine.origin(self.group, "west", ports[WEST]),
            NORTH: machine.origin(self.group, "north", ports[NORTH], **({"enabledState": "Disabled"} | north)),
        }

    def made(self, members: dict[str, Any] | None = None) -> FrontDoor:
        return port_of(FrontDoor, *self.topology(members))

    def topology(self, members: dict[str, Any] | None = None) -> Any:
        return topology(KIND, members or self.members, origin_group=self.group, routing=self.routing)

    def stands(self, region: str) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.at(self.members[region])["properties"]
        return found

    def asked(self) -> dict[int, int]:
        return self.machine.asked_by_an_edge(self.group)

    def shift(self, weights: dict[str, int]) -> None:
        port = self.port()
        port.shift(weights, expect=known(port.read()), call=call())

    def weights(self) -> dict[str, int]:
        return dict(known(self.port().read()).weights)


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> standin.FrontDoor:
    made: standin.FrontDoor = serving(PACKAGE, standin.FrontDoor())
    return made


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        yield {region: stack.enter_context(listening()) for region in (WEST, NORTH)}


@pytest.fixture
def world(azure: Front, machine: standin.FrontDoor, ports: dict[str, int]) -> Site:
    return Site(azure, machine, ports)


@pytest.fixture
def standing_by(azure: Front, machine: standin.FrontDoor, ports: dict[str, int]) -> Site:
    return Site(azure, machine, ports, enabledState="Enabled", priority=2)


@pytest.fixture
def weighted(azure: Front, machine: standin.FrontDoor, ports: dict[str, int]) -> Site:
    return Site(azure, machine, ports, "weighted")


class TestFrontDoor(TrafficSuite):
    """The world is the module's."""


def test_what_was_evacuated_is_closed_and_no_probe_takes_it_back(world: Site) -> None:
    before = {region: dict(world.stands(region)) for region in (WEST, NORTH)}
    world.shift({WEST: 0, NORTH: 100})
    world.machine.end()
    assert list(world.asked()) == [world.ports[NORTH]], "though the old one's probe succeeds"
    closed, serves = {"enabledState": "Disabled", "priority": 5}, {"enabledState": "Enabled", "priority": 1}
    for region, told in ((WEST, closed), (NORTH, serves)):
        assert world.stands(region) == before[region] | told, "nothing else was changed"


def test_where_the_new_one_is_not_well_either_the_evacuated_one_stays_closed(azure: Front, machine: Any) -> None:
    """I8: with a priority alone, edges would go back to the region that was left."""
    with listening() as west:
        site = Site(azure, machine, {WEST: west, NORTH: free_port()}, enabledState="Enabled", priority=2)
        site.shift({WEST: 0, NORTH: 100})
        machine.end()
        assert list(site.asked()) == [site.ports[NORTH]]


def test_what_gains_traffic_is_opened_before_what_loses_it_is_closed(world: Site) -> None:
    world.shift({WEST: 0, NORTH: 100})
    assert [on for _, on in world.machine.orders] == [world.members[NORTH], world.members[WEST]]


def test_one_that_stands_by_comes_to_serve_by_one_order(standing_by: Site) -> None:
    """Each order may take 45 minutes to the edges."""
    assert standing_by.weights() == {WEST: 100, NORTH: 1}
    standing_by.shift({WEST: 0, NORTH: 100})
    standing_by.machine.end()
    assert [on for _, on in standing_by.machine.orders] == [standing_by.members[WEST]]
    assert standing_by.weights() == {WEST: 0, NORTH: 100}
    assert list(standing_by.asked()) == [standing_by.ports[NORTH]]


def test_what_stood_by_stands_by_again_after_the_way_back(standing_by: Site) -> None:
    standing_by.shift({WEST: 0, NORTH: 100})
    standing_by.machine.end()
    standing_by.shift({WEST: 100, NORTH: 1})
    standing_by.machine.end()
    assert standing_by.weights() == {WEST: 100, NORTH: 1}
    assert list(standing_by.asked()) == [standing_by.ports[WEST]]
    assert standing_by.stands(NORTH)["priority"] == 2


def test_edges_have_somebody_to_ask_at_every_moment(azure: Front, serving: Any, ports: dict[str, int]) -> None:
    machine = serving(PACKAGE, standin.FrontDoor(edge_seconds=0.3))
    site = Site(azure, machine, ports)
    site.shift({WEST: 0, NORTH: 100})
    until, asked = time.monotonic() + 20, site.asked()
    while list(asked) != [ports[NORTH]] and time.monotonic() < until:
        assert asked
        asked = site.asked()
    assert list(asked) == [ports[NORTH]]


def test_where_the_second_order_is_never_sent_both_serve_and_looking_brings_it_to_its_end(
    world: Site, azure: Front
) -> None:
    port = world.port()
    expect = known(port.read())
    azure.outages.refuse(operation=UPDATE, after=1)
    with pytest.raises(OutcomeUnknown):
        port.shift({WEST: 0, NORTH: 100}, expect=expect, call=call())
    assert set(world.asked()) == set(world.ports.values())
    azure.outages.heal()
    world.shift({WEST: 0, NORTH: 100})
    world.machine.end()
    assert list(world.asked()) == [world.ports[NORTH]]


def test_where_the_order_that_opens_fails_nothing_is_closed(world: Site) -> None:
    world.machine.ending = "Failed"
    with pytest.raises(OutcomeUnknown, match="ended badly"):
        world.shift({WEST: 0, NORTH: 100})
    assert list(world.asked()) == [world.ports[WEST]]
    assert world.stands(WEST)["enabledState"] == "Enabled"
    assert "failed" in known(world.port().read()).moving
    world.machine.ending = ""
    world.shift({WEST: 0, NORTH: 100})
    world.machine.end()
    assert list(world.asked()) == [world.ports[NORTH]]
    assert known(world.port().read()).moving == ""


def test_an_order_that_failed_is_given_again_and_is_never_taken_for_done(standing_by: Site) -> None:
    _, whole = standing_by.topology()
    standing_by.machine.ending = "Failed"
    todo = look(standing_by, whole)
    assert isinstance(todo, Todo)
    with pytest.raises(OutcomeUnknown):
        act(standing_by, whole, todo)
    assert isinstance(look(standing_by, whole), Moving), "its settings are as wanted, and no edge has them"
    standing_by.machine.ending = ""
    standing_by.shift({WEST: 0, NORTH: 100})
    standing_by.machine.end()
    assert isinstance(look(standing_by, whole), Done)


def test_while_edges_follow_it_is_moving_and_not_done(azure: Front, serving: Any, ports: dict[str, int]) -> None:
    machine = serving(PACKAGE, standin.FrontDoor(edge_seconds=600.0))
    site = Site(azure, machine, ports, enabledState="Enabled", priority=2)
    _, whole = site.topology()
    todo = look(site, whole)
    assert isinstance(todo, Todo)
    act(site, whole, todo)
    seen = look(site, whole)
    assert isinstance(seen, Moving) and "to its edges" in str(seen)
    assert list(site.asked()) == [ports[WEST]]
    machine.end()
    assert isinstance(look(site, whole), Done)


def test_no_second_order_is_given_while_one_is_under_way(azure: Front, serving: Any, ports: dict[str, int]) -> None:
    machine = serving(PACKAGE, standin.FrontDoor(seconds=3600.0))
    site = Site(azure, machine, ports)
    port = site.port()
    expect = known(port.read())
    with pytest.raises(OutcomeUnknown, match="under way"):
        port.shift({WEST: 0, NORTH: 100}, expect=expect, call=call(seconds=8.0))
    assert "under way" in known(port.read()).moving
    with pytest.raises(Transient, match="under way"):
        port.shift({WEST: 0, NORTH: 100}, expect=known(port.read()), call=call(seconds=6.0))
    assert len(machine.orders) == 1
    assert site.stands(WEST)["enabledState"] == "Enabled"


def test_while_the_profile_is_busy_with_something_else_it_is_in_doubt_and_nothing_is_lost(world: Site) -> None:
    """Azure's 409 does not say what of two was done."""
    other = world.machine.origin(world.machine.group("docs"), "docs", free_port())
    world.machine.seconds = 3600.0
    world.machine.afd_origins_update(Ask({}, other, {}, {}, {"properties": {"weight": 5}}))
    with pytest.raises(OutcomeUnknown, match="Another operation"):
        world.shift({WEST: 0, NORTH: 100})
    assert world.weights() == {WEST: 100, NORTH: 0}


@pytest.mark.parametrize("style", ["status", "location"])
def test_an_order_is_followed_in_whichever_way_it_is_told_of(
    azure: Front, serving: Any, ports: dict[str, int], style: str
) -> None:
    site = Site(azure, serving(PACKAGE, standin.FrontDoor(style=style)), ports)
    site.shift({WEST: 0, NORTH: 100})
    site.machine.end()
    assert list(site.asked()) == [ports[NORTH]]


def test_by_weight_a_region_has_its_share(weighted: Site) -> None:
    weighted.shift({WEST: 90, NORTH: 10})
    weighted.machine.end()
    assert weighted.asked() == {weighted.ports[WEST]: 900, weighted.ports[NORTH]: 100}
    assert weighted.weights() == {WEST: 90, NORTH: 10}
    weighted.shift({WEST: 0, NORTH: 100})
    weighted.machine.end()
    assert list(weighted.asked()) == [weighted.ports[NORTH]]
    resource, _ = weighted.topology()
    assert KIND.verbs_of is not None
    assert KIND.verbs_of(resource)["shift"].divides == "percent"


@pytest.mark.parametrize(("asked", "why"), [({WEST: 50, NORTH: 50}, "without shares"), ({WEST: 1}, "would serve")])
def test_by_priority_what_is_no_place_is_refused(world: Site, asked: dict[str, int], why: str) -> None:
    with pytest.raises(Permanent, match=why):
        world.shift(asked)
    assert world.machine.orders == []
    resource, _ = world.topology()
    assert KIND.verbs_of is not None
    assert KIND.verbs_of(resource)["shift"].divides == "not"


def test_weights_that_would_not_count_are_refused(azure: Front, machine: Any, ports: dict[str, int]) -> None:
    site = Site(azure, machine, ports, "weighted", latency=0)
    with pytest.raises(Permanent, match="whatever the weights") as raised:
        site.shift({WEST: 90, NORTH: 10})
    assert "additionalLatencyInMilliseconds" in raised.value.to_do
    assert machine.orders == []
    site.shift({WEST: 0, NORTH: 100})
    machine.end()
    assert list(site.asked()) == [ports[NORTH]]


def test_weights_across_priorities_are_unknown_with_what_to_write(azure: Front, machine: Any, ports: Any) -> None:
    read = Site(azure, machine, ports, "weighted", enabledState="Enabled", priority=2).port().read()
    assert isinstance(read, Unknown) and "routing: priority" in read.reason


def test_an_enabled_origin_of_nobody_would_take_traffic_and_is_refused_by_name(world: Site) -> None:
    other = world.machine.origin(world.group, "other", free_port(), priority=3)
    read = world.port().read()
    assert isinstance(read, Unknown) and "other" in read.reason and "priority 3" in read.reason
    world.machine.at(other)["properties"]["priority"] = 5
    assert world.weights() == {WEST: 100, NORTH: 0}, "behind all others it may stay"
    world.machine.at(other)["properties"].update(priority=1, enabledState="Disabled")
    assert world.weights() == {WEST: 100, NORTH: 0}


@pytest.mark.parametrize(("affinity", "kept"), [("Disabled", 0.0), ("Enabled", None)])
def test_with_session_affinity_nobody_says_how_long_a_client_is_kept(
    azure: Front, machine: Any, ports: dict[str, int], affinity: str, kept: float | None
) -> None:
    assert known(Site(azure, machine, ports, affinity=affinity).port().read()).lingering_seconds == kept


def test_health_is_not_told_and_not_made_up(world: Site) -> None:
    assert known(world.port().read()).healthy == {}


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.machine.obeying = False
    _, whole = world.topology()
    todo = look(world, whole)
    assert isinstance(todo, Todo)
    act(world, whole, todo)
    world.machine.end()
    assert isinstance(look(world, whole), Todo)
    world.machine.obeying = True
    act(world, whole, todo)
    world.machine.end()
    assert isinstance(look(world, whole), Done)


def test_who_else_changed_an_origin_meanwhile_is_not_overwritten(world: Site) -> None:
    port = world.port()
    expect = known(port.read())
    world.stands(NORTH)["enabledState"] = "Enabled"
    with pytest.raises(Conflict, match="as they were seen"):
        port.shift({WEST: 0, NORTH: 100}, expect=expect, call=call())
    assert world.machine.orders == []


def test_who_else_changes_one_between_two_orders_is_not_overwritten(world: Site) -> None:
    push = world.machine._push

    def meanwhile(id_: str, properties: dict[str, Any]) -> None:
        push(id_, properties)
        world.stands(WEST)["weight"] = 7

    world.machine._push = meanwhile  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown, match="changed by somebody else"):
        world.shift({WEST: 0, NORTH: 100})
    assert world.stands(WEST)["enabledState"] == "Enabled"


def test_an_origin_that_the_group_does_not_have_is_refused_with_those_it_has(world: Site) -> None:
    read = world.made({WEST: world.members[WEST], NORTH: f"{world.group}/origins/gone"}).read()
    assert isinstance(read, Unknown) and "has no origin" in read.reason


def test_an_origin_of_another_group_is_refused_without_a_call(world: Site, azure: Front) -> None:
    azure.forget()
    with pytest.raises(Permanent, match="is not of the origin group"):
        world.made({WEST: world.members[WEST], NORTH: world.members[NORTH].replace("/web/", "/other/")})
    assert azure.seen() == []


def test_ids_are_the_same_in_any_case(world: Site) -> None:
    made = world.made({region: one.replace("originGroups", "origingroups") for region, one in world.members.items()})
    assert known(made.read()).weights == {WEST: 100, NORTH: 0}


@pytest.mark.parametrize(
    ("asked", "orders"),
    [
        ({WEST: 100, NORTH: 100}, [(NORTH, 1)]),
        ({WEST: 0, NORTH: 100}, [(WEST, 5)]),
        ({WEST: 100, NORTH: 1}, []),
        ({WEST: 1, NORTH: 100}, [(WEST, 4), (NORTH, 3)]),
    ],
)
def test_the_fewest_orders_are_given(asked: dict[str, int], orders: list[tuple[str, int]]) -> None:
    """West serves at 1, and north stands by at 4: one that serves is never put so far back that none fits behind."""
    origins = Origins({WEST: Origin(True, 1, 1000), NORTH: Origin(True, 4, 1000)}, weighted=False)
    given = [(one.region, one.properties["priority"]) for one in origins.orders(asked)]
    assert sorted(given) == sorted(orders)


def test_the_references_own_example_is_read(world: Site) -> None:
    """Azure/azure-rest-api-specs, specification/cdn/resource-manager/Microsoft.Cdn/Cdn/stable/2025-06-01/examples/
    AFDOrigins_Update.json: no priority and no weight, a deployment that never began, and one that is under way."""
    said = {
        "deploymentStatus": "NotStarted",
        "enabledState": "Enabled",
        "enforceCertificateNameCheck": True,
        "hostName": "host1.blob.core.windows.net",
        "httpPort": 80,
        "httpsPort": 443,
        "originGroupName": "origingroup1",
        "originHostHeader": "host1.foo.com",
        "priority": None,
        "provisioningState": "Succeeded",
        "sharedPrivateLinkResource": None,
        "weight": None,
    }
    assert contract(PACKAGE).offences("AFDOrigin", {"properties": said}, asked=False) == []
    assert Origin.told(said) == Origin(True, 1, 1000)
    assert Origin.told({**said, "provisioningState": "Updating"}) == Origin(True, 1, 1000, updating=True)
