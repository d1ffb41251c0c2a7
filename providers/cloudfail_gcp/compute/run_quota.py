"""What a project may run of Cloud Run in a region: the vCPUs of all its instances there (Cloud Run, "About maximum
instances": the regional CPU quota divided by what one instance is given).

Service Usage tells the limit, in thousandths of a vCPU, and no use: how much others take is not known. Memory and GPUs
have quotas of their own, which are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Transient
from cloudfail.model.room import Room
from cloudfail_gcp.asking import Asking

METRIC = "run.googleapis.com/cpu_allocation"
_THOUSANDTHS = 1000.0


def room_of(asking: Asking, project: str, region: str, each: float, own: int, *, within: float) -> Room:
    """each: vCPUs of one instance. Raises Transient where the limit is not told."""
    name = f"projects/{project}/services/run.googleapis.com/consumerQuotaMetrics/{METRIC.replace('/', '%2F')}"
    told = asking.read("serviceusage", region, f"v1beta1/{name}", within=within)
    limits = [one for one in told.get("consumerQuotaLimits") or [] if "{region}" in str(one.get("unit", ""))]
    buckets = [one for limit in limits for one in limit.get("quotaBuckets") or []]
    here = [one for one in buckets if (one.get("dimensions") or {}).get("region") == region]
    anywhere = [one for one in buckets if not one.get("dimensions")]
    found = [int(one["effectiveLimit"]) for one in here or anywhere if "effectiveLimit" in one]
    if not found or min(found) < 0:
        raise Transient(f"Service Usage does not tell how much of {METRIC} {project} may use in {region}.")
    pool = f"quota {METRIC} of {project} in {region}"
    return Room(pool, min(found) / _THOUSANDTHS, "vCPUs", each, own=own)


def vcpus_of(template: Mapping[str, Any]) -> float:
    """Of one instance: of all its containers. Raises Transient where one does not tell it."""
    containers = template.get("containers") or []
    said = [str(((one.get("resources") or {}).get("limits") or {}).get("cpu") or "") for one in containers]
    try:
        found = [float(one[:-1]) / 1000 if one.endswith("m") else float(one) for one in said]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise Transient("Cloud Run does not tell how many vCPUs one instance has.")
    return sum(found)
