"""Virtual machine scale sets, and the autoscale settings of Azure Monitor that size them.

As their documentation has it: a set's capacity is changed by a long-running operation, after which instances are made,
and run later; a setting that is enabled takes the capacity to what its load recommends, within the bounds of the
profile that is in force. An instance that runs is a listener on loopback, and healthy if it listens.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.aws.balancing import answers, listening
from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Resources, merged

PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
SETS = f"{PROVIDERS}/Microsoft.Compute/virtualMachineScaleSets"
SETTINGS = f"{PROVIDERS}/Microsoft.Insights/autoscaleSettings"


@dataclass
class Instance:
    """`due`: when it runs. port: where it listens, 0 before."""

    name: str
    due: float
    port: int = 0
    serves: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


class ScaleSets(Resources):
    """`boots`: whether what is made comes to run, after `boot_seconds`. `checked`: whether instances tell their health.
    loads: by id of a setting, what it would recommend without bounds."""

    service = "compute"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.boots = True
        self.boot_seconds = 0.1
        self.checked = True
        self.loads: dict[str, int] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        self._instances: dict[str, list[Instance]] = {}
        self._ids = itertools.count()

    def scale_set(self, name: str, region: str, capacity: int) -> str:
        """A new one, whose instances run."""
        sku = {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": capacity}
        body = {"location": region, "sku": sku, "tags": {"team": "shop"}}
        made = self.put(f"{SETS}/{name}", body | {"properties": {"provisioningState": "Succeeded"}}, region)
        self._instances[made.lower()] = []
        boot, self.boot_seconds = self.boot_seconds, 0.0
        self.settle()
        self.boot_seconds = boot
        return made

    def instances(self, set_: str) -> list[Instance]:
        self.settle()
        return self._instances[set_.lower()]

    def sicken(self, set_: str) -> str:
        """The newest instance no longer listens. Returns its name."""
        one = self.instances(set_)[-1]
        one.serves.close()
        return one.name

    def settle(self) -> None:
        super().settle()
        for id_, setting in self.settings.items():
            properties = setting["properties"]
            if properties.get("enabled", True):
                bounds = properties["profiles"][0]["capacity"]
                wanted = max(int(bounds["minimum"]), min(self.loads[id_], int(bounds["maximum"])))
                self._bodies[properties["targetResourceUri"].lower()]["sku"]["capacity"] = wanted
        for id_, instances in self._instances.items():
            self._follow(instances, int(self._bodies[id_]["sku"]["capacity"]))

    def _follow(self, instances: list[Instance], capacity: int) -> None:
        while len(instances) < capacity:
            instances.append(Instance(str(next(self._ids)), self.clock() + self.boot_seconds))
        while len(instances) > capacity:
            instances.pop().serves.close()
        for one in instances:
            if not one.port and self.boots and self.clock() >= one.due:
                one.port = one.serves.enter_context(listening())

    def close(self) -> None:
        for instances in self._instances.values():
            for one in instances:
                one.serves.close()

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

    def __init__(self, sets: ScaleSets) -> None:
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
