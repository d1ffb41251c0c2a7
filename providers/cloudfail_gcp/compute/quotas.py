"""What instances of one machine type may run in a region: their vCPUs against the project's quota there, and what
reservations hold for them.

Quotas and their use stand in the region itself (`regions.get`). A reservation counts against the quota when it is made,
and an instance that takes it up counts no more (Compute Engine, "Reservations of Compute Engine zonal resources"): what
is reserved and not in use is in the use that is told. Only reservations of the project itself are listed; another
project's that is shared with it is not known here.

Which quota a machine type counts against is known for those in SERIES (Compute Engine, "Allocation quotas", and what
Google's own tests of its images ask for, github.com/GoogleCloudPlatform/cloud-image-tests). Of E2 the sources differ:
CPUS, or one of its own. The one that leaves more is taken, since what is found too much must certainly be. Newer series
have theirs in Cloud Quotas alone: unknown, as are Spot instances, shared cores, and groups of several machine types, of
which a count says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.room import Room
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.paths import name_of, path_of, region_of

SERIES: Mapping[str, tuple[str, ...]] = {
    "n1": ("CPUS",),
    "e2": ("E2_CPUS", "CPUS"),
    "n2": ("N2_CPUS",),
    "n2d": ("N2D_CPUS",),
    "c2": ("C2_CPUS",),
    "c2d": ("C2D_CPUS",),
    "c3": ("C3_CPUS",),
    "t2d": ("T2D_CPUS",),
    "t2a": ("T2A_CPUS",),
    "a2": ("A2_CPUS",),
    "m1": ("M1_CPUS",),
    "m2": ("M2_CPUS",),
    "m3": ("M3_CPUS",),
}
"""By what a machine type's name begins with. `custom-…` without a series is N1."""
NO_RESERVATION, SPECIFIC = "NO_RESERVATION", "SPECIFIC_RESERVATION"


@dataclass(frozen=True)
class Machine:
    """What a group begins: its machine type, and which reservations it may take up (`reservationAffinity`)."""

    sort: str
    affinity: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, reservation: Mapping[str, Any]) -> bool:
        said = self.affinity.get("consumeReservationType")
        if said == NO_RESERVATION:
            return False
        if said == SPECIFIC:
            return reservation.get("name") in {name_of(str(one)) for one in self.affinity.get("values") or []}
        return not reservation.get("specificReservationRequired", False)


def metrics_of(machine_type: str) -> tuple[str, ...]:
    """The quota that it counts against, or those of which it is one. Raises Transient where that is not known here."""
    series = "n1" if machine_type.startswith("custom-") else machine_type.partition("-")[0]
    if series not in SERIES:
        raise Transient(f"which quota {machine_type} counts against is not known here.")
    return SERIES[series]


def launched(asking: Asking, path: str, *, within: float) -> tuple[Machine, tuple[str, ...]]:
    """What a managed instance group begins, and the zones (paths) in which it does. Raises Transient where that is not
    one machine type."""
    until = asking.deadline(within)
    told = asking.read("compute", region_of(path), path, within=within)
    if told.get("instanceFlexibilityPolicy"):
        raise Transient(f"{path} begins instances of several machine types.")
    versions = [one["instanceTemplate"] for one in told.get("versions") or [] if one.get("instanceTemplate")]
    templates = dict.fromkeys(path_of(str(one)) for one in versions or [told.get("instanceTemplate") or ""])
    if "" in templates:
        raise Transient(f"Compute Engine answers, and does not tell the instance template of {path}.")
    found = [_templated(asking, one, region_of(path), within=asking.left_until(until)) for one in templates]
    if len({one.sort for one in found}) != 1:
        raise Transient(f"{path} begins instances of several machine types.")
    listed = (told.get("distributionPolicy") or {}).get("zones") or []
    zones = tuple(path_of(str(one["zone"])) for one in listed)
    parts = path.split("/")
    return found[0], zones if zones or parts[2] != "zones" else ("/".join(parts[:4]),)


def _templated(asking: Asking, path: str, region: str, *, within: float) -> Machine:
    properties = asking.read("compute", region, path, within=within).get("properties") or {}
    scheduling = properties.get("scheduling") or {}
    if scheduling.get("preemptible") or scheduling.get("provisioningModel", "STANDARD") != "STANDARD":
        raise Transient(f"{path} begins Spot or other instances whose quota is not compared.")
    if not properties.get("machineType"):
        raise Transient(f"{path} names no machine type.")
    return Machine(name_of(str(properties["machineType"])), properties.get("reservationAffinity") or {})


def room_of(
    asking: Asking, project: str, region: str, zones: Sequence[str], machine: Machine, own: int, *, within: float
) -> Room:
    """project: whose quota it is. zones: paths of those where instances are begun. own: how many run now. Raises
    Transient where it is not known."""
    until = asking.deadline(within)

    def left() -> float:
        return asking.left_until(until)

    metrics = metrics_of(machine.sort)
    told = asking.read("compute", region, f"projects/{project}/regions/{region}", within=left())
    listed = [one for one in told.get("quotas") or [] if one.get("metric") in metrics and "limit" in one]
    if told.get("quotaStatusWarning") or not listed:
        raise Transient(f"Compute Engine does not tell the quota {' or '.join(metrics)} of {project} in {region}.")
    quota = max(listed, key=lambda one: float(one["limit"]) - float(one.get("usage") or 0))
    where = zones or tuple(path_of(str(one)) for one in told.get("zones") or [])
    if not where:
        raise Transient(f"Compute Engine does not tell the zones of {region}.")
    vcpus = _vcpus(asking, region, where[0], machine.sort, within=left())
    reserved = _reserved(asking, region, where, machine, left)
    return Room(
        pool=f"quota {quota['metric']} of {project} in {region}",
        limit=float(quota["limit"]),
        unit="vCPUs",
        each=vcpus,
        own=own,
        # Use counts what is reserved and does not run, too: if nobody says how much that is, others cannot be told.
        used=None if reserved is None or "usage" not in quota else float(quota["usage"]),
        reserved=reserved,
    )


def _vcpus(asking: Asking, region: str, zone: str, machine_type: str, *, within: float) -> float:
    told = asking.read("compute", region, f"{zone}/machineTypes/{machine_type}", within=within)
    if told.get("isSharedCpu"):
        raise Transient(f"{machine_type} shares a core, and how much of the quota it takes is not known here.")
    if int(told.get("guestCpus") or 0) < 1:
        raise Transient(f"how many vCPUs {machine_type} has is not told in {zone}.")
    return float(told["guestCpus"])


def _reserved(asking: Asking, region: str, zones: Iterable[str], machine: Machine, left: Any) -> int | None:
    """Instances that reservations in these zones still hold for this group; None where they cannot be listed."""
    try:
        found = [
            one
            for zone in zones
            for one in asking.pages("compute", region, f"{zone}/reservations", "items", within=left())
        ]
    except CloudfailError:
        return None
    count = 0
    for one in found:
        held = one.get("specificReservation") or {}
        sort = (held.get("instanceProperties") or {}).get("machineType")
        if one.get("status") == "READY" and sort == machine.sort and machine.takes(one):
            count += max(0, int(held.get("count") or 0) - int(held.get("inUseCount") or 0))
    return count
