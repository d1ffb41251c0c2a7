"""Managed instance groups of Compute Engine, zonal and regional, and their autoscalers.

As the references of `instanceGroupManagers` and `autoscalers` have it: a resize is DONE when the size is ordered, and
an instance is listed at once and runs later; a regional group that is autoscaled takes no resize; an autoscaler takes a
group to what it recommends, within its bounds, and in the mode ONLY_SCALE_OUT never down; a patch merges, goes to the
collection, and takes effect when it is done. An instance that runs is a listener on loopback. The groups may be
backends of a backend service.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.backend_services import BackendServices
from tests.emulators.gcp.standins.operations import BASE, merged
from tests.emulators.listening import answers, listening


@dataclass
class Instance:
    """`due`: when it runs. port: where it listens, 0 before."""

    path: str
    due: float
    port: int = 0
    serves: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


@dataclass
class Group:
    """`load`: what its autoscaler would recommend without bounds. `more`: what else is told of the group."""

    path: str
    target: int
    zone: str
    load: int
    autoscaler: dict[str, Any] | None = None
    instances: list[Instance] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


class InstanceGroups(BackendServices):
    """`boots`: whether what is created comes to run, after `boot_seconds`. `checked`: whether groups have a health
    check of their own. `page`: how many instances are told at a time. `lists`: whether any is."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.boots = True
        self.boot_seconds = 0.1
        self.checked = True
        self.page = 500
        self.lists = True
        self._groups: dict[str, Group] = {}
        self._numbers = itertools.count(1)

    def group(self, path: str, size: int, *, policy: dict[str, Any] | None = None, description: str = "") -> str:
        """A new one, whose instances run; with an autoscaler where there is a policy. Returns its path."""
        where = path.split("/")[3]
        made = Group(path, size, where if "/zones/" in path else f"{where}-b", size)
        if policy is not None:
            name = path.rpartition("/")[2]
            made.autoscaler = {
                "name": name,
                "selfLink": BASE + self._beside(path, "autoscalers", name),
                "target": BASE + path,
                "description": description,
                "status": "ACTIVE",
                "autoscalingPolicy": {"coolDownPeriodSec": 60, "cpuUtilization": {"utilizationTarget": 0.6}, **policy},
            }
        self._groups[path] = made
        boot, self.boot_seconds = self.boot_seconds, 0.0
        self.settle()
        self.boot_seconds = boot
        return path

    def at(self, path: str) -> Group:
        self.settle()
        return self._groups[path]

    def sicken(self, path: str) -> str:
        """One of its instances answers no more, though it runs. Returns its path."""
        one = next(one for one in self.at(path).instances if one.port and answers(one.port))
        one.serves.close()
        return one.path

    def instance_group(self, path: str) -> str:
        """The instance group that a backend service names."""
        return path.replace("/instanceGroupManagers/", "/instanceGroups/")

    def close(self) -> None:
        for group in self._groups.values():
            for one in group.instances:
                one.serves.close()

    def settle(self) -> None:
        super().settle()
        for group in self._groups.values():
            self._scale(group)
            self._make(group)
            members = {one.path: one.port for one in group.instances if one.port}
            self.members[self.instance_group(group.path)] = members

    def _scale(self, group: Group) -> None:
        if group.autoscaler is None:
            return
        policy = group.autoscaler["autoscalingPolicy"]
        recommended = min(max(group.load, policy["minNumReplicas"]), policy["maxNumReplicas"])
        mode = policy.get("mode", "ON")
        if mode == "ON" or (mode != "OFF" and recommended > group.target):
            group.target = recommended

    def _make(self, group: Group) -> None:
        while len(group.instances) < group.target:
            name = f"{group.path.rpartition('/')[2]}-{next(self._numbers):04d}"
            path = f"{'/'.join(group.path.split('/')[:2])}/zones/{group.zone}/instances/{name}"
            group.instances.append(Instance(path, self.clock() + self.boot_seconds))
        while len(group.instances) > group.target:
            group.instances.pop().serves.close()
        for one in group.instances:
            if not one.port and self.boots and self.clock() >= one.due:
                one.port = one.serves.enter_context(listening())

    # ---- methods

    def instance_group_managers_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        group = self.at(self._group_path(labels))
        status: dict[str, Any] = {"isStable": all(one.port for one in group.instances)}
        if group.autoscaler is not None:
            status["autoscaler"] = group.autoscaler["selfLink"]
        return {
            "kind": "compute#instanceGroupManager",
            "name": group.path.rpartition("/")[2],
            "selfLink": BASE + group.path,
            "instanceGroup": BASE + self.instance_group(group.path),
            "targetSize": group.target,
            "status": status,
            **group.more,
        }

    def instance_group_managers_resize(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        group, size = self.at(self._group_path(labels)), int(query["size"])
        scaled = group.autoscaler is not None and group.autoscaler["autoscalingPolicy"].get("mode", "ON") != "OFF"
        if scaled and "region" in labels:
            raise Refused(
                412, "conditionNotMet", "Resizing of autoscaled regional managed instance groups is not allowed."
            )

        def resize() -> None:
            group.target = size

        return self.order("resize", group.path, query, resize)

    def instance_group_managers_list_managed_instances(
        self, labels: dict[str, str], query: dict[str, str], body: Any
    ) -> dict[str, Any]:
        group, start = self.at(self._group_path(labels)), int(query.get("pageToken", "0"))
        if not self.lists:
            return {}
        told = [self._told(one) for one in group.instances[start : start + self.page]]
        page: dict[str, Any] = {"managedInstances": told} if told else {}
        end = start + self.page
        return page | ({"nextPageToken": str(end)} if end < len(group.instances) else {})

    def autoscalers_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return merged(self._autoscaler(labels, labels["autoscaler"]), {})

    def autoscalers_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        standing = self._autoscaler(labels, query["autoscaler"])
        policy = merged(standing, body)["autoscalingPolicy"]
        if policy["minNumReplicas"] > policy["maxNumReplicas"]:
            raise Refused(400, "invalid", "maxNumReplicas must not be lower than minNumReplicas.")

        def patch() -> None:
            standing.update(merged(standing, body))

        return self.order("patch", standing["selfLink"].removeprefix(BASE), query, patch)

    region_instance_group_managers_get = instance_group_managers_get
    region_instance_group_managers_resize = instance_group_managers_resize
    region_instance_group_managers_list_managed_instances = instance_group_managers_list_managed_instances
    region_autoscalers_get = autoscalers_get
    region_autoscalers_patch = autoscalers_patch

    def _told(self, one: Instance) -> dict[str, Any]:
        name = one.path.rpartition("/")[2]
        told: dict[str, Any] = {"instance": BASE + one.path, "name": name, "currentAction": "NONE"}
        if not one.port:
            return told | {"currentAction": "CREATING", "targetStatus": "RUNNING"}
        told["instanceStatus"] = "RUNNING"
        if self.checked:
            state = "HEALTHY" if answers(one.port) else "TIMEOUT"
            told["instanceHealth"] = [{"healthCheck": f"{BASE}projects/p/global/healthChecks/web"}]
            told["instanceHealth"][0]["detailedHealthState"] = state
        return told

    def _group_path(self, labels: dict[str, str]) -> str:
        path = self._beside(self._where(labels), "instanceGroupManagers", labels["instanceGroupManager"])
        if path not in self._groups:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path

    def _autoscaler(self, labels: dict[str, str], name: str) -> dict[str, Any]:
        link = BASE + self._beside(self._where(labels), "autoscalers", name)
        for group in self._groups.values():
            if group.autoscaler is not None and group.autoscaler["selfLink"] == link:
                return group.autoscaler
        raise Refused(404, "notFound", f"The resource '{link}' was not found")

    @staticmethod
    def _where(labels: dict[str, str]) -> str:
        where = f"zones/{labels['zone']}" if "zone" in labels else f"regions/{labels['region']}"
        return f"projects/{labels['project']}/{where}"

    @staticmethod
    def _beside(path: str, collection: str, name: str) -> str:
        return f"{'/'.join(path.split('/')[:4])}/{collection}/{name}"
