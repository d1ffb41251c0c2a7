"""What moves a name: its record sets themselves, an object in S3 that an inverted health check looks at, or routing
controls. It is told from the health checks that the record sets carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail_aws.discovering.looking import Look, reason
from cloudfail_aws.discovering.regions import is_region
from cloudfail_aws.discovering.zones import Record

CONTROLS_HOME = "us-west-2"
"""The one region of route53-recovery-control-config."""
_S3 = r"s3[.-](?:dualstack\.)?(?:(?P<region>[a-z0-9-]+)\.)?amazonaws\.com(?:\.cn)?"
_BY_HOST = re.compile(rf"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.{_S3}")
_BY_PATH = re.compile(_S3)
_CONTROL = re.compile(r"(arn:[^:]+:route53-recovery-control::\d+:controlpanel/[^/]+)/routingcontrol/[^/]+")
_LEGACY_LOCATIONS = {"": "us-east-1", "EU": "eu-west-1"}
"""What GetBucketLocation says of buckets there (S3 API reference)."""


@dataclass(frozen=True)
class Way:
    """A kind of name, and what it says beyond the record sets. members: more keys of each region's."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Object:
    """What a health check looks at; region "" where its address does not say it."""

    bucket: str
    key: str
    region: str


def of(
    look: Look, checks: Mapping[str, Mapping[str, Any]], sets: Mapping[str, Record], routing: str, first: str
) -> Way | str:
    """How this name is moved, or why that cannot be told. first: the region of a failover's PRIMARY."""
    known = {region: checks.get(str(one.get("HealthCheckId"))) for region, one in sets.items()}
    carried = {str(one["HealthCheckId"]) for one in sets.values() if one.get("HealthCheckId")}
    unread = sorted(carried - set(checks))
    controls = {region: arn for region, check in known.items() if (arn := _control(check))}
    if len(controls) == len(sets):
        return _controls(look, controls)
    objects = {
        region: found
        for region, check in known.items()
        if check is not None and check.get("Inverted") and (found := object_of(check)) is not None
    }
    at_home = [f"s3://{one.bucket}/{one.key}" for region, one in objects.items() if one.region == region]
    if at_home:
        return f"the object {at_home[0]} lives in the region that it takes out, and goes down with it."
    urls = {region: url for region, one in objects.items() if (url := _url(look, one))}
    if routing == "failover" and first in urls:
        return Way("route53", {"switch": {"object": urls[first]}}, remarks=_SWITCHED)
    if routing != "failover" and urls and len(urls) == len(sets):
        return Way("route53", {"switch": {"objects": urls}}, remarks=_SWITCHED)
    if objects:
        return f"some of its health checks look at objects in S3 ({_and(objects)}), and that makes no switch."
    remarks = (f"Not to be read: {', '.join(unread)}. See whether one of these checks is a switch.",) if unread else ()
    return Way("route53", remarks=(*remarks, *_without(sets, routing)))


_SWITCHED = ("Its switch is the object that an inverted health check looks at: see who may put and delete it.",)


def _without(sets: Mapping[str, Record], routing: str) -> tuple[str, ...]:
    """A failover's PRIMARY is refused without one (docs/aws.md)."""
    if routing != "failover":
        return ()
    bare = [
        region
        for region, one in sets.items()
        if one.get("Failover") == "PRIMARY"
        and not one.get("HealthCheckId")
        and not (one.get("AliasTarget") or {}).get("EvaluateTargetHealth")
    ]
    return tuple(f"{region} is PRIMARY without a health check: it is never left by itself." for region in bare)


def object_of(check: Mapping[str, Any]) -> Object | None:
    """The object of S3 that a health check asks for; None where it asks for something else."""
    if check.get("Type") not in ("HTTP", "HTTPS"):
        return None
    name = str(check.get("FullyQualifiedDomainName", "")).lower()
    path = str(check.get("ResourcePath", "")).partition("?")[0].lstrip("/")
    if found := _BY_HOST.fullmatch(name):
        return Object(found["bucket"], path, _region(found["region"])) if path else None
    if found := _BY_PATH.fullmatch(name):
        bucket, _, key = path.partition("/")
        return Object(bucket, key, _region(found["region"])) if key else None
    return None


def _region(said: str | None) -> str:
    """A label of another sort is no region (`accelerate`, say)."""
    return said if said is not None and is_region(said) else ""


def _url(look: Look, one: Object) -> str:
    region = one.region or _asked(look, one.bucket)
    return f"s3://{one.bucket}/{one.key}?region={region}" if region else ""


def _asked(look: Look, bucket: str) -> str:
    """Where the bucket lives: us-east-1 says it of buckets in every region."""
    try:
        said = look.read("s3", "us-east-1", "get_bucket_location", Bucket=bucket).get("LocationConstraint") or ""
    except CloudfailError as error:
        look.note(f"the region of the bucket {bucket} could not be asked for: {reason(error)}")
        return ""
    return _LEGACY_LOCATIONS.get(said, said)


def _control(check: Mapping[str, Any] | None) -> str:
    """The routing control that a health check stands for; "" where it stands for none."""
    arn = str((check or {}).get("RoutingControlArn", ""))
    return arn if _CONTROL.fullmatch(arn) else ""


def _controls(look: Look, controls: Mapping[str, str]) -> Way | str:
    """The controls, and the endpoints of their cluster."""
    panels = sorted({found[1] for arn in controls.values() if (found := _CONTROL.fullmatch(arn)) is not None})
    try:
        told = [_config(look, "describe_control_panel", ControlPanelArn=panel)["ControlPanel"] for panel in panels]
        clusters = sorted({one["ClusterArn"] for one in told})
        if len(clusters) != 1:
            return f"its routing controls stand in {len(clusters)} clusters, and one is asked at a time."
        cluster = _config(look, "describe_cluster", ClusterArn=clusters[0])["Cluster"]
    except CloudfailError as error:
        look.note(f"route53-recovery-control-config in {CONTROLS_HOME} could not be asked: {reason(error)}")
        return f"it hangs on routing controls ({', '.join(controls.values())}), whose cluster could not be read."
    endpoints = sorted((one["Region"], one["Endpoint"]) for one in cluster.get("ClusterEndpoints") or ())
    return Way(
        "routing-control",
        {"endpoints": [{"url": url, "region": region} for region, url in endpoints]},
        {region: {"control": arn} for region, arn in controls.items()},
    )


def _config(look: Look, operation: str, **parameters: str) -> dict[str, Any]:
    return look.read("route53-recovery-control-config", CONTROLS_HOME, operation, **parameters)


def _and(words: Mapping[str, Any]) -> str:
    return " and ".join(sorted(words))
