"""What runs workers in Google Cloud: managed instance groups, node pools of GKE, services of Cloud Run.

All of it is control plane, in the member's own region. A failover scales the survivor, so it asks nothing of the region
that is lost. Importing this package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.compute import permissions
from cloudfail_gcp.compute.options import CloudRunMember, InstanceGroupMember, NodePoolMember


def _instance_group(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.compute import instance_group

    return instance_group.build(resource, topology)


def _node_pool(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.compute import node_pool

    return node_pool.build(resource, topology)


def _cloud_run(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.compute import cloud_run

    return cloud_run.build(resource, topology)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.COMPUTE,
        name="instance-group",
        build=_instance_group,
        permissions=permissions.instance_group,
        member=InstanceGroupMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={
            "scale": VerbFacts("control", "member", False, True, 120.0, 900.0, "watching"),
            "hold": VerbFacts("control", "member", False, True, 5.0, 60.0, "watching"),
        },
    ),
    Kind(
        port=PortName.COMPUTE,
        name="gke-node-pool",
        build=_node_pool,
        permissions=permissions.node_pool,
        member=NodePoolMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "scale": VerbFacts("control", "member", False, True, 180.0, 900.0, "watching"),
            "hold": VerbFacts("control", "member", False, True, 20.0, 300.0, "watching"),
        },
    ),
    Kind(
        port=PortName.COMPUTE,
        name="cloud-run",
        build=_cloud_run,
        permissions=permissions.cloud_run,
        member=CloudRunMember,
        settle_seconds=3.0,
        call_timeout_seconds=20.0,
        verbs={"scale": VerbFacts("control", "member", False, True, 30.0, 300.0, "condition")},
    ),
)
