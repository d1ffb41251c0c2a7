"""The Dns port on AWS. Importing this imports no vendor library: boto3 and dnspython come with `Kind.build`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.dns import permissions
from cloudfail_aws.dns.options import (
    ControlMember,
    NameMember,
    Route53Options,
    RoutingControlOptions,
    S3SwitchOptions,
    ZoneMember,
    ZoneOptions,
)

_CONTROL = VerbFacts("control", "us-east-1", False, True, 60.0, 120.0, "condition")
# An inverted health check: thirty seconds apart and three failures, as Route 53 has them unless it is told otherwise.
_OBJECT = VerbFacts("data", None, False, True, 60.0, 120.0, "watching")
# How a zone answers with several regions alike. By latency each user gets the nearest: nobody knows how many that are.
_SEVERAL = frozenset({"weighted", "multivalue"})


def _route53(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.dns import route53

    return route53.build(resource, topology)


def _route53_zone(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.dns import zone

    return zone.build(resource, topology)


def _s3_switch(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.dns import s3_switch

    return s3_switch.build(resource, topology)


def _routing_control(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.dns import routing_control

    return routing_control.build(resource, topology)


def _route53_verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    """A name with a switch is moved by the switch alone. Objects let regions in and take them out, and the shares are
    those that stand in the zone; without a switch, weights are what a shift writes."""
    routing = resource.options.get("routing")
    if resource.options.get("switch") is not None:
        return {"shift": replace(_OBJECT, divides="evenly" if routing in _SEVERAL else "not")}
    return {
        "shift": replace(_CONTROL, divides={"weighted": "percent", "multivalue": "evenly"}.get(str(routing), "not"))
    }


def _switch_verbs(resource: Resource) -> Mapping[str, VerbFacts]:
    return {"shift": replace(_OBJECT, divides="evenly" if resource.options.get("routing") in _SEVERAL else "not")}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.DNS,
        name="route53",
        build=_route53,
        permissions=permissions.route53,
        options=Route53Options,
        member=NameMember,
        settle_seconds=5.0,
        call_timeout_seconds=15.0,
        verbs={"shift": _CONTROL},
        verbs_of=_route53_verbs,
    ),
    Kind(
        port=PortName.DNS,
        name="route53-zone",
        build=_route53_zone,
        permissions=permissions.route53_zone,
        options=ZoneOptions,
        member=ZoneMember,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={"shift": VerbFacts("control", "us-east-1", False, True, 60.0, 300.0, "watching")},
    ),
    Kind(
        port=PortName.DNS,
        name="s3-switch",
        build=_s3_switch,
        permissions=permissions.s3_switch,
        options=S3SwitchOptions,
        member=NameMember,
        settle_seconds=0.0,
        call_timeout_seconds=15.0,
        verbs={"shift": _OBJECT},
        verbs_of=_switch_verbs,
    ),
    Kind(
        port=PortName.DNS,
        name="routing-control",
        build=_routing_control,
        permissions=permissions.routing_control,
        options=RoutingControlOptions,
        member=ControlMember,
        settle_seconds=5.0,
        call_timeout_seconds=15.0,
        verbs={"shift": VerbFacts("data", None, False, True, 20.0, 60.0, "watching")},
    ),
)
