"""Node pools of GKE, over the instance groups of a machine of compute.v1.

As container.v1 and GKE's documentation have it: a size is for each zone; bounds are for each zone or for all; one
operation at a time on a pool or its cluster, and another is refused (400, FAILED_PRECONDITION, "Please wait and try
again once it is done."); what was ordered is there when its operation is done, and nodes come later. The autoscaler
takes idle nodes away down to the floor, and makes none to come up to it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.instance_groups import InstanceGroups
from tests.emulators.gcp.standins.operations import BASE

LINK = "https://container.googleapis.com/v1/"


@dataclass
class Pool:
    """`load`: the nodes in each zone that pods need."""

    path: str
    zones: tuple[str, ...]
    groups: tuple[str, ...]
    autoscaling: dict[str, Any]
    load: int
    config: dict[str, Any] = field(default_factory=dict)
    status: str = "RUNNING"


class NodePools:
    """`seconds`: how long an operation takes. `obeying`: while it is not set, they are done without an effect.
    `failing`: google.rpc.Code with which they end, if any. `idles`: whether idle nodes are taken away."""

    def __init__(self, compute: InstanceGroups, *, seconds: float = 0.2) -> None:
        self.compute = compute
        self.clock = compute.clock
        self.seconds = seconds
        self.obeying = True
        self.failing = 0
        self.idles = True
        self.missing: list[str] = []
        self.orders: list[tuple[str, str]] = []
        self._pools: dict[str, Pool] = {}
        self._operations: list[dict[str, Any]] = []
        self._pending: list[tuple[float, dict[str, Any], Callable[[], None]]] = []

    def pool(self, path: str, zones: tuple[str, ...], each: int, **autoscaling: Any) -> str:
        """A new one, whose nodes run: so many in each zone. Returns its path."""
        project, cluster, name = (path.split("/")[index] for index in (1, 5, 7))
        groups = tuple(
            f"projects/{project}/zones/{zone}/instanceGroupManagers/gke-{cluster}-{name}-grp" for zone in zones
        )
        for group in groups:
            self.compute.group(group, each)
        told = {"enabled": True, **autoscaling} if autoscaling else {}
        self._pools[path] = Pool(path, zones, groups, told, each)
        return path

    def at(self, path: str) -> Pool:
        self.settle()
        return self._pools[path]

    def sizes(self, path: str) -> list[int]:
        return [self.compute.at(group).target for group in self.at(path).groups]

    def begin(self, path: str, kind: str = "UPGRADE_NODES", seconds: float = 3600.0) -> None:
        """Something of somebody else's is under way on the pool or on its cluster."""
        self._add(path, kind, seconds, lambda: None)

    def end(self) -> None:
        """Every operation comes to its end, and every node runs."""
        self._pending = [(0.0, operation, effect) for _, operation, effect in self._pending]
        self.settle()
        self.compute.end()

    def settle(self) -> None:
        now, pending, self._pending = self.clock(), self._pending, []
        for due, operation, effect in pending:
            if now < due:
                self._pending.append((due, operation, effect))
                continue
            operation["status"] = "DONE"
            if self.failing:
                operation["error"] = {"code": self.failing, "message": "It failed."}
            elif self.obeying:
                effect()
        for pool in self._pools.values():
            self._scale_in(pool)
        self.compute.settle()

    def _scale_in(self, pool: Pool) -> None:
        if not self.idles or not pool.autoscaling:
            return
        bounds, groups = pool.autoscaling, [self.compute._groups[group] for group in pool.groups]
        for group in groups:
            least = max(pool.load, bounds.get("minNodeCount", 0))
            while group.target > least and sum(one.target for one in groups) > bounds.get("totalMinNodeCount", 0):
                group.target -= 1

    def _add(self, path: str, kind: str, seconds: float, effect: Callable[[], None]) -> dict[str, Any]:
        operation = {
            "name": f"operation-{len(self._operations) + 1}",
            "operationType": kind,
            "status": "RUNNING",
            # GKE writes a project's number here, whatever it was asked by.
            "targetLink": f"{LINK}projects/123/locations/{path.partition('/locations/')[2]}",
        }
        self._operations.append(operation)
        self._pending.append((self.clock() + seconds, operation, effect))
        return operation

    def _order(self, labels: dict[str, str], kind: str, effect: Callable[[Pool], None]) -> dict[str, Any]:
        self.settle()
        pool = self._of(labels)
        cluster = pool.path.partition("/nodePools/")[0].partition("/clusters/")[2]
        for _, one, _ in self._pending:
            if str(one["targetLink"]).partition("/clusters/")[2].partition("/")[0] == cluster:
                said = f"Operation {one['name']} is currently changing cluster {cluster}. Please wait and try again."
                raise Refused(400, "failedPrecondition", said, "FAILED_PRECONDITION")
        self.orders.append((kind, pool.path))
        made = self._add(pool.path, kind, self.seconds, lambda: effect(pool))
        self.settle()
        return copy.deepcopy(made)

    def _of(self, labels: dict[str, str]) -> Pool:
        path = (
            f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/clusters/{labels['clustersId']}"
            f"/nodePools/{labels['nodePoolsId']}"
        )
        if path not in self._pools:
            raise Refused(404, "notFound", f"Not found: {path}.", "NOT_FOUND")
        return self._pools[path]

    # ---- methods

    def projects_locations_clusters_node_pools_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self.settle()
        pool = self._of(labels)
        told = {
            "name": pool.path.rpartition("/")[2],
            "status": pool.status,
            "locations": list(pool.zones),
            "instanceGroupUrls": [BASE + group for group in pool.groups],
            "config": {"machineType": "n2-standard-4", **pool.config},
            "initialNodeCount": 1,
            "etag": "0",
        }
        return told | ({"autoscaling": copy.deepcopy(pool.autoscaling)} if pool.autoscaling else {})

    def projects_locations_clusters_node_pools_set_size(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        def effect(pool: Pool) -> None:
            for group in pool.groups:
                self.compute._groups[group].target = int(body.get("nodeCount", 0))

        return self._order(labels, "SET_NODE_POOL_SIZE", effect)

    def projects_locations_clusters_node_pools_set_autoscaling(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        told = body["autoscaling"]
        for low, high in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
            if told.get(low, 0) > told.get(high, 0):
                raise Refused(400, "badRequest", f"{low} must not be above {high}.", "INVALID_ARGUMENT")
        if "maxNodeCount" in told and "totalMaxNodeCount" in told:
            raise Refused(400, "badRequest", "Bounds are per zone or in all.", "INVALID_ARGUMENT")

        def effect(pool: Pool) -> None:
            pool.autoscaling = copy.deepcopy(told)

        return self._order(labels, "UPDATE_CLUSTER", effect)

    def projects_locations_operations_list(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        self.settle()
        where = f"/locations/{labels['locationsId']}/"
        found = [copy.deepcopy(one) for one in self._operations if where in one["targetLink"]]
        return {"operations": found} | ({"missingZones": self.missing} if self.missing else {})
