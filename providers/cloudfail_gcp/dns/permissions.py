"""What the kinds of this port call, as Google's IAM words it.

Cloud DNS, "Roles and permissions": which permission each method asks for. changes.create asks for dns.changes.create
and, on record sets, for what its parts are: create for an addition, delete for a deletion, update where one stands for
the other. Each can be given on one managed zone.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.dns.options import project_of

SHIFT = ("shift",)
WATCH = ("dns.managedZones.get", "dns.resourceRecordSets.list")
EXECUTE = (
    "dns.changes.create",
    "dns.resourceRecordSets.create",
    "dns.resourceRecordSets.delete",
    "dns.resourceRecordSets.update",
)


def cloud_dns(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    """A name is read and written whole, whichever regions are meant. A refusal is looked into as the watch role."""
    zone = (f"projects/{project_of(resource, topology)}/managedZones/{resource.options['zone']}",)
    return Permissions((Grant("global", WATCH, zone),), (Grant("global", EXECUTE, zone, SHIFT),))
