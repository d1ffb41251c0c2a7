"""What instances of one type may run in a region: their vCPUs against the quota of their family, and what capacity
reservations hold for them.

Where a group begins instances of several types, or Spot ones, a count of workers says nothing of vCPUs: unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.room import Room
from cloudfail_aws.asking import Asking
from cloudfail_aws.compute.quotas import measured, quota_of


def room_of(
    asking: Asking, region: str, instance_type: str, own: int, zones: Collection[str] | None, *, within: float
) -> Room:
    """own: how many of them the group has now. zones: where it begins them; None: anywhere in the region."""
    until = asking.deadline(within)

    def left() -> float:
        return max(0.1, asking.left_until(until))

    quota = quota_of(instance_type)
    said = measured(asking, region, quota, within=left())
    vcpus = _vcpus(asking, region, instance_type, within=left())
    reserved = _reserved(asking, region, instance_type, zones, within=left())
    return Room(
        pool=f"quota {quota.code}, {quota.name}",
        limit=said.limit,
        unit="vCPUs",
        each=vcpus,
        own=own,
        # Use counts what is reserved and does not run, too: if nobody says how much that is, others cannot be told.
        used=None if reserved is None else said.used,
        reserved=reserved,
    )


def launched(asking: Asking, region: str, raw: Mapping[str, Any], *, within: float) -> str:
    """The type of the instances that an Auto Scaling group begins. Raises Transient where that is not one."""
    if raw.get("MixedInstancesPolicy"):
        raise Transient(f"{raw['AutoScalingGroupName']} begins instances of several types.")
    if raw.get("LaunchTemplate"):
        template = raw["LaunchTemplate"]
        return templated(asking, region, template["LaunchTemplateId"], template.get("Version"), within=within)
    name = raw.get("LaunchConfigurationName")
    if not name:
        raise Transient(f"{raw['AutoScalingGroupName']} names neither a launch template nor a launch configuration.")
    reply = asking.read(
        "autoscaling", region, "describe_launch_configurations", within=within, LaunchConfigurationNames=[name]
    )
    found = reply.get("LaunchConfigurations") or []
    if len(found) != 1:
        raise Transient(f"no launch configuration {name} is listed.")
    if found[0].get("SpotPrice"):
        raise Transient(f"{name} begins Spot instances, whose quota is not compared.")
    return str(found[0]["InstanceType"])


def templated(asking: Asking, region: str, template: str, version: str | None, *, within: float) -> str:
    """The same of a launch template; without a version, of its default one."""
    reply = asking.read(
        "ec2",
        region,
        "describe_launch_template_versions",
        within=within,
        LaunchTemplateId=template,
        Versions=[version or "$Default"],
    )
    found = reply.get("LaunchTemplateVersions") or []
    if len(found) != 1:
        raise Transient(f"version {version or '$Default'} of the launch template {template} is not listed.")
    data = found[0].get("LaunchTemplateData") or {}
    if (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot":
        raise Transient(f"the launch template {template} begins Spot instances, whose quota is not compared.")
    if not data.get("InstanceType"):
        raise Transient(f"the launch template {template} names no instance type.")
    return str(data["InstanceType"])


def _vcpus(asking: Asking, region: str, instance_type: str, *, within: float) -> float:
    reply = asking.read("ec2", region, "describe_instance_types", within=within, InstanceTypes=[instance_type])
    found = reply.get("InstanceTypes") or []
    count = int((found[0].get("VCpuInfo") or {}).get("DefaultVCpus") or 0) if len(found) == 1 else 0
    if count < 1:
        raise Transient(f"how many vCPUs {instance_type} has is not listed in {region}.")
    return float(count)


def _reserved(
    asking: Asking, region: str, instance_type: str, zones: Collection[str] | None, *, within: float
) -> int | None:
    """What active reservations of that type still hold there; targeted ones too, since it is not known whose they are.
    None where they cannot be listed."""
    try:
        found = asking.pages(
            "ec2",
            region,
            "describe_capacity_reservations",
            "CapacityReservations",
            within=within,
            Filters=[
                {"Name": "instance-type", "Values": [instance_type]},
                {"Name": "state", "Values": ["active"]},
            ],
        )
    except CloudfailError:
        return None
    return sum(
        int(one.get("AvailableInstanceCount") or 0)
        for one in found
        if one.get("InstanceType") == instance_type
        and one.get("State") == "active"
        and (zones is None or one.get("AvailabilityZone") in zones)
    )
