"""App Service: plans, and the apps on them.

As their documentation has it: a plan is written whole, by a long-running operation after which instances are made; an
app runs on each instance of its plan, and on none while it is stopped.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.azure.front import Ask, Told
from tests.emulators.azure.standins.scale_sets import PROVIDERS
from tests.emulators.azure.standins.sized import Sized
from tests.emulators.listening import answers

PLANS, SITES = f"{PROVIDERS}/Microsoft.Web/serverfarms", f"{PROVIDERS}/Microsoft.Web/sites"


class AppService(Sized):
    """`telling`: whether instances tell their state. `idle`: that apps were unloaded, and have no instance.
    missing: how many a plan is short of."""

    service = "web"
    below_resource = True

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.telling = True
        self.idle = False
        self.missing = 0

    def plan(self, name: str, region: str, capacity: int) -> str:
        """A new one, whose instances run."""
        properties = {
            "status": "Ready",
            "provisioningState": "Succeeded",
            "maximumNumberOfWorkers": 30,
            "numberOfWorkers": capacity,
            "numberOfSites": 1,
            "geoRegion": "North Europe",
            "reserved": True,
            "perSiteScaling": False,
            "elasticScaleEnabled": False,
            "zoneRedundant": False,
            "targetWorkerCount": 0,
            "hostingEnvironmentProfile": None,
        }
        sku = {"name": "P1v3", "tier": "PremiumV3", "size": "P1v3", "family": "Pv3", "capacity": capacity}
        identity = {"type": "SystemAssigned", "principalId": "77777777-2222-3333-4444-555555555555"}
        body = {"location": region, "kind": "linux", "sku": sku, "tags": {"team": "shop"}, "identity": identity}
        made = self.put(f"{PLANS}/{name}", body | {"properties": properties}, region)
        self.fleet(made, capacity)
        return made

    def site(self, name: str, region: str, plan: str) -> str:
        properties = {"serverFarmId": plan, "state": "Running", "enabled": True}
        return self.put(f"{SITES}/{name}", {"location": region, "properties": properties}, region)

    def touch(self, id_: str) -> None:
        """None of these has an ETag."""

    def app_service_plans_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def app_service_plans_create_or_update(self, ask: Ask) -> Told:
        found = self.at(ask.path)
        by_azure = {
            key: found["properties"][key]
            for key in ("status", "provisioningState", "maximumNumberOfWorkers", "numberOfSites", "geoRegion")
        }
        after = copy.deepcopy(ask.body)
        after["properties"] = {**(after.get("properties") or {}), **by_azure}
        after["properties"]["numberOfWorkers"] = after["sku"]["capacity"]

        def effect() -> None:
            for key in ("tags", "sku", "identity", "kind", "properties"):
                found.pop(key, None)
            found.update(after)

        return self.order(ask, "put", ask.path, effect, lambda: found, status=202, body={**found, **after})

    def web_apps_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def web_apps_list_instance_identifiers(self, ask: Ask) -> dict[str, Any]:
        site = self.at(ask.path.rpartition("/")[0])
        running = site["properties"]["state"] == "Running" and not self.idle
        each = self.instances(site["properties"]["serverFarmId"]) if running else []
        each = each[: len(each) - self.missing]
        return {"value": [{"name": one.name, "properties": {"state": self._state(one.port)}} for one in each]}

    def _state(self, port: int) -> str:
        if not self.telling or not port:
            return "UNKNOWN"
        return "READY" if answers(port) else "STOPPED"
