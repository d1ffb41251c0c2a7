"""A scale set as Azure tells it: its capacity, its instances, and the autoscale setting that sizes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent, Transient
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute import marks
from cloudfail_azure.compute.marks import Before, Bounds
from cloudfail_azure.marks import epoch_in
from cloudfail_azure.paths import same

SETS, SETTINGS = "2026-04-01", "2022-10-01"
"""API versions: Microsoft.Compute, Microsoft.Insights."""
_RUNNING, _HEALTHY = "PowerState/running", "HealthState/healthy"


@dataclass(frozen=True)
class Setting:
    """An autoscale setting that is enabled. profiles: as they were read; bounds: of each."""

    id: str
    profiles: tuple[Mapping[str, Any], ...]
    bounds: tuple[Bounds, ...]
    tags: Mapping[str, str]

    @property
    def floor(self) -> int:
        """Whichever profile is in force, at least so many are kept."""
        return min(one.least for one in self.bounds)

    @property
    def ceiling(self) -> int:
        return min(one.most for one in self.bounds)


@dataclass(frozen=True)
class ScaleSet:
    """One member as it was read."""

    id: str
    capacity: int
    sku: Mapping[str, Any]
    etag: str
    own_tags: Mapping[str, str]
    setting: Setting | None
    moving: bool

    @property
    def wanted(self) -> int:
        """What it was told: at least so many, where a setting sizes it, or the capacity itself."""
        return self.capacity if self.setting is None else self.setting.floor

    @property
    def tags(self) -> Mapping[str, str]:
        return self.own_tags if self.setting is None else self.setting.tags

    @property
    def epoch(self) -> int | None:
        return epoch_in(self.tags)

    @property
    def before(self) -> Before | None:
        return marks.before_of(self.tags, marks.BEFORE)

    @property
    def held(self) -> Before | None:
        return marks.before_of(self.tags, marks.HELD)

    @property
    def version(self) -> str:
        """What a verb would change, or rests on. The capacity that a setting sets is neither."""
        if self.setting is None:
            return f"{self.capacity}/{self.epoch}"
        return f"{';'.join(map(str, self.setting.bounds))}/{self.epoch}/{self.held}"


def described(asking: Asking, region: str, id_: str, autoscale: str | None, *, within: float) -> ScaleSet:
    """Raises Transient where the answer says nothing of it; Permanent where it is not as cloudfail.yaml says."""
    until = asking.deadline(within)
    told = asking.read(region, id_, SETS, within=within)
    sku = told.get("sku") or {}
    if "capacity" not in sku or "location" not in told:
        raise Transient(f"Azure answers, and does not tell the capacity of {id_}.")
    stands = str(told["location"]).replace(" ", "").lower()
    if stands != region:
        # The one slip that would scale the region that is lost.
        raise Permanent(
            f"The scale set {id_} that is written for {region} stands in {stands}.",
            "Nothing was changed.",
            f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
        )
    state = str((told.get("properties") or {}).get("provisioningState", ""))
    return ScaleSet(
        id_,
        int(sku["capacity"]),
        sku,
        str(told.get("etag") or ""),
        told.get("tags") or {},
        _setting(asking, region, id_, autoscale, within=asking.left_until(until)),
        state in ("Creating", "Updating", "Migrating"),
    )


def _setting(asking: Asking, region: str, id_: str, autoscale: str | None, *, within: float) -> Setting | None:
    """That which sizes the set, if any does. One that nobody named would undo what is ordered: it is refused by name.
    It stands in the set's resource group (Azure's portal, CLI and templates put it there)."""
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


def _properties(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return one.get("properties") or {}


def _bounds(profile: Mapping[str, Any]) -> Bounds:
    told = profile.get("capacity") or {}
    return Bounds(int(told["minimum"]), int(told["maximum"]), int(told.get("default", told["minimum"])))


def with_bounds(profiles: Sequence[Mapping[str, Any]], bounds: Sequence[Bounds]) -> list[dict[str, Any]]:
    """The profiles, whole, with those bounds; numbers are texts there (AutoscaleProfile, ScaleCapacity)."""
    return [
        {**profile, "capacity": {"minimum": str(one.least), "maximum": str(one.most), "default": str(one.default)}}
        for profile, one in zip(profiles, bounds, strict=True)
    ]


def counted(asking: Asking, region: str, whole: ScaleSet, *, within: float) -> tuple[int, int]:
    """How many instances run, and how many of them are healthy by the set's own health: that of its load balancer's
    probe or of the Application Health extension ("Using Application Health extension with Virtual Machine Scale
    Sets"). Raises Transient where nothing counts them, or none is listed of those that should be there."""
    path = f"{whole.id}/virtualMachines"
    listed = asking.pages(region, path, SETS, within=within, query={"$expand": "instanceView"})
    if not listed and whole.capacity and not whole.moving:
        raise Transient(f"{whole.id} is to have {whole.capacity} instances, and none is listed.")
    views = [(_properties(one).get("instanceView") or {}) for one in listed]
    run = [view for view in views if _RUNNING in {str(one.get("code")) for one in view.get("statuses") or ()}]
    health = [str(((view.get("vmHealth") or {}).get("status") or {}).get("code", "")) for view in run]
    if run and not any(health):
        raise Transient(
            f"Nothing tells the health of the {len(run)} instances of {whole.id}: it has neither a load balancer's "
            "probe nor the Application Health extension."
        )
    return len(run), sum(one.lower() == _HEALTHY.lower() for one in health)
