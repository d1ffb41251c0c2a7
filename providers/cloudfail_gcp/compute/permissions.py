"""What the kinds of this port call, as IAM names it. Sources: Compute Engine v1's reference, "Required permissions" of
each method (cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers: get, listManagedInstances, resize;
…/autoscalers: get, patch; …/backendServices: getHealth; …/regions, machineTypes, reservations, instanceTemplates), and
"Managing autoscalers"; for GKE and Cloud Run, "IAM roles" of each (cloud.google.com/kubernetes-engine/docs/how-to/iam,
cloud.google.com/run/docs/reference/iam/permissions): setSize and setAutoscaling need container.clusters.update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.compute.options import CloudRunMember, InstanceGroupMember, NodePoolMember
from cloudfail_gcp.grants import stated
from cloudfail_gcp.paths import region_of, scope_of

SCALE, HOLD = ("scale",), ("hold",)
_WHY = "cloudfail.yaml names the group, and Google the autoscaler on it."
_ROOM = "What the project may run is told for its regions, zones and templates, whatever they are called."
_POOL = "GKE names the groups of a node pool."
_LISTED = "Operations are listed for all clusters of a place."


def _room(region: str, project: str, *more: str) -> Grant:
    actions = ("compute.regions.get", "compute.machineTypes.get", "compute.reservations.list", *more)
    return Grant(region, actions, (project,), why=_ROOM)


def _counting(services: Iterable[str]) -> Iterator[tuple[bool, Grant]]:
    for service in services:
        where = region_of(service)
        kind = "backendServices" if where == "global" else "regionBackendServices"
        yield False, Grant(where, (f"compute.{kind}.get",), (service,))


def _project(path: str) -> str:
    return "/".join(path.split("/")[:2])


def instance_group(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """`listManagedInstances` needs instanceGroupManagers.get, and `getHealth` backendServices.get, and no more."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = InstanceGroupMember.model_validate(resource.members[region])
            group, autoscalers = (member.group,), (f"{scope_of(member.group)}/autoscalers/*",)
            yield False, Grant(region, ("compute.instanceGroupManagers.get",), group)
            yield False, Grant(region, ("compute.autoscalers.get",), autoscalers, why=_WHY)
            yield from _counting(member.backend_services)
            yield False, _room(region, _project(member.group), "compute.instanceTemplates.get")
            yield True, Grant(region, ("compute.instanceGroupManagers.update",), group, SCALE)
            yield True, Grant(region, ("compute.instanceGroupManagers.use",), group, SCALE + HOLD)
            yield True, Grant(region, ("compute.autoscalers.update",), autoscalers, SCALE + HOLD, why=_WHY)

    return stated(told())


def node_pool(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A node pool has no permissions of its own: they are its cluster's."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = NodePoolMember.model_validate(resource.members[region])
            cluster, project = member.pool.partition("/nodePools/")[0], _project(member.pool)
            yield False, Grant(region, ("container.clusters.get",), (cluster,))
            yield False, Grant(region, ("container.operations.list",), (project,), why=_LISTED)
            yield False, Grant(region, ("compute.instanceGroupManagers.get",), (project,), why=_POOL)
            yield from _counting(member.backend_services)
            yield False, _room(region, project)
            yield True, Grant(region, ("container.clusters.update",), (cluster,), SCALE + HOLD)

    return stated(told())


def cloud_run(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """To change a service is to act as the account that it runs as, also where only its scaling is changed."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = CloudRunMember.model_validate(resource.members[region])
            service, project = (member.service,), _project(member.service)
            yield False, Grant(region, ("run.services.get",), service)
            yield False, Grant(region, ("run.revisions.get",), (f"{member.service}/revisions/*",), why=_REVISIONS)
            yield False, Grant(region, ("serviceusage.quotas.get",), (project,), why=_QUOTA)
            yield True, Grant(region, ("run.services.update",), service, SCALE)
            yield True, Grant(region, ("iam.serviceAccounts.actAs",), (project,), SCALE, why=_ACTS)

    return stated(told())


_QUOTA = "Quotas are of the project."
_REVISIONS = "Cloud Run names the revisions that serve."
_ACTS = "The service names the account that it runs as; better granted on that account alone."
