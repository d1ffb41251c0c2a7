"""AlloyDB clusters of several regions, whose promotion and switchover take their time.

As the reference of AlloyDB v1 has it: each change is a google.longrunning operation, and none is accepted on a cluster
while another is under way on it; `promote` makes a secondary a primary of its own and leaves the old primary what it
is; `switchover` exchanges the two, and every other secondary follows the new primary; an etag that is no longer the
cluster's is refused with ABORTED; a requestId that was carried out once is answered with what came of it then;
`validateOnly` changes nothing. A secondary instance cannot be stopped.

What the API says and what the servers do are apart, on purpose. `servers(verb, path of the target)` is called beside
it when a move is accepted: it moves them late, or never, while the API goes on saying what it says.
"""

from __future__ import annotations

import copy
import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.front import Refused

CODES = {"ABORTED": 10, "FAILED_PRECONDITION": 9, "INTERNAL": 13, "PERMISSION_DENIED": 7}


class AlloyDb:
    """`seconds`: how long each operation takes. `obeying`: while it is not set, they are done without an effect.
    `failing`: the google.rpc code in which they end instead, if any. `busy_says`: with what a cluster refuses a second
    operation. `orders`: (verb, target) of each that was accepted."""

    def __init__(self, *, seconds: float = 0.2, clock: Callable[[], float] = time.monotonic, **more: Any) -> None:
        super().__init__(**more)
        self.clock = clock
        self.seconds = seconds
        self.obeying = True
        self.failing = ""
        self.busy_says = (409, "ABORTED")
        self.servers: Callable[[str, str], None] = lambda verb, path: None
        self.orders: list[tuple[str, str]] = []
        self.clusters: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self._operations: dict[str, dict[str, Any]] = {}
        self._pending: list[tuple[float, dict[str, Any], tuple[str, ...], Callable[[], None], Callable[[], None]]] = []
        self._by_request: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._beside: list[threading.Thread] = []

    # ---- the hand that sets it up

    def cluster(self, path: str, *, of: str = "", **more: Any) -> str:
        """A new one with its one instance: a secondary of the cluster at that path, or a primary."""
        made: dict[str, Any] = {
            "name": path,
            "uid": f"uid-{path.rpartition('/')[2]}",
            "clusterType": "SECONDARY" if of else "PRIMARY",
            "state": "READY",
            "reconciling": False,
            "databaseVersion": "POSTGRES_15",
            **more,
        }
        if of:
            made["secondaryConfig"] = {"primaryClusterName": of}
            listed = self.clusters[of].setdefault("primaryConfig", {}).setdefault("secondaryClusterNames", [])
            listed.append(path)
        self.clusters[path] = made
        instance = f"{path}/instances/main"
        kind = "SECONDARY" if of else "PRIMARY"
        self.instances[instance] = {
            "name": instance, "instanceType": kind, "state": "READY", "activationPolicy": "ALWAYS",
        }  # fmt: skip
        self.touch(path)
        self.touch(instance)
        return path

    def touch(self, path: str) -> None:
        """Somebody changed something of it: its etag is another."""
        whole = self.instances if "/instances/" in path else self.clusters
        whole[path]["etag"] = f"etag-{next(self._numbers)}"

    def annotate(self, path: str, **annotations: str) -> None:
        """Somebody else's."""
        self.clusters[path].setdefault("annotations", {}).update(annotations)
        self.touch(path)

    def independent(self, path: str) -> None:
        """What a promotion leads to, as the API has it."""
        cluster = self.clusters[path]
        upstream = cluster.pop("secondaryConfig")["primaryClusterName"]
        cluster["clusterType"] = "PRIMARY"
        self.clusters[upstream]["primaryConfig"]["secondaryClusterNames"].remove(path)
        self._instance_type(path)

    def exchange(self, path: str) -> None:
        """What a switchover leads to, as the API has it."""
        new, upstream = self.clusters[path], self.clusters[path]["secondaryConfig"]["primaryClusterName"]
        others = [one for one in self.clusters[upstream].pop("primaryConfig")["secondaryClusterNames"] if one != path]
        del new["secondaryConfig"]
        new |= {"clusterType": "PRIMARY", "primaryConfig": {"secondaryClusterNames": [upstream, *others]}}
        self.clusters[upstream]["clusterType"] = "SECONDARY"
        for one in (upstream, *others):
            self.clusters[one]["secondaryConfig"] = {"primaryClusterName": path}
        self._instance_type(path)
        self._instance_type(upstream)

    def _instance_type(self, path: str) -> None:
        self.instances[f"{path}/instances/main"]["instanceType"] = self.clusters[path]["clusterType"]

    def settle(self) -> None:
        """What has run long enough is done."""
        now, pending, self._pending = self.clock(), self._pending, []
        for due, operation, targets, effect, back in pending:
            if now < due:
                self._pending.append((due, operation, targets, effect, back))
                continue
            operation["done"] = True
            back()
            if self.failing:
                operation["error"] = {"code": CODES[self.failing], "message": "It failed."}
            else:
                operation["response"] = {}
                if self.obeying:
                    effect()
            for one in targets:
                self.touch(one)

    def end(self) -> None:
        """Wait until every operation, and what it led to beside, has come to its end."""
        for _ in range(1000):
            self.settle()
            if not self._pending:
                break
            time.sleep(0.01)
        else:
            raise AssertionError("an operation never ended")
        for one in self._beside:
            one.join(60)

    def close(self) -> None:
        for one in self._beside:
            one.join(60)

    # ---- Google's methods

    def projects_locations_clusters_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        return copy.deepcopy(self._cluster(labels))

    def projects_locations_clusters_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        cluster = self._cluster(labels)
        mask = query.get("updateMask", "").split(",")
        if not set(mask) <= {"annotations", "labels"}:
            raise Refused(400, "", f"This stand-in changes no {mask}.", "INVALID_ARGUMENT")
        path = str(cluster["name"])

        def effect() -> None:
            cluster.update({key: copy.deepcopy(body.get(key, {})) for key in mask})

        return self._order("update", (path,), {**query, "etag": body.get("etag", "")}, effect)

    def projects_locations_clusters_promote(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        path = str(self._cluster(labels)["name"])
        if self._again(body) is None:
            self._secondary(path)
        return self._order("promote", (path,), body, lambda: self.independent(path), "PROMOTING")

    def projects_locations_clusters_switchover(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        path = str(self._cluster(labels)["name"])
        if self._again(body) is not None:
            return self._again(body)
        upstream = self._secondary(path)
        if self.clusters[upstream]["state"] != "READY":
            raise Refused(400, "", f"{upstream} is not READY.", "FAILED_PRECONDITION")
        return self._order("switchover", (path, upstream), body, lambda: self.exchange(path), "SWITCHOVER")

    def projects_locations_clusters_instances_list(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> Any:
        path = str(self._cluster(labels)["name"])
        return {
            "instances": [copy.deepcopy(one) for name, one in self.instances.items() if name.startswith(f"{path}/")]
        }

    def projects_locations_clusters_instances_get(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> Any:
        return copy.deepcopy(self._instance(labels))

    def projects_locations_clusters_instances_patch(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> Any:
        cluster, instance = self._cluster(labels), self._instance(labels)
        if not {"activationPolicy"} <= set(query.get("updateMask", "").split(",")) <= {"activationPolicy", "labels"}:
            raise Refused(400, "", "This stand-in only starts and stops.", "INVALID_ARGUMENT")
        wanted, name = body["activationPolicy"], str(instance["name"])
        if wanted == "NEVER" and instance["instanceType"] == "SECONDARY":
            raise Refused(400, "", "A secondary instance cannot be stopped.", "FAILED_PRECONDITION")
        if body.get("etag") not in (None, "", instance["etag"]):
            raise Refused(409, "", "The etag does not match.", "ABORTED")

        def effect() -> None:
            instance.update(activationPolicy=wanted, state="STOPPED" if wanted == "NEVER" else "READY")
            instance["labels"] = body.get("labels", instance.get("labels", {}))
            self.touch(name)

        def during() -> None:
            instance["state"] = "STOPPING" if wanted == "NEVER" else "STARTING"

        def back() -> None:
            instance["state"] = before

        before, verb = instance["state"], "stop" if wanted == "NEVER" else "start"
        return self._order(verb, (str(cluster["name"]),), query, effect, during=during, back=back)

    def projects_locations_operations_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> Any:
        self.settle()
        name = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/operations/{labels['operationsId']}"
        if name not in self._operations:
            raise Refused(404, "", f"There is no {name}.", "NOT_FOUND")
        return copy.deepcopy(self._operations[name])

    # ---- inside

    def _cluster(self, labels: Mapping[str, str]) -> dict[str, Any]:
        self.settle()
        path = f"projects/{labels['projectsId']}/locations/{labels['locationsId']}/clusters/{labels['clustersId']}"
        if path not in self.clusters:
            raise Refused(404, "", f"There is no {path}.", "NOT_FOUND")
        return self.clusters[path]

    def _instance(self, labels: Mapping[str, str]) -> dict[str, Any]:
        path = f"{self._cluster(labels)['name']}/instances/{labels['instancesId']}"
        if path not in self.instances:
            raise Refused(404, "", f"There is no {path}.", "NOT_FOUND")
        return self.instances[path]

    def _secondary(self, path: str) -> str:
        cluster = self.clusters[path]
        if cluster["clusterType"] != "SECONDARY":
            raise Refused(400, "", f"{path} is no SECONDARY cluster.", "FAILED_PRECONDITION")
        return str(cluster["secondaryConfig"]["primaryClusterName"])

    def _again(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self._by_request.get(str(given.get("requestId") or ""))
        return copy.deepcopy(found)

    def _order(
        self,
        verb: str,
        targets: tuple[str, ...],
        given: Mapping[str, Any],
        effect: Callable[[], None],
        state: str = "",
        during: Callable[[], None] = lambda: None,
        back: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """An operation on the first of the targets, or the one that its requestId had before."""
        request, path = str(given.get("requestId") or ""), targets[0]
        if (before := self._again(given)) is not None:
            return before
        if request and not re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", request):
            raise Refused(400, "", "request_id must be a UUID.", "INVALID_ARGUMENT")
        busy = {one for _, _, others, _, _ in self._pending for one in others}
        for one in targets:
            if one in busy or self.clusters[one]["state"] != "READY":
                raise Refused(self.busy_says[0], "", f"An operation is under way on {one}.", self.busy_says[1])
        if given.get("etag") not in (None, "", self.clusters[path]["etag"]) and verb not in ("stop", "start"):
            raise Refused(409, "", "The etag does not match.", "ABORTED")
        name = f"{path.partition('/clusters/')[0]}/operations/operation-{next(self._numbers)}"
        operation = {"name": name, "done": False, "metadata": {"target": path, "verb": verb, "apiVersion": "v1"}}
        if given.get("validateOnly") in (True, "true"):
            return {**operation, "done": True, "response": {}}
        self._operations[name] = operation
        if request:
            self._by_request[request] = operation
        self.orders.append((verb, path))
        stood = {one: self.clusters[one]["state"] for one in targets}
        for one in targets:
            self.clusters[one]["reconciling"] = True
            self.clusters[one]["state"] = state or self.clusters[one]["state"]
            self.touch(one)

        during()

        def over() -> None:
            back()
            for one in targets:
                self.clusters[one].update(reconciling=False, state=stood[one])

        self._pending.append((self.clock() + self.seconds, operation, targets, effect, over))
        if verb in ("promote", "switchover"):
            beside = threading.Thread(target=self.servers, args=(verb, path), daemon=True)
            self._beside.append(beside)
            beside.start()
        answer = copy.deepcopy(operation)
        self.settle()
        return answer
