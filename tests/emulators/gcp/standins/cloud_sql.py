"""Cloud SQL's Admin API: instances, their replicas, and one operation at a time on each.

As the reference of `instances` and "Use advanced disaster recovery (DR)" have it: a change is taken as an operation,
and refused with 409 while another is under way on that instance; `settings.settingsVersion` that is not the newest is
refused with 412; a replica that its primary designated for disaster recovery is failed over to, and the old primary is
made its replica once its region is there (RECONFIGURE_OLD_PRIMARY); any other replica is promoted to an instance of its
own; a switchover is for a designated replica whose primary is there. The API is no server: what an operation does to
servers is `then`, called beside it once the API calls it done.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import merged

PRIMARY, REPLICA = "CLOUD_SQL_INSTANCE", "READ_REPLICA_INSTANCE"
NAME = "v1/projects/{}/instances/{}"


class CloudSql:
    """`seconds`: how long each operation takes. `obeying`: while it is not set, they are done without an effect.
    `failing`: the code of the error in which they end instead, if any. `gone`: regions in which no instance takes an
    order; what they last were is told still. `then`: by operation type, what it does to the servers. `orders`: (type,
    instance, parameters) of each that was accepted."""

    def __init__(
        self,
        *,
        project: str = "shop-prod",
        seconds: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.project = project
        self.seconds = seconds
        self.obeying = True
        self.failing = ""
        self.gone: set[str] = set()
        self.then: dict[str, Callable[[], None]] = {}
        self.orders: list[tuple[str, str, dict[str, str]]] = []
        self.instances: dict[str, dict[str, Any]] = {}
        self._clock = clock
        self._operations: list[dict[str, Any]] = []
        self._pending: list[tuple[float, dict[str, Any], Callable[[], None]]] = []
        self._owed: list[tuple[str, str]] = []
        self._beside: list[threading.Thread] = []

    # ---- the hand of the test

    def instance(
        self,
        name: str,
        region: str,
        *,
        master: str = "",
        dr: bool = False,
        networks: tuple[str, ...] = (),
        public: bool = True,
        write_endpoint: str = "",
        version: str = "POSTGRES_16",
    ) -> dict[str, Any]:
        """A new one; a replica where it has a master, which designates it where `dr` is set."""
        entries = [
            {"kind": "sql#aclEntry", "value": network, "name": f"office-{n}"} for n, network in enumerate(networks)
        ]
        made: dict[str, Any] = {
            "kind": "sql#instance",
            "name": name,
            "project": self.project,
            "region": region,
            "databaseVersion": version,
            "instanceType": REPLICA if master else PRIMARY,
            "state": "RUNNABLE",
            "settings": {
                "settingsVersion": "1",
                "edition": "ENTERPRISE_PLUS",
                "userLabels": {"team": "shop"},
                "backupConfiguration": {"enabled": True, "pointInTimeRecoveryEnabled": True},
                "ipConfiguration": {"ipv4Enabled": public, "authorizedNetworks": entries},
            },
        }
        self.instances[name] = made
        if write_endpoint:
            made["replicationCluster"] = {"psaWriteEndpoint": write_endpoint}
        if master:
            made["masterInstanceName"] = f"{self.project}:{master}"
            self.instances[master].setdefault("replicaNames", []).append(name)
        if dr:
            self._designate(master, name)
        return made

    def begin(self, kind: str, name: str) -> None:
        """Something that Cloud SQL, or somebody else, does on it: a backup, say."""
        self._begin(kind, name, lambda: None)

    def settle(self) -> None:
        """What has run long enough is done, and what was owed to a region that is back has begun."""
        now, pending, self._pending = self._clock(), self._pending, []
        for due, operation, effect in pending:
            if now < due:
                self._pending.append((due, operation, effect))
                continue
            operation["status"] = "DONE"
            if self.failing:
                operation["error"] = {"errors": [{"code": self.failing, "message": "It failed."}]}
            elif self.obeying:
                effect()
                self._servers(operation["operationType"])
        for old, new in [one for one in self._owed if self.instances[one[0]]["region"] not in self.gone]:
            self._owed.remove((old, new))
            self._begin("RECONFIGURE_OLD_PRIMARY", old, lambda old=old, new=new: self._replicate(old, new))  # type: ignore[misc]

    def end(self) -> None:
        """Wait until every operation has come to its end, and the servers have done what it leads to."""
        for _ in range(1500):
            self.settle()
            if not self._pending and not any(one.is_alive() for one in self._beside):
                return
            time.sleep(0.02)
        raise AssertionError("an operation never ended")

    def close(self) -> None:
        for one in self._beside:
            one.join(60)

    def where(self, labels: Mapping[str, str], query: Mapping[str, str]) -> str:
        """The region of the instance that a request is about."""
        name = labels.get("instance") or query.get("instance", "")
        for one in self._operations:
            if one["name"] == labels.get("operation"):
                name = one["targetId"]
        return str(self.instances[name]["region"]) if name in self.instances else ""

    # ---- methods

    def instances_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._find(labels))

    def instances_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return {"kind": "sql#instancesList", "items": copy.deepcopy(list(self.instances.values()))}

    def instances_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        one = self._free(labels)
        version = one["settings"]["settingsVersion"]
        if body.get("settings", {}).get("settingsVersion", version) != version:
            raise Refused(412, "staleData", "Condition does not match.")

        def patch() -> None:
            one["settings"] = merged(one["settings"], body.get("settings", {}))
            one["settings"]["settingsVersion"] = str(int(version) + 1)

        return self._order("UPDATE", one["name"], query, patch)

    def instances_promote_replica(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        one = self._free(labels)
        if one["instanceType"] != REPLICA:
            raise Refused(400, "invalid", f"{one['name']} is not a read replica.")
        master, failover = one["masterInstanceName"].rpartition(":")[2], query.get("failover") == "true"
        if failover and not one.get("replicationCluster", {}).get("drReplica"):
            raise Refused(400, "invalid", f"{one['name']} is not a DR replica.")

        def promote() -> None:
            self._release(one["name"], master)
            if failover:
                self._designate(one["name"], master, member=False)
                self._owed.append((master, one["name"]))

        return self._order("PROMOTE_REPLICA", one["name"], query, promote)

    def instances_switchover(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        one = self._free(labels)
        if not one.get("replicationCluster", {}).get("drReplica"):
            raise Refused(400, "invalid", f"{one['name']} is not a DR replica.")
        master = one["masterInstanceName"].rpartition(":")[2]
        self._free({"project": self.project, "instance": master})

        def switch() -> None:
            self._release(one["name"], master)
            self._replicate(master, one["name"])

        self._begin("SWITCHOVER_TO_REPLICA", master, lambda: None)
        return self._order("SWITCHOVER", one["name"], query, switch)

    def operations_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        for one in self._operations:
            if one["name"] == labels["operation"]:
                return copy.deepcopy(one)
        raise Refused(404, "notFound", "The Cloud SQL operation does not exist.")

    def operations_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        found = [one for one in self._operations if query.get("instance", one["targetId"]) == one["targetId"]]
        newest = found[::-1][: int(query.get("maxResults", "500"))]
        return {"kind": "sql#operationsList", "items": copy.deepcopy(newest)} if newest else {}

    # ---- what they do

    def _find(self, labels: Mapping[str, str]) -> dict[str, Any]:
        if labels["project"] != self.project or labels["instance"] not in self.instances:
            raise Refused(404, "instanceDoesNotExist", "The Cloud SQL instance does not exist.")
        return self.instances[labels["instance"]]

    def _free(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """The instance, if it takes an order."""
        self.settle()
        one = self._find(labels)
        if one["region"] in self.gone:
            raise Refused(503, "backendError", f"{one['name']} does not answer.")
        if any(operation["targetId"] == one["name"] for _, operation, _ in self._pending):
            raise Refused(
                409, "operationInProgress", "Operation failed because another operation was already in progress."
            )
        return one

    def _order(self, kind: str, name: str, query: Mapping[str, str], effect: Callable[[], None]) -> dict[str, Any]:
        self.orders.append((kind, name, dict(query)))
        return self._begin(kind, name, effect)

    def _begin(self, kind: str, name: str, effect: Callable[[], None]) -> dict[str, Any]:
        operation = {
            "kind": "sql#operation",
            "name": f"operation-{len(self._operations) + 1}",
            "operationType": kind,
            "targetId": name,
            "targetProject": self.project,
            "status": "RUNNING",
        }
        self._operations.append(operation)
        self._pending.append((self._clock() + self.seconds, operation, effect))
        return {**operation, "status": "PENDING"}

    def _servers(self, kind: str) -> None:
        if kind in self.then:
            beside = threading.Thread(target=self.then[kind], daemon=True)
            self._beside.append(beside)
            beside.start()

    def _release(self, name: str, master: str) -> None:
        """It is a primary from now on."""
        one, old = self.instances[name], self.instances[master]
        one["instanceType"] = PRIMARY
        one.pop("masterInstanceName")
        one.get("replicationCluster", {}).pop("drReplica", None)
        old["replicaNames"].remove(name)
        old.get("replicationCluster", {}).pop("failoverDrReplicaName", None)

    def _replicate(self, name: str, master: str) -> None:
        """A primary becomes the replica for disaster recovery of another."""
        one = self.instances[name]
        one["instanceType"], one["masterInstanceName"] = REPLICA, f"{self.project}:{master}"
        self.instances[master].setdefault("replicaNames", []).append(name)
        self._designate(master, name)

    def _designate(self, master: str, name: str, *, member: bool = True) -> None:
        self.instances[master].setdefault("replicationCluster", {})["failoverDrReplicaName"] = name
        if member:
            self.instances[name].setdefault("replicationCluster", {})["drReplica"] = True
