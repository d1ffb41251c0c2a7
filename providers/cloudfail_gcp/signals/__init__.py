"""What Google Cloud says of a region by itself: alerts of Cloud Monitoring.

It is one voice beside the vantages (cloudfail/detect.py), and it is asked as the role that watches. Importing this
package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind
from cloudfail_gcp.signals import permissions
from cloudfail_gcp.signals.options import AlertOptions, PolicyMember


def _alert(resource: Resource, topology: Topology) -> Any:
    from cloudfail_gcp.signals import monitoring_alert

    return monitoring_alert.build(resource, topology)


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.SIGNALS,
        name="monitoring-alert",
        build=_alert,
        permissions=permissions.alert,
        options=AlertOptions,
        member=PolicyMember,
    ),
)
