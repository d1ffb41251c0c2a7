"""Balancers: the capacity of a backend service's groups.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.loadbalancer import permissions
from cloudfail_gcp.loadbalancer.options import BackendMember, BackendServiceOptions
from cloudfail_gcp.paths import region_of


def _backend_service(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.loadbalancer import backend_service

    return backend_service.build(resource, topology)


_SHIFT = VerbFacts("control", None, False, True, 30.0, 300.0, "condition")


def _verbs(resource: Resource) -> dict[str, VerbFacts]:
    """A global service's control plane stands in no region; a regional one's in its own: while that is lost, nothing is
    shifted."""
    region = region_of(str(resource.options["service"]))
    return {"shift": replace(_SHIFT, home=None if region == "global" else region)}


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
)
