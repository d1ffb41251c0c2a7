"""loadbalancer: azure-load-balancer against a stand-in: its wire is what Microsoft's package says, its addresses are
real listeners, and connections go to them over sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.observation import Unknown
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_azure.loadbalancer import KINDS, load_balancer
from cloudfail_azure.loadbalancer.load_balancer import LoadBalancer
from tests.emulators.azure.balancing import NORTH, WEST, World, act, call, look, port_of, topology
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.load_balancers import RULE, LoadBalancers
from tests.path_server import Forwarder, Greeter, greeting

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "azure-load-balancer")
NETWORK = "azure.mgmt.network"
PUT = "load_balancer_backend_address_pools.create_or_update"
HOME = "swedencentral"
TO_NORTH, TO_WEST = {WEST: 0, NORTH: 100}, {WEST: 100, NORTH: 0}


class Site(World):
    """A balancer whose west takes all new connections: its north is down."""

    def __init__(self, azure: Front, machine: LoadBalancers, ports: dict[str, int], tier: str = "Regional") -> None:
        super().__init__(azure, KIND, self.made)
        self.machine, self.ports, self.tier = machine, ports, tier
        self.pool = machine.balancer("shop", HOME, ports, tier=tier, **{NORTH: "Down"})
        self.packets = Forwarder(lambda: machine.takes(self.pool))

    def made(self, members: dict[str, Any] | None = None, **options: Any) -> LoadBalancer:
        return port_of(LoadBalancer, *self.topology(members, **options))

    def topology(self, members: dict[str, Any] | None = None, **options: Any) -> Any:
        rule = {"rule": RULE} if self.tier == "Regional" else {}
        return topology(
            KIND, members or {WEST: WEST, NORTH: NORTH}, **{"pool": self.pool, "region": HOME, **rule, **options}
        )

    def connects(self) -> str:
        """Who answers a new connection; "" for nobody."""
        with socket.create_connection(("127.0.0.1", self.packets.port), timeout=5) as client:
            return client.recv(100).decode().strip().removeprefix("220 ")

    def stands(self) -> dict[str, str]:
        return {
            name: one["properties"].get("adminState", "None") for name, one in self.machine.addresses(self.pool).items()
        }

    def shift(self, weights: dict[str, int]) -> None:
        port = self.port()
        port.shift(weights, expect=known(port.read()), call=call())


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(WEST, NORTH) as made:
        yield made


@pytest.fixture
def machine(serving: Callable[[str, Any], Any]) -> LoadBalancers:
    made: LoadBalancers = serving(NETWORK, LoadBalancers(seconds=0.05))
    return made


@pytest.fixture
def site(azure: Front, machine: LoadBalancers, greeters: dict[str, Greeter]) -> Iterator[Callable[..., Site]]:
    with contextlib.ExitStack() as stack:

        def make(tier: str = "Regional") -> Site:
            made = Site(azure, machine, {name: one.port for name, one in greeters.items()}, tier)
            stack.callback(made.packets.close)
            return made

        yield make


@pytest.fixture
def world(site: Callable[..., Site]) -> Site:
    return site()


class TestLoadBalancer(LoadBalancerSuite):
    """The world is the module's."""


@pytest.mark.parametrize("tier", ["Regional", "Global"])
def test_what_was_evacuated_is_down_and_no_probe_takes_it_back(site: Callable[..., Site], tier: str) -> None:
    world = site(tier)
    assert world.connects() == WEST
    before = {name: dict(one["properties"]) for name, one in world.machine.addresses(world.pool).items()}
    world.shift(TO_NORTH)
    world.machine.end()
    assert {world.connects() for _ in range(4)} == {NORTH}, "though the old one's probe succeeds"
    after = {name: one["properties"] for name, one in world.machine.addresses(world.pool).items()}
    assert after == {WEST: before[WEST] | {"adminState": "Down"}, NORTH: before[NORTH] | {"adminState": "None"}}


def test_it_is_one_request_under_the_etag_that_was_seen_and_nothing_else_is_changed(world: Site, azure: Front) -> None:
    whole = world.machine.at(world.pool.rsplit("/", 2)[0])
    before = {key: value for key, value in whole["properties"].items() if key != "backendAddressPools"}
    tags = dict(whole["tags"])
    azure.forget()
    world.shift(TO_NORTH)
    world.machine.end()
    assert [one.operation for one in azure.seen(mutating=True)] == [PUT]
    after = world.machine.at(world.pool.rsplit("/", 2)[0])
    assert {key: value for key, value in after["properties"].items() if key != "backendAddressPools"} == before
    assert after["tags"] == tags


def test_who_changed_the_balancer_in_that_instant_is_not_overwritten(world: Site) -> None:
    world.machine.meanwhile = lambda: world.machine.by_hand(world.pool, NORTH, "Up")
    with pytest.raises(Conflict, match="Etag"):
        world.shift(TO_NORTH)
    assert world.stands() == {WEST: "None", NORTH: "Up"}


def test_what_is_up_by_hand_stays_so_and_is_never_made_so(world: Site) -> None:
    world.machine.by_hand(world.pool, NORTH, "Up")
    world.shift(TO_NORTH)
    world.machine.end()
    assert world.stands() == {WEST: "Down", NORTH: "Up"}
    world.shift(TO_WEST)
    world.machine.end()
    assert world.stands() == {WEST: "None", NORTH: "Down"}


def test_preflight_tells_of_what_is_up_by_hand_and_of_what_is_refused(world: Site) -> None:
    assert known(world.made().preflight()) == ()
    world.machine.by_hand(world.pool, WEST, "Up")
    (said,) = known(world.made().preflight())
    assert f"the address {WEST}" in said and "though its probe fails" in said
    (said,) = known(world.made({WEST: WEST, NORTH: "gone"}).preflight())
    assert "has no address gone" in said


def test_a_region_that_is_half_down_is_not_closed_and_is_opened_whole(
    azure: Front, machine: LoadBalancers, greeters: dict[str, Greeter]
) -> None:
    ports = {"w1": greeters[WEST].port, "w2": greeters[WEST].port, "n1": greeters[NORTH].port}
    pool = machine.balancer("halves", HOME, ports, w2="Down", n1="Down")
    port = port_of(
        LoadBalancer, *topology(KIND, {WEST: {"addresses": ["w1", "w2"]}, NORTH: "n1"}, pool=pool, region=HOME)
    )
    seen = known(port.read())
    assert seen.weights == {WEST: 50, NORTH: 0}
    assert seen.healthy == {}, "no rule is written whose probe could be asked"
    port.shift(TO_WEST, expect=seen, call=call())
    machine.end()
    assert known(port.read()).weights == TO_WEST


def test_a_share_is_refused_and_so_is_a_shift_after_which_nobody_serves(world: Site) -> None:
    with pytest.raises(Permanent, match="no shares"):
        world.shift({WEST: 50, NORTH: 50})
    with pytest.raises(Permanent, match="nothing to answer"):
        world.shift({WEST: 0, NORTH: 0})
    assert world.machine.orders == []


def test_health_is_what_the_rules_probe_sees_of_addresses_that_it_decides_on(world: Site) -> None:
    assert known(world.port().read()).healthy == {WEST: 1}, "one that is down or up by state is not probe's to say"
    world.machine.by_hand(world.pool, NORTH, "None")
    assert known(world.port().read()).healthy == {WEST: 1, NORTH: 1}


def test_health_is_an_operation_that_is_followed_to_its_answer(world: Site) -> None:
    world.machine.health_seconds = 0.5
    assert known(world.port().read()).healthy == {WEST: 1}


def test_health_that_is_not_told_in_time_is_unknown_and_the_weights_are_known(
    world: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_balancer, "READ_SECONDS", 4.0)
    world.machine.health_seconds = 600.0
    seen = known(world.port().read())
    assert (seen.weights, seen.healthy) == (TO_WEST, {})


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
    assert world.connects() == NORTH


@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_order_that_ended_badly_completes_nothing_and_is_given_again(world: Site, ending: str) -> None:
    world.machine.ending = ending
    with pytest.raises(OutcomeUnknown, match=ending.lower()):
        world.shift(TO_NORTH)
    world.machine.end()
    assert world.connects() == WEST
    seen = known(world.port().read())
    assert (seen.weights, seen.moving) == (TO_NORTH, f"Azure says that the last order on {world.pool} ended as Failed")
    _, whole = world.topology()
    assert not isinstance(look(world, whole), Done)
    world.machine.ending = ""
    world.shift(TO_NORTH)
    world.machine.end()
    assert world.connects() == NORTH
    assert known(world.port().read()).moving == ""


def test_while_an_order_is_under_way_it_is_moving_and_no_other_is_given(world: Site) -> None:
    world.machine.seconds = 600.0
    world.shift(TO_NORTH)
    seen = known(world.port().read())
    assert seen.moving.endswith("is Updating")
    with pytest.raises(Transient, match="on top"):
        world.shift(TO_WEST)
    assert len(world.machine.orders) == 1


def test_an_address_that_stands_for_nobody_and_takes_traffic_is_refused_by_name(
    azure: Front, machine: LoadBalancers, greeters: dict[str, Greeter]
) -> None:
    ports = {name: one.port for name, one in greeters.items()} | {"third": 1}
    pool = machine.balancer("three", HOME, ports, **{NORTH: "Down"})
    port = port_of(LoadBalancer, *topology(KIND, {WEST: WEST, NORTH: NORTH}, pool=pool, region=HOME))
    read = port.read()
    assert isinstance(read, Unknown) and "third" in read.reason and "no region" in read.reason
    machine.by_hand(pool, "third", "Down")
    assert known(port.read()).weights == TO_WEST


def test_what_the_balancer_cannot_do_is_refused_with_its_reason(world: Site) -> None:
    balancer = world.machine.at(world.pool.rsplit("/", 2)[0])
    rule = balancer["properties"]["loadBalancingRules"][0]["properties"]
    probe = rule.pop("probe")
    read = world.port().read()
    assert isinstance(read, Unknown) and "has no probe" in read.reason
    rule["probe"] = probe
    balancer["sku"]["name"] = "Basic"
    read = world.port().read()
    assert isinstance(read, Unknown) and "only Standard" in read.reason
    balancer["sku"]["name"] = "Standard"
    address = world.machine.addresses(world.pool)[WEST]["properties"]
    address.pop("ipAddress")
    address["networkInterfaceIPConfiguration"] = {"id": "/subscriptions/S/nic"}
    read = world.port().read()
    assert isinstance(read, Unknown) and "by its network interface" in read.reason
    assert world.machine.orders == []


def test_what_is_not_there_is_refused_with_what_is(world: Site) -> None:
    read = world.made({WEST: WEST, NORTH: "gone"}).read()
    assert isinstance(read, Unknown) and f"{NORTH}, {WEST}" in read.reason
    read = world.made(pool=world.pool.replace("/all", "/none")).read()
    assert isinstance(read, Unknown) and "It has: all" in read.reason
    read = world.made(region=WEST).read()
    assert isinstance(read, Unknown) and f"stands in {HOME}" in read.reason


def test_two_regions_with_one_address_are_refused(world: Site) -> None:
    with pytest.raises(Refused, match="a member's in"):
        load_balancer.build(*world.topology({WEST: WEST, NORTH: WEST}))


def test_orders_go_to_the_region_in_which_the_balancer_stands(world: Site) -> None:
    """So a plan out of that region is refused, and the balancer's log is one for all applications."""
    resource, whole = world.topology()
    assert KIND.verbs_of is not None
    facts = KIND.verbs_of(resource)["shift"]
    assert (facts.home, facts.divides, facts.fencing) == (HOME, "not", "watching")
    assert KIND.shared["shift"](resource, whole, NORTH) == (f"azure/network/{world.pool.rsplit('/', 2)[0].lower()}",)


def test_while_its_region_does_not_answer_nothing_is_known(world: Site, azure: Front) -> None:
    azure.outages.refuse(region=HOME)
    _, whole = world.topology()
    assert isinstance(look(world, whole), NotKnown)
    assert world.connects() == WEST
