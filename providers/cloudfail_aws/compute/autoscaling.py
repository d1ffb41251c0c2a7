"""compute: autoscaling. An Auto Scaling group; what is healthy is counted by the load balancer's target groups.

Size and bounds are one request (UpdateAutoScalingGroup), so there is no moment in which the count stands above its
ceiling. It knows no cooldown: SetDesiredCapacity with HonorCooldown could be refused after a scale-in that just was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail.model.room import Room
from cloudfail.model.topology import Resource, Topology
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.groups import Group, ScaledGroup, Size, member_of
from cloudfail_aws.compute.instances import launched, room_of
from cloudfail_aws.compute.options import AutoScalingMember
from cloudfail_aws.compute.targets import counted

HELD = ("AlarmNotification", "AZRebalance", "ScheduledActions", "Terminate")
"""The processes that end instances without being asked by name: alarms and schedules lower the count, rebalancing ends
instances of one zone when it begins others, and Terminate is what would carry that out."""
NEEDED = ("Launch", "AddToLoadBalancer")
"""Without these a group takes a new count and nothing comes of it."""


class AutoScaling(ScaledGroup):
    """One group in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, AutoScalingMember]) -> None:
        super().__init__(asking)
        self._members = members

    def describe(self, region: str, *, within: float) -> Group:
        member: AutoScalingMember = member_of(self._members, region)
        return described(self._asking, region, member.name, within=within)

    def healthy(self, region: str, group: Group, *, within: float) -> int:
        arns = self._members[region].target_groups or target_groups(group.raw)
        if not arns:
            raise Transient(
                f"{group.name} is in no target group, so no load balancer counts its healthy instances; name one: "
                f"members: {{{region}: {{name: {group.name}, target_groups: [ARN]}}}}."
            )
        return counted(self._asking, region, arns, in_service(group.raw), within=within)

    def account(self, region: str, group: Group, *, within: float) -> Room:
        until = self._asking.deadline(within)
        sort = launched(self._asking, region, group.raw, within=within)
        own = [one for one in group.raw.get("Instances") or [] if not _ends(str(one.get("LifecycleState")))]
        zones = group.raw.get("AvailabilityZones") or None
        return room_of(self._asking, region, sort, len(own), zones, within=max(0.1, self._asking.left_until(until)))

    def refuse(self, region: str, group: Group, count: int) -> None:
        off = sorted(suspended(group.raw) & set(NEEDED)) if count > group.size.wanted else []
        if off:
            raise Permanent(
                f"{group.name} in {region} would start nothing that serves: {' and '.join(off)} is suspended in it.",
                "Its size was not changed.",
                f"aws autoscaling resume-processes --region {region} --auto-scaling-group-name {group.name} "
                f"--scaling-processes {' '.join(off)}",
            )

    def tag(self, region: str, group: Group, tags: Mapping[str, str], *, call: Any) -> None:
        self._asking.change(
            "autoscaling",
            region,
            "create_or_update_tags",
            call=call,
            Tags=[
                {
                    "ResourceId": group.name,
                    "ResourceType": "auto-scaling-group",
                    "Key": key,
                    "Value": value,
                    "PropagateAtLaunch": False,
                }
                for key, value in tags.items()
            ],
        )

    def resize(self, region: str, group: Group, size: Size, *, call: TimeLeft) -> None:
        self._asking.change(
            "autoscaling",
            region,
            "update_auto_scaling_group",
            call=call.rest(),
            AutoScalingGroupName=group.name,
            MinSize=size.floor,
            MaxSize=size.ceiling,
            DesiredCapacity=size.wanted,
        )

    def suspend(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        running = set(HELD) - suspended(group.raw)
        ours = running | (group.marks.held - running) & suspended(group.raw)
        self.tag(region, group, {**tags, **marks.held_tag(ours)}, call=call.rest())
        self._processes(region, group, "suspend_processes", running, call)

    def resume(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        ours = group.marks.held & suspended(group.raw) & set(HELD)
        if not ours:
            raise Permanent(
                f"Scale-in of {group.name} in {region} was not held by cloudfail: somebody else suspended it.",
                "It stays suspended.",
                f"If nobody needs that any more: aws autoscaling resume-processes --region {region} "
                f"--auto-scaling-group-name {group.name} --scaling-processes {' '.join(HELD)}",
            )
        self.tag(region, group, tags, call=call.rest())
        self._processes(region, group, "resume_processes", ours, call)

    def _processes(
        self, region: str, group: Group, operation: str, names: set[str] | frozenset[str], call: TimeLeft
    ) -> None:
        self._asking.change(
            "autoscaling",
            region,
            operation,
            call=call.rest(),
            AutoScalingGroupName=group.name,
            ScalingProcesses=sorted(names),
        )


def described(asking: Asking, region: str, name: str, *, within: float) -> Group:
    """The group of that name. Raises Transient where it is not listed: an empty list is not "gone"."""
    answer = asking.read(
        "autoscaling", region, "describe_auto_scaling_groups", within=within, AutoScalingGroupNames=[name]
    )
    found = [one for one in answer.get("AutoScalingGroups") or [] if one.get("AutoScalingGroupName") == name]
    if len(found) != 1:
        raise Transient(f"no Auto Scaling group {name} is listed.")
    raw: Mapping[str, Any] = found[0]
    if raw.get("Status"):
        raise Transient(f"{name} is being deleted ({raw['Status']}).")
    if raw.get("DesiredCapacityType", "units") != "units":
        raise Transient(f"{name} counts in {raw['DesiredCapacityType']}, and a count of workers says nothing of that.")
    return Group(
        name=name,
        size=Size(int(raw["DesiredCapacity"]), int(raw["MinSize"]), int(raw["MaxSize"])),
        running=sum(in_service(raw).values()),
        held=suspended(raw) >= set(HELD),
        marks=marks.read({str(tag["Key"]): str(tag.get("Value", "")) for tag in raw.get("Tags") or []}),
        raw=raw,
    )


def in_service(raw: Mapping[str, Any]) -> dict[str, int]:
    """Instance id -> what it counts for (its weight, where instance types are weighted)."""
    return {
        str(one["InstanceId"]): int(one.get("WeightedCapacity") or 1)
        for one in raw.get("Instances") or []
        if one.get("LifecycleState") == "InService"
    }


def _ends(state: str) -> bool:
    """Whether an instance of that state is on its way out, or stands in a warm pool."""
    return state.startswith(("Terminat", "Detach", "Warmed"))


def suspended(raw: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(str(one["ProcessName"]) for one in raw.get("SuspendedProcesses") or [])


def target_groups(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that the group registers its instances in. It may name them in either of two lists, or in both."""
    sources = (one for one in raw.get("TrafficSources") or [] if one.get("Type", "elbv2") == "elbv2")
    named = [*(raw.get("TargetGroupARNs") or []), *(str(one["Identifier"]) for one in sources)]
    return tuple(dict.fromkeys(arn for arn in named if ":targetgroup/" in arn))


def build(resource: Resource, topology: Topology) -> AutoScaling:
    """Kind.build."""
    members = {region: AutoScalingMember.model_validate(member) for region, member in resource.members.items()}
    return AutoScaling(Asking.of(resource, topology), members)
