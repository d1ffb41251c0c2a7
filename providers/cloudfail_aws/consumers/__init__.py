"""What consumes queues and events in AWS: Lambda's event source mappings, EventBridge's rules and schedules.

All of it is control plane, in the member's own region. Off in the region that is left, on in the one that takes over,
and never on before its database takes writes (lint sees to the order). Importing this package imports no vendor
library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.consumers import permissions
from cloudfail_aws.consumers.options import EventSourceMember, RuleMember, ScheduleMember


def _event_source(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.consumers import event_source

    return event_source.build(resource, topology)


def _rule(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.consumers import rule

    return rule.build(resource, topology)


def _schedule(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.consumers import schedule

    return schedule.build(resource, topology)


def _schedule_shared(resource: Resource, _topology: Topology, region: str) -> tuple[str, ...]:
    """The schedule of that region, which is replaced as a whole."""
    regions = [region] if region in resource.members else sorted(resource.members)
    members = {one: ScheduleMember.model_validate(resource.members[one]) for one in regions}
    return tuple(f"aws/scheduler/{one}/{member.group}/{member.schedule}" for one, member in members.items())


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.CONSUMERS,
        name="event-source",
        build=_event_source,
        permissions=permissions.event_source,
        member=EventSourceMember,
        settle_seconds=3.0,
        # Lambda is asked once; its pollers take up to a minute to begin or to end.
        verbs={"enable": VerbFacts("control", "member", False, True, 30.0, 120.0, "watching")},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="eventbridge-rule",
        build=_rule,
        permissions=permissions.rule,
        member=RuleMember,
        settle_seconds=3.0,
        verbs={"enable": VerbFacts("control", "member", False, True, 5.0, 60.0, "watching")},
    ),
    Kind(
        port=PortName.CONSUMERS,
        name="schedule",
        build=_schedule,
        permissions=permissions.schedule,
        member=ScheduleMember,
        settle_seconds=3.0,
        # The epoch stands in the description, and a request that is on its way would replace both.
        verbs={"enable": VerbFacts("control", "member", False, True, 5.0, 60.0, "watching")},
        shared={"enable": _schedule_shared},
    ),
)
