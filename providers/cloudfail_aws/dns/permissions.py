"""What the kinds of this port call, as IAM words it. A name is read and written whole, whichever regions are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.iam import Told, partition, stated

SHIFT = ("shift",)
HOME = "us-east-1"
_SETS, _CHECK = "route53:ListResourceRecordSets", "route53:GetHealthCheck"
_PROTECTIONS = "route53:ListResourceRecordSetProtections"


def route53(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    if resource.options["switch"] is not None:
        return stated(_switched(resource, topology))
    return stated((*_zone(resource, topology), *_checks(resource, topology)))


def route53_zone(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    return stated(_zone(resource, topology))


def s3_switch(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    options = resource.options
    return stated(_objects(resource, topology, options, options["routing"]))


def routing_control(resource: Resource, _topology: Topology, _regions: Sequence[str]) -> Permissions:
    """Any endpoint may be asked, under the roles of its region."""
    controls = tuple(str(member["control"]) for member in resource.members.values())
    homes = dict.fromkeys(str(one["region"]) for one in resource.options["endpoints"])
    prefix = "route53-recovery-cluster"
    return stated(
        one
        for region in homes
        for one in (
            (False, Grant(region, (f"{prefix}:GetRoutingControlState",), controls)),
            (True, Grant(region, (f"{prefix}:UpdateRoutingControlStates",), controls, SHIFT)),
        )
    )


def _zone(resource: Resource, topology: Topology) -> Told:
    zone = (_arn(topology, f"hostedzone/{resource.options['zone']}"),)
    yield False, Grant(HOME, (_SETS, _PROTECTIONS), zone)
    yield True, Grant(HOME, ("route53:ChangeResourceRecordSets",), zone, SHIFT)


def _checks(resource: Resource, topology: Topology) -> Told:
    """Those that decide between record sets; where there is one record set, there are none."""
    if resource.options["routing"] in (None, "simple") and resource.options["switch"] is None:
        return
    members: list[Mapping[str, Any]] = list(resource.members.values())
    named = [member["health_check"] for member in members if member["health_check"]]
    if members and len(named) == len(members):
        yield False, Grant(HOME, (_CHECK,), tuple(_arn(topology, f"healthcheck/{check}") for check in named))
        return
    why = "Not every member names its `health_check`, so those that the zone's record sets carry are asked for."
    yield False, Grant(HOME, (_CHECK,), (_arn(topology, "healthcheck/*"),), why=why)


def _switched(resource: Resource, topology: Topology) -> Told:
    """The zone is read alone: for what each region answers with, and for what watches the object."""
    yield False, Grant(HOME, (_SETS,), (_arn(topology, f"hostedzone/{resource.options['zone']}"),))
    yield from _checks(resource, topology)
    options = resource.options
    yield from _objects(resource, topology, options["switch"], options["routing"] or "failover")


def _objects(resource: Resource, topology: Topology, written: Any, routing: str) -> Told:
    """S3 asks for GetObject of whoever deletes on the condition of an ETag (S3 user guide, "Enforce conditional
    deletes"); HEAD goes by GetObject as well."""
    from cloudfail_aws.dns import zones
    from cloudfail_aws.dns.s3_switch import gates

    order = zones.primary_first(resource.members or topology.regions, topology.primary)
    for gate in gates(topology, order, written["object"], written["objects"], routing).values():
        bucket = f"arn:{partition(gate.home)}:s3:::{gate.bucket}"
        key = (f"{bucket}/{gate.key}",)
        prefix = {"StringEquals": {"s3:prefix": gate.key}}
        yield False, Grant(gate.home, ("s3:ListBucket",), (bucket,), (), prefix)
        yield False, Grant(gate.home, ("s3:GetObject",), key)
        yield True, Grant(gate.home, ("s3:PutObject", "s3:DeleteObject", "s3:GetObject"), key, SHIFT)


def _arn(topology: Topology, name: str) -> str:
    """Zones and health checks are named without an account."""
    return f"arn:{partition(topology.primary)}:route53:::{name}"
