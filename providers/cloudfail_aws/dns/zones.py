"""What Route 53's control plane is asked of a hosted zone: record sets, protections, health checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cloudfail.errors import Permanent
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_names.names import canonical

SERVICE = "route53"
HOME = "us-east-1"
"""Where the control plane stands. It was away for hours on 7 December 2021; the zones were answered throughout."""
SETS_MAX = 100
"""Record sets of one name and type that are read; a name with more is not one that this moves."""
UNPROTECT = (
    "Lift it if the name may be moved, and set it again afterwards: aws route53 delete-resource-record-set-protections"
)


def primary_first(members: Iterable[str], primary: str) -> list[str]:
    """The regions, the one first that serves when all is well; the rest in the order of the file."""
    return sorted(members, key=lambda region: region != primary)


def within(call: Call, seconds: float) -> Call:
    """The same call, with what is left of its time."""
    return replace(call, timeout_seconds=max(0.0, seconds))


def sets_of(asking: Asking, zone: str, name: str, kind: str, within: float) -> list[dict[str, Any]]:
    """The record sets of one name and type. A zone is listed in order, so that they are the first from there on.
    Raises what `Asking.read` raises, and Permanent for too many."""
    page = asking.read(
        SERVICE,
        HOME,
        "list_resource_record_sets",
        within=within,
        HostedZoneId=zone,
        StartRecordName=name,
        StartRecordType=kind,
        MaxItems=str(SETS_MAX),
    )
    found = [one for one in page["ResourceRecordSets"] if canonical(one["Name"]) == name and one["Type"] == kind]
    if len(found) == SETS_MAX:
        raise Permanent(f"{name} {kind} has {SETS_MAX} record sets or more.")
    return found


def protections(asking: Asking, zone: str, name: str, kind: str, within: float) -> list[str]:
    """A sentence, if changes of that name and type are refused by a protection. Raises what `Asking.read` raises."""
    page = asking.read(
        SERVICE,
        HOME,
        "list_resource_record_set_protections",
        within=within,
        HostedZoneId=zone,
        StartRecordName=canonical(name),
        StartRecordType=kind,
    )
    return [
        f"{name} {kind} is protected against changes{': ' + one['Comment'] if one.get('Comment') else ''}."
        for one in page["ResourceRecordSetProtections"]
        if canonical(one["RecordName"]) == canonical(name) and one["RecordType"] == kind
    ]


def health_check_config(asking: Asking, health_check: str, within: float) -> dict[str, Any]:
    """As Route 53 keeps it. Raises what `Asking.read` raises."""
    reply = asking.read(SERVICE, HOME, "get_health_check", within=within, HealthCheckId=health_check)
    config: dict[str, Any] = reply["HealthCheck"]["HealthCheckConfig"]
    return config


def disabled(asking: Asking, health_check: str, within: float) -> list[str]:
    """A sentence, if that health check is disabled. Raises what `Asking.read` raises."""
    config = health_check_config(asking, health_check, within)
    if not config.get("Disabled"):
        return []
    counts = "unhealthy, since it is inverted too" if config.get("Inverted") else "healthy"
    return [f"The health check {health_check} is disabled: Route 53 counts it as {counts}, whatever is so."]
