"""What runs workers in Azure: virtual machine scale sets, App Service plans, container apps, node pools of AKS.

All of it is control plane, in the member's own region. A failover scales the survivor, so it asks nothing of the region
that is lost. Importing this package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.compute import permissions
from cloudfail_azure.compute.options import AgentPoolMember, AppServiceMember, ContainerAppMember, ScaleSetMember


def _scale_set(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.compute import scale_set

    return scale_set.build(resource, topology)


def _app_service(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.compute import app_service

    return app_service.build(resource, topology)


def _container_app(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.compute import container_app

    return container_app.build(resource, topology)


def _aks_pool(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.compute import aks_pool

    return aks_pool.build(resource, topology)


def _plans(resource: Resource, _topology: Topology, region: str) -> tuple[str, ...]:
    """A plan is replaced as a whole; so are the profiles of a setting."""
    regions = [region] if region in resource.members else sorted(resource.members)
    found = [resource.members[one] for one in regions]
    return tuple(dict.fromkeys(f"azure/{str(one.get('autoscale') or one['plan']).lower()}" for one in found))


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.COMPUTE,
        name="scale-set",
        build=_scale_set,
        permissions=permissions.scale_set,
        member=ScaleSetMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={
            "scale": VerbFacts("control", "member", False, True, 180.0, 900.0, "watching"),
            "hold": VerbFacts("control", "member", False, True, 5.0, 60.0, "watching"),
        },
    ),
    Kind(
        port=PortName.COMPUTE,
        name="app-service",
        build=_app_service,
        permissions=permissions.app_service,
        member=AppServiceMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={
            "scale": VerbFacts("control", "member", False, True, 120.0, 900.0, "watching"),
            "hold": VerbFacts("control", "member", False, True, 5.0, 60.0, "watching"),
        },
        shared={"scale": _plans, "hold": _plans},
    ),
    Kind(
        port=PortName.COMPUTE,
        name="container-app",
        build=_container_app,
        permissions=permissions.container_app,
        member=ContainerAppMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={
            "scale": VerbFacts("control", "member", False, True, 90.0, 900.0, "watching"),
            "hold": VerbFacts("control", "member", False, True, 90.0, 900.0, "watching"),
        },
    ),
    Kind(
        port=PortName.COMPUTE,
        name="aks-pool",
        build=_aks_pool,
        permissions=permissions.aks_pool,
        member=AgentPoolMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={
            "scale": VerbFacts("control", "member", False, True, 240.0, 1200.0, "condition"),
            "hold": VerbFacts("control", "member", False, True, 60.0, 600.0, "condition"),
        },
    ),
)
