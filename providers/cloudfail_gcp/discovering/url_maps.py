"""Routes of global URL maps that split by weights between backend services, each of which stands in one region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudfail.model.discovered import Found
from cloudfail.model.topology import PortName
from cloudfail_gcp.discovering.balancers import services
from cloudfail_gcp.discovering.looking import Look
from cloudfail_gcp.loadbalancer.routes import SPLIT
from cloudfail_gcp.paths import name_of, path_of, region_of

Place = tuple[dict[str, Any], Mapping[str, Any]]
"""(how cloudfail.yaml names the route, what it does)"""


def found(look: Look) -> Iterator[Found | str]:
    """Map by map, route by route. They have no labels: all of them are shown. A route to one service says nothing of
    what it would lead to in another region, and is left."""
    base = f"projects/{look.project}/global/urlMaps"
    listed = look.each("URL maps", lambda at: look.pages("compute", at, base, "items"), ("global",)).get("global", [])
    homes = _homes(look) if listed else {}
    for one in sorted(listed, key=lambda one: str(one["name"])):
        path = path_of(str(one["selfLink"]))
        for named, action in _places(one):
            split = [path_of(str(each.get("backendService", ""))) for each in action.get(SPLIT) or ()]
            here = {region: [each for each in split if homes.get(each) == region] for region in look.wanted.regions}
            members = {region: each[0] for region, each in here.items() if each}
            if len(members) < 2 or any(len(each) > 1 for each in here.values()):
                continue
            where = "/".join((name_of(path), *(str(value) for value in named.values())))
            why = f"{where} splits between services that stand in {' and '.join(members)}"
            options = {"url_map": path, "routing": "weighted", **named}
            if look.takes(PortName.LOADBALANCER, "url-map", members, options):
                yield Found(PortName.LOADBALANCER, "url-map", f"{where}-traffic", members, why, options=options)
            else:
                yield f"{path}: {why}, and nothing here drafts loadbalancer: url-map of them."


def _homes(look: Look) -> dict[str, str]:
    """Backend service -> the one region in which its groups stand."""
    made = {}
    for one in services(look):
        regions = {region_of(path_of(str(each.get("group", "")))) for each in one.get("backends") or ()}
        if len(regions) == 1:
            made[path_of(str(one["selfLink"]))] = regions.pop()
    return made


def _places(whole: Mapping[str, Any]) -> Iterator[Place]:
    yield {}, whole.get("defaultRouteAction") or {}
    for matcher in whole.get("pathMatchers") or ():
        named = {"matcher": str(matcher["name"])}
        yield named, matcher.get("defaultRouteAction") or {}
        for rule in matcher.get("pathRules") or ():
            if rule.get("paths"):
                yield {**named, "path": str(rule["paths"][0])}, rule.get("routeAction") or {}
        for rule in matcher.get("routeRules") or ():
            yield {**named, "priority": int(rule.get("priority", 0))}, rule.get("routeAction") or {}
