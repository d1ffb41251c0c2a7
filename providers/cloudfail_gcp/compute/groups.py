"""A managed instance group as Compute Engine tells it: its size, its autoscaler, and its instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import OutcomeUnknown, Transient
from cloudfail_gcp.asking import PAGES_MAX, Asking
from cloudfail_gcp.compute import marks
from cloudfail_gcp.compute.marks import Marks
from cloudfail_gcp.health import serving
from cloudfail_gcp.paths import name_of, path_of, region_of

ON, OFF, ONLY_SCALE_OUT = "ON", "OFF", "ONLY_SCALE_OUT"
HELD = frozenset({OFF, ONLY_SCALE_OUT, "ONLY_UP"})
"""The modes in which an autoscaler takes no instance away (Compute Engine v1, `AutoscalingPolicy.mode`)."""
STAYS = frozenset({"NONE", "REFRESHING", "VERIFYING"})
"""The actions during which an instance that runs goes on running (`ManagedInstance.currentAction`)."""


@dataclass(frozen=True)
class Autoscaler:
    """Its path, and what it was told. `floor` is what Google takes as such where it was left out. `schedules`: those
    that are not disabled, by name, each with the least that it asks for."""

    path: str
    floor: int
    ceiling: int
    mode: str
    marks: Marks
    schedules: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Group:
    """One member. `size`: how many instances it is to have now. `instances`: the URL of its instance group, as backend
    services name it."""

    path: str
    size: int
    instances: str
    autoscaler: Autoscaler | None

    @property
    def scaled(self) -> Autoscaler | None:
        """The autoscaler, if it does anything."""
        return self.autoscaler if self.autoscaler is not None and self.autoscaler.mode != OFF else None

    @property
    def wanted(self) -> int:
        """What it was told: at least so many, where an autoscaler sets the size, or the size itself."""
        return self.size if self.scaled is None else self.scaled.floor

    @property
    def held(self) -> bool:
        return self.autoscaler is not None and self.autoscaler.mode in HELD

    @property
    def marks(self) -> Marks:
        return self.autoscaler.marks if self.autoscaler is not None else Marks()

    @property
    def version(self) -> str:
        """What a verb would change, or rests on. The size that an autoscaler sets is neither."""
        one, size = self.autoscaler, "scaled" if self.scaled is not None else str(self.size)
        return size if one is None else f"{size}/{one.floor}/{one.ceiling}/{one.mode}/{one.marks.epoch}"


def described(asking: Asking, path: str, *, within: float) -> Group:
    """The group, and its autoscaler if it has one. Raises Transient where the answer says nothing of it."""
    region, until = region_of(path), asking.deadline(within)
    told = asking.read("compute", region, path, within=within)
    if "targetSize" not in told or not isinstance(told.get("status"), Mapping):
        raise Transient(f"Compute Engine answers, and does not tell the size of {path}.")
    autoscaler = None
    if url := told["status"].get("autoscaler"):
        autoscaler = _autoscaler(asking, path_of(str(url)), within=asking.left_until(until))
    return Group(path, int(told["targetSize"]), str(told.get("instanceGroup", "")), autoscaler)


def _autoscaler(asking: Asking, path: str, *, within: float) -> Autoscaler:
    told = asking.read("compute", region_of(path), path, within=within)
    policy = told.get("autoscalingPolicy") or {}
    if told.get("name") != name_of(path) or "maxNumReplicas" not in policy:
        raise Transient(f"Compute Engine answers, and does not tell the bounds of {path}.")
    return Autoscaler(
        path,
        int(policy.get("minNumReplicas", 0)),
        int(policy["maxNumReplicas"]),
        str(policy.get("mode", ON)),
        marks.read(str(told.get("description", ""))),
        tuple(
            (name, int(one.get("minRequiredReplicas", 0)))
            for name, one in sorted((policy.get("scalingSchedules") or {}).items())
            if not one.get("disabled")
        ),
    )


def running(asking: Asking, group: Group, *, within: float) -> dict[str, Mapping[str, Any]]:
    """Path -> what is told of each instance that runs and is to go on running. Raises Transient where the group should
    have instances and none is listed: one that is still to be made is listed too."""
    until, token = asking.deadline(within), ""
    listed: list[Mapping[str, Any]] = []
    for _ in range(PAGES_MAX):
        page = asking.read(
            "compute",
            region_of(group.path),
            f"{group.path}/listManagedInstances",
            within=asking.left_until(until),
            method="POST",
            query={"pageToken": token} if token else {},
        )
        listed += page.get("managedInstances") or []
        following = str(page.get("nextPageToken") or "")
        if not following:
            break
        if following == token:
            raise OutcomeUnknown(f"Compute Engine gave the same page of {group.path} twice.")
        token = following
    else:
        raise OutcomeUnknown(f"{group.path} has more than {PAGES_MAX} pages of instances.")
    if not listed and group.size:
        raise Transient(f"{group.path} is to have {group.size} instances, and none is listed.")
    return {
        path_of(str(one["instance"])): one
        for one in listed
        if one.get("instanceStatus") == "RUNNING" and one.get("currentAction", "NONE") in STAYS
    }


def healthy(
    asking: Asking,
    group: Group,
    instances: Mapping[str, Mapping[str, Any]],
    services: Sequence[str],
    *,
    within: float,
) -> int:
    """How many of these serve: in every one of the backend services, or, where none is named, by the group's own health
    checks. Raises Transient where nothing counts them, since an empty list says nothing."""
    if not instances:
        return 0
    if not services:
        told = {path: one.get("instanceHealth") or [] for path, one in instances.items()}
        if not any(told.values()):
            raise Transient(
                f"{group.path} has no health check of its own, so nothing counts its healthy instances; name a backend "
                f"service: {{group: {group.path}, backend_services: [PATH]}}."
            )
        return sum(
            bool(checks) and all(one.get("detailedHealthState") == "HEALTHY" for one in checks)
            for checks in told.values()
        )
    until, found = asking.deadline(within), set(instances)
    for service in services:
        left = asking.left_until(until)
        here = serving(asking, region_of(service), service, group.instances, within=left)
        if here is None:
            raise Transient(f"{len(instances)} run in {group.path}, and {service} lists none of them.")
        found &= here
    return len(found)
