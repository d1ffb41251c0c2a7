"""Traffic Manager: a profile, its endpoints, and what it answers.

As its documentation has it ("Traffic Manager endpoint monitoring", "routing methods"): an endpoint is probed, and
answers while its probe succeeds, or while it is always to serve; one that is disabled is not probed and never answers;
where none is well, all that are enabled are answered; where all are disabled, nothing is. An endpoint's target here is
a port on loopback.
"""

from __future__ import annotations

from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused
from tests.emulators.azure.standins.arm import GROUP, Resources, merged
from tests.emulators.listening import answers

PROFILES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/trafficManagerProfiles"


class TrafficManager(Resources):
    """`obeying`: while it is not set, changes are accepted and have no effect."""

    service = "trafficmanager"

    def profile(self, name: str, method: str, ttl: int = 30) -> str:
        return self.put(
            f"{PROFILES}/{name}",
            {
                "location": "global",
                "type": "Microsoft.Network/trafficManagerProfiles",
                "properties": {
                    "profileStatus": "Enabled",
                    "trafficRoutingMethod": method,
                    "dnsConfig": {"relativeName": name, "ttl": ttl},
                },
            },
        )

    def endpoint(self, profile: str, name: str, port: int, location: str, **more: Any) -> str:
        told = {"target": f"127.0.0.1:{port}", "endpointStatus": "Enabled", "weight": 1, "priority": 1}
        body = {"type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints"}
        properties = {"properties": {**told, "endpointLocation": location, **more}}
        return self.put(f"{profile}/externalEndpoints/{name}", body | properties)

    def profiles_get(self, ask: Ask) -> dict[str, Any]:
        found = {key: value for key, value in self.at(ask.path).items() if key != "etag"}
        return merged(found, {"properties": {"endpoints": [self._told(one) for one in self._endpoints(ask.path)]}})

    def endpoints_update(self, ask: Ask) -> dict[str, Any]:
        found = self.at(ask.path)
        self.orders.append(("endpoint", ask.path))
        weight = (ask.body.get("properties") or {}).get("weight")
        if weight is not None and not 1 <= weight <= 1000:
            raise Refused(400, "BadRequest", "The weight must be from 1 to 1000.")
        if self.obeying:
            found.update(merged(found, ask.body))
        return self._told(merged(found, ask.body))

    def answered(self, profile: str) -> list[str]:
        """The targets that the name would be answered with."""
        enabled = [one["properties"] for one in self._endpoints(profile) if _enabled(one)]
        well = [one for one in enabled if _well(one)] or enabled
        if self.at(profile)["properties"]["trafficRoutingMethod"] == "Priority" and well:
            well = [min(well, key=lambda one: int(one["priority"]))]
        return [str(one["target"]) for one in well]

    def _endpoints(self, profile: str) -> list[dict[str, Any]]:
        return [one for sort in ("externalEndpoints", "azureEndpoints") for one in self.below(f"{profile}/{sort}")]

    def _told(self, one: dict[str, Any]) -> dict[str, Any]:
        status = "Disabled" if not _enabled(one) else "Online" if _well(one["properties"]) else "Degraded"
        whole = merged(one, {"properties": {"endpointMonitorStatus": status}})
        return {key: value for key, value in whole.items() if key != "etag"}


def _enabled(one: dict[str, Any]) -> bool:
    return bool(one["properties"]["endpointStatus"] == "Enabled")


def _well(properties: dict[str, Any]) -> bool:
    return properties.get("alwaysServe") == "Enabled" or answers(int(properties["target"].rpartition(":")[2]))
