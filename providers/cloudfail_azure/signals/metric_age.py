"""How old the data is that a metric alert rule judged, in what `Metrics - List` takes and gives.

The metrics are asked for by the rule's own criteria: name, namespace, aggregation, dimensions. A period in which
nothing was measured is there without a value (learn.microsoft.com/rest/api/monitor/metrics/list). What Azure counts it
may give as zero where nothing was counted: such a zero is a value here.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

GRAIN = "PT1M"
_KINDS = ("StaticThresholdCriterion", "DynamicThresholdCriterion")
# What of a rule's criteria is a list of metrics (MetricAlertCriteria, `odata.type`).
_LISTS = (
    "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
    "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria",
)


class Unseen(Exception):
    """Why it cannot be told."""


def criteria(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of each condition of a rule: what selects its metric. Raises Unseen where one does not say it."""
    told = rule.get("criteria") or {}
    kind = str(told.get("odata.type", ""))
    if kind not in _LISTS:
        raise Unseen(f"its criteria ({kind.rpartition('.')[2] or 'of no kind'}) do not say how old their data is")
    found = list(told.get("allOf") or [])
    if not found:
        raise Unseen("it has no condition")
    for one in found:
        if one.get("criterionType", _KINDS[0]) not in _KINDS or not (one.get("metricName") and _aggregation(one)):
            raise Unseen(f"its condition {one.get('name')!r} does not say how old its data is")
    return found


def question(criterion: Mapping[str, Any], since: float, until: float) -> dict[str, str]:
    """The query of `Metrics - List` for the data behind one condition, from `since` to `until` (wall seconds)."""
    asked = {
        "metricnames": str(criterion["metricName"]),
        "aggregation": _aggregation(criterion),
        "timespan": f"{_stamp(since)}/{_stamp(until)}",
        "interval": GRAIN,
        "AutoAdjustTimegrain": "true",
    }
    if namespace := criterion.get("metricNamespace"):
        asked["metricnamespace"] = str(namespace)
    if terms := [term for one in criterion.get("dimensions") or [] if (term := _term(one))]:
        asked["$filter"] = " and ".join(terms)
    return asked


def measured_at(criterion: Mapping[str, Any], reply: Mapping[str, Any], stale_seconds: float) -> float:
    """Wall seconds at which the newest period began in which something was measured. Raises Unseen where there is none
    of the time in which it would count."""
    key = _aggregation(criterion).lower()
    for metric in reply.get("value") or []:
        if str(metric.get("errorCode") or "Success") != "Success":
            raise Unseen(f"Azure Monitor did not look at all of its data: {metric.get('errorMessage', 'no message')}")
    newest = [
        instant(point.get("timeStamp"))
        for metric in reply.get("value") or []
        for series in metric.get("timeseries") or []
        for point in series.get("data") or []
        if point.get(key) is not None
    ]
    if not newest:
        name = criterion["metricName"]
        raise Unseen(f"there is no data of {name} of the last {stale_seconds:.0f} s, in which it would count")
    return max(newest)


def instant(said: Any) -> float:
    """Wall seconds of one of Azure's time stamps. Raises Unseen where it is none."""
    try:
        found = datetime.datetime.fromisoformat(str(said))
    except ValueError:
        raise Unseen(f"Azure Monitor says {said!r} where a time should stand") from None
    return found.replace(tzinfo=found.tzinfo or datetime.UTC).timestamp()


def _aggregation(criterion: Mapping[str, Any]) -> str:
    return str(criterion.get("timeAggregation") or "")


def _term(dimension: Mapping[str, Any]) -> str:
    """One dimension, as the filter has it; "" where all of its values are meant, whose newest datum is the whole's."""
    excluded = str(dimension.get("operator")) == "Exclude"
    values = [str(one) for one in dimension.get("values") or []]
    if not excluded and "*" in values:
        return ""
    comparing, joining = ("ne", " and ") if excluded else ("eq", " or ")
    return joining.join(f"{dimension['name']} {comparing} '{_quoted(one)}'" for one in values)


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _stamp(wall: float) -> str:
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
