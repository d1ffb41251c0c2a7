"""What instances of one size may run in a region: their vCPUs against the subscription's quotas there, and what
capacity reservations hold for them.

Two quotas hold at once: of the size's family, and of all cores of the region ("Check vCPU quotas"). The one that
leaves less is told. Which family a size counts against, and how many vCPUs it has, is told by the list of SKUs
(Resource Skus - List). A capacity reservation counts against the quota from when it is made ("On-demand capacity
reservation"). Spot instances have a quota of their own, and sets of several sizes are none of one: unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.room import Room
from cloudfail_azure.asking import Asking
from cloudfail_azure.paths import subscription_of

COMPUTE, SKUS = "2026-04-01", "2021-07-01"
"""API versions of Microsoft.Compute."""
ROOM_SECONDS = 13.0
_ALL = "cores"
"""The regional quota, by the name that `usages` gives it."""


@dataclass(frozen=True)
class Machine:
    """What a group begins: its size, and the capacity reservation group whose instances it may take up."""

    size: str
    reservations: str = ""

    @classmethod
    def of_set(cls, id_: str, told: Mapping[str, Any]) -> Machine:
        """Of a scale set. Raises Transient where its instances are not of one size, or are Spot."""
        size = str((told.get("sku") or {}).get("name") or "")
        profile = (told.get("properties") or {}).get("virtualMachineProfile") or {}
        if profile.get("priority", "Regular") != "Regular":
            raise Transient(f"{id_} runs Spot instances, whose quota is not compared.")
        if not size or size == "Mix":
            raise Transient(f"{id_} begins instances of several sizes.")
        held = ((profile.get("capacityReservation") or {}).get("capacityReservationGroup") or {}).get("id")
        return cls(size, str(held or ""))


def room_of(asking: Asking, region: str, id_: str, machine: Machine, own: int, *, within: float) -> Room:
    """id_: of the group, whose subscription's quota it is; own: how many run now. Raises Transient where it is not
    known."""
    until = asking.deadline(within)
    subscription = subscription_of(id_)
    family, vcpus = _sku(asking, region, subscription, machine.size, within=within)
    path = f"{subscription}/providers/Microsoft.Compute/locations/{region}/usages"
    listed = asking.pages(region, path, COMPUTE, within=asking.left_until(until))
    quotas = {str((one.get("name") or {}).get("value", "")).lower(): one for one in listed}
    both = [quotas[name] for name in (family.lower(), _ALL) if name in quotas]
    if family.lower() not in quotas:
        raise Transient(f"Azure does not tell the quota {family} of {subscription} in {region}.")
    reserved = _reserved(asking, region, machine, within=asking.left_until(until))
    rooms = [
        Room(
            pool=f"quota {one['name']['value']} of {subscription} in {region}",
            limit=float(one["limit"]),
            unit="vCPUs",
            each=vcpus,
            own=own,
            # Use counts what is reserved and does not run, too: if nobody says how much that is, others are not known.
            used=None if reserved is None else float(one["currentValue"]),
            reserved=reserved,
        )
        for one in both
    ]
    return min(rooms, key=lambda room: room.at_most)


def _sku(asking: Asking, region: str, subscription: str, size: str, *, within: float) -> tuple[str, float]:
    query = {"$filter": f"location eq '{region}'"}
    path = f"{subscription}/providers/Microsoft.Compute/skus"
    for one in asking.pages(region, path, SKUS, within=within, query=query):
        if one.get("resourceType") == "virtualMachines" and str(one.get("name", "")).lower() == size.lower():
            told = {str(can.get("name")): str(can.get("value")) for can in one.get("capabilities") or ()}
            # Of a size with fewer vCPUs than its machine the fewer count: what is found too much certainly is.
            vcpus = float(told.get("vCPUsAvailable") or told.get("vCPUs") or 0)
            if vcpus >= 1 and one.get("family"):
                return str(one["family"]), vcpus
    raise Transient(f"which quota {size} counts against in {region} is not told.")


def _reserved(asking: Asking, region: str, machine: Machine, *, within: float) -> int | None:
    """Instances that reservations still hold for this group; None where they cannot be listed."""
    if not machine.reservations:
        return 0
    try:
        path = f"{machine.reservations}/capacityReservations"
        listed = asking.pages(region, path, COMPUTE, within=within)
    except CloudfailError:
        return None
    count = 0
    for one in listed:
        sku = one.get("sku") or {}
        if str(sku.get("name", "")).lower() == machine.size.lower():
            taken = len((one.get("properties") or {}).get("virtualMachinesAssociated") or ())
            count += max(0, int(sku.get("capacity") or 0) - taken)
    return count
