"""What the kinds of this port call, as Azure RBAC names it. Sources: "Azure permissions for Compute", "... for
Monitor", "... for Web and Mobile", "... for Containers"
(learn.microsoft.com/azure/role-based-access-control/permissions/)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.compute.options import AgentPoolMember, AppServiceMember, ContainerAppMember, ScaleSetMember
from cloudfail_azure.grants import ORDERED, stated
from cloudfail_azure.paths import parent_of, subscription_of

SCALE, HOLD = ("scale",), ("hold",)
_SETS, _SETTINGS = "Microsoft.Compute/virtualMachineScaleSets", "Microsoft.Insights/autoscaleSettings"
_PLANS, _SITES, _APPS = "Microsoft.Web/serverfarms", "Microsoft.Web/sites", "Microsoft.App/containerApps"
_CLUSTERS = "Microsoft.ContainerService/managedClusters"
_POOLS = f"{_CLUSTERS}/agentPools"
_OPERATIONS = "Microsoft.Compute/locations/operations/read"
_MACHINES = (f"{_SETS}/virtualMachines/read", f"{_SETS}/virtualMachines/instanceView/read")


def _quotas(region: str, id_: str) -> Grant:
    actions = (
        "Microsoft.Compute/skus/read",
        "Microsoft.Compute/locations/usages/read",
        "Microsoft.Compute/capacityReservationGroups/capacityReservations/read",
    )
    return Grant(region, actions, (subscription_of(id_),), why="How many may run there, before it is relied on.")


def _settings(region: str, id_: str) -> Grant:
    group = id_.partition("/providers/")[0]
    return Grant(
        region, (f"{_SETTINGS}/read",), (group,), why="Settings are listed, so that one nobody named is found."
    )


def scale_set(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A set that is sized by a setting is never written itself."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = ScaleSetMember.model_validate(resource.members[region])
            one = (member.scale_set,)
            yield False, Grant(region, (f"{_SETS}/read", *_MACHINES), one)
            yield False, _settings(region, member.scale_set)
            yield False, _quotas(region, member.scale_set)
            if member.autoscale is None:
                yield True, Grant(region, (f"{_SETS}/write",), one, SCALE)
                yield False, Grant(region, (_OPERATIONS,), (subscription_of(member.scale_set),), SCALE, why=ORDERED)
            else:
                yield True, Grant(region, (f"{_SETTINGS}/write",), (member.autoscale,), SCALE + HOLD)

    return stated(told())


def app_service(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A plan that is sized by a setting is never written itself."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = AppServiceMember.model_validate(resource.members[region])
            yield False, Grant(region, (f"{_PLANS}/read",), (member.plan,))
            yield False, Grant(region, (f"{_SITES}/read", f"{_SITES}/instances/read"), (member.site,))
            yield False, _settings(region, member.plan)
            if member.autoscale is None:
                yield True, Grant(region, (f"{_PLANS}/write",), (member.plan,), SCALE)
                yield False, Grant(region, (f"{_PLANS}/operationresults/read",), (member.plan,), SCALE)
            else:
                yield True, Grant(region, (f"{_SETTINGS}/write",), (member.autoscale,), SCALE + HOLD)

    return stated(told())


def container_app(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A count is part of an app's template, so that who may order one may change the app."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            app = ContainerAppMember.model_validate(resource.members[region]).app
            reads = (f"{_APPS}/read", f"{_APPS}/revisions/read", f"{_APPS}/revisions/replicas/read")
            yield False, Grant(region, reads, (app,))
            usages, why = ("Microsoft.App/managedEnvironments/usages/read",), "How many cores its environment may run."
            yield False, Grant(region, usages, (subscription_of(app),), why=why)
            operations = (
                "Microsoft.App/locations/containerappoperationstatuses/read",
                "Microsoft.App/locations/containerappoperationresults/read",
            )
            yield False, Grant(region, operations, (subscription_of(app),), SCALE + HOLD, why=ORDERED)
            yield True, Grant(region, (f"{_APPS}/write",), (app,), SCALE + HOLD)

    return stated(told())


def aks_pool(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """Nodes stand in a scale set in the cluster's own resource group, whose name AKS chose: it is only read."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            pool = AgentPoolMember.model_validate(resource.members[region]).pool
            yield False, Grant(region, (f"{_CLUSTERS}/read",), (parent_of(pool),))
            yield False, Grant(region, (f"{_POOLS}/read", f"{_POOLS}/machines/read"), (pool,))
            why = "The scale set of the nodes stands in the cluster's own resource group."
            yield False, Grant(region, _MACHINES, (subscription_of(pool),), why=why)
            operations = (
                "Microsoft.ContainerService/locations/operations/read",
                "Microsoft.ContainerService/locations/operationresults/read",
            )
            yield False, Grant(region, operations, (subscription_of(pool),), SCALE + HOLD, why=ORDERED)
            yield False, _quotas(region, pool)
            yield True, Grant(region, (f"{_POOLS}/write",), (pool,), SCALE + HOLD)

    return stated(told())
