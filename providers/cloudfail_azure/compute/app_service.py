"""compute: app-service. An App Service plan, the autoscale setting that sizes it, and an app on it.

A plan is how many instances there are; each app on it runs on all of them. Where a setting of Azure Monitor sizes the
plan, its floor is what is ordered (groups.py), and else the plan's capacity. The reference's PATCH knows no capacity
(AppServicePlanPatchResource has no `sku`), and its PUT no condition: so the plan goes back whole, as it was read
immediately before, one worker at a time of all applications in the same store (`Kind.shared`), and what an older lease
sends late is put right by watching.

Refused are plans that size themselves: elastic and consumption tiers and automatic scaling, which have no count that
could be ordered; and those that scale each app by itself (`perSiteScaling`), of which a plan's count says nothing.

A plan that has so many instances runs nothing yet: counted are the app's own instances (Web Apps - List Instance
Identifiers), and healthy are those that are READY, while the member's URL answers, if one is written. One that Azure's
health check takes out of rotation is READY all the same. An app that is stopped runs nothing, wants nothing, and is not
started by a count: the error says how.
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
from cloudfail_azure.compute.options import AppServiceMember
from cloudfail_azure.compute.settings import SETTINGS, Setting, bounded, setting_of
from cloudfail_azure.paths import same

WEB = "2025-05-01"
"""API version of Microsoft.Web."""
SELF_SIZED = frozenset({"free", "shared", "dynamic", "elasticpremium", "flexconsumption", "workflowstandard"})
"""Tiers that have no number of instances that could be ordered ("App Service plan overview", "Azure Functions hosting
options")."""
# AppServicePlanProperties, read-only; and what an older way of scaling orders, which a whole plan must not repeat.
_BY_AZURE = frozenset(
    {
        "status",
        "subscription",
        "maximumNumberOfWorkers",
        "numberOfWorkers",
        "geoRegion",
        "numberOfSites",
        "resourceGroup",
        "provisioningState",
        "targetWorkerCount",
        "targetWorkerSizeId",
    }
)
_PARTS = ("kind", "location", "sku")


@dataclass(frozen=True, kw_only=True)
class Plan(Whole):
    """told_whole: as it was read."""

    told_whole: Mapping[str, Any]
    setting: Setting | None


class AppServices(Groups[AppServiceMember, Plan]):
    """One plan in each region."""

    word = "App Service plan"
    unscaled = (
        "has no autoscale setting, so nothing scales it in.",
        "Take the step out of the runbook, or name the setting in cloudfail.yaml.",
    )

    def described(self, region: str, member: AppServiceMember, *, within: float) -> Plan:
        until = self._asking.deadline(within)
        id_ = member.plan
        told = self._asking.read(region, id_, WEB, within=within)
        sku, properties = told.get("sku") or {}, told.get("properties") or {}
        if "capacity" not in sku or "location" not in told:
            raise Transient(f"Azure answers, and does not tell the capacity of {id_}.")
        self.must_stand(region, id_, told["location"])
        _countable(id_, sku, properties)
        stopped = self._stopped(region, member, within=self._asking.left_until(until))
        left = self._asking.left_until(until)
        setting = setting_of(self._asking, region, id_, member.autoscale, within=left)
        state = str(properties.get("provisioningState") or "Succeeded")
        changing = state == "InProgress" or properties.get("status") in ("Pending", "Creating")
        return Plan(
            id=id_,
            capacity=int(sku["capacity"]),
            bounds=setting.bounds if setting is not None else None,
            tags=(setting.tags if setting is not None else told.get("tags")) or {},
            most=int(properties["maximumNumberOfWorkers"]) if properties.get("maximumNumberOfWorkers") else None,
            kept=0 if stopped is not None else None,
            moving="Azure is changing the plan" if changing else "",
            failed=state in ("Failed", "Canceled") and setting is None,
            barred=stopped,
            told_whole=told,
            setting=setting,
        )

    def counted(self, region: str, member: AppServiceMember, whole: Plan, *, within: float) -> tuple[int, int]:
        if whole.barred is not None:
            return 0, 0
        listed = self._asking.pages(region, f"{member.site}/instances", WEB, within=within)
        if not listed and whole.capacity and not whole.moving:
            raise Transient(
                f"{member.site} is to run on {whole.capacity} instances, and none is listed: an app that is idle, and "
                "not Always On, has none."
            )
        states = [str((one.get("properties") or {}).get("state", "UNKNOWN")).upper() for one in listed]
        ready, here = states.count("READY"), len(states) - states.count("STOPPED")
        if here and states.count("UNKNOWN") == here:
            raise Transient(f"Azure does not tell the state of the {here} instances of {member.site}.")
        return here, ready if ready and self.answers(region, member.url) else 0

    def order(
        self, region: str, whole: Plan, bounds: Sequence[Bounds], tags: Mapping[str, str], call: Call, until: float
    ) -> None:
        if whole.setting is not None:
            body = bounded(whole.setting, whole.id, bounds, tags)
            self.send(region, "PATCH", whole.setting.id, SETTINGS, body, call, until)
        else:
            self.send(region, "PUT", whole.id, WEB, written_back(whole.told_whole, bounds[0].least, tags), call, until)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom. What the plan's own tier allows; Microsoft tells no quota of instances beside it."""
        at = time.time()
        try:
            plan = self.described(region, self.member(region), within=READ_SECONDS)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        if plan.most is None:
            return Unknown(f"{region}: Azure does not tell how many instances {plan.id} may have.", at)
        own = plan.capacity
        return Known(Room(f"the App Service plan {plan.id}", float(plan.most), "instances", 1.0, own, float(own)), at)

    def _stopped(self, region: str, member: AppServiceMember, *, within: float) -> tuple[str, str] | None:
        """That the app is stopped, and how it is started. Raises Permanent where it is on another plan."""
        site = self._asking.read(region, member.site, WEB, within=within).get("properties") or {}
        if not site.get("serverFarmId"):
            raise Transient(f"Azure answers, and does not tell on which plan {member.site} is.")
        if not same(str(site["serverFarmId"]), member.plan):
            raise Permanent(
                f"{member.site} is on the plan {site['serverFarmId']}, and not on {member.plan}.",
                UNCHANGED,
                f"Correct the members of {self._asking.resource.name} in cloudfail.yaml.",
            )
        if str(site.get("state", "Running")) == "Running" and site.get("enabled", True):
            return None
        return f"The app {member.site} is stopped.", f"Start it: az webapp start --ids {member.site}"


def _countable(id_: str, sku: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    tier = str(sku.get("tier", ""))
    if tier.lower() in SELF_SIZED or properties.get("elasticScaleEnabled"):
        why = "has automatic scaling" if properties.get("elasticScaleEnabled") else f"is of the tier {tier}"
        raise Permanent(
            f"The plan {id_} {why}: Azure sizes it by itself, and no number of instances can be ordered.",
            UNCHANGED,
            "Take it out of cloudfail.yaml, and put a check of its URL behind the step that moves traffic.",
        )
    if properties.get("perSiteScaling"):
        raise Permanent(
            f"The plan {id_} scales each of its apps by itself (perSiteScaling), which is not served.",
            UNCHANGED,
            "Give the app a plan of its own, without it.",
        )


def written_back(told: Mapping[str, Any], capacity: int, tags: Mapping[str, str]) -> dict[str, Any]:
    """The whole plan as it was read, with that capacity and those tags, without what only Azure writes."""
    kept = {key: value for key, value in (told.get("properties") or {}).items() if key not in _BY_AZURE}
    for profile in ("hostingEnvironmentProfile", "kubeEnvironmentProfile"):
        if kept.get(profile):
            kept[profile] = {"id": kept[profile].get("id")}
    body: dict[str, Any] = {part: told[part] for part in _PARTS if told.get(part) is not None}
    body["sku"] = {**body["sku"], "capacity": capacity}
    if told.get("extendedLocation"):
        body["extendedLocation"] = {"name": told["extendedLocation"].get("name")}
    identity = told.get("identity") or {}
    if identity.get("type"):
        users: dict[str, Any] = {one: {} for one in identity.get("userAssignedIdentities") or ()}
        body["identity"] = {"type": identity["type"], **({"userAssignedIdentities": users} if users else {})}
    return body | {"tags": tags, "properties": {key: value for key, value in kept.items() if value is not None}}


def build(resource: Resource, topology: Topology) -> AppServices:
    """Kind.build."""
    members = {region: AppServiceMember.model_validate(member) for region, member in resource.members.items()}
    return AppServices(Asking.of(resource, topology), members)
