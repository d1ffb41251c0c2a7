"""What runs workers in Google Cloud: managed instance groups.

All of it is control plane, in the member's own region. A failover scales the survivor, so it asks nothing of the region
that is lost. Importing this package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_gcp.compute import permissions
from cloudfail_gcp.compute.options import InstanceGroupMember


def _instance_group(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.compute import instance_group

    return instance_group.build(resource, topology)


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
)
