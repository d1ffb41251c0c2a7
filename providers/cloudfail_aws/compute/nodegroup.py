"""compute: eks-nodegroup. A managed node group's scaling configuration; its nodes are instances of an Auto Scaling
group.

A load balancer counts pods, not nodes, unless its targets are instances: then name its target groups. Else a node
counts as healthy once it is in service and healthy in the group, which is less than "serves": a runbook's
`verify.users` must stand behind it.

Scale-in is the Cluster Autoscaler's, inside the cluster, where AWS has no switch. It ends no node below the floor, so
to hold is to lift the floor to what is wanted. The group's own processes are not to be suspended: a managed node group
replaces and upgrades its nodes by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.room import Room
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.autoscaling import in_service
from cloudfail_aws.compute.groups import Group, ScaledGroup, Size, member_of
from cloudfail_aws.compute.instances import room_of, templated
from cloudfail_aws.compute.options import NodegroupMember
from cloudfail_aws.compute.targets import counted

_STANDS = ("ACTIVE", "UPDATING", "DEGRADED")
FLOOR = "floor="


class Nodegroup(ScaledGroup):
    """One node group in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, NodegroupMember]) -> None:
        super().__init__(asking)
        self._members = members

    def describe(self, region: str, *, within: float) -> Group:
        member: NodegroupMember = member_of(self._members, region)
        until = self._asking.deadline(within)
        answer = self._asking.read(
            "eks",
            region,
            "describe_nodegroup",
            within=within,
            clusterName=member.cluster,
            nodegroupName=member.nodegroup,
        )
        raw: Mapping[str, Any] = answer["nodegroup"]
        if raw.get("status") not in _STANDS:
            raise Transient(f"the node group {member.nodegroup} is {raw.get('status')}.")
        nodes = self._nodes(region, raw, within=max(0.1, self._asking.left_until(until)))
        told = raw["scalingConfig"]
        size = Size(int(told["desiredSize"]), int(told["minSize"]), int(told["maxSize"]))
        return Group(
            name=f"{member.cluster}/{member.nodegroup}",
            size=size,
            running=len(nodes),
            held=size.wanted > 0 and size.floor >= size.wanted,
            marks=marks.read(raw.get("tags") or {}),
            raw=raw,
            more=nodes,
        )

    def _nodes(self, region: str, raw: Mapping[str, Any], *, within: float) -> dict[str, bool]:
        """Instance id -> whether it is healthy, of those in service."""
        names = [str(one["name"]) for one in (raw.get("resources") or {}).get("autoScalingGroups") or []]
        if not names:
            raise Transient(f"the node group {raw.get('nodegroupName')} names no Auto Scaling group.")
        answer = self._asking.read(
            "autoscaling", region, "describe_auto_scaling_groups", within=within, AutoScalingGroupNames=names
        )
        found = answer.get("AutoScalingGroups") or []
        if {one.get("AutoScalingGroupName") for one in found} != set(names):
            raise Transient(f"not all of {', '.join(names)} are listed.")
        return {
            str(one["InstanceId"]): one.get("HealthStatus") == "Healthy"
            for group in found
            for one in group.get("Instances") or []
            if str(one["InstanceId"]) in in_service(group)
        }

    def healthy(self, region: str, group: Group, *, within: float) -> int:
        arns = self._members[region].target_groups
        if arns:
            return counted(self._asking, region, arns, dict.fromkeys(group.more, 1), within=within)
        return sum(1 for healthy in group.more.values() if healthy)

    def account(self, region: str, group: Group, *, within: float) -> Room:
        until = self._asking.deadline(within)
        raw = group.raw
        if raw.get("capacityType", "ON_DEMAND") != "ON_DEMAND":
            raise Transient(f"{group.name} runs {raw['capacityType']} instances, whose quota is not compared.")
        sorts = [str(one) for one in raw.get("instanceTypes") or []]
        if not sorts and raw.get("launchTemplate"):
            template = raw["launchTemplate"]
            sorts = [templated(self._asking, region, template["id"], template.get("version"), within=within)]
        if len(sorts) != 1:
            raise Transient(f"{group.name} begins instances of {len(sorts) or 'unknown'} types.")
        left = max(0.1, self._asking.left_until(until))
        return room_of(self._asking, region, sorts[0], group.running, None, within=left)

    def tag(self, region: str, group: Group, tags: Mapping[str, str], *, call: Call) -> None:
        self._asking.change(
            "eks", region, "tag_resource", call=call, resourceArn=group.raw["nodegroupArn"], tags=dict(tags)
        )

    def resize(self, region: str, group: Group, size: Size, *, call: TimeLeft) -> None:
        self._update(region, group, call, minSize=size.floor, maxSize=size.ceiling, desiredSize=size.wanted)

    def suspend(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        note = marks.held_tag({f"{FLOOR}{group.size.floor}"})
        self.tag(region, group, {**tags, **note}, call=call.rest())
        self._update(region, group, call, minSize=group.size.wanted)

    def resume(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        noted = [one.removeprefix(FLOOR) for one in group.marks.held if one.startswith(FLOOR)]
        floor = int(noted[0]) if len(noted) == 1 and noted[0].isdigit() else None
        if floor is None and group.marks.before is not None:
            floor = group.marks.before.floor  # a scale lifted it
        if floor is None or floor >= group.size.wanted:
            raise Permanent(
                f"The floor of {group.name} in {region} is {group.size.floor}, and cloudfail did not lift it there.",
                "It stays so.",
                f"If it may be lower: aws eks update-nodegroup-config --region {region} --cluster-name "
                f"{group.raw['clusterName']} --nodegroup-name {group.raw['nodegroupName']} --scaling-config minSize=N",
            )
        self.tag(region, group, tags, call=call.rest())
        self._update(region, group, call, minSize=floor)

    def _update(self, region: str, group: Group, call: TimeLeft, **change: int | None) -> None:
        """What is left out of the configuration stays as it is; EKS takes one update at a time."""
        if group.raw.get("status") == "UPDATING":
            raise Transient(f"{group.name} in {region} is being updated.")
        member = self._members[region]
        self._asking.change(
            "eks",
            region,
            "update_nodegroup_config",
            call=call.rest(),
            clusterName=member.cluster,
            nodegroupName=member.nodegroup,
            scalingConfig={key: value for key, value in change.items() if value is not None},
        )


def build(resource: Resource, topology: Topology) -> Nodegroup:
    """Kind.build."""
    members = {region: NodegroupMember.model_validate(member) for region, member in resource.members.items()}
    return Nodegroup(Asking.of(resource, topology), members)
