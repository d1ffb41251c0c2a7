"""Cloud Monitoring v3 as a state machine: points are measured, and alerting policies are judged by them.

As its documentation has it: a threshold condition is met while the newest point of any of its series is beyond the
threshold; an alert stays open while nothing is measured any more, and none is opened of a policy that is disabled,
invalid or snoozed. Aligning, durations, forecasts and closing by itself are not played.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import re
import time
from collections.abc import Mapping
from typing import Any

from tests.emulators.gcp.front import Refused

_TERM = re.compile(r'([a-z_.]+)\s*=\s*"([^"]*)"')


class Monitoring:
    """`policies`, `snoozes`: by path, as the API tells them. `incomplete`: not all data is looked at. `unfiltered`: all
    alerts are told, whichever were asked for."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.policies: dict[str, dict[str, Any]] = {}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.snoozes: dict[str, dict[str, Any]] = {}
        self.incomplete = False
        self.unfiltered = False
        self._points: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        self._numbers = itertools.count(1)

    def policy(self, path: str, *conditions: Mapping[str, Any], **more: Any) -> None:
        """Made as its owner would."""
        self.policies[path] = {
            "name": path,
            "displayName": "checkout errors",
            "combiner": "OR",
            "enabled": True,
            "conditions": [
                {"name": f"{path}/conditions/{number}", "displayName": f"condition {number}", **condition}
                for number, condition in enumerate(conditions, 1)
            ],
            **more,
        }

    def snooze(self, path: str, policy: str, since: float, until: float) -> None:
        interval = {"startTime": stamp(since), "endTime": stamp(until)}
        self.snoozes[path] = {
            "name": path,
            "displayName": "quiet",
            "criteria": {"policies": [policy]},
            "interval": interval,
        }

    def measure(self, value: float, at: float | None = None, **labels: str) -> None:
        """One point. labels: `metric_type`, and the resource's own."""
        key = tuple(sorted(labels.items()))
        self._points.setdefault(key, []).append((time.time() if at is None else at, value))
        self._judge()

    def _judge(self) -> None:
        for path, policy in self.policies.items():
            met = [one for one in policy["conditions"] if "conditionThreshold" in one and self._met(one)]
            mine = [one for one in self.alerts.values() if one["policy"]["name"] == path and one["state"] == "OPEN"]
            if met and not mine and policy["enabled"] and not self._snoozed(path):
                name = f"{'/'.join(path.split('/')[:2])}/alerts/0.{next(self._numbers)}"
                snapshot = {"name": path, "displayName": policy["displayName"]}
                self.alerts[name] = {
                    "name": name, "state": "OPEN", "openTime": stamp(time.time()), "policy": snapshot,
                }  # fmt: skip
            for alert in mine if not met else ():
                alert.update(state="CLOSED", closeTime=stamp(time.time()))

    def _met(self, condition: Mapping[str, Any]) -> bool:
        told = condition["conditionThreshold"]
        newest = [max(points)[1] for labels, points in self._points.items() if _selects(told["filter"], labels)]
        return any(value > told["thresholdValue"] for value in newest)

    def _snoozed(self, path: str) -> bool:
        return any(path in one["criteria"]["policies"] for one in self.snoozes.values())

    # ---- the API

    def projects_alert_policies_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        path = f"projects/{labels['projectsId']}/alertPolicies/{labels['alertPoliciesId']}"
        if path not in self.policies:
            raise Refused(404, "notFound", f"The alert policy {path} does not exist.", "NOT_FOUND")
        return copy.deepcopy(self.policies[path])

    def projects_alerts_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        wanted = dict(_TERM.findall(query.get("filter", "")))
        if set(wanted) - {"state"}:
            raise Refused(400, "badRequest", f"Invalid filter {query['filter']}.", "INVALID_ARGUMENT")
        state = None if self.unfiltered else wanted.get("state")
        found = [one for one in self.alerts.values() if state in (None, one["state"])]
        return _page("alerts", found, query)

    def projects_snoozes_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return _page("snoozes", list(self.snoozes.values()), query)

    def projects_time_series_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if "metric.type" not in dict(_TERM.findall(query.get("filter", ""))):
            raise Refused(400, "badRequest", "The filter must specify a single metric type.", "INVALID_ARGUMENT")
        since, until = (_wall(query[f"interval.{edge}Time"]) for edge in ("start", "end"))
        series = []
        for key, points in self._points.items():
            inside = sorted((point for point in points if since <= point[0] <= until), reverse=True)
            if inside and _selects(query["filter"], key):
                told = dict(key)
                series.append(
                    {
                        "metric": {"type": told.pop("metric_type")},
                        "resource": {"type": "https_lb_rule", "labels": told},
                        "metricKind": "GAUGE",
                        "valueType": "DOUBLE",
                        "points": [
                            {
                                "interval": {"startTime": stamp(at), "endTime": stamp(at)},
                                "value": {"doubleValue": value},
                            }
                            for at, value in inside[: int(query["pageSize"])]
                        ],
                    }
                )
        reply: dict[str, Any] = {"timeSeries": series} if series else {}
        if self.incomplete:
            reply["executionErrors"] = [{"code": 14, "message": "A zone does not answer."}]
        return reply


def _selects(selecting: str, labels: tuple[tuple[str, str], ...]) -> bool:
    told = {("metric.type" if key == "metric_type" else f"resource.labels.{key}"): value for key, value in labels}
    wanted = dict(_TERM.findall(selecting))
    wanted.pop("resource.type", None)
    return all(told.get(key) == value for key, value in wanted.items())


def _page(key: str, found: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    begin, size = int(query.get("pageToken") or 0), int(query.get("pageSize") or 50)
    page: dict[str, Any] = {key: copy.deepcopy(found[begin : begin + size])} if found else {}
    if begin + size < len(found):
        page["nextPageToken"] = str(begin + size)
    return page


def stamp(wall: float) -> str:
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).isoformat().replace("+00:00", "Z")


def _wall(said: str) -> float:
    return datetime.datetime.fromisoformat(said).timestamp()
