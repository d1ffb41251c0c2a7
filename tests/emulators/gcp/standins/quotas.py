"""What a project may run in a region: quotas and their use, machine types, instance templates, reservations.

As the references of `regions`, `machineTypes`, `instanceTemplates`, `regionInstanceTemplates` and `reservations` have
it. Beside groups of instances it stands as a base of the same machine.
"""

from __future__ import annotations

import itertools
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import BASE, Operations


class Quotas(Operations):
    """`quotas`: (region, metric) -> (limit, usage). `vcpus`: machine type -> its vCPUs, negative where they are shared.
    `zones`: of each region, by their letters. `mute`: whether a region fails to tell its quotas."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.quotas: dict[tuple[str, str], tuple[float, float]] = {}
        self.vcpus = {"n2-standard-4": 4, "e2-standard-2": 2, "e2-micro": -2}
        self.zones = "abc"
        self.mute = False
        self.page_of_reservations = 100
        self._templates: dict[str, dict[str, Any]] = {}
        self._reservations: list[dict[str, Any]] = []
        self._serial = itertools.count(1)

    def template(self, path: str, machine_type: str, **properties: Any) -> str:
        """A new one. Returns its path."""
        self._templates[path] = {"machineType": machine_type, **properties}
        return path

    def reserve(self, zone: str, machine_type: str, count: int, used: int = 0, **more: Any) -> None:
        """A new reservation in that zone."""
        held = {"count": str(count), "inUseCount": str(used), "instanceProperties": {"machineType": machine_type}}
        name = f"reservation-{next(self._serial)}"
        one = {"name": name, "zone": BASE + zone, "status": "READY", "specificReservation": held, **more}
        self._reservations.append(one)

    # ---- methods

    def regions_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        region, scope = labels["region"], f"{BASE}projects/{labels['project']}/zones/"
        told: dict[str, Any] = {"kind": "compute#region", "name": region, "status": "UP"}
        told["zones"] = [f"{scope}{region}-{letter}" for letter in self.zones]
        if self.mute:
            return told | {"quotaStatusWarning": {"code": "UNREACHABLE", "message": "The quotas were not fetched."}}
        told["quotas"] = [
            {"metric": metric, "limit": limit, "usage": usage}
            for (where, metric), (limit, usage) in self.quotas.items()
            if where == region
        ]
        return told

    def machine_types_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        name = labels["machineType"]
        if name not in self.vcpus:
            raise Refused(404, "notFound", f"The resource 'machineTypes/{name}' was not found")
        count = self.vcpus[name]
        return {"kind": "compute#machineType", "name": name, "guestCpus": abs(count), "isSharedCpu": count < 0}

    def instance_templates_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        where = f"regions/{labels['region']}" if "region" in labels else "global"
        path = f"projects/{labels['project']}/{where}/instanceTemplates/{labels['instanceTemplate']}"
        if path not in self._templates:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return {"kind": "compute#instanceTemplate", "selfLink": BASE + path, "properties": self._templates[path]}

    region_instance_templates_get = instance_templates_get

    def reservations_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        zone = f"{BASE}projects/{labels['project']}/zones/{labels['zone']}"
        found = [one for one in self._reservations if one["zone"] == zone]
        start = int(query.get("pageToken", "0"))
        end = start + self.page_of_reservations
        page: dict[str, Any] = {"items": found[start:end]} if found[start:end] else {}
        return page | ({"nextPageToken": str(end)} if end < len(found) else {})


class ServiceUsage:
    """Limits of Cloud Run's vCPUs (serviceusage.v1beta1), in thousandths: of a region, "" for those that have none of
    their own. As its reference has it, a bucket without dimensions is the default, and an int64 is a text."""

    def __init__(self, **thousandths: int) -> None:
        self.thousandths = {"": 20_000, **thousandths}

    def services_consumer_quota_metrics_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        if labels["consumerQuotaMetricsId"] != "run.googleapis.com/cpu_allocation":
            raise Refused(404, "", "No such metric.", "NOT_FOUND")
        buckets = [
            {
                "effectiveLimit": str(limit),
                "defaultLimit": "20000",
                **({"dimensions": {"region": region}} if region else {}),
            }
            for region, limit in self.thousandths.items()
        ]
        regional = {"unit": "1/{project}/{region}", "quotaBuckets": buckets}
        return {
            "metric": "run.googleapis.com/cpu_allocation",
            "unit": "1",
            "consumerQuotaLimits": [{"unit": "1/{project}", "quotaBuckets": [{"effectiveLimit": "1"}]}, regional],
        }
