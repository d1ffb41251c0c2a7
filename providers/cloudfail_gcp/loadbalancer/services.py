"""One backend service that stands for one region: who serves in it, as the balancer counts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudfail.errors import CloudfailError, Permanent
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.health import serving
from cloudfail_gcp.loadbalancer.weights import UNCHANGED
from cloudfail_gcp.paths import path_of, region_of

API, NOWHERE = "compute", "global"


def counted(asking: Asking, services: Iterable[str], region: str, until: float) -> int | None:
    """How many healthy targets the region has: where several services stand for it, those of the one that has the
    fewest, since users need all of them. None where one of them does not tell. Raises Permanent for a service that has
    a group in another region: who is sent to it would be sent there too."""
    least: int | None = None
    for service in services:
        try:
            told = asking.read(API, NOWHERE, service, within=asking.left_until(until))
        except CloudfailError:
            return None
        backends = told.get("backends") or []
        _refuse_strangers(service, region, backends)
        count = healthy(asking, NOWHERE, service, (str(one.get("group", "")) for one in backends), until)
        if count is None:
            return None
        least = count if least is None else min(least, count)
    return least


def healthy(asking: Asking, where: str, service: str, groups: Iterable[str], until: float) -> int | None:
    """Of these groups of the service (their URLs) together. None where there is none, or one of them does not tell: a
    part is not taken for all."""
    count: int | None = None
    for group in groups:
        try:
            found = serving(asking, where, service, group, within=asking.left_until(until))
        except CloudfailError:
            return None
        if found is None:
            return None
        count = (count or 0) + len(found)
    return count


def _refuse_strangers(service: str, region: str, backends: Iterable[Mapping[str, Any]]) -> None:
    for one in backends:
        group = path_of(str(one.get("group", "")))
        if region_of(group) not in (region, "global"):
            raise Permanent(
                f"{service}, which is to stand for {region}, has a group in {region_of(group)}: {group}.",
                UNCHANGED,
                "Give each region a backend service of its own, or move capacity by loadbalancer: backend-service.",
            )
