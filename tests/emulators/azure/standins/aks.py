"""Azure Kubernetes Service: clusters and node pools, whose nodes stand on scale sets.

As its documentation has it: a pool is written whole, under its ETag, by a long-running operation, of which there is one
at a time; with the autoscaler its count follows what its pods ask for, within its bounds.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.azure.front import Ask, Refused, Told
from tests.emulators.azure.standins.arm import Resources
from tests.emulators.azure.standins.scale_sets import PROVIDERS, ScaleSets

CLUSTERS = f"{PROVIDERS}/Microsoft.ContainerService/managedClusters"


class Pools(Resources):
    """sets: where the nodes stand. asked_for: by id of a pool, how many nodes its pods would fill. `enforcing`: whether
    the autoscaler makes what its minimum is short of."""

    service = "containerservice"

    def __init__(self, sets: ScaleSets, **more: Any) -> None:
        super().__init__(**more)
        self.sets = sets
        self.enforcing = False
        self.asked_for: dict[str, int] = {}
        self.nodes: dict[str, str] = {}

    def pool(self, cluster: str, name: str, region: str, count: int, bounds: tuple[int, int] | None = None) -> str:
        """A new one, and its cluster; its nodes run."""
        place = f"{CLUSTERS}/{cluster}"
        running = {"powerState": {"code": "Running"}, "provisioningState": "Succeeded"}
        self.put(place, {"location": region, "properties": copy.deepcopy(running)}, region)
        properties: dict[str, Any] = {
            **running,
            "count": count,
            "vmSize": "Standard_D2s_v5",
            "osType": "Linux",
            "maxPods": 110,
            "mode": "User",
            "type": "VirtualMachineScaleSets",
            "orchestratorVersion": "1.33.1",
            "currentOrchestratorVersion": "1.33.1",
            "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202611.01.0",
            "nodeLabels": {"for": "web"},
            "nodeTaints": None,
            "scaleSetPriority": "Regular",
            "localDNSProfile": {"mode": "Preferred", "state": "Enabled"},
            "tags": {"team": "shop"},
            "enableAutoScaling": bounds is not None,
        }
        if bounds is not None:
            properties |= {"minCount": bounds[0], "maxCount": bounds[1]}
        made = self.put(f"{place}/agentPools/{name}", {"properties": properties}, region)
        self.nodes[made.lower()] = self.sets.scale_set(f"aks-{cluster}-{name}-vmss", region, count)
        self.asked_for[made.lower()] = count
        return made

    def touch(self, id_: str) -> None:
        if "/agentpools/" in id_.lower():
            self._bodies[id_.lower()]["properties"]["eTag"] = f"e{next(self._numbers)}"

    def settle(self) -> None:
        super().settle()
        moving = any(one.status == "InProgress" for one in self._operations.values())
        for id_, set_ in self.nodes.items():
            told = self._bodies[id_]["properties"]
            if told["provisioningState"] == "Scaling" and not moving:
                told["provisioningState"] = self.ending or "Succeeded"
            if told.get("enableAutoScaling") and told["provisioningState"] == "Succeeded":
                least, most = told["minCount"], told["maxCount"]
                count = max(min(told["count"], max(self.asked_for[id_], least)), min(self.asked_for[id_], most))
                told["count"] = max(count, least) if self.enforcing else count
                self.sets.at(set_)["sku"]["capacity"] = told["count"]
        self.sets.settle()

    def managed_clusters_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def agent_pools_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def agent_pools_create_or_update(self, ask: Ask) -> Told:
        found = self.at(ask.path)
        if self.busy():
            said = "Operation is not allowed: Another agentpool operation (Scaling) is in progress, please wait."
            raise Refused(409, "OperationNotAllowed", said)
        wanted = ask.headers.get("if-match", "")
        if wanted and wanted != found["properties"]["eTag"]:
            raise Refused(412, "PreconditionFailed", "The ETag of the pool is another one.")
        told = copy.deepcopy(ask.body["properties"])
        if told.get("enableAutoScaling") and not told["minCount"] <= told["count"] <= told["maxCount"]:
            raise Refused(400, "InvalidParameter", "The count is not within the bounds of the autoscaler.")
        own = {
            key: found["properties"][key]
            for key in ("currentOrchestratorVersion", "nodeImageVersion", "eTag", "localDNSProfile")
        }
        if self.obeying:
            found["properties"] = {**told, **own, "provisioningState": "Scaling"}
            self.touch(ask.path)

        def effect() -> None:
            self.sets.at(self.nodes[ask.path.lower()])["sku"]["capacity"] = found["properties"]["count"]

        return self.order(ask, "put", ask.path, effect, lambda: found, status=200, body=found)

    def machines_list(self, ask: Ask) -> dict[str, Any]:
        pool = ask.path.rpartition("/")[0]
        self.settle()
        set_ = self.nodes[pool.lower()]
        return {
            "value": [
                {"name": f"node{one.name}", "properties": {"resourceId": f"{set_}/virtualMachines/{one.name}"}}
                for one in self.sets.instances(set_)
            ]
        }
