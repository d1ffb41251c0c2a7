"""What the kinds of this port call, as IAM names it. Source: Compute Engine v1's reference, "Required permissions" of
each method (cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers: get, listManagedInstances, resize;
…/autoscalers: get, patch; …/backendServices: getHealth), and "Managing autoscalers"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.compute.options import InstanceGroupMember
from cloudfail_gcp.grants import stated
from cloudfail_gcp.paths import region_of, scope_of

SCALE, HOLD = ("scale",), ("hold",)
_WHY = "cloudfail.yaml names the group, and Google the autoscaler on it."


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
            for service in member.backend_services:
                where = region_of(service)
                kind = "backendServices" if where == "global" else "regionBackendServices"
                yield False, Grant(where, (f"compute.{kind}.get",), (service,))
            yield True, Grant(region, ("compute.instanceGroupManagers.update",), group, SCALE)
            yield True, Grant(region, ("compute.instanceGroupManagers.use",), group, SCALE + HOLD)
            yield True, Grant(region, ("compute.autoscalers.update",), autoscalers, SCALE + HOLD, why=_WHY)

    return stated(told())
