"""Balancers: the endpoints of a Traffic Manager profile, the origins of an origin group of Front Door, the addresses of
a Load Balancer's pool, the pool of an Application Gateway's rule.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.loadbalancer import permissions
from cloudfail_azure.loadbalancer.options import (
    AddressesMember,
    ApplicationGatewayOptions,
    EndpointMember,
    FrontDoorOptions,
    GatewayPoolMember,
    LoadBalancerOptions,
    OriginMember,
    TrafficManagerOptions,
)
from cloudfail_azure.paths import parent_of


def _traffic_manager(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.loadbalancer import traffic_manager

    return traffic_manager.build(resource, topology)


def _traffic_manager_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """All endpoints of a profile: two who each enable one and disable the other would leave none."""
    return (f"azure/trafficmanager/{str(resource.options['profile']).lower()}",)


def _front_door(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.loadbalancer import front_door

    return front_door.build(resource, topology)


def _front_door_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """All origins of a group: two who each open one and close the other would leave none."""
    return (f"azure/cdn/{str(resource.options['origin_group']).lower()}",)


def _load_balancer(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.loadbalancer import load_balancer

    return load_balancer.build(resource, topology)


def _load_balancer_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """A balancer takes one operation at a time, and a pool is replaced as a whole."""
    return (f"azure/network/{parent_of(str(resource.options['pool'])).lower()}",)


def _application_gateway(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.loadbalancer import application_gateway

    return application_gateway.build(resource, topology)


def _application_gateway_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """All rules of a gateway, whoever's, are written in one body."""
    return (f"azure/network/{str(resource.options['gateway']).lower()}",)


# A profile is a global resource. What clients and resolvers keep is the profile's TTL.
_ENDPOINTS = VerbFacts("control", None, False, True, 5.0, 60.0, "watching")


def _traffic_manager_verbs(resource: Resource) -> dict[str, VerbFacts]:
    """An endpoint has a share in one of the methods alone."""
    return {"shift": replace(_ENDPOINTS, divides="percent" if resource.options["routing"] == "weighted" else "not")}


# A profile is a global resource. One change may take 45 minutes to every edge; a second one that is sent meanwhile is
# queued behind it, so that both take up to 90 (front_door.py has the source).
_ORIGINS = VerbFacts("control", None, False, True, 900.0, 5400.0, "watching")


def _front_door_verbs(resource: Resource) -> dict[str, VerbFacts]:
    return {"shift": replace(_ORIGINS, divides="percent" if resource.options["routing"] == "weighted" else "not")}


# Both stand in one region (a global balancer in its home region), and are ordered there.
_POOL = VerbFacts("control", "member", False, True, 30.0, 300.0, "watching", divides="not")
_RULE = VerbFacts("control", "member", False, True, 300.0, 1800.0, "watching", divides="not")


def _load_balancer_verbs(resource: Resource) -> dict[str, VerbFacts]:
    return {"shift": replace(_POOL, home=str(resource.options["region"]))}


def _application_gateway_verbs(resource: Resource) -> dict[str, VerbFacts]:
    return {"shift": replace(_RULE, home=str(resource.options["region"]))}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.LOADBALANCER,
        name="traffic-manager",
        build=_traffic_manager,
        permissions=permissions.traffic_manager,
        options=TrafficManagerOptions,
        member=EndpointMember,
        settle_seconds=2.0,
        call_timeout_seconds=25.0,
        verbs={"shift": _ENDPOINTS},
        verbs_of=_traffic_manager_verbs,
        shared={"shift": _traffic_manager_shared},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="front-door",
        build=_front_door,
        permissions=permissions.front_door,
        options=FrontDoorOptions,
        member=OriginMember,
        settle_seconds=5.0,
        call_timeout_seconds=60.0,  # two orders, the first of which is followed to its end
        verbs={"shift": _ORIGINS},
        verbs_of=_front_door_verbs,
        shared={"shift": _front_door_shared},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="azure-load-balancer",
        build=_load_balancer,
        permissions=permissions.load_balancer,
        options=LoadBalancerOptions,
        member=AddressesMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"shift": _POOL},
        verbs_of=_load_balancer_verbs,
        shared={"shift": _load_balancer_shared},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="application-gateway",
        build=_application_gateway,
        permissions=permissions.application_gateway,
        options=ApplicationGatewayOptions,
        member=GatewayPoolMember,
        settle_seconds=90.0,  # how long an order may go on unseen (application_gateway.py has the source)
        call_timeout_seconds=20.0,
        verbs={"shift": _RULE},
        verbs_of=_application_gateway_verbs,
        shared={"shift": _application_gateway_shared},
    ),
)
