"""One route of a URL map: which backend service, or which share of several, it leads to. Pure.

A URL map has a default route; each of its path matchers has one too, and rules beside it. Everywhere one of three may
stand: a service, a split by weights within the route's action, or a redirect (Compute Engine v1, `UrlMap`,
`PathMatcher`, `PathRule`, `HttpRouteRule`). What the file says of the route must be what the map holds: a service is
not made a split, nor a split a service, on the bad day.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Permanent
from cloudfail_gcp.loadbalancer.weights import UNCHANGED
from cloudfail_gcp.paths import path_of

WEIGHT_MAX = 1000
"""`WeightedBackendService.weight`: from 0 to 1000."""
SPLIT = "weightedBackendServices"


@dataclass(frozen=True)
class Route:
    """matcher: the path matcher's name, "" for the map's own default. path: of one of its path rules; priority: of one
    of its route rules; without either, its default."""

    matcher: str = ""
    path: str = ""
    priority: int | None = None
    weighted: bool = False

    @property
    def said(self) -> str:
        if not self.matcher:
            return "the default route"
        if self.path:
            return f"the path {self.path} of the matcher {self.matcher}"
        if self.priority is not None:
            return f"the rule {self.priority} of the matcher {self.matcher}"
        return f"the default route of the matcher {self.matcher}"

    @property
    def _keys(self) -> tuple[str, str]:
        rule = self.path or self.priority is not None
        return ("service", "routeAction") if rule else ("defaultService", "defaultRouteAction")

    def weights(self, whole: Mapping[str, Any], members: Mapping[str, str]) -> dict[str, int]:
        """Region -> weight. Raises Permanent for a route that is not as cloudfail.yaml says."""
        if self.weighted:
            split = {path_of(str(one.get("backendService", ""))): int(one.get("weight", 0)) for one in self._of(whole)}
            return {region: split.get(service, 0) for region, service in members.items()}
        leads = path_of(str(self._held(whole).get(self._keys[0], "")))
        if leads not in members.values():
            raise self._otherwise(whole, f"leads to {leads or 'no service'}, which stands for no region")
        return {region: 100 if service == leads else 0 for region, service in members.items()}

    def strangers(self, whole: Mapping[str, Any], members: Mapping[str, str]) -> dict[str, int]:
        """Services that stand for no region, and have a weight beside those that do."""
        split = {path_of(str(one.get("backendService", ""))): int(one.get("weight", 0)) for one in self._of(whole)}
        return {service: weight for service, weight in split.items() if weight and service not in members.values()}

    def patch(self, whole: Mapping[str, Any], members: Mapping[str, str], weights: Mapping[str, int]) -> dict[str, Any]:
        """What of the map has to be sent for these weights. A patch merges objects and replaces arrays: of an array,
        everything is sent back as it was read, but for this route."""
        changed = copy.deepcopy(dict(whole))
        held, (service, action) = self._held(changed), self._keys
        if self.weighted:
            held[action][SPLIT] = self._split(self._of(whole), members, weights)
        else:
            (to,) = (region for region, weight in weights.items() if weight)
            held[service] = _like(str(held[service]), members[to])
        if self.matcher:
            return {"pathMatchers": changed["pathMatchers"]}
        return {action: {SPLIT: held[action][SPLIT]}} if self.weighted else {service: held[service]}

    def _split(
        self, split: list[dict[str, Any]], members: Mapping[str, str], weights: Mapping[str, int]
    ) -> list[dict[str, Any]]:
        by_service = {members[region]: weight for region, weight in weights.items()}
        made = []
        for one in split:
            weight = by_service.pop(path_of(str(one["backendService"])), None)
            made.append(one if weight is None else {**one, "weight": weight})
        like = str(split[0]["backendService"])
        return made + [{"backendService": _like(like, name), "weight": weight} for name, weight in by_service.items()]

    def _of(self, whole: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The split of a route that has one; empty for one that leads to a service. Raises as `weights`."""
        if not self.weighted:
            return []
        split = (self._held(whole).get(self._keys[1]) or {}).get(SPLIT)
        if not split:
            raise self._otherwise(whole, "does not split by weights")
        return list(split)

    def _held(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """The part of the map where this route stands. Raises Permanent where there is none."""
        if not self.matcher:
            return whole if isinstance(whole, dict) else dict(whole)
        named = [one for one in whole.get("pathMatchers") or [] if one.get("name") == self.matcher]
        if not named:
            raise self._missing(whole)
        found: list[dict[str, Any]] = named
        if self.path:
            found = [one for one in named[0].get("pathRules") or [] if self.path in (one.get("paths") or [])]
        elif self.priority is not None:
            found = [one for one in named[0].get("routeRules") or [] if int(one.get("priority", 0)) == self.priority]
        if len(found) != 1:
            raise self._missing(whole)
        return found[0]

    def _missing(self, whole: Mapping[str, Any]) -> Permanent:
        there = ", ".join(str(one.get("name")) for one in whole.get("pathMatchers") or []) or "none"
        return Permanent(
            f"The URL map {whole.get('name')} has not {self.said}.",
            UNCHANGED,
            f"Its path matchers are: {there}. Correct matcher:, path: or priority: in cloudfail.yaml.",
        )

    def _otherwise(self, whole: Mapping[str, Any], what: str) -> Permanent:
        held = self._held(whole)
        action = held.get(self._keys[1]) or {}
        kind = "splits by weights" if action.get(SPLIT) else "leads to one service"
        if held.get("urlRedirect") or held.get("defaultUrlRedirect"):
            kind = "redirects"
        return Permanent(
            f"{self.said.capitalize()} of the URL map {whole.get('name')} {what}; it {kind}.",
            UNCHANGED,
            "Write routing: and members: in cloudfail.yaml as the map is, or bring the map back by hand.",
        )


def _like(url: str, path: str) -> str:
    """That path, written as the URL beside it is."""
    return url.removesuffix(path_of(url)) + path
