"""Balancers: the endpoints of a Traffic Manager profile.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.loadbalancer import permissions
from cloudfail_azure.loadbalancer.options import EndpointMember, TrafficManagerOptions


def _traffic_manager(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.loadbalancer import traffic_manager

    return traffic_manager.build(resource, topology)


def _traffic_manager_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """All endpoints of a profile: two who each enable one and disable the other would leave none."""
    return (f"azure/trafficmanager/{str(resource.options['profile']).lower()}",)


# A profile is a global resource. What clients and resolvers keep is the profile's TTL.
_ENDPOINTS = VerbFacts("control", None, False, True, 5.0, 60.0, "watching")


def _traffic_manager_verbs(resource: Resource) -> dict[str, VerbFacts]:
    """An endpoint has a share in one of the methods alone."""
    return {"shift": replace(_ENDPOINTS, divides="percent" if resource.options["routing"] == "weighted" else "not")}


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
)
