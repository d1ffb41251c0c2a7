"""What Azure says of a region by itself: alert rules of Azure Monitor, and events of Service Health.

It is one voice beside the vantages (cloudfail/detect.py), and it is asked as the role that watches. Importing this
package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_azure.signals import permissions
from cloudfail_azure.signals.options import AlertOptions, HealthMember, HealthOptions, RuleMember


def _alert(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.signals import monitor_alert

    return monitor_alert.build(resource, topology)


def _health(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.signals import service_health

    return service_health.build(resource, topology)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.SIGNALS,
        name="monitor-alert",
        build=_alert,
        permissions=permissions.alert,
        options=AlertOptions,
        member=RuleMember,
    ),
    Kind(
        port=PortName.SIGNALS,
        name="service-health",
        build=_health,
        permissions=permissions.health,
        options=HealthOptions,
        member=HealthMember,
    ),
)
