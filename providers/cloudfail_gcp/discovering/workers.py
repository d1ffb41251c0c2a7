"""Workers: managed instance groups, services of Cloud Run, node pools of GKE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from cloudfail.discovering.pairing import Thing, asked, pair
from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering.balancers import services
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.paths import name_of, path_of

_OF_GKE = re.compile(r"gke-.+-grp")
"""What GKE calls the groups of its node pools, and scales by itself."""
NOTHING_COUNTS = (
    "Nothing counts the healthy instances of {groups}: no backend service names it, and it has no health check of its "
    "own. Give it one, or write backend_services."
)


def found(look: Look) -> Iterator[Found | str]:
    """Kind by kind."""
    port = PortName.COMPUTE
    for one in paired(look, port, "instance groups", "instance-group", lambda at: _groups(look, at)):
        yield _counted(look, one) if isinstance(one, Found) else one
    yield from paired(look, port, "Cloud Run services", "cloud-run", lambda at: _run(look, at))
    yield from paired(look, port, "node pools of GKE", "gke-node-pool", lambda at: _pools(look, at))


def paired(
    look: Look, port: PortName, what: str, kind: str, ask: Callable[[str], list[Thing]]
) -> Iterator[Found | str]:
    """The things of one sort that `ask` lists in each region, as resources, and what is asked of the rest."""
    listed = look.each(what, ask)
    result = pair([one for things in listed.values() for one in things], look.wanted.regions, look.words)
    for one in result.pairs:
        yield drafted(look, port, kind, what, one.name, one.members, one.why)
    yield from asked(what[:1].upper() + what[1:], f"{port}: {kind}", result, look.missing(listed))


def drafted(
    look: Look, port: PortName, kind: str, what: str, name: str, members: dict[str, object], why: str
) -> Found | str:
    """As a resource, where there is such a kind here; else what a person has to know of it."""
    if look.takes(port, kind, members, {}):
        return Found(port, kind, name, members, why)
    shown = ", ".join(f"{region}: {member}" for region, member in members.items())
    return f"{what} {name} ({why}): nothing here drafts {port}: {kind} of {shown}."


def _managers(look: Look, region: str) -> list[dict[str, Any]]:
    """Regional ones, and those of the region's zones. They have no labels: all of them are shown."""
    project = f"projects/{look.project}"
    zones = [path_of(str(one)) for one in look.read("compute", region, f"{project}/regions/{region}").get("zones", ())]
    listed = [
        one
        for scope in (f"{project}/regions/{region}", *sorted(zones))
        for one in look.pages("compute", region, f"{scope}/instanceGroupManagers", "items")
    ]
    return [one for one in listed if not _OF_GKE.fullmatch(str(one["name"]))]


def _groups(look: Look, region: str) -> list[Thing]:
    made = []
    for one in look.each("managed instance groups", lambda at: _managers(look, at), (region,)).get(region, []):
        path, instances = path_of(str(one["selfLink"])), path_of(str(one.get("instanceGroup", "")))
        made.append(_group(look, region, path, instances))
    return made


def _counted(look: Look, drafted: Found) -> Found:
    """With what is to be known of groups whose healthy instances nothing counts."""
    bare = {member for member in drafted.members.values() if isinstance(member, str)}
    listed = look.each("managed instance groups", lambda at: _managers(look, at))
    uncounted = sorted(
        path
        for found in listed.values()
        for one in found
        if (path := path_of(str(one["selfLink"]))) in bare
        and not any(each.get("healthCheck") for each in one.get("autoHealingPolicies") or ())
    )
    if not uncounted:
        return drafted
    return replace(drafted, remarks=(NOTHING_COUNTS.format(groups=" and ".join(uncounted)),))


def _group(look: Look, region: str, path: str, instances: str) -> Thing:
    serves = sorted(
        path_of(str(one["selfLink"])) for one in services(look) if instances and instances in _backends(one)
    )
    member: object = {"group": path, "backend_services": serves} if serves else path
    return Thing(region, name_of(path), member, serves=frozenset(serves))


def _backends(service: dict[str, Any]) -> set[str]:
    return {path_of(str(one.get("group", ""))) for one in service.get("backends") or ()}


def _run(look: Look, region: str) -> list[Thing]:
    """Cloud Run v2's list; the name is the path."""
    path = f"v2/projects/{look.project}/locations/{region}/services"
    listed = look.pages("run", region, path, "services")
    return [
        Thing(region, name_of(one["name"]), one["name"], one.get("labels") or {})
        for one in listed
        if look.is_meant(one.get("labels"))
    ]


def _pools(look: Look, region: str) -> list[Thing]:
    """Those of the region's clusters, and of the zonal ones in its zones (locations/-)."""
    told = look.read("container", region, f"v1/projects/{look.project}/locations/-/clusters")
    made = []
    for cluster in told.get("clusters") or ():
        place = str(cluster["location"])
        if (place != region and place.rpartition("-")[0] != region) or not look.is_meant(cluster.get("resourceLabels")):
            continue
        for pool in cluster.get("nodePools") or ():
            path = f"projects/{look.project}/locations/{place}/clusters/{cluster['name']}/nodePools/{pool['name']}"
            made.append(Thing(region, f"{cluster['name']}/{pool['name']}", path, cluster.get("resourceLabels") or {}))
    return made
