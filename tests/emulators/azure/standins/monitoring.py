"""Azure Monitor's metric alert rules as a state machine: values are measured, and rules are judged by them; and Service
Health's events.

As its documentation has it: a rule is met for a resource while the newest value of one of its conditions is beyond the
threshold; an alert stays fired while nothing is measured any more, and none is fired of a rule that is disabled; one
that is fired is resolved by itself once the rule is no longer met. Windows, learnt thresholds and actions are not
played.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Front, Refused

GRAIN_SECONDS = 60
PAGE_MAX = 250
_TERM = re.compile(r"(\w+) (eq|ne) '((?:[^']|'')*)'")
_RANGES = {"1h": 3600, "1d": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
SINGLE = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"


class Alerts:
    """Alerts Management: what rules have fired. `unfiltered`: all alerts are told, whichever were asked for."""

    service = "alertsmanagement"
    front: Front

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.unfiltered = False
        self._numbers = itertools.count(1)

    def fire(self, rule: str, scope: str, ago: float = 0.0, **essentials: Any) -> dict[str, Any]:
        at, number = stamp(time.time() - ago), next(self._numbers)
        told = {
            "severity": "Sev1", "signalType": "Metric", "alertState": "New", "monitorCondition": "Fired",
            "monitorService": "Platform", "targetResource": scope, "targetResourceName": scope.rpartition("/")[2],
            "alertRule": rule, "startDateTime": at, "lastModifiedDateTime": at, **essentials,
        }  # fmt: skip
        id_ = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/{number:032x}"
        one = {"id": id_, "name": rule.rpartition("/")[2], "type": "Microsoft.AlertsManagement/alerts",
               "properties": {"essentials": told}}  # fmt: skip
        self.alerts.append(one)
        return one

    def alerts_get_all(self, ask: Ask) -> dict[str, Any]:
        size = int(ask.query.get("pageCount", "25"))
        if not 1 <= size <= PAGE_MAX:
            raise Refused(400, "BadRequest", f"The page size {size} is not between 1 and {PAGE_MAX}.")
        since = time.time() - _RANGES[ask.query.get("timeRange", "1d")]
        found = [one for one in self.alerts if self.unfiltered or self._is_asked_for(ask, one, since)]
        begin = int(ask.query.get("ctoken", "0"))
        page: dict[str, Any] = {"value": copy.deepcopy(found[begin : begin + size])}
        if begin + size < len(found):
            more = "&".join(f"{key}={value}" for key, value in ask.query.items() if key != "ctoken")
            page["nextLink"] = f"{self.front.url}{ask.path}?{more}&ctoken={begin + size}"
        return page

    def _is_asked_for(self, ask: Ask, one: Mapping[str, Any], since: float) -> bool:
        told = one["properties"]["essentials"]
        return wall(told["startDateTime"]) >= since and all(
            told[key] == ask.query[key] for key in ("monitorCondition", "monitorService") if key in ask.query
        )


class Monitor:
    """Rules and metrics. `rules`: by id, as the API tells them. `incomplete`: the data is not looked at in full."""

    service = "monitor"
    front: Front

    def __init__(self, alerts: Alerts) -> None:
        self.alerts = alerts
        self.rules: dict[str, dict[str, Any]] = {}
        self.incomplete = False
        self.points: dict[tuple[str, str], list[tuple[float, float, dict[str, str]]]] = {}

    def rule(self, id_: str, scopes: list[str], *criteria: Mapping[str, Any], **more: Any) -> None:
        """Made as its owner would."""
        told = {
            "severity": 1, "enabled": True, "autoMitigate": True, "scopes": scopes, "evaluationFrequency": "PT1M",
            "windowSize": "PT1M", "criteria": {"odata.type": SINGLE, "allOf": [dict(one) for one in criteria]}, **more,
        }  # fmt: skip
        name = id_.rpartition("/")[2]
        self.rules[id_.lower()] = {
            "id": id_, "name": name, "type": "Microsoft.Insights/metricAlerts", "location": "global",
            "properties": told,
        }  # fmt: skip

    def measure(self, scope: str, metric: str, value: float, ago: float = 0.0, **dimensions: str) -> None:
        self.points.setdefault((scope.lower(), metric), []).append((time.time() - ago, value, dimensions))
        self._judge()

    def _judge(self) -> None:
        for rule in self.rules.values():
            told = rule["properties"]
            for scope in told["scopes"]:
                met = any(self._met(scope, one) for one in told["criteria"].get("allOf", ()))
                mine = [
                    one["properties"]["essentials"]
                    for one in self.alerts.alerts
                    if one["properties"]["essentials"]["alertRule"] == rule["id"]
                    and one["properties"]["essentials"]["targetResource"] == scope
                    and one["properties"]["essentials"]["monitorCondition"] == "Fired"
                ]
                if met and not mine and told["enabled"]:
                    self.alerts.fire(rule["id"], scope)
                for one in mine if not met else ():
                    one.update(monitorCondition="Resolved", monitorConditionResolvedDateTime=stamp(time.time()))

    def _met(self, scope: str, criterion: Mapping[str, Any]) -> bool:
        found = self.points.get((scope.lower(), criterion["metricName"]), [])
        return any(value > criterion["threshold"] for _, value, _ in found[-1:])

    # ---- the API

    def metric_alerts_get(self, ask: Ask) -> dict[str, Any]:
        if ask.path.lower() not in self.rules:
            raise Refused(404, "ResourceNotFound", f"The Resource '{ask.path}' was not found.")
        return copy.deepcopy(self.rules[ask.path.lower()])

    def metric_alerts_list_by_subscription(self, ask: Ask) -> dict[str, Any]:
        return {"value": copy.deepcopy(list(self.rules.values()))}

    def metrics_list(self, ask: Ask) -> dict[str, Any]:
        scope = ask.path.lower().partition("/providers/microsoft.insights/metrics")[0]
        name, kind = ask.query["metricnames"], ask.query["aggregation"].lower()
        since, until = (wall(edge) for edge in ask.query["timespan"].split("/"))
        points = [one for one in self.points.get((scope, name), ()) if selects(ask.query.get("$filter", ""), one[2])]
        periods = range(int(since) // GRAIN_SECONDS * GRAIN_SECONDS, int(until) + 1, GRAIN_SECONDS)
        metric = {
            "id": f"{scope}/providers/Microsoft.Insights/metrics/{name}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": name, "localizedValue": name},
            "unit": "Count",
            "timeseries": [{"metadatavalues": [], "data": list(_data(points, periods, kind))}],
            "errorCode": "Success",
        }
        if self.incomplete:
            metric |= {"errorCode": "Partial", "errorMessage": "A shard does not answer."}
        return {"cost": 0, "timespan": ask.query["timespan"], "interval": "PT1M", "value": [metric]}


def _data(points: list[tuple[float, float, dict[str, str]]], periods: range, kind: str) -> Iterator[dict[str, Any]]:
    """Period by period; one in which nothing was measured has no value."""
    for begin in periods:
        inside = [value for at, value, _ in points if begin <= at < begin + GRAIN_SECONDS]
        yield {"timeStamp": stamp(begin), **({kind: inside[-1]} if inside else {})}


def selects(asked: str, dimensions: Mapping[str, str]) -> bool:
    """Whether a point is of what the filter asks for. Raises Refused where that is none."""
    for group in asked.split(" and ") if asked else ():
        terms = [_TERM.fullmatch(one) for one in group.split(" or ")]
        if not all(terms):
            raise Refused(400, "BadRequest", f"The filter {asked} is invalid.")
        if not any((dimensions.get(t[1]) == t[3].replace("''", "'")) is (t[2] == "eq") for t in terms if t):
            return False
    return True


class HealthEvents:
    """Service Health's events of one subscription."""

    service = "resourcehealth"
    front: Front

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, region: str, service: str = "Virtual Machines", *, there: str = "Active", **more: Any) -> str:
        """One that is active unless `more` says otherwise. region: as it is shown. Returns its name."""
        name = f"TEST-{len(self.events)}"
        impacted = {"impactedRegion": region, "status": there, "lastUpdateTime": stamp(time.time())}
        told = {
            "eventType": "ServiceIssue", "status": "Active", "title": f"{service} in {region}",
            "impact": [{"impactedService": service, "impactedRegions": [impacted]}],
            "impactStartTime": stamp(time.time()), "lastUpdateTime": stamp(time.time()), **more,
        }  # fmt: skip
        self.put({"id": f"/providers/Microsoft.ResourceHealth/events/{name}", "name": name, "properties": told})
        return name

    def put(self, event: Mapping[str, Any]) -> None:
        self.events.append(copy.deepcopy(dict(event)))

    def events_list_by_subscription_id(self, ask: Ask) -> dict[str, Any]:
        told = datetime.datetime.strptime(ask.query["queryStartTime"], "%m/%d/%Y").replace(tzinfo=datetime.UTC)
        since = told.timestamp()
        found = [one for one in self.events if wall(one["properties"]["lastUpdateTime"]) >= since]
        begin = int(ask.query.get("$skipToken", "0"))
        page: dict[str, Any] = {"value": copy.deepcopy(found[begin : begin + 10])}
        if begin + 10 < len(found):
            more = "&".join(f"{key}={value}" for key, value in ask.query.items() if key != "$skipToken")
            page["nextLink"] = f"{self.front.url}{ask.path}?{more}&$skipToken={begin + 10}"
        return page


def stamp(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall(said: str) -> float:
    return datetime.datetime.fromisoformat(said).timestamp()
