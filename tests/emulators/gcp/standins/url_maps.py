"""URL maps of Compute Engine: routes to backend services, or splits among several of them by weights.

As the reference of `urlMaps` has it: a patch needs the fingerprint that stands (412 conditionNotMet), merges objects
and replaces arrays; it "succeeds only if all test cases pass"; a weight is from 0 to 1000, and one of a split is above
zero; `validate` says what would come of a map, and changes nothing.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Mapping
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.backend_services import BackendServices
from tests.emulators.gcp.standins.operations import BASE, fingerprint, merged

SPLIT = "weightedBackendServices"


class UrlMaps(BackendServices):
    """`validated`: the maps of which it was asked whether they would load. `buckets`: backend buckets, by path."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.validated: list[dict[str, Any]] = []
        self.buckets: set[str] = set()
        self._maps: dict[str, dict[str, Any]] = {}

    def url_map(self, path: str, **whole: Any) -> str:
        """A new one. Returns its path."""
        made = {"kind": "compute#urlMap", "name": path.rpartition("/")[2], "selfLink": BASE + path, **whole}
        self._put_map(path, made)
        return path

    def edit_map(self, path: str, **changes: Any) -> None:
        """As a person would, in the console."""
        self._put_map(path, merged(self._maps[path], changes))

    def map_stands(self, path: str) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._maps[path])

    def leads(self, path: str, host: str = "", url: str = "/") -> dict[str, float]:
        """Where a request to that host and path goes now: backend service's path -> its share."""
        return _leads(self.map_stands(path), host, url)

    # ---- methods

    def url_maps_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._maps[self._map_path(labels)])

    def url_maps_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = self._map_path(labels)
        if query.get("requestId", "") in self._by_request:
            return self.order("patch", path, query, lambda: None)
        now = self._maps[path]
        if body.get("fingerprint") != now["fingerprint"]:
            raise Refused(412, "conditionNotMet", "Invalid fingerprint.")
        if self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")
        wanted = merged(now, body)
        errors, failures = self._result(wanted)
        if errors or failures:
            raise Refused(400, "invalid", "; ".join(errors) or "URL map tests failed.")
        return self.order("patch", path, query, lambda: self._put_map(path, merged(self._maps[path], body)))

    def url_maps_validate(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self._map_path(labels)
        self.validated.append(copy.deepcopy(body["resource"]))
        errors, failures = self._result(body["resource"])
        result: dict[str, Any] = {"loadSucceeded": not errors}
        if errors:
            result["loadErrors"] = errors
        else:
            result |= {"testPassed": not failures} | ({"testFailures": failures} if failures else {})
        return {"result": result}

    def _result(self, whole: Mapping[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
        errors = [error for place in _places(whole) for error in self._wrong(*place)]
        failures = []
        for test in whole.get("tests", []) if not errors else []:
            to = _leads(whole, test["host"], test["path"])
            if _path(test["service"]) not in to:
                failures.append(
                    {"host": test["host"], "path": test["path"], "expectedService": test["service"]}
                    | {"actualService": BASE + next(iter(to))}
                )
        return errors, failures

    def _wrong(self, held: Mapping[str, Any], service: str, action: str) -> list[str]:
        split = held.get(action, {}).get(SPLIT, [])
        wrong = []
        if split and service in held:
            wrong.append(f"Only one of {service} and {action}.{SPLIT} can be set.")
        if split and not any(one.get("weight", 0) for one in split):
            wrong.append("There must be one weighted backend service with a weight that is not zero.")
        if any(not 0 <= one.get("weight", 0) <= 1000 for one in split):
            wrong.append("A weight must be from 0 to 1000.")
        named = [one["backendService"] for one in split] + ([held[service]] if service in held else [])
        there = {*self._services, *self.buckets}
        wrong += [f"The resource '{_path(one)}' was not found" for one in named if _path(one) not in there]
        return wrong

    def _map_path(self, labels: dict[str, str]) -> str:
        path = f"projects/{labels['project']}/global/urlMaps/{labels['urlMap']}"
        if path not in self._maps:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path

    def _put_map(self, path: str, whole: dict[str, Any]) -> None:
        self._maps[path] = whole | {"fingerprint": fingerprint(whole)}


def _places(whole: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str, str]]:
    """Each part in which a route may stand, with its two keys."""
    default, rule = ("defaultService", "defaultRouteAction"), ("service", "routeAction")
    found = [(whole, *default)]
    for matcher in whole.get("pathMatchers", []):
        found.append((matcher, *default))
        found += [(one, *rule) for one in (*matcher.get("pathRules", []), *matcher.get("routeRules", []))]
    return found


def _leads(whole: Mapping[str, Any], host: str, url: str) -> dict[str, float]:
    named = [one["pathMatcher"] for one in whole.get("hostRules", []) if host in one["hosts"]]
    matchers = [one for one in whole.get("pathMatchers", []) if one["name"] in named]
    if not matchers:
        return _given(whole, "defaultService", "defaultRouteAction")
    for rule in sorted(matchers[0].get("routeRules", []), key=lambda one: int(one["priority"])):
        if any(url.startswith(match.get("prefixMatch", "\0")) for match in rule.get("matchRules", [])):
            return _given(rule, "service", "routeAction")
    for rule in matchers[0].get("pathRules", []):
        if any(fnmatch.fnmatchcase(url, pattern) for pattern in rule["paths"]):
            return _given(rule, "service", "routeAction")
    return _given(matchers[0], "defaultService", "defaultRouteAction")


def _given(held: Mapping[str, Any], service: str, action: str) -> dict[str, float]:
    if service in held:
        return {_path(held[service]): 1.0}
    split = held[action][SPLIT]
    total = sum(one.get("weight", 0) for one in split)
    return {_path(one["backendService"]): one["weight"] / total for one in split if one.get("weight", 0)}


def _path(url: str) -> str:
    return url.removeprefix(BASE)
