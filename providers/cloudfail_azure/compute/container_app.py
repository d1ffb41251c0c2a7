"""compute: container-app. A container app of Azure Container Apps, by its minimum of replicas.

`wanted` is the minimum (`template.scale.minReplicas`); rules and load make more, up to the maximum, which is raised as
far as needed (groups.py). Both stand in the template, so that a change **makes a new revision**: new replicas, of the
same image, pulled anew ("Revisions in Azure Container Apps", change types). In single revision mode the old one serves
until the new one has as many replicas, and all are ready, and only then is taken away. So nothing is lost by it, and it
needs the image: a registry in the lost region makes it fail, and the old revision goes on as it is. A floor that is
high enough on a calm day needs no revision on the bad one.

While a revision is on its way, nothing is ordered on top, and no more replicas count as healthy than the serving
revision keeps. One that failed is not taken for done: what counts is then the minimum of the revision that serves, and
a further order is refused, since it would fail as well. In multiple revision mode a new revision gets no traffic by
itself, or shares it: refused.

The PATCH is a JSON merge patch. It names the scale and the tags, and takes a revision's suffix out, which would be
taken a second time. It has no condition: the app is read again immediately before, an older worker finds a newer epoch,
and what it sent late is put right by watching.

`running` counts the replicas of the revision that serves, and `healthy` those of them of which every container is
ready (Container Apps Revision Replicas - List), while the member's URL answers, if one is written. An app that is
stopped runs nothing, wants nothing, and is not started by a count: the error says how.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute.groups import READ_SECONDS, UNCHANGED, Groups, Whole
from cloudfail_azure.compute.marks import Bounds
from cloudfail_azure.compute.options import ContainerAppMember
from cloudfail_azure.paths import group_of, name_of

APPS = "2026-07-01"
"""API version of Microsoft.App."""
REPLICAS_MAX = 1000
"""Per revision ("Set scaling rules in Azure Container Apps")."""
_LEAST, _MOST = 0, 10  # of an app that says nothing
ROOM_SECONDS = 12.0
_CORES = "ManagedEnvironmentConsumptionCores"
"""What an environment may run in its consumption profile, by the name that its usages give it."""


@dataclass(frozen=True, kw_only=True)
class App(Whole):
    """ready: of `capacity` replicas that run, those of which every container is ready."""

    ready: int
    told_whole: Mapping[str, Any]


class ContainerApps(Groups[ContainerAppMember, App]):
    """One app in each region."""

    word = "container app"

    def described(self, region: str, member: ContainerAppMember, *, within: float) -> App:
        """Where the revision that serves gave way while it was looked at, the next one is."""
        until = self._asking.deadline(within)
        told = self._told(region, member.app, within=within)
        while True:
            try:
                return self._looked_at(region, member.app, told, until)
            except (Permanent, Transient):
                before, told = told, self._told(region, member.app, within=self._asking.left_until(until))
                if _serving(told) == _serving(before):
                    raise

    def _told(self, region: str, id_: str, *, within: float) -> Mapping[str, Any]:
        told = self._asking.read(region, id_, APPS, within=within)
        if "location" not in told or "template" not in (told.get("properties") or {}) or not _serving(told):
            raise Transient(f"Azure answers, and does not tell which revision of {id_} serves.")
        self.must_stand(region, id_, told["location"])
        _single(id_, told["properties"])
        return told

    def _looked_at(self, region: str, id_: str, told: Mapping[str, Any], until: float) -> App:
        properties = told["properties"]
        serving, latest = _serving(told), properties.get("latestRevisionName")
        revision = self._revision(region, id_, serving, within=self._asking.left_until(until))
        kept, bound = _scale(revision.get("template") or {}), _scale(properties["template"])
        state, moving, barred = str(properties.get("provisioningState") or "Succeeded"), "", None
        if latest and latest != serving:
            moving, barred = self._coming(region, id_, latest, serving, within=self._asking.left_until(until))
        if state not in ("Succeeded", "Failed", "Canceled"):
            moving = moving or f"Azure says that it is {state}"
        stopped = properties.get("runningStatus") in ("Stopped", "Suspended")
        if stopped:
            to_do = f"Start it: az resource invoke-action --action start --ids {id_}"
            barred = (f"The container app {id_} is stopped.", to_do)
        left = self._asking.left_until(until)
        run, ready = (0, 0) if stopped else self._replicas(region, id_, serving, kept, moving, within=left)
        return App(
            id=id_,
            capacity=run,
            bounds=(bound,),
            tags=told.get("tags") or {},
            most=REPLICAS_MAX,
            kept=0 if stopped else None if moving else kept.least,
            moving=moving,
            barred=barred,
            rests_on=f"/{latest}",
            ready=min(ready, kept.least) if moving else ready,
            told_whole=told,
        )

    def counted(self, region: str, member: ContainerAppMember, whole: App, *, within: float) -> tuple[int, int]:
        return whole.capacity, whole.ready if whole.ready and self.answers(region, member.url) else 0

    def order(
        self, region: str, whole: App, bounds: Sequence[Bounds], tags: Mapping[str, str], call: Call, until: float
    ) -> None:
        scale = {"minReplicas": bounds[0].least, "maxReplicas": bounds[0].most}
        # Whether a map of tags is merged or replaced: one that was emptied says nothing either way.
        emptied = {name: "" for name in whole.tags if name not in tags}
        body = {
            "location": whole.told_whole["location"],
            "tags": {**emptied, **tags},
            "properties": {"template": {"revisionSuffix": None, "scale": scale}},
        }
        self.send(region, "PATCH", whole.id, APPS, body, call, until)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom. The cores that the app's environment may run, where it uses the consumption profile."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)
        try:
            app = self.described(region, self.member(region), within=READ_SECONDS)
            properties = app.told_whole["properties"]
            profile = str(properties.get("workloadProfileName") or "Consumption")
            environment = str(properties.get("environmentId") or properties.get("managedEnvironmentId") or "")
            if profile != "Consumption" or not environment:
                raise Transient(f"{app.id} runs on the workload profile {profile}, whose quota is not compared.")
            within = self._asking.left_until(until)
            listed = self._asking.pages(region, f"{environment}/usages", APPS, within=within)
            found = [one for one in listed if (one.get("name") or {}).get("value") == _CORES]
            containers = properties["template"].get("containers") or ()
            each = sum(float((one.get("resources") or {}).get("cpu") or 0) for one in containers)
            if not found or not each:
                raise Transient(f"Azure does not tell the cores of {environment} or of a replica of {app.id}.")
            pool, limit, used = f"{_CORES} of {environment}", float(found[0]["limit"]), float(found[0]["currentValue"])
            return Known(Room(pool, limit, "cores", each, app.capacity, used), at)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)

    def _revision(self, region: str, id_: str, name: str, *, within: float) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (
            self._asking.read(region, f"{id_}/revisions/{name}", APPS, within=within).get("properties") or {}
        )
        if "template" not in found:
            raise Transient(f"Azure answers, and does not tell what the revision {name} of {id_} is.")
        return found

    def _coming(
        self, region: str, id_: str, latest: str, serving: str, *, within: float
    ) -> tuple[str, tuple[str, str] | None]:
        """Of a revision that is newer than the one that serves: that it is being made, or that it failed."""
        found = self._revision(region, id_, latest, within=within)
        if "Failed" not in (found.get("provisioningState"), found.get("runningState")):
            states = (found.get("provisioningState"), found.get("runningState"), found.get("healthState"))
            return f"the revision {latest} is being made ({', '.join(str(one) for one in states if one)})", None
        why = str(found.get("provisioningError") or "no reason is told")
        said = f"The revision {latest} of {id_} failed ({why}); {serving} serves, and a further one would fail as well."
        place = f"--name {name_of(id_)} --resource-group {group_of(id_)}"
        to_do = f"Correct the app, so that a revision of it comes up: az containerapp revision list --all {place}"
        return "", (said, to_do)

    def _replicas(
        self, region: str, id_: str, serving: str, kept: Bounds, moving: str, *, within: float
    ) -> tuple[int, int]:
        """How many run, and of how many of them every container is ready."""
        path = f"{id_}/revisions/{serving}/replicas"
        listed = self._asking.pages(region, path, APPS, within=within)
        if not listed and kept.least and not moving:
            raise Transient(f"{id_} is to have {kept.least} replicas, and none is listed.")
        run = [told for one in listed if (told := one.get("properties") or {}).get("runningState") == "Running"]
        each = [told.get("containers") or () for told in run]
        return len(run), sum(bool(one) and all(container.get("ready") for container in one) for one in each)


def _serving(told: Mapping[str, Any]) -> str:
    return str(told["properties"].get("latestReadyRevisionName") or "")


def _single(id_: str, properties: Mapping[str, Any]) -> None:
    mode = str((properties.get("configuration") or {}).get("activeRevisionsMode") or "Single")
    if mode.lower() != "single":
        raise Permanent(
            f"{id_} is in the revision mode {mode}: a count makes a new revision, which gets no traffic by itself "
            "there, or shares it.",
            UNCHANGED,
            f"Keep its minimum high enough, or set the mode: az containerapp revision set-mode --mode single --name "
            f"{name_of(id_)} --resource-group {group_of(id_)}",
        )


def _scale(template: Mapping[str, Any]) -> Bounds:
    scale = template.get("scale") or {}
    least, most = scale.get("minReplicas"), scale.get("maxReplicas")
    least = _LEAST if least is None else int(least)
    return Bounds(least, _MOST if most is None else int(most), least)


def build(resource: Resource, topology: Topology) -> ContainerApps:
    """Kind.build."""
    members = {region: ContainerAppMember.model_validate(member) for region, member in resource.members.items()}
    return ContainerApps(Asking.of(resource, topology), members)
