"""loadbalancer: traffic-manager against a stand-in: its wire is what Microsoft's package says, its endpoints are real
listeners."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent
from cloudfail.model.observation import Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_azure.loadbalancer import KINDS
from cloudfail_azure.loadbalancer.traffic_manager import TrafficManager
from tests.emulators.azure.balancing import NORTH, WEST, World, act, call, look, port_of, topology
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins import traffic_manager as standin
from tests.emulators.listening import listening
from tests.emulators.loopback import free_port

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "traffic-manager")
UPDATE = "endpoints.update"


class Site(World):
    """A profile whose west takes all traffic: its north is disabled, and nobody's third one stays as it is."""

    def __init__(
        self, azure: Front, machine: standin.TrafficManager, ports: dict[str, int], method: str = "Priority"
    ) -> None:
        super().__init__(azure, KIND, self.made)
        self.machine = machine
        self.ports = ports
        self.profile = machine.profile("shop", method)
        self.method = method.lower()
        status = {WEST: "Enabled", NORTH: "Disabled"}
        self.members = {
            region: machine.endpoint(
                self.profile, region, port, region, endpointStatus=status[region], weight=1000, priority=at + 1
            )
            for at, (region, port) in enumerate(ports.items())
        }

    def made(self, members: dict[str, Any] | None = None) -> TrafficManager:
        return port_of(TrafficManager, *self.topology(members))

    def topology(self, members: dict[str, Any] | None = None) -> Any:
        routing = self.method if self.method not in ("geographic", "subnet") else "priority"
        return topology(KIND, members or self.members, profile=self.profile, routing=routing)

    def stands(self, region: str) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.at(self.members[region])["properties"]
        return found

    def answered(self) -> list[int]:
        return [int(target.rpartition(":")[2]) for target in self.machine.answered(self.profile)]

    def shift(self, weights: dict[str, int]) -> None:
        port = self.port()
        port.shift(weights, expect=known(port.read()), call=call())


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> standin.TrafficManager:
    made: standin.TrafficManager = serving("azure.mgmt.trafficmanager", standin.TrafficManager())
    return made


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    with contextlib.ExitStack() as stack:
        yield {region: stack.enter_context(listening()) for region in (WEST, NORTH)}


@pytest.fixture
def world(azure: Front, machine: standin.TrafficManager, ports: dict[str, int]) -> Site:
    return Site(azure, machine, ports)


@pytest.fixture
def weighted(azure: Front, machine: standin.TrafficManager, ports: dict[str, int]) -> Site:
    return Site(azure, machine, ports, "Weighted")


class TestTrafficManager(LoadBalancerSuite):
    """The world is the module's."""


def test_what_was_evacuated_is_disabled_and_no_probe_takes_it_back(world: Site) -> None:
    before = {region: dict(world.stands(region)) for region in (WEST, NORTH)}
    world.shift({WEST: 0, NORTH: 100})
    assert world.answered() == [world.ports[NORTH]], "though the old one's probe succeeds"
    for region, status in ((WEST, "Disabled"), (NORTH, "Enabled")):
        assert world.stands(region) == before[region] | {"endpointStatus": status}, "nothing else was changed"


def test_what_gains_traffic_is_enabled_before_what_loses_it(world: Site) -> None:
    world.shift({WEST: 0, NORTH: 100})
    assert [on for _, on in world.machine.orders] == [world.members[NORTH], world.members[WEST]]


def test_there_is_an_answer_at_every_moment(world: Site, azure: Front) -> None:
    """Also where the second request is never sent, or its answer is lost."""
    port = world.port()
    expect = known(port.read())
    azure.outages.refuse(operation=UPDATE, after=1)
    with pytest.raises(OutcomeUnknown):
        port.shift({WEST: 0, NORTH: 100}, expect=expect, call=call())
    assert set(world.answered()) and not set(world.answered()) - set(world.ports.values())
    azure.outages.heal()
    world.shift({WEST: 0, NORTH: 100})
    assert world.answered() == [world.ports[NORTH]]


def test_by_weight_a_region_has_its_share(weighted: Site) -> None:
    weighted.shift({WEST: 90, NORTH: 10})
    assert [weighted.stands(region)["weight"] for region in (WEST, NORTH)] == [900, 100]
    assert known(weighted.port().read()).weights == {WEST: 90, NORTH: 10}
    weighted.shift({WEST: 0, NORTH: 100})
    assert weighted.answered() == [weighted.ports[NORTH]]


@pytest.mark.parametrize("method", ["Priority", "Performance", "MultiValue"])
def test_without_weights_a_share_is_refused(
    azure: Front, machine: standin.TrafficManager, ports: dict[str, int], method: str
) -> None:
    site = Site(azure, machine, ports, method)
    with pytest.raises(Permanent, match="without shares"):
        site.shift({WEST: 50, NORTH: 50})
    assert machine.orders == []
    resource, _ = site.topology()
    assert KIND.verbs_of is not None
    assert KIND.verbs_of(resource)["shift"].divides == "not"


def test_a_profile_that_routes_otherwise_than_is_written_is_unknown_and_the_word_to_write_is_said(
    azure: Front, machine: standin.TrafficManager, ports: dict[str, int]
) -> None:
    site = Site(azure, machine, ports, "Performance")
    expect = known(site.port().read())
    site.method = "weighted"
    read = site.port().read()
    assert isinstance(read, Unknown) and "routes by performance" in read.reason
    with pytest.raises(Permanent) as raised:
        site.port().shift({WEST: 0, NORTH: 100}, expect=expect, call=call())
    assert raised.value.to_do == "Write routing: performance"


@pytest.mark.parametrize("method", ["Geographic", "Subnet"])
def test_clients_that_are_mapped_to_one_endpoint_are_not_left_without_an_answer(
    azure: Front, machine: standin.TrafficManager, ports: dict[str, int], method: str
) -> None:
    site = Site(azure, machine, ports, method)
    read = site.port().read()
    assert isinstance(read, Unknown) and "get no answer" in read.reason
    expect = LoadBalancerState({WEST: 100, NORTH: 0})
    with pytest.raises(Permanent, match="get no answer") as raised:
        site.port().shift({WEST: 0, NORTH: 100}, expect=expect, call=call())
    assert "nested profile" in raised.value.to_do
    assert machine.orders == []


def test_health_is_what_the_profiles_own_probes_see(azure: Front, machine: standin.TrafficManager) -> None:
    with listening() as west:
        site = Site(azure, machine, {WEST: west, NORTH: free_port()})
        assert known(site.port().read()).healthy == {WEST: 1}, "one that is disabled is not probed"
        site.shift({WEST: 100, NORTH: 100})
        assert known(site.port().read()).healthy == {WEST: 1, NORTH: 0}


def test_answers_linger_for_the_profiles_ttl(world: Site) -> None:
    assert known(world.port().read()).lingering_seconds == 30.0


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.machine.obeying = False
    _, whole = world.topology()
    todo = look(world, whole)
    assert isinstance(todo, Todo)
    act(world, whole, todo)
    assert isinstance(look(world, whole), Todo)
    world.machine.obeying = True
    act(world, whole, todo)
    assert isinstance(look(world, whole), Done)


def test_who_else_changed_an_endpoint_meanwhile_is_not_overwritten(world: Site) -> None:
    port = world.port()
    expect = known(port.read())
    world.stands(NORTH)["endpointStatus"] = "Enabled"
    with pytest.raises(Conflict, match="as they were seen"):
        port.shift({WEST: 0, NORTH: 100}, expect=expect, call=call())
    assert world.machine.orders == []


def test_a_profile_that_is_disabled_is_unknown(world: Site) -> None:
    world.machine.at(world.profile)["properties"]["profileStatus"] = "Disabled"
    read = world.port().read()
    assert isinstance(read, Unknown) and "disabled" in read.reason


def test_an_endpoint_that_the_profile_does_not_have_is_refused_with_those_it_has(world: Site) -> None:
    made = world.made({WEST: world.members[WEST], NORTH: f"{world.profile}/externalEndpoints/gone"})
    read = made.read()
    assert isinstance(read, Unknown) and "has no endpoint" in read.reason
    assert world.machine.orders == []


def test_an_endpoint_of_another_profile_is_refused_without_a_call(world: Site, azure: Front) -> None:
    azure.forget()
    with pytest.raises(Permanent, match="is not of the profile"):
        world.made(
            {WEST: world.members[WEST], NORTH: world.members[NORTH].replace("/shop/external", "/other/external")}
        )
    assert azure.seen() == []


def test_ids_are_the_same_in_any_case(world: Site) -> None:
    made = world.made(
        {region: one.replace("resourceGroups", "RESOURCEGROUPS") for region, one in world.members.items()}
    )
    assert known(made.read()).weights == {WEST: 100, NORTH: 0}
