"""How old the data is that a metric alarm judged, in what GetMetricData takes and gives.

The alarm's own time stamps do not say it: StateUpdatedTimestamp is when the alarm last changed its mind, and one that
treats missing data as good (`notBreaching`), or keeps its state without any (`ignore`), says OK for ever after the last
datapoint. So the metric itself is asked for.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

_BAND = "ANOMALY_DETECTION_BAND"


class Unseen(Exception):
    """Why the age of the data cannot be told."""


def queries(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """MetricDataQueries for what the alarm reads: its one metric, or all of its metrics and expressions."""
    if not alarm.get("Metrics"):
        if not alarm.get("MetricName"):
            raise Unseen("it reads neither a metric nor an expression over metrics")
        metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions") if alarm.get(key)}
        stat = alarm.get("Statistic") or alarm.get("ExtendedStatistic") or "SampleCount"
        read = {"Metric": metric, "Period": alarm["Period"], "Stat": stat}
        if alarm.get("Unit"):
            read["Unit"] = alarm["Unit"]
        return [{"Id": "m", "MetricStat": read, "ReturnData": True}]
    asked = []
    for one in alarm["Metrics"]:
        kept = {key: one[key] for key in ("Id", "MetricStat", "Expression", "Period", "AccountId") if key in one}
        asked.append({**kept, "ReturnData": "MetricStat" in one or one.get("ReturnData", True)})
    return asked


def longest_period(asked: Iterable[Mapping[str, Any]]) -> int:
    """Seconds; a minute where none is said."""
    return max((int(one.get("MetricStat", one).get("Period") or 60) for one in asked), default=60)


def measured_at(asked: Iterable[Mapping[str, Any]], reply: Mapping[str, Any], alarm: Mapping[str, Any]) -> float:
    """Wall seconds at which the newest datapoint's period began; raises Unseen.

    An expression may fill in what is missing, so its own result proves nothing alone; and of its metrics some may be
    missing for good (errors are often counted only where there are some). What is proven is the older of two: the
    newest datapoint of what the alarm compares, and the newest one of any metric that was really reported.
    """
    newest: dict[str, float] = {}
    for told in reply.get("MetricDataResults") or []:
        status = told.get("StatusCode", "Complete")
        if status not in ("Complete", "PartialData"):
            raise Unseen(f"CloudWatch says {status} of its data")
        stamps = [_seconds(stamp) for stamp in told.get("Timestamps") or []]
        if stamps:
            newest[told["Id"]] = max([*stamps, newest.get(told["Id"], 0.0)])
    asked = list(asked)
    raw = [newest[one["Id"]] for one in asked if "MetricStat" in one and one["Id"] in newest]
    compared = {one.get("Id") for one in alarm.get("Metrics") or [] if one.get("ReturnData", True)} or {"m"}
    bands = {one["Id"] for one in asked if _BAND in one.get("Expression", "")}
    results = [newest[name] for name in compared - bands if name in newest]
    if not results or (not raw and any("MetricStat" in one for one in asked)):
        raise Unseen("there is no data of the time in which it would count")
    return min(max(results), max(raw, default=max(results)))


def _seconds(stamp: datetime.datetime) -> float:
    return stamp.replace(tzinfo=stamp.tzinfo or datetime.UTC).timestamp()
