"""What azure-mgmt-network reads and writes back whole, at our own door: nothing is lost on the way, and each request is
one that a permission is asked for."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cloudfail.errors import OutcomeUnknown, Permanent
from cloudfail.model.topology import PortName
from cloudfail.ports import Kind, Permissions
from cloudfail.testing.conformance import known
from cloudfail.time_left import TimeLeft
from cloudfail_azure import provider
from cloudfail_azure.asking import Asking
from cloudfail_azure.budget import Budget
from cloudfail_azure.loadbalancer.load_balancer import LoadBalancer
from cloudfail_azure.sessions import Sessions
from cloudfail_azure.whole import Network, Whole
from tests.emulators.azure import address_world, test_application_gateway, test_load_balancer
from tests.emulators.azure.balancing import NORTH, WEST, SystemClock, call, port_of, topology
from tests.emulators.azure.contract import contract
from tests.emulators.azure.front import SUBSCRIPTION, Ask, Front
from tests.emulators.azure.standins.application_gateways import ApplicationGateways
from tests.emulators.azure.standins.load_balancers import LoadBalancers
from tests.emulators.azure.standins.public_addresses import PublicAddresses
from tests.emulators.azure.standins.route_tables import RouteTables
from tests.emulators.listening import listening

pytestmark = pytest.mark.timeout(300)
NETWORK = "azure.mgmt.network"
KINDS = provider.kinds()
BALANCER = KINDS[PortName.LOADBALANCER, "azure-load-balancer"]
GATEWAY = KINDS[PortName.LOADBALANCER, "application-gateway"]
LB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Network/loadBalancers/lb"
REGIONAL = LB.replace("/rg1/", "/regional-lb-rg1/").replace("/lb", "/regional-lb")
# Azure/azure-rest-api-specs, specification/network/resource-manager/Microsoft.Network/stable/2023-09-01/examples/
# LoadBalancerCreateGlobalTier.json, the body of 200, with a subscription put in and without its frontend.
EXAMPLE: dict[str, Any] = json.loads(
    """
{"name": "lb", "id": "LB", "type": "Microsoft.Network/loadBalancers",
 "etag": "W/\\"00000000-0000-0000-0000-00000000\\"", "location": "eastus",
 "sku": {"name": "Standard", "tier": "Global"},
 "properties": {
  "provisioningState": "Succeeded", "resourceGuid": "00000000-0000-0000-0000-00000000",
  "backendAddressPools": [
   {"name": "be-lb", "id": "LB/backendAddressPools/be-lb",
    "type": "Microsoft.Network/loadBalancers/backendAddressPools",
    "etag": "W/\\"00000000-0000-0000-0000-00000000\\"",
    "properties": {
     "provisioningState": "Succeeded",
     "loadBalancerBackendAddresses": [
      {"name": "regional-lb1-address",
       "properties": {"loadBalancerFrontendIPConfiguration": {"id": "REGIONAL/frontendIPConfigurations/fe-rlb"}}}],
     "loadBalancingRules": [{"id": "LB/loadBalancingRules/rulelb"}]}}],
  "loadBalancingRules": [
   {"name": "rulelb", "id": "LB/loadBalancingRules/rulelb",
    "type": "Microsoft.Network/loadBalancers/loadBalancingRules",
    "etag": "W/\\"00000000-0000-0000-0000-00000000\\"",
    "properties": {
     "provisioningState": "Succeeded", "frontendPort": 80, "backendPort": 80, "enableFloatingIP": false,
     "idleTimeoutInMinutes": 15, "protocol": "Tcp", "loadDistribution": "Default",
     "backendAddressPool": {"id": "LB/backendAddressPools/be-lb"},
     "probe": {"id": "LB/probes/probe-lb"}, "disableOutboundSnat": false}}]}}
""".replace("REGIONAL", REGIONAL)
    .replace("LB/", f"{LB}/")
    .replace('"LB"', f'"{LB}"')
)
POOL = f"{LB}/backendAddressPools/be-lb"
ADDRESS = "regional-lb1-address"


class Example(LoadBalancers):
    """The balancer of the example; what is put is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.put(LB, EXAMPLE, "eastus")
        self.asked_with: list[tuple[Any, str]] = []

    def load_balancers_get(self, ask: Ask) -> Any:
        return copy.deepcopy(EXAMPLE)

    def load_balancer_backend_address_pools_create_or_update(self, ask: Ask) -> Any:
        self.asked_with.append((ask.body, ask.headers.get("if-match", "")))
        return copy.deepcopy(EXAMPLE["properties"]["backendAddressPools"][0])


def network(kind: Kind, members: Any, **options: Any) -> Network:
    clock = SystemClock()
    return Network(Asking(*topology(kind, members, **options), Sessions(), Budget(clock), clock), "eastus")


def test_microsofts_own_example_is_read_and_goes_back_as_it_came_with_the_one_state_changed(
    azure: Front, serving: Callable[[str, Any], Any]
) -> None:
    assert contract(NETWORK).offences("LoadBalancer", EXAMPLE, asked=False) == []
    machine: Example = serving(NETWORK, Example())
    port = port_of(LoadBalancer, *topology(BALANCER, {WEST: ADDRESS}, pool=POOL, region="eastus"))
    seen = known(port.read())
    assert (seen.weights, seen.moving) == ({WEST: 100}, "")
    whole = network(BALANCER, {WEST: ADDRESS}, pool=POOL, region="eastus")
    pool = Whole(POOL, whole.get(LB, within=5.0).properties["backendAddressPools"][0])
    body = pool.copied()
    body["properties"]["loadBalancerBackendAddresses"][0]["properties"]["adminState"] = "Down"
    whole.put(pool, body, call=call())
    ((asked, match),) = machine.asked_with
    assert match == EXAMPLE["properties"]["backendAddressPools"][0]["etag"]
    frontend = {"id": f"{REGIONAL}/frontendIPConfigurations/fe-rlb"}
    told = {"loadBalancerFrontendIPConfiguration": frontend, "adminState": "Down"}
    assert asked == {
        "id": POOL,
        "name": "be-lb",
        "properties": {"loadBalancerBackendAddresses": [{"name": ADDRESS, "properties": told}]},
    }, "all but what only Azure writes"


def test_what_the_package_has_never_heard_of_goes_back_too(azure: Front, serving: Callable[[str, Any], Any]) -> None:
    """The front notes it as no member that the package knows, which is what is looked for."""
    serving(NETWORK, Example())
    whole = network(BALANCER, {WEST: ADDRESS}, pool=POOL, region="eastus")
    pool = Whole(POOL, EXAMPLE["properties"]["backendAddressPools"][0])
    body = pool.copied()
    body["properties"]["ofNextYear"] = {"etag": 1}
    body["properties"]["loadBalancerBackendAddresses"][0]["properties"]["weight"] = 7
    with pytest.raises((Permanent, OutcomeUnknown)):
        whole.put(pool, body, call=call())
    (mistake,) = azure.mistakes
    azure.mistakes.clear()
    assert "/properties/ofNextYear: " in mistake
    assert "/properties/loadBalancerBackendAddresses[0]/properties/weight: " in mistake
    assert mistake.count("no such member") == 2


@pytest.mark.parametrize("style", ["status", "location"])
def test_an_order_and_a_question_are_each_one_request_and_nothing_is_polled_but_by_us(
    azure: Front, serving: Callable[[str, Any], Any], style: str
) -> None:
    machine: LoadBalancers = serving(NETWORK, LoadBalancers(style=style, seconds=600.0))
    with listening() as one:
        pool = machine.balancer("shop", "eastus", {WEST: one})
        whole = network(BALANCER, {WEST: WEST}, pool=pool, region="eastus")
        balancer = pool.rsplit("/", 2)[0]
        held = Whole(pool, whole.get(balancer, within=5.0).properties["backendAddressPools"][0])
        azure.forget()
        reply = whole.put(held, held.body, call=call())
        assert [one.operation for one in azure.seen()] == [test_load_balancer.PUT]
        whole.follow(reply, "PUT", TimeLeft(call(seconds=1.5)))
        machine.health_seconds = 0.2
        assert whole.rule_health(balancer, "http", within=8.0)["up"] == 1
        machine.health_seconds = 600.0
        with pytest.raises(OutcomeUnknown, match="has not answered yet"):
            whole.rule_health(balancer, "http", within=2.0)
    assert azure.count(mutating=True) == 1


class Together(ApplicationGateways, PublicAddresses, RouteTables):
    """All of the package: one machine is mounted for it."""


NEEDS = {
    "load_balancers.get": "Microsoft.Network/loadBalancers/read",
    "load_balancer_load_balancing_rules.health": "Microsoft.Network/loadBalancers/loadBalancingRules/health/action",
    test_load_balancer.PUT: "Microsoft.Network/loadBalancers/backendAddressPools/write",
    "application_gateways.get": "Microsoft.Network/applicationGateways/read",
    "application_gateways.backend_health": "Microsoft.Network/applicationGateways/backendhealth/action",
    "application_gateways.backend_health_on_demand": (
        "Microsoft.Network/applicationGateways/getBackendHealthOnDemand/action"
    ),
    test_application_gateway.PUT: "Microsoft.Network/applicationGateways/write",
    "public_ip_addresses.get": "Microsoft.Network/publicIPAddresses/read",
    "network_interfaces.get": "Microsoft.Network/networkInterfaces/read",
    address_world.PUT: "Microsoft.Network/networkInterfaces/write",
    address_world.SWAP: "Microsoft.Network/locations/setLoadBalancerFrontendPublicIpAddresses/action",
    address_world.MARK: "Microsoft.Network/publicIPAddresses/write",
    "operation": "Microsoft.Network/locations/operations/read",
}


def asked_for(front: Front, said: Permissions, role: str) -> None:
    """Each request that was made is one that the role was given."""
    given = {action for grant in getattr(said, role) for action in grant.actions}
    made = {one.operation for one in front.seen(mutating=role == "execute")}
    assert made
    assert {NEEDS[one] for one in made} <= given
    assert all(on.startswith("/subscriptions/") for grant in getattr(said, role) for on in grant.on)


def test_each_request_is_one_that_a_permission_is_asked_for(azure: Front, serving: Callable[[str, Any], Any]) -> None:
    machine: Together = serving(NETWORK, Together(seconds=0.05))
    with contextlib.ExitStack() as stack:
        ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
        balancer = test_load_balancer.Site(azure, machine, ports)
        gateway = test_application_gateway.Site(azure, machine, ports)
        machine.seconds = 2.5  # so that each order is looked at
        for site, kind in ((balancer, BALANCER), (gateway, GATEWAY)):
            stack.callback(site.packets.close)
            azure.forget()
            site.shift({WEST: 0, NORTH: 100})
            assert kind.permissions is not None
            for role in ("watch", "execute"):
                asked_for(azure, kind.permissions(*site.topology(), [WEST, NORTH]), role)


@pytest.mark.parametrize("sort", [address_world.NICS, address_world.FRONTENDS])
def test_so_is_each_of_a_move_of_an_address(azure: Front, serving: Callable[[str, Any], Any], sort: str) -> None:
    machine: Together = serving(NETWORK, Together(seconds=1.5))
    site = address_world.AddressSite(azure, machine, {}, sort)
    with contextlib.closing(site):
        azure.forget()
        port = site.port()
        port.move_address({site.address: (NORTH,)}, expect=known(port.read()), call=call())
        assert address_world.KIND.permissions is not None
        said = address_world.KIND.permissions(site.resource, site.topology, [WEST, NORTH])
        for role in ("watch", "execute"):
            asked_for(azure, said, role)
        other = "networkInterfaces" if sort == address_world.FRONTENDS else "loadBalancers/read"
        assert not [one for one in _actions(said) if other in one], "nothing of the other sort is asked for"


def _actions(said: Permissions) -> Iterable[str]:
    return (action for grant in (*said.watch, *said.execute) for action in grant.actions)
