"""Container Apps, in single revision mode.

As their documentation has it: a change of the template makes a new revision; the old one serves until the new one has
as many replicas as that, within its own bounds, and all of them are ready, and is taken away then. Load sizes the
revision that serves, within its bounds.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.emulators.azure.front import Ask, Refused, Told
from tests.emulators.azure.standins.arm import merged
from tests.emulators.azure.standins.scale_sets import PROVIDERS
from tests.emulators.azure.standins.sized import Fleet, Sized
from tests.emulators.listening import answers

APPS, ENVIRONMENT = f"{PROVIDERS}/Microsoft.App/containerApps", f"{PROVIDERS}/Microsoft.App/managedEnvironments/shop"


@dataclass
class Revision:
    name: str
    template: dict[str, Any]
    fleet: Fleet
    count: int
    failed: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        return int(self.template["scale"]["minReplicas"]), int(self.template["scale"]["maxReplicas"])


class ContainerApps(Sized):
    """`pulls`: whether a new revision finds its image. cores: what the environment may run, and runs."""

    service = "appcontainers"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.pulls = True
        self.cores = (10.0, 4.0)
        self.app_loads: dict[str, int] = {}
        self.revisions: dict[str, list[Revision]] = {}
        self.retired: list[Revision] = []

    def app(self, name: str, region: str, least: int, most: int, load: int) -> str:
        """A new one, whose replicas run."""
        template = {
            "revisionSuffix": "v1",
            "containers": [{"name": "web", "image": "shop/web:1", "resources": {"cpu": 0.5, "memory": "1Gi"}}],
            "scale": {"minReplicas": least, "maxReplicas": most, "rules": [{"name": "http"}]},
        }
        properties = {
            "provisioningState": "Succeeded",
            "runningStatus": "Running",
            "managedEnvironmentId": ENVIRONMENT,
            "configuration": {"activeRevisionsMode": "Single"},
            "template": template,
        }
        body = {"location": region, "tags": {"team": "shop"}, "properties": properties}
        made = self.put(f"{APPS}/{name}", body, region)
        self.app_loads[made.lower()] = load
        first = Revision(f"{name}--v1", copy.deepcopy(template), Fleet(self), max(least, min(load, most)))
        first.fleet.begun(first.count)
        self.revisions[made.lower()] = [first]
        return made

    def touch(self, id_: str) -> None:
        """None of these has an ETag."""

    def serving(self, app: str) -> Revision:
        self.settle()
        return self.revisions[app.lower()][0]

    def settle(self) -> None:
        super().settle()
        for id_, revisions in self.revisions.items():
            first, *newer = revisions
            least, most = first.bounds
            first.count = max(least, min(self.app_loads[id_], most))
            on = self._bodies[id_]["properties"]["runningStatus"] == "Running"
            first.fleet.follow(first.count if on else 0)
            for one in newer:
                one.failed = one.failed or not self.pulls
                one.fleet.follow(0 if one.failed else one.count)
            if newer and len(newer[-1].fleet.each) == newer[-1].count and all(i.port for i in newer[-1].fleet.each):
                for old in revisions[:-1]:
                    old.fleet.follow(0)
                self.retired += revisions[:-1]
                del revisions[:-1]

    def close(self) -> None:
        for revisions in self.revisions.values():
            for one in revisions:
                one.fleet.follow(0)

    def _told(self, id_: str) -> dict[str, Any]:
        found, revisions = copy.deepcopy(self.at(id_)), self.revisions[id_.lower()]
        names = {"latestRevisionName": revisions[-1].name, "latestReadyRevisionName": revisions[0].name}
        found["properties"] |= names
        return found

    def container_apps_get(self, ask: Ask) -> dict[str, Any]:
        return self._told(ask.path)

    def container_apps_update(self, ask: Ask) -> Told:
        if self.busy():
            raise Refused(409, "ContainerAppOperationInProgress", "Cannot modify it: an operation is in progress.")
        found = self.at(ask.path)
        after = merged(found, ask.body)
        template = after["properties"]["template"]
        old, new = ({**one, "revisionSuffix": ""} for one in (found["properties"]["template"], template))
        suffix = template.get("revisionSuffix")
        if old != new and f"{found['name']}--{suffix}" in [one.name for one in self.revisions[ask.path.lower()]]:
            raise Refused(400, "RevisionSuffixInUse", f"There is a revision {suffix}.")

        def effect() -> None:
            found.update(after)
            if old != new:
                self.revise(ask.path, suffix or f"r{next(self.numbers)}")

        return self.order(ask, "update", ask.path, effect, lambda: self._told(ask.path))

    def revise(self, id_: str, suffix: str) -> None:
        """A revision of what the app's template says now."""
        revisions, whole = self.revisions[id_.lower()], self._bodies[id_.lower()]
        one = Revision(f"{whole['name']}--{suffix}", copy.deepcopy(whole["properties"]["template"]), Fleet(self), 0)
        least, most = one.bounds
        one.count = max(least, min(revisions[0].count, most))
        for superseded in revisions[1:]:
            superseded.fleet.follow(0)
            self.retired.append(superseded)
        revisions[1:] = [one]

    def _revision(self, id_: str, name: str) -> Revision:
        every = [*self.revisions[id_.lower()], *self.retired]
        found = next((one for one in every if one.name == name), None)
        if found is None:
            raise Refused(404, "NotFound", f"There is no revision {name}.")
        return found

    def container_apps_revisions_get_revision(self, ask: Ask) -> dict[str, Any]:
        self.settle()
        one = self._revision(ask.path.rsplit("/", 2)[0], ask.path.rpartition("/")[2])
        ready = one is self.revisions[ask.path.rsplit("/", 2)[0].lower()][0]
        state = "Failed" if one.failed else "Provisioned" if ready else "Provisioning"
        told: dict[str, Any] = {"template": one.template, "active": True, "provisioningState": state}
        if one.failed:
            told |= {"provisioningError": "ImagePullFailure", "runningState": "Failed"}
        return {"name": one.name, "properties": told}

    def container_apps_revision_replicas_list_replicas(self, ask: Ask) -> dict[str, Any]:
        self.settle()
        one = self._revision(ask.path.rsplit("/", 3)[0], ask.path.rsplit("/", 2)[1])
        return {
            "value": [
                {
                    "name": f"{one.name}-{each.name}",
                    "properties": {
                        "runningState": "Running" if each.port else "NotRunning",
                        "containers": [{"name": "web", "ready": bool(each.port and answers(each.port))}],
                    },
                }
                for each in one.fleet.each
            ]
        }

    def managed_environment_usages_list(self, ask: Ask) -> dict[str, Any]:
        limit, used = self.cores
        name = {"value": "ManagedEnvironmentConsumptionCores"}
        return {"value": [{"unit": "Count", "limit": limit, "currentValue": used, "name": name}]}
