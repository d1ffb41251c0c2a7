"""What consumes messages and events in Azure: queues and topics' subscriptions of Service Bus, event subscriptions of
Event Grid, functions.

All of it is control plane, in the member's own region. Off in the region that is left, on in the one that takes over,
and never on before its database takes writes (lint sees to the order). Importing this package imports no vendor
library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.consumers import permissions
from cloudfail_azure.consumers.options import EventsMember, FunctionMember, QueueMember, TopicMember
from cloudfail_azure.paths import parent_of


def _service_bus_queue(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.consumers import service_bus

    return service_bus.queue(resource, topology)


def _service_bus_subscription(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.consumers import service_bus

    return service_bus.subscription(resource, topology)


def _event_grid_subscription(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.consumers import event_grid

    return event_grid.build(resource, topology)


def _function_app(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.consumers import function_app

    return function_app.build(resource, topology)


def _whole(key: str, of: Callable[[str], str] = str) -> Callable[[Resource, Topology, str], tuple[str, ...]]:
    """What is replaced as a whole: what the member names, or what it stands in."""

    def shared(resource: Resource, _topology: Topology, region: str) -> tuple[str, ...]:
        regions = [region] if region in resource.members else sorted(resource.members)
        return tuple(dict.fromkeys(f"azure/{of(str(resource.members[one][key])).lower()}" for one in regions))

    return shared


_STATUS = VerbFacts("control", "member", False, True, 10.0, 120.0, "watching")

KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.CONSUMERS,
        name="service-bus-queue",
        build=_service_bus_queue,
        permissions=permissions.queue,
        member=QueueMember,
        settle_seconds=3.0,
        verbs={"enable": _STATUS},
        shared={"enable": _whole("queue")},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="service-bus-subscription",
        build=_service_bus_subscription,
        permissions=permissions.subscription,
        member=TopicMember,
        settle_seconds=3.0,
        verbs={"enable": _STATUS},
        shared={"enable": _whole("subscription")},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="event-grid-subscription",
        build=_event_grid_subscription,
        permissions=permissions.events,
        member=EventsMember,
        settle_seconds=3.0,
        verbs={"enable": _STATUS},
        shared={"enable": _whole("events")},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="function-app",
        build=_function_app,
        permissions=permissions.function,
        member=FunctionMember,
        # The app restarts, and its host tells of its functions anew.
        settle_seconds=10.0,
        verbs={"enable": VerbFacts("control", "member", False, True, 45.0, 300.0, "watching")},
        shared={"enable": _whole("function", parent_of)},
    ),
)
