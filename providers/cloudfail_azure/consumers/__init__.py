"""What consumes messages in Azure: queues of Service Bus.

All of it is control plane, in the member's own region. Off in the region that is left, on in the one that takes over,
and never on before its database takes writes (lint sees to the order). Importing this package imports no vendor
library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.consumers import permissions
from cloudfail_azure.consumers.options import QueueMember


def _service_bus_queue(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.consumers import service_bus

    return service_bus.queue(resource, topology)


def _queues(resource: Resource, _topology: Topology, region: str) -> tuple[str, ...]:
    """A queue is replaced as a whole."""
    regions = [region] if region in resource.members else sorted(resource.members)
    return tuple(dict.fromkeys(f"azure/{str(resource.members[one]['queue']).lower()}" for one in regions))


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.CONSUMERS,
        name="service-bus-queue",
        build=_service_bus_queue,
        permissions=permissions.queue,
        member=QueueMember,
        settle_seconds=3.0,
        verbs={"enable": VerbFacts("control", "member", False, True, 10.0, 120.0, "watching")},
        shared={"enable": _queues},
    ),
)
