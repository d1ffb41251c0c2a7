"""Balancers: the endpoints of a Traffic Manager profile, the origins of an origin group of Front Door.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.loadbalancer import permissions
from cloudfail_azure.loadbalancer.options import (
    EndpointMember,
    FrontDoorOptions,
    OriginMember,
    TrafficManagerOptions,
)


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
)
