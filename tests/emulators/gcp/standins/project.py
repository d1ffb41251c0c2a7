"""What stands in one project, as its APIs list it: for whoever looks at all of it. Reads alone; two on a page."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.operations import BASE

PROJECT = "shop-prod"
Labels = Mapping[str, str]
PAGE = 2


def paged(key: str, found: list[Any], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of it; nothing at all where nothing is there, as Google leaves an empty list out."""
    start = int(query.get("pageToken", "0"))
    page: dict[str, Any] = {key: copy.deepcopy(found[start : start + PAGE])} if found else {}
    return page | ({"nextPageToken": str(start + PAGE)} if start + PAGE < len(found) else {})


class Compute(InstanceGroups):
    """`addresses`: region -> those that are reserved there; `rules`: region -> those of its forwarding rules; `healed`:
    the groups that have a health check of their own."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.addresses: dict[str, list[str]] = {}
        self.rules: dict[str, list[str]] = {}
        self.healed: set[str] = set()

    def regions_get(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        region = labels["region"]
        return {"name": region, "zones": [f"{BASE}projects/{PROJECT}/zones/{region}-{zone}" for zone in "ab"]}

    def addresses_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return paged("items", [{"address": one} for one in self.addresses.get(labels["region"], ())], query)

    def forwarding_rules_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return paged("items", [{"IPAddress": one} for one in self.rules.get(labels["region"], ())], query)

    def backend_services_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return self._services_in("global", query)

    def region_backend_services_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return self._services_in(f"regions/{labels['region']}", query)

    def _services_in(self, scope: str, query: Labels) -> dict[str, Any]:
        start = f"projects/{PROJECT}/{scope}/"
        return paged("items", [one for path, one in self._services.items() if path.startswith(start)], query)

    def instance_group_managers_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return self._managers_in(f"zones/{labels['zone']}", query)

    def region_instance_group_managers_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return self._managers_in(f"regions/{labels['region']}", query)

    def _managers_in(self, scope: str, query: Labels) -> dict[str, Any]:
        start = f"projects/{PROJECT}/{scope}/"
        found = []
        for path in self._groups:
            if path.startswith(start):
                one: dict[str, Any] = {"name": path.rpartition("/")[2], "selfLink": BASE + path}
                one["instanceGroup"] = BASE + self.instance_group(path)
                if path in self.healed:
                    one["autoHealingPolicies"] = [{"healthCheck": f"{BASE}projects/{PROJECT}/global/healthChecks/web"}]
                found.append(one)
        return paged("items", found, query)


class Zones:
    """Cloud DNS: zone's name -> (its description, its record sets)."""

    def __init__(self) -> None:
        self.zones: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}

    def zone(self, name: str, *sets: dict[str, Any], **more: Any) -> None:
        self.zones[name] = ({"name": name, "dnsName": "shop.example.", "visibility": "public", **more}, list(sets))

    def managed_zones_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return paged("managedZones", [told for told, _ in self.zones.values()], query)

    def managed_zones_get(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return copy.deepcopy(self.zones[labels["managedZone"]][0])

    def resource_record_sets_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        _, sets = self.zones[labels["managedZone"]]
        found = [one for one in sets if query.get("name", one["name"]) == one["name"]]
        return paged("rrsets", [one for one in found if query.get("type", one["type"]) == one["type"]], query)


class Listed:
    """One API that has one list, which `find` makes from what the path names."""

    def __init__(self, key: str, find: Callable[[Labels], list[dict[str, Any]]]) -> None:
        self._key, self._find = key, find

    def _list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return paged(self._key, self._find(labels), query)

    instances_list = projects_locations_clusters_list = projects_locations_services_list = _list
    projects_locations_jobs_list = projects_locations_queues_list = projects_subscriptions_list = _list
