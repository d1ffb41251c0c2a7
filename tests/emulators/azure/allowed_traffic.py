"""The worlds of what balances within a region, of public addresses, isolated networks and signals, as allowed.py has
them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.model.states import CustomWord, NetworkState
from cloudfail.model.topology import PortName
from cloudfail.testing.conformance import known
from tests.emulators.azure import (
    address_world,
    balancing,
    isolated_world,
    test_application_gateway,
    test_load_balancer,
    test_monitor_alert,
    test_service_health,
)
from tests.emulators.azure.balancing import NORTH, WEST
from tests.emulators.azure.front import SUBSCRIPTION, Front
from tests.emulators.azure.standins.application_gateways import ApplicationGateways
from tests.emulators.azure.standins.load_balancers import NETWORK, LoadBalancers
from tests.emulators.azure.standins.monitoring import Alerts, HealthEvents, Monitor
from tests.emulators.azure.standins.public_addresses import PublicAddresses
from tests.emulators.azure.used import SOON_SECONDS, TO_NORTH, Key, Make, Serve, Used
from tests.emulators.listening import listening

IDENTITIES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.ManagedIdentity"
ASKED_SECONDS = 0.05
"""How long what a probe sees takes to be told, so that its operation is asked for."""


def _shifted(machine: LoadBalancers) -> Any:
    """Looked at once while a probe's word takes an operation, and led away."""

    def uses(port: Any) -> None:
        known(port.preflight())
        machine.health_seconds = ASKED_SECONDS
        state = known(port.read())
        machine.health_seconds = 0.0
        port.shift(TO_NORTH, expect=state, call=balancing.call())
        machine.end()
        assert known(port.read()).weights == TO_NORTH

    return uses


def _pool(tier: str) -> Make:
    """Regional, an address names its network, and another one its subnet; global, each the frontend of a balancer."""

    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
        machine: LoadBalancers = serve("azure.mgmt.network", LoadBalancers(seconds=0.05))
        ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
        site = test_load_balancer.Site(front, machine, ports, tier)
        stack.callback(site.packets.close)
        if tier == "Regional":
            properties = machine.addresses(site.pool)[NORTH]["properties"]
            properties["subnet"] = {"id": f"{properties.pop('virtualNetwork')['id']}/subnets/web"}
        resource, whole = site.topology()
        return Used(resource, whole, _shifted(machine))

    return make


def _gateway(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
    """It stands on a subnet and a public address, reads its certificates as an identity, and has a firewall policy. The
    rule's settings have a probe, by which a pool is asked about that no rule leads to."""
    machine: ApplicationGateways = serve("azure.mgmt.network", ApplicationGateways(seconds=0.05))
    ports = {region: stack.enter_context(listening()) for region in (WEST, NORTH)}
    site = test_application_gateway.Site(front, machine, ports)
    stack.callback(site.packets.close)
    above, properties = site.gateway, site.stands["properties"]
    site.stands["identity"] = {
        "type": "UserAssigned",
        "userAssignedIdentities": {f"{IDENTITIES}/userAssignedIdentities/shop": {}},
    }
    properties["firewallPolicy"] = {"id": f"{NETWORK}/ApplicationGatewayWebApplicationFirewallPolicies/shop"}
    on = {"subnet": {"id": f"{NETWORK}/virtualNetworks/main/subnets/gateway"}}
    properties["gatewayIPConfigurations"] = [{"name": "on", "properties": on}]
    at = {"publicIPAddress": {"id": f"{NETWORK}/publicIPAddresses/shop"}}
    properties["frontendIPConfigurations"] = [{"name": "at", "properties": at}]
    probe = {"protocol": "Http", "host": "shop.example", "path": "/healthz", "timeout": 30}
    properties["probes"] = [{"id": f"{above}/probes/live", "name": "live", "properties": probe}]
    plain = {"port": 80, "protocol": "Http", "probe": {"id": f"{above}/probes/live"}}
    settings = f"{above}/backendHttpSettingsCollection/plain"
    properties["backendHttpSettingsCollection"] = [{"id": settings, "name": "plain", "properties": plain}]
    resource, whole = site.topology()
    return Used(resource, whole, _shifted(machine))


def _address(sort: str) -> Make:
    """Between interfaces, which stand in a subnet and in what else an interface may be in; or between frontends."""

    def make(front: Front, serve: Serve, stack: contextlib.ExitStack) -> Used:
        machine: PublicAddresses = serve("azure.mgmt.network", PublicAddresses(seconds=0.05))
        site = address_world.AddressSite(front, machine, {}, sort)
        stack.callback(site.close)
        if sort == address_world.NICS:
            for holder in site.holders.values():
                _joined(machine.at(holder.rsplit("/", 2)[0])["properties"])

        def uses(port: Any) -> None:
            points, end = {site.address: (NORTH,)}, time.monotonic() + SOON_SECONDS
            while _of(port).points != points:
                assert time.monotonic() < end, "it never came to that"
                port.move_address(points, expect=_of(port), call=balancing.call())
                machine.end()

        return Used(site.resource, site.topology, uses)

    return make


def _of(port: Any) -> NetworkState:
    state: NetworkState = known(port.read())
    return state


def _joined(interface: dict[str, Any]) -> None:
    interface["networkSecurityGroup"] = {"id": f"{NETWORK}/networkSecurityGroups/web"}
    interface["ipConfigurations"][0]["properties"] |= {
        "applicationSecurityGroups": [{"id": f"{NETWORK}/applicationSecurityGroups/web"}],
        "loadBalancerBackendAddressPools": [{"id": f"{NETWORK}/loadBalancers/inner/backendAddressPools/all"}],
        "loadBalancerInboundNatRules": [{"id": f"{NETWORK}/loadBalancers/inner/inboundNatRules/ssh"}],
        "applicationGatewayBackendAddressPools": [
            {"id": f"{NETWORK}/applicationGateways/outer/backendAddressPools/all"}
        ],
    }


def _alert(front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
    alerts: Alerts = serve("azure.mgmt.alertsmanagement", Alerts())
    test_monitor_alert.Site(front, serve("azure.mgmt.monitor", Monitor(alerts)))
    resource, whole = balancing.topology(test_monitor_alert.KIND, test_monitor_alert.RULE)
    return Used(resource, whole, _heard)


def _health(front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
    """What it needs is on a subscription alone: it is asked about where something else stands that the file names."""
    test_service_health.Site(front, serve("azure.mgmt.resourcehealth", HealthEvents()))
    services = test_service_health.SERVICES
    resource, whole = balancing.topology(test_service_health.KIND, {}, services=services)
    other, _ = balancing.topology(test_monitor_alert.KIND, test_monitor_alert.RULE)
    return Used(resource, replace(whole, resources={"errors": replace(other, name="errors")}), _heard)


def _heard(port: Any) -> None:
    for region in (WEST, NORTH):
        assert not known(port.read(region)).firing


def _rules(*, isolated: bool) -> Make:
    """All four, in either style."""

    def make(front: Front, serve: Serve, _stack: contextlib.ExitStack) -> Used:
        site = isolated_world.Site(front, serve, style="status" if isolated else "location", isolated=isolated)
        whole = site.topology()
        resource = whole.resources["isolate" if isolated else "rejoin"]

        def uses(port: Any) -> None:
            known(port.preflight())
            port.invoke(NORTH, expect=known(port.read(NORTH, "r1")), call=balancing.call())
            assert known(port.read(NORTH, "r1")).word is CustomWord.DONE
            assert site.shut_off is isolated

        return Used(resource, whole, uses)

    return make


KINDS: Mapping[Key, Make] = {
    (PortName.CUSTOM, "isolated-network", "shut off"): _rules(isolated=True),
    (PortName.CUSTOM, "isolated-network", "taken back"): _rules(isolated=False),
    (PortName.LOADBALANCER, "azure-load-balancer", "global"): _pool("Global"),
    (PortName.LOADBALANCER, "azure-load-balancer", "regional"): _pool("Regional"),
    (PortName.LOADBALANCER, "application-gateway", "one rule"): _gateway,
    (PortName.NETWORK, "public-ip", "between interfaces"): _address(address_world.NICS),
    (PortName.NETWORK, "public-ip", "between balancers"): _address(address_world.FRONTENDS),
    (PortName.SIGNALS, "monitor-alert", "a rule for each region"): _alert,
    (PortName.SIGNALS, "service-health", "of both regions"): _health,
}
