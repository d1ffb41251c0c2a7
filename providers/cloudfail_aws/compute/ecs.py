"""compute: ecs. A service's desired count, and the scalable target whose policies would change it again.

The bounds are another service's object (Application Auto Scaling), so a change of size is two requests: bounds first,
count last (see `groups`).
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
from cloudfail_aws.compute.by_target import ScaledByTarget
from cloudfail_aws.compute.groups import Group, Size, member_of
from cloudfail_aws.compute.options import EcsMember
from cloudfail_aws.compute.quotas import FARGATE, measured
from cloudfail_aws.compute.scalable import Scalable, is_held
from cloudfail_aws.compute.targets import counted


class Ecs(ScaledByTarget):
    """One service in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, EcsMember]) -> None:
        super().__init__(asking)
        self._members = members

    def describe(self, region: str, *, within: float) -> Group:
        member: EcsMember = member_of(self._members, region)
        until = self._asking.deadline(within)
        service = self._service(region, member, within=within)
        target = self.scalable(region).look(region, within=max(0.1, self._asking.left_until(until)))
        floor = int(target["MinCapacity"]) if target else 0
        return Group(
            name=f"{member.cluster}/{member.service}",
            size=Size(int(service["desiredCount"]), floor, int(target["MaxCapacity"]) if target else None),
            running=int(service["runningCount"]),
            held=is_held(target),
            marks=marks.read({str(tag["key"]): str(tag.get("value", "")) for tag in service.get("tags") or []}),
            raw=service,
            more=target,
        )

    def _service(self, region: str, member: EcsMember, *, within: float) -> Mapping[str, Any]:
        answer = self._asking.read(
            "ecs",
            region,
            "describe_services",
            within=within,
            cluster=member.cluster,
            services=[member.service],
            include=["TAGS"],
        )
        found = answer.get("services") or []
        if len(found) != 1:
            why = "; ".join(str(one.get("reason", "")) for one in answer.get("failures") or []) or "an empty list"
            raise Transient(f"no service {member.cluster}/{member.service} is listed ({why}).")
        service: Mapping[str, Any] = found[0]
        if service.get("status") != "ACTIVE":
            raise Transient(f"the service {member.service} is {service.get('status')}.")
        return service

    def scalable(self, region: str) -> Scalable:
        member = self._members[region]
        resource = f"service/{member.cluster}/{member.service}"
        return Scalable(self._asking, "ecs", resource, "ecs:service:DesiredCount", member.autoscaled)

    def healthy(self, region: str, group: Group, *, within: float) -> int:
        balanced = [one.get("targetGroupArn") for one in group.raw.get("loadBalancers") or []]
        arns = self._members[region].target_groups or tuple(dict.fromkeys(arn for arn in balanced if arn))
        if not arns:
            raise Transient(
                f"{group.name} is behind no load balancer, so nothing counts its healthy tasks; name a target group: "
                f"members: {{{region}: {{cluster: …, service: …, target_groups: [ARN]}}}}."
            )
        return counted(self._asking, region, arns, group.running, within=within)

    def account(self, region: str, group: Group, *, within: float) -> Room:
        """Of Fargate's vCPUs. Tasks on instances are bounded by those: name their Auto Scaling group as well."""
        until = self._asking.deadline(within)
        strategy = {str(one.get("capacityProvider")) for one in group.raw.get("capacityProviderStrategy") or []}
        if (strategy or {str(group.raw.get("launchType", "EC2"))}) != {"FARGATE"}:
            raise Transient(f"{group.name} does not run on Fargate's on-demand capacity alone.")
        reply = self._asking.read(
            "ecs", region, "describe_task_definition", within=within, taskDefinition=group.raw["taskDefinition"]
        )
        cpu = str((reply.get("taskDefinition") or {}).get("cpu") or "")
        if not cpu.isdigit() or int(cpu) < 1:
            raise Transient(f"the task definition of {group.name} says no cpu.")
        said = measured(self._asking, region, FARGATE, within=max(0.1, self._asking.left_until(until)))
        pool = f"quota {FARGATE.code}, {FARGATE.name}"
        return Room(pool, said.limit, "vCPUs", int(cpu) / 1024, own=group.running, used=said.used)

    def refuse(self, region: str, group: Group, count: int) -> None:
        if group.raw.get("schedulingStrategy") == "DAEMON":
            raise Permanent(
                f"{group.name} in {region} runs one task on each instance (DAEMON), and has no count to set.",
                "It was not changed.",
                "Scale the Auto Scaling group of its instances instead.",
            )

    def tag(self, region: str, group: Group, tags: Mapping[str, str], *, call: Call) -> None:
        self._asking.change(
            "ecs",
            region,
            "tag_resource",
            call=call,
            resourceArn=group.raw["serviceArn"],
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )

    def resize(self, region: str, group: Group, size: Size, *, call: TimeLeft) -> None:
        self.scalable(region).bound(region, group.more, size, call=call)
        member = self._members[region]
        self._asking.change(
            "ecs",
            region,
            "update_service",
            call=call.rest(),
            cluster=member.cluster,
            service=member.service,
            desiredCount=size.wanted,
        )


def build(resource: Resource, topology: Topology) -> Ecs:
    """Kind.build."""
    members = {region: EcsMember.model_validate(member) for region, member in resource.members.items()}
    return Ecs(Asking.of(resource, topology), members)
