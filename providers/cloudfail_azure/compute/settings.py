"""Autoscale settings of Azure Monitor (Microsoft.Insights), which size scale sets and App Service plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute.marks import Bounds
from cloudfail_azure.paths import same

SETTINGS = "2022-10-01"
"""API version of Microsoft.Insights."""


@dataclass(frozen=True)
class Setting:
    """An autoscale setting that is enabled. profiles: as they were read; bounds: of each."""

    id: str
    profiles: tuple[Mapping[str, Any], ...]
    bounds: tuple[Bounds, ...]
    tags: Mapping[str, str]


def setting_of(asking: Asking, region: str, id_: str, autoscale: str | None, *, within: float) -> Setting | None:
    """That which sizes the resource, if any does. One that nobody named would undo what is ordered: it is refused by
    name. It stands in the same resource group (Azure's portal, CLI and templates put it there)."""
    group = id_.partition("/providers/")[0].replace("/resourceGroups/", "/resourcegroups/")
    listed = asking.pages(region, f"{group}/providers/Microsoft.Insights/autoscalesettings", SETTINGS, within=within)
    aimed = [one for one in listed if same(str(_properties(one).get("targetResourceUri", "")), id_)]
    found = [one for one in aimed if _properties(one).get("enabled", True)]
    strange = [str(one.get("id")) for one in found if autoscale is None or not same(str(one.get("id")), autoscale)]
    if strange:
        raise Permanent(
            f"{id_} is sized by the autoscale setting {strange[0]}, which would undo what is ordered.",
            "Nothing was changed.",
            f"Name it in cloudfail.yaml: autoscale: {strange[0]}",
        )
    if not found:
        return None
    profiles = tuple(_properties(found[0]).get("profiles") or ())
    if not profiles:
        raise Transient(f"Azure answers, and does not tell the profiles of {autoscale}.")
    return Setting(str(autoscale), profiles, tuple(map(_bounds, profiles)), found[0].get("tags") or {})


def bounded(setting: Setting, target: str, bounds: Sequence[Bounds], tags: Mapping[str, str]) -> dict[str, Any]:
    """The body of a PATCH that gives it those bounds and tags: the profiles go back whole; numbers are texts there
    (AutoscaleProfile, ScaleCapacity)."""
    profiles = [
        {**profile, "capacity": {"minimum": str(one.least), "maximum": str(one.most), "default": str(one.default)}}
        for profile, one in zip(setting.profiles, bounds, strict=True)
    ]
    return {"tags": tags, "properties": {"profiles": profiles, "enabled": True, "targetResourceUri": target}}


def _properties(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return one.get("properties") or {}


def _bounds(profile: Mapping[str, Any]) -> Bounds:
    told = profile.get("capacity") or {}
    return Bounds(int(told["minimum"]), int(told["maximum"]), int(told.get("default", told["minimum"])))
