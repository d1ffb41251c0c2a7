"""Balancers of no region: profiles of Traffic Manager, origin groups of Front Door."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_azure.discovering import hosts
from cloudfail_azure.discovering.looking import Look, Stood
from cloudfail_azure.discovering.pairs import Sort, drafted
from cloudfail_azure.loadbalancer.front_door import VERSION as CDN_API
from cloudfail_azure.loadbalancer.traffic_manager import VERSION as PROFILES_API
from cloudfail_azure.paths import parent_of, plain_region

PROFILES = Sort(PortName.LOADBALANCER, "traffic-manager", "profiles of Traffic Manager")
ORIGINS = Sort(PortName.LOADBALANCER, "front-door", "origin groups of Front Door")
DRAFTS = ((PROFILES.port, PROFILES.kind), (ORIGINS.port, ORIGINS.kind))
ROUTING = {"Priority": "priority", "Weighted": "weighted", "Performance": "performance", "MultiValue": "multivalue"}
ENABLED = "Enabled"


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    known = hosts.known(look)
    below = "/providers/Microsoft.Network/trafficManagerProfiles"
    for one in look.listed(PROFILES.what, below, PROFILES_API):
        if look.is_meant(one):
            yield from _profile(look, known, one)
    yield from _front_door(look, known)


def _profile(look: Look, known: Mapping[str, str], profile: Stood) -> Iterator[Found | str]:
    endpoints = list(profile.properties.get("endpoints") or ())

    def region(endpoint: Mapping[str, Any]) -> str:
        told = endpoint.get("properties") or {}
        target = str(told.get("targetResourceId") or "")
        stood = look.region_of(target) if target else ""
        return stood if stood not in ("", "global") else plain_region(str(told.get("endpointLocation") or "")) or (
            hosts.region_of(str(told.get("target") or ""), known, look.wanted.regions)
        )  # fmt: skip

    members = _members(look, endpoints, region)
    method = str(profile.properties.get("trafficRoutingMethod") or "")
    if members is None:
        return
    if not isinstance(members, str) and method not in ROUTING:
        members = f"no kind here moves its method {method}"
    if isinstance(members, str):
        yield f"{profile.id}: {members}."
        return
    routing = ROUTING[method]
    if routing == "priority":
        _home(look, profile.name, [one for one in endpoints if region(one) in members], region, "endpointStatus")
    options = {"profile": profile.id} | ({"routing": routing} if routing != "priority" else {})
    why = f"the Traffic Manager profile {profile.name} has an endpoint in each"
    yield drafted(look, PROFILES, f"{profile.name}-traffic", members, why, options)


def _front_door(look: Look, known: Mapping[str, str]) -> Iterator[Found | str]:
    profiles = [
        one for one in look.of_type("Microsoft.Cdn/profiles")
        if "AzureFrontDoor" in str((one.told.get("sku") or {}).get("name", ""))
    ]  # fmt: skip
    groups = look.each(ORIGINS.what, [f"{one.id}/originGroups" for one in profiles], CDN_API)
    origins = look.each("origins of Front Door", [f"{one.id}/origins" for one in groups], CDN_API)
    for group in groups:
        mine = [one.told for one in origins if parent_of(one.id).lower() == group.id.lower()]
        yield from _group(look, known, group, mine)


def _group(look: Look, known: Mapping[str, str], group: Stood, origins: list[Any]) -> Iterator[Found | str]:
    def region(origin: Mapping[str, Any]) -> str:
        told = origin.get("properties") or {}
        private = ((told.get("sharedPrivateLinkResource") or {}).get("privateLink") or {}).get("id")
        ids = [str(id_) for id_ in ((told.get("azureOrigin") or {}).get("id"), private) if id_]
        stood = [found for id_ in ids if (found := look.region_of(id_)) not in ("", "global")]
        return stood[0] if stood else hosts.region_of(str(told.get("hostName") or ""), known, look.wanted.regions)

    members = _members(look, origins, region)
    if members is None:
        return
    if isinstance(members, str):
        yield f"{group.id}: {members}."
        return
    serving = [one["properties"] for one in origins if (one.get("properties") or {}).get("enabledState") == ENABLED]
    best = min((int(one.get("priority") or 1) for one in serving), default=1)
    weighted = len([one for one in serving if int(one.get("priority") or 1) == best]) > 1
    if not weighted:
        _home(look, group.name, origins, region, "enabledState")
    options = {"origin_group": group.id} | ({"routing": "weighted"} if weighted else {})
    profile = parent_of(group.id).rpartition("/")[2]
    why = f"the origin group {group.name} of {profile} has an origin in each"
    yield drafted(look, ORIGINS, f"{profile}-{group.name}-traffic", members, why, options)


def _members(look: Look, whole: Iterable[Mapping[str, Any]], region: Any) -> dict[str, str] | str | None:
    """Region -> the id of what stands for it; None where it is of fewer than two of these; else what is not told."""
    by_region: dict[str, list[str]] = defaultdict(list)
    for one in whole:
        by_region[region(one)].append(str(one.get("id", "")))
    here = [name for name in look.wanted.regions if name in by_region]
    if "" in by_region and here:
        return f"which region does {' and '.join(sorted(by_region['']))} stand for? Nothing here says it"
    if len(here) < 2:
        return None
    if any(len(by_region[name]) > 1 for name in here):
        return f"not one of its members for each of {' and '.join(here)}, so that it is not moved"
    return {name: by_region[name][0] for name in here}


def _home(look: Look, name: str, whole: Iterable[Mapping[str, Any]], region: Any, state: str) -> None:
    """Whoever is first in priority, of those that are enabled."""
    told = [(int(one["properties"].get("priority") or 1), region(one)) for one in whole
            if one["properties"].get(state) == ENABLED]  # fmt: skip
    if told and min(told)[1] in look.wanted.regions:
        look.at_home(min(told)[1], f"{name} leads to it first")
