"""A node pool as GKE tells it, with the sizes of the instance groups that it stands on, and what is under way on it.

Bounds of its autoscaler are for each zone (`minNodeCount`), or for all of it (`totalMinNodeCount`); GKE takes one or
the other (container.v1, `NodePoolAutoscaling`). What `setSize` orders is for each zone, always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import Transient
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.compute.groups import Group, described
from cloudfail_gcp.compute.options import region_at
from cloudfail_gcp.paths import name_of, path_of

STANDS = frozenset({"RUNNING", "RUNNING_WITH_ERROR", "RECONCILING"})
"""The states in which a pool has nodes (`NodePool.status`)."""


@dataclass(frozen=True)
class Pool:
    """One pool. zones: how many it is spread over. groups: its instance groups. sizes: zone -> nodes that it is to have
    there. autoscaling: as GKE tells it, empty where it is off. moving: what is under way on it."""

    path: str
    zones: int
    groups: tuple[Group, ...]
    sizes: Mapping[str, int]
    autoscaling: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    moving: str = ""

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    @property
    def largest(self) -> int:
        return max(self.sizes.values())

    @property
    def scaled(self) -> bool:
        return bool(self.autoscaling)

    @property
    def in_all(self) -> bool:
        """Whether the bounds are for the whole pool."""
        return bool(self.autoscaling.get("totalMaxNodeCount"))

    @property
    def floor(self) -> int:
        return int(self.autoscaling.get("totalMinNodeCount" if self.in_all else "minNodeCount") or 0)

    @property
    def most(self) -> int:
        return int(self.autoscaling.get("totalMaxNodeCount" if self.in_all else "maxNodeCount") or 0)

    @property
    def ceiling(self) -> int | None:
        return None if not self.scaled else self.most if self.in_all else self.most * self.zones

    @property
    def wanted(self) -> int:
        """What it has now and keeps: the autoscaler takes none of these away. Of bounds for each zone it is the least
        zone's that counts, for each: so it is a number that can be ordered again. A floor above the size is not wanted
        yet, since the autoscaler does not make what is missing."""
        if self.scaled and self.in_all:
            return min(self.floor, self.size)
        least = min(self.sizes.values())
        return self.zones * (min(self.floor, least) if self.scaled else least)

    @property
    def held_at(self) -> int:
        """The least floor at which its autoscaler may take no node away."""
        return self.size if self.in_all else self.largest

    def held(self, usual: int | None) -> bool:
        """Whether no node may be taken away, though on other days some may. usual: the floor that it has then; one that
        has come down to that by itself is free, and only has nothing to give."""
        return self.scaled and self.floor >= self.held_at and (usual is None or self.floor > usual)

    @property
    def version(self) -> str:
        """What a verb would change, or rests on. A size that the autoscaler sets above its floor is neither."""
        bounds = f"{self.floor}/{self.most}/{'all' if self.in_all else 'zone'}" if self.scaled else "unscaled"
        return f"{self.wanted}/{bounds}"

    def bounded(self, floor: int, most: int) -> dict[str, Any]:
        """What `setAutoscaling` is to be given: it replaces the whole, so the rest goes back as it was read."""
        low, high = ("totalMinNodeCount", "totalMaxNodeCount") if self.in_all else ("minNodeCount", "maxNodeCount")
        return {**self.autoscaling, low: floor, high: most}


def location_of(path: str) -> str:
    """What its operations stand under: `projects/P/locations/L`."""
    return "/".join(path.split("/")[:4])


def pool_at(asking: Asking, path: str, *, within: float) -> Pool:
    """The pool now. Raises Transient where the answers say nothing of it. What is under way is asked first: what ends
    between the two is then seen in the pool."""
    region, until = region_at(path), asking.deadline(within)
    moving = under_way(asking, path, within=asking.left_until(until))
    told = asking.read("container", region, f"v1/{path}", within=asking.left_until(until))
    urls = [path_of(str(one)) for one in told.get("instanceGroupUrls") or []]
    if told.get("name") != name_of(path) or told.get("status") not in STANDS or not urls:
        raise Transient(
            f"GKE says of {path} that it is {told.get('status') or 'nothing'}, and names {len(urls)} groups."
        )
    groups = tuple(
        described(asking, url.replace("/instanceGroups/", "/instanceGroupManagers/"), within=asking.left_until(until))
        for url in urls
    )
    # A blue-green upgrade has two groups in each zone.
    sizes: dict[str, int] = {}
    for group in groups:
        zone = group.path.split("/")[3]
        sizes[zone] = sizes.get(zone, 0) + group.size
    scaler = told.get("autoscaling") or {}
    return Pool(
        path,
        len(told.get("locations") or sizes),
        groups,
        sizes,
        scaler if scaler.get("enabled") else {},
        told.get("config") or {},
        moving or ("GKE is changing it" if told["status"] == "RECONCILING" else ""),
    )


def under_way(asking: Asking, path: str, *, within: float) -> str:
    """The operation under way on the pool or on its cluster, in a few words; "" if there is none. GKE carries out one
    at a time there. Raises Transient where those of its place are not listed."""
    reply = asking.read("container", region_at(path), f"v1/{location_of(path)}/operations", within=within)
    if (place := name_of(location_of(path))) in (reply.get("missingZones") or []):
        raise Transient(f"GKE does not list the operations of {place}.")
    cluster, _, pool = path.partition("/clusters/")[2].partition("/nodePools/")
    for one in reply.get("operations") or []:
        target = str(one.get("targetLink", "")).partition("/clusters/")[2]
        if one.get("status") != "DONE" and target in (cluster, f"{cluster}/nodePools/{pool}"):
            return f"{one.get('operationType', 'an operation')} {one.get('name', '')} is {one.get('status')}"
    return ""
