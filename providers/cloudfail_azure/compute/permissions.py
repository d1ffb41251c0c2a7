"""What the kinds of this port call, as Azure RBAC names it. Sources: "Azure permissions for Compute" and
"Azure permissions for Monitor" (learn.microsoft.com/azure/role-based-access-control/
permissions/)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.access.scopes import subscription_of
from cloudfail_azure.compute.options import ScaleSetMember
from cloudfail_azure.grants import ORDERED, stated

SCALE, HOLD = ("scale",), ("hold",)
_SETS, _SETTINGS = "Microsoft.Compute/virtualMachineScaleSets", "Microsoft.Insights/autoscaleSettings"

_OPERATIONS = "Microsoft.Compute/locations/operations/read"


def scale_set(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """A set that is sized by a setting is never written itself."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = ScaleSetMember.model_validate(resource.members[region])
            one = (member.scale_set,)
            reads = (f"{_SETS}/read", f"{_SETS}/virtualMachines/read", f"{_SETS}/virtualMachines/instanceView/read")
            yield False, Grant(region, reads, one)
            group = member.scale_set.partition("/providers/")[0]
            yield (
                False,
                Grant(
                    region,
                    (f"{_SETTINGS}/read",),
                    (group,),
                    why="Settings are listed, so that one nobody named is found.",
                ),
            )
            if member.autoscale is None:
                yield True, Grant(region, (f"{_SETS}/write",), one, SCALE)
                yield False, Grant(region, (_OPERATIONS,), (subscription_of(member.scale_set),), SCALE, why=ORDERED)
            else:
                yield True, Grant(region, (f"{_SETTINGS}/write",), (member.autoscale,), SCALE + HOLD)

    return stated(told())
