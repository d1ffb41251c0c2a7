"""What runs workers in AWS: Auto Scaling groups, ECS services, EKS node groups, Lambda's provisioned concurrency.

All of it is control plane, in the member's own region. A failover scales the survivor, so it asks nothing of the region
that is lost. Importing this package imports no vendor library.
"""

from __future__ import annotations

from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.compute import permissions
from cloudfail_aws.compute.options import (
    AutoScalingMember,
    EcsMember,
    LambdaConcurrencyMember,
    NodegroupMember,
)


def _autoscaling(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.compute import autoscaling

    return autoscaling.build(resource, topology)


def _ecs(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.compute import ecs

    return ecs.build(resource, topology)


def _nodegroup(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.compute import nodegroup

    return nodegroup.build(resource, topology)


def _lambda_concurrency(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.compute import lambda_concurrency

    return lambda_concurrency.build(resource, topology)


def _verbs(typical_seconds: float, longest_seconds: float) -> dict[str, VerbFacts]:
    """scale takes until the balancer counts the workers as healthy; hold is one answer. The epoch in the tags keeps an
    older worker that looks again from acting. It stops no request that is on its way: only watching finds that."""
    fencing = "watching"
    return {
        "scale": VerbFacts("control", "member", False, True, typical_seconds, longest_seconds, fencing),
        "hold": VerbFacts("control", "member", False, True, 3.0, 60.0, fencing),
    }


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.COMPUTE,
        name="autoscaling",
        build=_autoscaling,
        permissions=permissions.autoscaling,
        member=AutoScalingMember,
        settle_seconds=3.0,
        call_timeout_seconds=20.0,
        verbs=_verbs(150.0, 900.0),
    ),
    Kind(
        port=PortName.COMPUTE,
        name="ecs",
        build=_ecs,
        permissions=permissions.ecs,
        member=EcsMember,
        settle_seconds=3.0,
        call_timeout_seconds=20.0,
        verbs=_verbs(60.0, 600.0),
    ),
    Kind(
        port=PortName.COMPUTE,
        name="eks-nodegroup",
        build=_nodegroup,
        permissions=permissions.nodegroup,
        member=NodegroupMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs=_verbs(180.0, 900.0),
    ),
    Kind(
        port=PortName.COMPUTE,
        name="lambda-concurrency",
        build=_lambda_concurrency,
        permissions=permissions.lambda_concurrency,
        member=LambdaConcurrencyMember,
        settle_seconds=3.0,
        call_timeout_seconds=20.0,
        verbs=_verbs(90.0, 600.0),
    ),
)
