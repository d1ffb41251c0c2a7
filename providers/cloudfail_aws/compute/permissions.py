"""What the kinds of this port call, as IAM words it."""

from __future__ import annotations

from functools import partial
from typing import Any

from cloudfail.ports import Grant
from cloudfail_aws.iam import Names, Told, by_member, none_taken

SCALE, HOLD = ("scale",), ("hold",)
BOTH = SCALE + HOLD
_GROUPS = "autoscaling:DescribeAutoScalingGroups"
_HEALTH = "elasticloadbalancing:DescribeTargetHealth"
_TARGETS = "application-autoscaling:DescribeScalableTargets"
_QUOTAS = ("servicequotas:GetServiceQuota", "servicequotas:GetAWSDefaultServiceQuota", "cloudwatch:GetMetricStatistics")
_INSTANCES = ("ec2:DescribeInstanceTypes", "ec2:DescribeCapacityReservations", "ec2:DescribeLaunchTemplateVersions")
_UUID = "Its ARN holds a UUID that AWS made up; the name behind it is literal."


def _autoscaling(names: Names, region: str, member: Any) -> Told:
    group = (names.arn("autoscaling", region, f"autoScalingGroup:*:autoScalingGroupName/{member['name']}"),)
    yield False, none_taken(region, _GROUPS, _HEALTH, "autoscaling:DescribeLaunchConfigurations", *_INSTANCES, *_QUOTAS)
    yield True, Grant(region, ("autoscaling:UpdateAutoScalingGroup",), group, SCALE, why=_UUID)
    yield True, Grant(region, ("autoscaling:CreateOrUpdateTags",), group, BOTH, why=_UUID)
    processes = ("autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses")
    yield True, Grant(region, processes, group, HOLD, why=_UUID)


def _scalable(names: Names, region: str, member: Any, namespace: str, dimension: str, checked: Grant) -> Told:
    """A scalable target, and what AWS holds against whoever registers one: the actions of the service whose count it
    bounds (Application Auto Scaling user guide, "Permissions validation for API calls on target resources")."""
    yield False, none_taken(region, _TARGETS)
    if member["autoscaled"] is False:
        return
    yield (
        True,
        Grant(
            region,
            ("application-autoscaling:RegisterScalableTarget",),
            (names.arn("application-autoscaling", region, "scalable-target/*"),),
            BOTH,
            {
                "StringEquals": {
                    "application-autoscaling:service-namespace": namespace,
                    "application-autoscaling:scalable-dimension": dimension,
                }
            },
            why="Its ARN holds nothing but an id that AWS made up; the condition names what it bounds.",
        ),
    )
    yield True, checked


def _ecs(names: Names, region: str, member: Any) -> Told:
    service = (names.arn("ecs", region, f"service/{member['cluster']}/{member['service']}"),)
    yield False, Grant(region, ("ecs:DescribeServices",), service)
    yield False, none_taken(region, _HEALTH, "ecs:DescribeTaskDefinition", *_QUOTAS)
    yield True, Grant(region, ("ecs:UpdateService",), service, SCALE)
    yield True, Grant(region, ("ecs:TagResource",), service, BOTH)
    checked = Grant(region, ("ecs:DescribeServices", "ecs:UpdateService"), service, BOTH)
    yield from _scalable(names, region, member, "ecs", "ecs:service:DesiredCount", checked)


def _nodegroup(names: Names, region: str, member: Any) -> Told:
    group = (names.arn("eks", region, f"nodegroup/{member['cluster']}/{member['nodegroup']}/*"),)
    yield False, Grant(region, ("eks:DescribeNodegroup",), group, why=_UUID)
    balanced = (_HEALTH,) if member["target_groups"] else ()
    yield False, none_taken(region, _GROUPS, *balanced, *_INSTANCES, *_QUOTAS)
    yield True, Grant(region, ("eks:UpdateNodegroupConfig", "eks:TagResource"), group, BOTH, why=_UUID)


def _lambda(names: Names, region: str, member: Any) -> Told:
    function = names.arn("lambda", region, f"function:{member['function']}")
    alias = (f"{function}:{member['qualifier']}",)
    put, delete = "lambda:PutProvisionedConcurrencyConfig", "lambda:DeleteProvisionedConcurrencyConfig"
    look = "lambda:GetProvisionedConcurrencyConfig"
    looks = ("lambda:GetFunctionConfiguration", "lambda:GetFunctionConcurrency", "lambda:ListTags")
    yield False, Grant(region, looks, (function,))
    yield False, none_taken(region, "lambda:GetAccountSettings")
    yield False, Grant(region, (look,), alias)
    yield True, Grant(region, (put, delete), alias, SCALE)
    yield True, Grant(region, ("lambda:PutFunctionConcurrency",), (function,), SCALE)
    yield True, Grant(region, ("lambda:TagResource",), (function,), BOTH)
    checked = Grant(region, (put, delete, look), alias, BOTH)
    yield from _scalable(names, region, member, "lambda", "lambda:function:ProvisionedConcurrency", checked)


autoscaling = partial(by_member, _autoscaling)
ecs = partial(by_member, _ecs)
nodegroup = partial(by_member, _nodegroup)
lambda_concurrency = partial(by_member, _lambda)
