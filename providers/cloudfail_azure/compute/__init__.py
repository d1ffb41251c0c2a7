"""What runs workers in Azure: virtual machine scale sets.

All of it is control plane, in the member's own region. A failover scales the survivor, so it asks nothing of the region
that is lost. Importing this package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.compute import permissions
from cloudfail_azure.compute.options import ScaleSetMember


def _scale_set(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.compute import scale_set

    return scale_set.build(resource, topology)


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
)
