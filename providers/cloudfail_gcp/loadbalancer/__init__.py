"""Balancers: the capacity of a backend service's groups, the route of a URL map, the target of a forwarding rule.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.loadbalancer import permissions
from cloudfail_gcp.loadbalancer.options import (
    BackendMember,
    BackendServiceOptions,
    ForwardingRuleOptions,
    ServiceMember,
    TargetMember,
    UrlMapOptions,
)
from cloudfail_gcp.paths import region_of


def _backend_service(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.loadbalancer import backend_service

    return backend_service.build(resource, topology)


def _url_map(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.loadbalancer import url_map

    return url_map.build(resource, topology)


def _forwarding_rule(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.loadbalancer import forwarding_rule

    return forwarding_rule.build(resource, topology)


_SHIFT = VerbFacts("control", None, False, True, 30.0, 300.0, "condition")


def _verbs(resource: Resource) -> dict[str, VerbFacts]:
    """A global service's control plane stands in no region; a regional one's in its own: while that is lost, nothing is
    shifted."""
    region = region_of(str(resource.options["service"]))
    return {"shift": replace(_SHIFT, home=None if region == "global" else region)}


def _url_map_verbs(resource: Resource) -> dict[str, VerbFacts]:
    """A split gives whatever share its weights say; a route to one service leads to one region at a time."""
    return {"shift": replace(_SHIFT, divides="percent" if resource.options["routing"] == "weighted" else "not")}


def _shared(option: str) -> Callable[[Resource, Topology, str], tuple[str, ...]]:
    """The map's, or the rule's, own name for its log: the same for whoever writes to it (ADR 0013)."""
    return lambda resource, _topology, _region: (f"gcp/compute/{resource.options[option]}",)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.LOADBALANCER,
        name="backend-service",
        build=_backend_service,
        permissions=permissions.backend_service,
        options=BackendServiceOptions,
        member=BackendMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"shift": _SHIFT},
        verbs_of=_verbs,
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="url-map",
        build=_url_map,
        permissions=permissions.url_map,
        options=UrlMapOptions,
        member=ServiceMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"shift": _SHIFT},
        verbs_of=_url_map_verbs,
        shared={"shift": _shared("url_map")},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="forwarding-rule",
        build=_forwarding_rule,
        permissions=permissions.forwarding_rule,
        options=ForwardingRuleOptions,
        member=TargetMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,  # two operations: the mark, which is waited for, and the target
        verbs={"shift": replace(_SHIFT, typical_seconds=60.0, fencing="watching")},
        shared={"shift": _shared("forwarding_rule")},
    ),
)
