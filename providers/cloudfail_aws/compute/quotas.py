"""Quotas of an account in a region: how much it may run at once, and how much it is said to run now.

The limit is what Service Quotas calls applied, or AWS's default where nothing was applied. Use is the quota's own
metric of CloudWatch (`AWS/Usage`), some minutes old; without a figure it is unknown, and all counts as free. So a count
that is found too much certainly is.

Codes: Service Quotas' own, as its console and `aws service-quotas list-service-quotas` print them.
"""

from __future__ import annotations

import datetime
import re
import time
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail_aws.asking import Asking
from cloudfail_aws.errors import code_of

USE_SECONDS = 900
PERIOD_SECONDS = 300


@dataclass(frozen=True)
class Quota:
    """One quota, by the code under which a person finds it."""

    service: str
    code: str
    name: str


FARGATE = Quota("fargate", "L-3032A538", "Fargate On-Demand vCPUs")
STANDARD = Quota("ec2", "L-1216C47A", "On-Demand vCPUs of A, C, D, H, I, M, R, T and Z instances")
FAMILIES: dict[str, Quota] = {
    **dict.fromkeys(["a", "c", "d", "h", "i", "m", "r", "t", "z"], STANDARD),
    "f": Quota("ec2", "L-74FC7D96", "On-Demand vCPUs of F instances"),
    **dict.fromkeys(["g", "vt"], Quota("ec2", "L-DB2E81BA", "On-Demand vCPUs of G and VT instances")),
    "p": Quota("ec2", "L-417A185B", "On-Demand vCPUs of P instances"),
    "inf": Quota("ec2", "L-1945791B", "On-Demand vCPUs of Inf instances"),
    "trn": Quota("ec2", "L-2C3B7624", "On-Demand vCPUs of Trn instances"),
    "x": Quota("ec2", "L-7295265B", "On-Demand vCPUs of X instances"),
    "dl": Quota("ec2", "L-6E869C2A", "On-Demand vCPUs of DL instances"),
}
"""By the letters that an instance type begins with: of im4gn and is4gen, `i`; of mac and u- nothing is known here."""
_OTHERS = frozenset({"mac", "u", "hpc"})


def quota_of(instance_type: str) -> Quota:
    """The quota that such an instance counts against. Raises Transient where it is none of those."""
    letters = re.match(r"[a-z]+", instance_type)
    stem = letters[0] if letters else ""
    if stem not in _OTHERS:
        for word in (stem, stem[:3], stem[:2], stem[:1]):
            if word in FAMILIES:
                return FAMILIES[word]
    raise Transient(f"which quota {instance_type} counts against is not known here.")


@dataclass(frozen=True)
class Measured:
    """limit and used, in the quota's units; used is None where nobody says."""

    limit: float
    used: float | None


def measured(asking: Asking, region: str, quota: Quota, *, within: float) -> Measured:
    """Raises Transient or Permanent where the limit cannot be had."""
    until = asking.deadline(within)
    said = _limit(asking, region, quota, within=within)
    metric = said.get("UsageMetric") or {}
    if not metric.get("MetricName"):
        return Measured(float(said["Value"]), None)
    return Measured(float(said["Value"]), _used(asking, region, metric, within=max(0.1, asking.left_until(until))))


def _limit(asking: Asking, region: str, quota: Quota, *, within: float) -> dict[str, Any]:
    wanted = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    until = asking.deadline(within)
    try:
        reply = asking.read("service-quotas", region, "get_service_quota", within=within, **wanted)
    except Permanent as error:
        if not isinstance(error.__cause__, Exception) or code_of(error.__cause__) != "NoSuchResourceException":
            raise
        left = max(0.1, asking.left_until(until))
        reply = asking.read("service-quotas", region, "get_aws_default_service_quota", within=left, **wanted)
    said: dict[str, Any] = reply.get("Quota") or {}
    if "Value" not in said:
        raise Transient(f"Service Quotas gives no value of {quota.code} ({quota.name}).")
    return said


def _used(asking: Asking, region: str, metric: dict[str, Any], *, within: float) -> float | None:
    """The newest figure of the last quarter of an hour; None where there is none, or CloudWatch does not say."""
    statistic = str(metric.get("MetricStatisticRecommendation") or "Maximum")
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
    try:
        reply = asking.read(
            "cloudwatch",
            region,
            "get_metric_statistics",
            within=within,
            Namespace=metric["MetricNamespace"],
            MetricName=metric["MetricName"],
            Dimensions=[{"Name": key, "Value": value} for key, value in (metric.get("MetricDimensions") or {}).items()],
            StartTime=now - datetime.timedelta(seconds=USE_SECONDS),
            EndTime=now,
            Period=PERIOD_SECONDS,
            Statistics=[statistic],
        )
    except CloudfailError:
        return None
    points = sorted(reply.get("Datapoints") or [], key=lambda one: str(one["Timestamp"]))
    return float(points[-1][statistic]) if points else None
