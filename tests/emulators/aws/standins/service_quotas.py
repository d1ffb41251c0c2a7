"""Service Quotas, and EC2's capacity reservations: what an account may run, and what is kept for it.

As the documentation has it: GetServiceQuota knows only what was applied, and refuses the rest with
NoSuchResourceException; the default is another call's. A quota that has a metric says so. A reservation is described
with what is left of it, whatever its state.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused

DEFAULTS = {"L-1216C47A": 5.0, "L-3032A538": 6.0, "L-417A185B": 0.0}


@dataclass
class ServiceQuotas:
    """`applied`: (region, code) -> value. `measured`: codes that have a metric."""

    applied: dict[tuple[str, str], float] = field(default_factory=dict)
    measured: set[str] = field(default_factory=lambda: {"L-1216C47A", "L-3032A538"})
    # What keeps the figures of two tests apart that share a CloudWatch.
    mark: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_service_quota(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        value = self.applied.get((what.region, given["QuotaCode"]))
        if value is None:
            raise Refused("NoSuchResourceException", f"{given['QuotaCode']} was not applied.")
        return {"Quota": self._described(given, value)}

    def get_aws_default_service_quota(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        del what
        if given["QuotaCode"] not in DEFAULTS:
            raise Refused("NoSuchResourceException", f"There is no {given['QuotaCode']}.")
        return {"Quota": self._described(given, DEFAULTS[given["QuotaCode"]])}

    def _described(self, given: dict[str, Any], value: float) -> dict[str, Any]:
        service, code = given["ServiceCode"], given["QuotaCode"]
        metric = {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": self.dimensions(service),
            "MetricStatisticRecommendation": "Maximum",
        }
        return {
            "ServiceCode": service,
            "QuotaCode": code,
            "Value": value,
            **({"UsageMetric": metric} if code in self.measured else {}),
        }

    def dimensions(self, service: str) -> dict[str, str]:
        named = {"ec2": "EC2", "fargate": "Fargate"}[service]
        return {
            "Class": "Standard/OnDemand",
            "Resource": "vCPU",
            "Service": named,
            "Type": "Resource",
            "Test": self.mark,
        }


@dataclass
class Reservations:
    """Those of one account, in all regions."""

    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def reserve(self, region: str, instance_type: str, left: int, zone: str = "a", **more: Any) -> None:
        one = {
            "CapacityReservationId": f"cr-{next(self._numbers):017x}",
            "InstanceType": instance_type,
            "AvailabilityZone": f"{region}{zone}",
            "AvailableInstanceCount": left,
            "TotalInstanceCount": left,
            "State": "active",
            "InstanceMatchCriteria": "open",
            "Tenancy": "default",
            **more,
        }
        self.made.append((region, one))

    def describe_capacity_reservations(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        keys = {"instance-type": "InstanceType", "state": "State"}
        wanted = {keys[one["Name"]]: one["Values"] for one in given.get("Filters", [])}
        found = [
            one
            for region, one in self.made
            if region == what.region and all(one[key] in values for key, values in wanted.items())
        ]
        return {"CapacityReservations": found}
