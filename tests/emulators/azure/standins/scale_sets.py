"""Virtual machine scale sets, and the autoscale settings of Azure Monitor that size them.

As their documentation has it: a set's capacity is changed by a long-running operation, after which instances are made,
and run later.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, merged
from tests.emulators.azure.standins.sized import Instance, Sized
from tests.emulators.listening import answers

PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
SETS = f"{PROVIDERS}/Microsoft.Compute/virtualMachineScaleSets"
SETTINGS = f"{PROVIDERS}/Microsoft.Insights/autoscaleSettings"


class ScaleSets(Sized):
    """`checked`: whether instances tell their health. vcpus: of each size, and its family. quotas: by name, limit and
    use. reserved: by size, how many a capacity reservation holds, and how many of them are taken up."""

    service = "compute"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.checked = True
        self.vcpus = {"Standard_D2s_v5": (2, "standardDSv5Family")}
        self.quotas: dict[str, tuple[int, int]] = {"cores": (100, 10), "standardDSv5Family": (20, 10)}
        self.reserved: dict[str, tuple[int, int]] = {}

    def scale_set(self, name: str, region: str, capacity: int) -> str:
        """A new one, whose instances run."""
        sku = {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": capacity}
        body = {"location": region, "sku": sku, "tags": {"team": "shop"}}
        made = self.put(f"{SETS}/{name}", body | {"properties": {"provisioningState": "Succeeded"}}, region)
        self.fleet(made, capacity)
        return made

    def region_of(self, path: str) -> str:
        where = path.lower().partition("/locations/")[2].partition("/")[0]
        return where or super().region_of(path)

    def usage_list(self, ask: Ask) -> dict[str, Any]:
        told = self.quotas.items()
        return {
            "value": [
                {"unit": "Count", "limit": limit, "currentValue": used, "name": {"value": name}}
                for name, (limit, used) in told
            ]
        }

    def resource_skus_list(self, ask: Ask) -> dict[str, Any]:
        where = ask.query["$filter"].partition("'")[2].rstrip("'")
        every: list[dict[str, Any]] = [{"resourceType": "disks", "name": "Premium_LRS", "locations": [where]}]
        every += [
            {
                "resourceType": "virtualMachines",
                "name": size,
                "family": family,
                "locations": [where],
                "capabilities": [{"name": "vCPUs", "value": str(vcpus)}],
            }
            for size, (vcpus, family) in self.vcpus.items()
        ]
        return {"value": every}

    def capacity_reservations_list_by_capacity_reservation_group(self, ask: Ask) -> dict[str, Any]:
        return {
            "value": [
                {
                    "location": "northeurope",
                    "sku": {"name": size, "capacity": capacity},
                    "properties": {"virtualMachinesAssociated": [{"id": f"{SETS}/x/{at}"} for at in range(taken)]},
                }
                for size, (capacity, taken) in self.reserved.items()
            ]
        }

    def virtual_machine_scale_sets_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def virtual_machine_scale_sets_update(self, ask: Ask) -> Told:
        self.matched(ask, ask.path)
        found = self.at(ask.path)
        after = merged(found, {"sku": ask.body.get("sku", {})}) | {"tags": ask.body.get("tags", found["tags"])}

        def effect() -> None:
            found.update(after)
            self.touch(ask.path)

        return self.order(ask, "update", ask.path, effect, lambda: found, status=200, body=after)

    def virtual_machine_scale_set_v_ms_list(self, ask: Ask) -> dict[str, Any]:
        set_ = ask.path.rpartition("/")[0]
        view = "instanceView" in ask.query.get("$expand", "")
        return {"value": [self._machine(set_, one, view=view) for one in self.instances(set_)]}

    def _machine(self, set_: str, one: Instance, *, view: bool) -> dict[str, Any]:
        told: dict[str, Any] = {"provisioningState": "Succeeded" if one.port else "Creating"}
        if view:
            codes = ["ProvisioningState/succeeded", "PowerState/running" if one.port else "PowerState/starting"]
            told["instanceView"] = {"statuses": [{"code": code} for code in codes]}
            if self.checked and one.port:
                health = "healthy" if answers(one.port) else "unhealthy"
                told["instanceView"]["vmHealth"] = {"status": {"code": f"HealthState/{health}"}}
        return {"instanceId": one.name, "location": self.at(set_)["location"], "properties": told}


class AutoscaleSettings:
    """Azure Monitor's part, over the same sets. A PATCH replaces the list of profiles, and the map of tags."""

    service = "monitor"

    def __init__(self, sets: Sized) -> None:
        self.sets = sets
        self.obeying = True
        self.orders: list[str] = []

    def setting(self, name: str, set_: str, load: int, *bounds: tuple[int, int, int], enabled: bool = True) -> str:
        """One profile for each of bounds; the first is in force."""
        id_ = f"{SETTINGS}/{name}"
        profiles = [
            {
                "name": f"profile {at}",
                "capacity": {"minimum": str(least), "maximum": str(most), "default": str(default)},
                "rules": [],
            }
            for at, (least, most, default) in enumerate(bounds)
        ]
        told = {"profiles": profiles, "enabled": enabled, "targetResourceUri": set_}
        body = {"id": id_, "name": name, "location": "westeurope", "tags": {"team": "shop"}, "properties": told}
        self.sets.loads[id_.lower()] = load
        self.sets.settings[id_.lower()] = body
        self.sets.settle()
        return id_

    def region_of(self, path: str) -> str:
        found = self.sets.settings.get(path.lower())
        return self.sets.region_of(found["properties"]["targetResourceUri"]) if found else ""

    def autoscale_settings_list_by_resource_group(self, ask: Ask) -> dict[str, Any]:
        return {"value": [copy.deepcopy(one) for one in self.sets.settings.values()]}

    def autoscale_settings_update(self, ask: Ask) -> dict[str, Any]:
        found = self.sets.settings.get(ask.path.lower())
        if found is None:
            raise Refused(404, "ResourceNotFound", "There is no such setting.")
        for profile in ask.body["properties"]["profiles"]:
            one = profile["capacity"]
            if not int(one["minimum"]) <= int(one["default"]) <= int(one["maximum"]):
                raise Refused(400, "BadRequest", f"The capacity {one} is not in order.")
        self.orders.append(ask.path)
        whole = {**found, "tags": ask.body["tags"], "properties": {**found["properties"], **ask.body["properties"]}}
        if self.obeying:
            self.sets.settings[ask.path.lower()] = copy.deepcopy(whole)
            self.sets.settle()
        return whole
