"""What AWS says of a region by itself: CloudWatch's alarms, and the events of AWS Health.

It is one voice beside the vantages (cloudfail/detect.py), and it is asked as the role that watches. Importing this
package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_aws.signals import permissions
from cloudfail_aws.signals.options import AlarmMember, AlarmOptions, HealthOptions


def _alarm(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.signals import cloudwatch_alarm

    return cloudwatch_alarm.build(resource, topology)


def _health(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.signals import health_events

    return health_events.build(resource, topology)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.SIGNALS,
        name="cloudwatch-alarm",
        build=_alarm,
        permissions=permissions.alarm,
        options=AlarmOptions,
        member=AlarmMember,
    ),
    Kind(
        port=PortName.SIGNALS,
        name="health-events",
        build=_health,
        permissions=permissions.health,
        options=HealthOptions,
    ),
)
