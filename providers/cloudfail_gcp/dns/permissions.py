"""What the kinds of this port call, as Google's IAM words it.

Cloud DNS, "Roles and permissions": which permission each method asks for. changes.create asks for dns.changes.create
and, on record sets, for what its parts are: create for an addition, delete for a deletion, update where one stands for
the other. Each can be given on one managed zone. Cloud DNS, "Configure DNS routing policies": whoever writes a policy
that follows an internal passthrough load balancer needs dns.networks.useHealthSignals, which is given on a project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    change = (Grant("global", EXECUTE, zone, SHIFT), *_signals(resource))
    return Permissions((Grant("global", WATCH, zone),), change)


def _signals(resource: Resource) -> Iterator[Grant]:
    """On the projects whose networks such load balancers stand in."""
    balancers = [one for member in resource.members.values() for one in member["load_balancers"]]
    networks = [str(one["network_url"]) for one in balancers if one["type"] == "regionalL4ilb"]
    projects = tuple(dict.fromkeys(f"projects/{url.split('/projects/')[1].split('/')[0]}" for url in networks))
    if projects:
        why = "A network's health signals can be used by grant on its whole project alone."
        yield Grant("global", ("dns.networks.useHealthSignals",), projects, SHIFT, why=why)
