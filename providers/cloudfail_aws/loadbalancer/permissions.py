"""What the kinds of this port call, as IAM words it. A balancer is read and written whole."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.iam import Names, none_taken, stated
from cloudfail_aws.loadbalancer.options import listener_or_rule, region_of

SHIFT = ("shift",)
_ELB = "elasticloadbalancing"


def alb(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    arn = listener_or_rule(resource.options)
    region, rule = region_of(arn), resource.options["rule"] is not None
    looks = ("DescribeRules" if rule else "DescribeListeners", "DescribeTags", "DescribeTargetHealth")
    changes = (f"{_ELB}:ModifyRule" if rule else f"{_ELB}:ModifyListener", f"{_ELB}:AddTags")
    return stated(
        [
            (False, none_taken(region, *(f"{_ELB}:{one}" for one in looks))),
            (False, none_taken(region, f"{_ELB}:DescribeTargetGroupAttributes", verbs=SHIFT)),
            (True, Grant(region, changes, (arn,), SHIFT)),
        ]
    )


def accelerator(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    home = "us-west-2"
    groups = tuple(str(group) for group in resource.members.values())
    accelerators = tuple(dict.fromkeys(group.partition("/listener/")[0] for group in groups))
    return stated(
        [
            (False, Grant(home, ("globalaccelerator:DescribeAccelerator",), accelerators)),
            (False, Grant(home, ("globalaccelerator:DescribeEndpointGroup",), groups)),
            (True, Grant(home, ("globalaccelerator:UpdateEndpointGroup",), groups, SHIFT)),
        ]
    )


def cloudfront(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    home = "us-east-1"
    name = f"distribution/{resource.options['distribution']}"
    distribution = (Names(resource, topology).everywhere("cloudfront", home, name),)
    return stated(
        [
            (False, Grant(home, ("cloudfront:GetDistribution",), distribution)),
            (True, Grant(home, ("cloudfront:UpdateDistribution",), distribution, SHIFT)),
        ]
    )


def mrap(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """Its five endpoints are asked under the roles of whichever region they stand in."""
    arn = (str(resource.options["access_point"]),)
    return stated(
        one
        for region in regions
        for one in (
            (False, Grant(region, ("s3:GetMultiRegionAccessPointRoutes",), arn)),
            (True, Grant(region, ("s3:SubmitMultiRegionAccessPointRoutes",), arn, SHIFT)),
        )
    )


def zonal_shift(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    arn = str(resource.options["load_balancer"])
    region = region_of(arn)
    changes = ("StartZonalShift", "UpdateZonalShift", "CancelZonalShift")
    return stated(
        [
            (False, Grant(region, ("arc-zonal-shift:GetManagedResource",), (arn,))),
            (True, Grant(region, tuple(f"arc-zonal-shift:{one}" for one in changes), (arn,), SHIFT)),
        ]
    )
