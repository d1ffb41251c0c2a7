"""loadbalancer: application-gateway against a stand-in: its wire is what Microsoft's package says, its servers are real
listeners, and requests go to them over sockets."""

from __future__ import annotations

import contextlib
import copy
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudfail.actions import Done, NotKnown, Todo
from cloudfail.errors import Conflict, OutcomeUnknown, Permanent, Refused, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.testing.conformance import LoadBalancerSuite, known
from cloudfail_azure import whole
from cloudfail_azure.loadbalancer import KINDS, application_gateway
from cloudfail_azure.loadbalancer.application_gateway import ApplicationGateway
from tests.emulators.azure.balancing import NORTH, WEST, World, act, call, look, port_of, topology
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import Front
from tests.emulators.azure.standins.application_gateways import PATHS, ApplicationGateways
from tests.path_server import Forwarder, Greeter, greeting

pytestmark = pytest.mark.timeout(300)
KIND = next(kind for kind in KINDS if kind.name == "application-gateway")
NETWORK = "azure.mgmt.network"
PUT = "application_gateways.create_or_update"
HOME = "swedencentral"
TO_NORTH, TO_WEST = {WEST: 0, NORTH: 100}, {WEST: 100, NORTH: 0}


class Site(World):
    """A gateway whose rules all lead to west."""

    def __init__(self, azure: Front, machine: ApplicationGateways, ports: dict[str, int], rule: str = "http") -> None:
        super().__init__(azure, KIND, self.made)
        self.machine, self.ports, self.rule = machine, ports, rule
        self.gateway = machine.gateway("shop", HOME, {name: [port] for name, port in ports.items()})
        self.members = {name: f"{self.gateway}/backendAddressPools/{name}" for name in ports}
        self.packets = Forwarder(lambda: machine.requested(self.gateway, "http"))

    def made(self, members: dict[str, Any] | None = None, **options: Any) -> ApplicationGateway:
        return port_of(ApplicationGateway, *self.topology(members, **options))

    def topology(self, members: dict[str, Any] | None = None, **options: Any) -> Any:
        written = {"gateway": self.gateway, "region": HOME, "rule": self.rule, **options}
        return topology(KIND, members or self.members, **written)

    def asked(self) -> str:
        """Who answers the next request; "" for nobody."""
        with socket.create_connection(("127.0.0.1", self.packets.port), timeout=5) as client:
            return client.recv(100).decode().strip().removeprefix("220 ")

    @property
    def stands(self) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.at(self.gateway)
        return found

    def properties(self, listed: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            one["properties"] for one in self.stands["properties"][listed] if one["name"] == name
        )
        return found

    def shift(self, weights: dict[str, int], **options: Any) -> None:
        port = self.made(**options)
        port.shift(weights, expect=known(port.read()), call=call())


@pytest.fixture(scope="module")
def greeters() -> Iterator[dict[str, Greeter]]:
    with greeting(WEST, NORTH) as made:
        yield made


@pytest.fixture
def world(azure: Front, serving: Callable[[str, Any], Any], greeters: dict[str, Greeter]) -> Iterator[Site]:
    machine = serving(NETWORK, ApplicationGateways(seconds=0.05))
    made = Site(azure, machine, {name: one.port for name, one in greeters.items()})
    with contextlib.closing(made.packets):
        yield made


class TestApplicationGateway(LoadBalancerSuite):
    """The world is the module's."""


def test_a_shift_leads_the_rule_to_the_other_pool_and_changes_nothing_else(world: Site, azure: Front) -> None:
    """Certificates, zones, other rules and the pools themselves go back as they were read, in one request."""
    before = copy.deepcopy(world.stands)
    azure.forget()
    assert world.asked() == WEST
    world.shift(TO_NORTH)
    world.machine.end()
    assert {world.asked() for _ in range(3)} == {NORTH}
    assert [one.operation for one in azure.seen(mutating=True)] == [PUT]
    before["properties"]["requestRoutingRules"][0]["properties"]["backendAddressPool"]["id"] = world.members[NORTH]
    assert _without_states(world.stands) == _without_states(before)
    assert world.machine.leads(world.gateway, "theirs") == WEST


@pytest.mark.parametrize("path", ["", "api"])
def test_by_paths_a_path_rule_or_the_default_is_led(world: Site, path: str) -> None:
    where = {"rule": PATHS, **({"path": path} if path else {})}
    world.shift(TO_NORTH, **where)
    world.machine.end()
    assert world.machine.leads(world.gateway, PATHS, path) == NORTH
    assert world.machine.leads(world.gateway, PATHS, "" if path else "api") == WEST
    assert world.machine.leads(world.gateway, "http") == WEST
    assert known(world.made(**where).read()).weights == TO_NORTH


def test_a_pool_without_a_server_is_never_led_to(world: Site) -> None:
    world.properties("backendAddressPools", NORTH)["backendAddresses"] = []
    with pytest.raises(Permanent, match="has no server"):
        world.shift(TO_NORTH)
    said = world.made().preflight()
    assert isinstance(said, Known) and len(said.value) == 1 and f"of {NORTH} has no server" in said.value[0]
    assert world.machine.orders == []
    assert world.asked() == WEST


def test_a_share_is_refused_and_so_are_two_regions_at_once(world: Site) -> None:
    for weights in ({WEST: 50, NORTH: 50}, {WEST: 100, NORTH: 100}, {WEST: 0, NORTH: 50}):
        with pytest.raises(Permanent, match="leads to one pool"):
            world.shift(weights)
    assert world.machine.orders == []


@pytest.mark.parametrize("other", ["redirectConfiguration", "loadDistributionPolicy"])
def test_a_rule_that_leads_otherwise_is_refused(world: Site, other: str) -> None:
    world.properties("requestRoutingRules", "http")[other] = {"id": f"{world.gateway}/{other}s/one"}
    read = world.port().read()
    assert isinstance(read, Unknown) and f"leads by its {other}" in read.reason


def test_a_rule_that_leads_to_nobodys_pool_is_somebody_elses(world: Site) -> None:
    world.properties("requestRoutingRules", "http")["backendAddressPool"] = {"id": f"{world.gateway}/x/sorry"}
    read = world.port().read()
    assert isinstance(read, Unknown) and "sorry" in read.reason and "no region" in read.reason


def test_what_is_not_there_is_refused_with_what_is(world: Site) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"rule": "none"}, "It has: http, by-path, theirs"),
        ({"rule": "http", "path": "api"}, "has no paths"),
        ({"rule": PATHS, "path": "none"}, "It has: api"),
        ({"region": WEST}, f"stands in {HOME}"),
    ]
    for options, said in cases:
        read = world.made(**options).read()
        assert isinstance(read, Unknown) and said in read.reason
    with pytest.raises(Permanent, match="is not of the gateway"):
        world.made({WEST: world.members[WEST], NORTH: world.members[NORTH].replace("/shop/back", "/other/back")})
    with pytest.raises(Refused, match="a member's in"):
        application_gateway.build(*world.topology({WEST: world.members[WEST], NORTH: world.members[WEST]}))


def test_others_who_lead_their_own_rule_meanwhile_are_no_conflict_and_are_kept(world: Site) -> None:
    port = world.made()
    expect = known(port.read())
    world.shift(TO_NORTH, rule="theirs")
    world.machine.end()
    port.shift(TO_NORTH, expect=expect, call=call())
    world.machine.end()
    assert [world.machine.leads(world.gateway, rule) for rule in ("http", "theirs")] == [NORTH, NORTH]


def test_who_changed_it_in_that_very_instant_is_not_overwritten(world: Site) -> None:
    world.machine.meanwhile = lambda: world.machine.set(world.gateway, enableHttp2=True)
    with pytest.raises(Conflict, match="Etag"):
        world.shift(TO_NORTH)
    assert world.stands["properties"]["enableHttp2"] is True
    assert world.machine.orders == []


def test_a_gateway_that_is_stopped_is_unknown_and_is_not_started(world: Site) -> None:
    world.machine.set(world.gateway, operationalState="Stopped")
    read = world.port().read()
    assert isinstance(read, Unknown) and "answers nobody" in read.reason
    assert world.machine.orders == []


def test_health_is_what_the_gateways_probes_see_and_a_pool_that_it_does_not_tell_is_unknown(world: Site) -> None:
    assert known(world.port().read()).healthy == {WEST: 1}
    world.machine.health_seconds = 0.5
    assert known(world.port().read()).healthy == {WEST: 1}, "an operation is followed to its answer"
    world.machine.health_seconds = 0.0
    world.shift(TO_NORTH)
    world.machine.end()
    assert known(world.port().read()).healthy == {WEST: 1, NORTH: 1}, "another rule leads to west still"


def test_success_that_nothing_follows_completes_nothing(world: Site) -> None:
    world.machine.obeying = False
    _, shop = world.topology()
    todo = look(world, shop)
    assert isinstance(todo, Todo)
    act(world, shop, todo)
    world.machine.end()
    assert isinstance(look(world, shop), Todo)
    world.machine.obeying = True
    act(world, shop, todo)
    world.machine.end()
    assert isinstance(look(world, shop), Done)
    assert world.asked() == NORTH


@pytest.mark.parametrize("ending", ["Failed", "Canceled"])
def test_an_order_that_ended_badly_completes_nothing_and_is_given_again(world: Site, ending: str) -> None:
    world.machine.ending = ending
    with pytest.raises(OutcomeUnknown, match=ending.lower()):
        world.shift(TO_NORTH)
    world.machine.end()
    assert world.asked() == WEST
    _, shop = world.topology()
    assert not isinstance(look(world, shop), Done)
    assert "ended as Failed" in known(world.port().read()).moving
    world.machine.ending = ""
    world.shift(TO_NORTH)
    world.machine.end()
    assert isinstance(look(world, shop), Done)
    assert world.asked() == NORTH


def test_while_an_order_is_under_way_it_is_moving_and_no_other_is_given(world: Site) -> None:
    world.machine.seconds = 600.0
    world.shift(TO_NORTH)
    assert known(world.port().read()).moving.endswith("is Updating")
    assert world.asked() == WEST
    with pytest.raises(Transient, match="on top"):
        world.shift(TO_WEST)
    assert len(world.machine.orders) == 1


def test_an_order_that_another_one_supersedes_is_in_doubt_and_what_it_said_is_in_the_other(
    world: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who asks no log of ours, while Azure does not tell that ours is under way."""
    monkeypatch.setattr(whole, "FOLLOW_SECONDS", 20.0)
    world.machine.silent, world.machine.seconds = True, 600.0

    def somebody() -> None:
        while not world.machine.orders:
            time.sleep(0.02)
        world.machine.seconds = 0.05
        world.shift(TO_NORTH, rule="theirs")

    other = threading.Thread(target=somebody, daemon=True)
    other.start()
    with pytest.raises(OutcomeUnknown, match="Superseded"):
        world.shift(TO_NORTH)
    other.join()
    world.machine.end()
    assert [world.machine.leads(world.gateway, rule) for rule in ("http", "theirs")] == [NORTH, NORTH]
    assert known(world.port().read()).weights == TO_NORTH


def test_it_is_looked_at_when_an_order_may_be_seen() -> None:
    assert KIND.settle_seconds >= 87.0


def test_orders_go_to_its_region_and_one_log_is_for_all_its_rules(world: Site, azure: Front) -> None:
    resource, shop = world.topology()
    assert KIND.verbs_of is not None
    facts = KIND.verbs_of(resource)["shift"]
    assert (facts.home, facts.divides, facts.fencing) == (HOME, "not", "watching")
    assert KIND.shared["shift"](resource, shop, NORTH) == (f"azure/network/{world.gateway.lower()}",)
    azure.outages.refuse(region=HOME)
    assert isinstance(look(world, shop), NotKnown)
    assert world.asked() == WEST


# Azure/azure-rest-api-specs, specification/network/resource-manager/Microsoft.Network/stable/2023-09-01/examples/
# ApplicationGatewayBackendHealthGet.json, the body of 200, with the gateway's id put in.
EXAMPLE = """
{"backendAddressPools": [
  {"backendAddressPool": {"id": "GATEWAY/backendaddressPools/westeurope"},
   "backendHttpSettingsCollection": [
     {"backendHttpSettings": {"id": "GATEWAY/backendHttpSettingsCollection/MFPoolSettings"},
      "servers": [{"address": "10.220.1.8", "health": "Up"}]}]},
  {"backendAddressPool": {"id": "GATEWAY/backendaddressPools/northeurope"},
   "backendHttpSettingsCollection": [
     {"backendHttpSettings": {"id": "GATEWAY/backendHttpSettingsCollection/MFPoolSettings"},
      "servers": [{"address": "10.220.1.4", "health": "Up"}, {"address": "10.220.1.5", "health": "Up"}]}]}]}
"""


def test_the_official_example_of_backend_health_is_as_the_package_says_and_is_read(
    world: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.loads(EXAMPLE.replace("GATEWAY", world.gateway))
    assert contract(NETWORK).offences("ApplicationGatewayBackendHealth", body, asked=False) == []
    monkeypatch.setattr(world.machine, "application_gateways_backend_health", lambda _ask: body)
    assert known(world.port().read()).healthy == {WEST: 1, NORTH: 2}


# The same, ApplicationGatewayBackendHealthTest.json: the request, and the body of 200.
QUESTION = """
{"protocol": "Http", "pickHostNameFromBackendHttpSettings": true, "path": "/", "timeout": 30,
 "backendAddressPool": {"id": "GATEWAY/backendAddressPools/northeurope"},
 "backendHttpSettings": {"id": "GATEWAY/backendHttpSettingsCollection/plain"}}
"""
ANSWER = """
{"backendAddressPool": {"id": "GATEWAY/backendaddressPools/MFAnalyticsPool"},
 "backendHealthHttpSettings": {
   "backendHttpSettings": {"id": "GATEWAY/backendHttpSettingsCollection/MFPoolSettings"},
   "servers": [{"address": "10.220.1.4", "health": "Up"}, {"address": "10.220.1.5", "health": "Up"}]}}
"""


def test_a_pool_that_no_rule_leads_to_is_probed_for_the_question_as_its_settings_say(
    world: Site, azure: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = {"protocol": "Http", "pickHostNameFromBackendHttpSettings": True, "path": "/", "timeout": 30, "interval": 5}
    settings = {"port": 80, "probe": {"id": f"{world.gateway}/probes/live"}}
    world.machine.set(
        world.gateway,
        backendHttpSettingsCollection=[{"name": "plain", "properties": settings}],
        probes=[{"name": "live", "properties": probe}],
    )
    assert known(world.port().read()).healthy == {WEST: 1, NORTH: 1}
    (asked,) = azure.seen(operation="application_gateways.backend_health_on_demand")
    assert asked.body == json.loads(QUESTION.replace("GATEWAY", world.gateway)), "as in the official example"
    answer = json.loads(ANSWER.replace("GATEWAY", world.gateway))
    assert contract(NETWORK).offences("ApplicationGatewayBackendHealthOnDemand", answer, asked=False) == []
    monkeypatch.setattr(world.machine, "application_gateways_backend_health_on_demand", lambda _ask: answer)
    assert known(world.port().read()).healthy == {WEST: 1, NORTH: 2}
    azure.outages.fail("GatewayTimeout", 504, operation="application_gateways.backend_health_on_demand")
    monkeypatch.setattr(application_gateway, "READ_SECONDS", 2.0)
    seen = known(world.port().read())
    assert (seen.weights, seen.healthy) == (TO_WEST, {WEST: 1})


def test_a_server_that_one_of_several_settings_finds_dead_is_not_counted(
    world: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.loads(EXAMPLE.replace("GATEWAY", world.gateway))
    held = body["backendAddressPools"][1]["backendHttpSettingsCollection"]
    held.append(
        {"servers": [{"address": "10.220.1.4", "health": "Draining"}, {"address": "10.220.1.5", "health": "Up"}]}
    )
    monkeypatch.setattr(world.machine, "application_gateways_backend_health", lambda _ask: body)
    assert known(world.port().read()).healthy == {WEST: 1, NORTH: 1}


def _without_states(body: dict[str, Any]) -> Any:
    """What only Azure writes, apart."""
    return json.loads(json.dumps(body), object_hook=lambda one: {k: v for k, v in one.items() if k not in _ONLY_READ})


_ONLY_READ = frozenset({"provisioningState", "etag", "type", "publicCertData"})
