"""What the kinds of this port call, as IAM words it. Nothing of it changes anything."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.iam import ANYTHING, none_taken


def alarm(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """Whether an alarm is a composite one only CloudWatch knows, and its API reference (DescribeAlarms) says that those
    are told only to whom the action is given on everything."""
    members = {region: member for region, member in resource.members.items() if region in regions}
    asked = dict.fromkeys(str(member["stands_in"] or region) for region, member in members.items())
    whole = "CloudWatch tells of composite alarms only where DescribeAlarms is given on everything."
    return Permissions(
        tuple(
            grant
            for region in asked
            for grant in (
                Grant(region, ("cloudwatch:DescribeAlarms",), ANYTHING, why=whole),
                none_taken(region, "cloudwatch:GetMetricData"),
            )
        )
    )


def health(_resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """Whichever of its two endpoints is active is asked, as the role of the region in which that stands."""
    return Permissions(tuple(none_taken(region, "health:DescribeEvents") for region in ("us-east-1", "us-east-2")))
