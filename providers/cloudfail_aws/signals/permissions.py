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
