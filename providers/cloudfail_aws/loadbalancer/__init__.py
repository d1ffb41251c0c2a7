"""Balancers: weighted target groups, Global Accelerator's dials, CloudFront's origins, S3's routes; and zonal shifts,
for an application whose regions are zones.

Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.loadbalancer import permissions
from cloudfail_aws.loadbalancer.options import (
    AcceleratorOptions,
    AlbOptions,
    CloudFrontOptions,
    MrapOptions,
    ZonalShiftOptions,
    listener_or_rule,
    region_of,
)


def _alb(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.loadbalancer import alb

    return alb.build(resource, topology)


_ALB = VerbFacts("control", "member", False, True, 5.0, 60.0, "watching", divides="percent")


def _alb_verbs(resource: Resource) -> dict[str, VerbFacts]:
    """Its control plane stands in the balancer's own region: while that is lost, nothing is shifted."""
    return {"shift": replace(_ALB, home=region_of(listener_or_rule(resource.options)))}


def _alb_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """The list of actions, which is replaced as a whole."""
    return (f"aws/elasticloadbalancing/{listener_or_rule(resource.options)}",)


def _accelerator(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.loadbalancer import accelerator

    return accelerator.build(resource, topology)


def _accelerator_shared(resource: Resource, _topology: Topology, _region: str) -> tuple[str, ...]:
    """All dials of a listener: two who each open one and close the other would leave both closed."""
    listeners = {str(group).partition("/endpoint-group/")[0] for group in resource.members.values()}
    return tuple(f"aws/globalaccelerator/{listener}" for listener in sorted(listeners))


def _cloudfront(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.loadbalancer import cloudfront

    return cloudfront.build(resource, topology)


def _mrap(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.loadbalancer import mrap

    return mrap.build(resource, topology)


def _zonal_shift(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.loadbalancer import zonal_shift

    return zonal_shift.build(resource, topology)


# ARC begins a shift at once; connections in the zone may take minutes to end (API reference, StartZonalShift).
_ZONAL = VerbFacts("control", "member", False, True, 30.0, 300.0, "watching", divides="evenly")


def _zonal_verbs(resource: Resource) -> dict[str, VerbFacts]:
    """It is ordered in the load balancer's own region, which is no zone of it."""
    return {"shift": replace(_ZONAL, home=region_of(str(resource.options["load_balancer"])))}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.LOADBALANCER,
        name="alb",
        build=_alb,
        permissions=permissions.alb,
        options=AlbOptions,
        settle_seconds=2.0,
        call_timeout_seconds=15.0,
        verbs={"shift": _ALB},
        verbs_of=_alb_verbs,
        shared={"shift": _alb_shared},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="global-accelerator",
        build=_accelerator,
        permissions=permissions.accelerator,
        options=AcceleratorOptions,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs={"shift": VerbFacts("control", "us-west-2", False, True, 60.0, 600.0, "watching", divides="percent")},
        shared={"shift": _accelerator_shared},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="cloudfront",
        build=_cloudfront,
        permissions=permissions.cloudfront,
        options=CloudFrontOptions,
        settle_seconds=5.0,
        call_timeout_seconds=15.0,
        verbs={"shift": VerbFacts("control", "us-east-1", False, True, 240.0, 900.0, "condition")},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="s3-mrap",
        build=_mrap,
        permissions=permissions.mrap,
        options=MrapOptions,
        settle_seconds=5.0,
        call_timeout_seconds=25.0,
        # Any of five regions' endpoints is enough; two minutes is S3's own bound.
        verbs={"shift": VerbFacts("control", None, False, True, 60.0, 120.0, "watching")},
    ),
    Kind(
        port=PortName.LOADBALANCER,
        name="zonal-shift",
        build=_zonal_shift,
        permissions=permissions.zonal_shift,
        options=ZonalShiftOptions,
        settle_seconds=2.0,
        call_timeout_seconds=20.0,
        verbs={"shift": _ZONAL},
        verbs_of=_zonal_verbs,
    ),
)
