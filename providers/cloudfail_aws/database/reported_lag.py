"""How far a replica in another region is behind, as CloudWatch has it: where the server itself does not say.

Aurora's servers tell no lag over SQL, and a PostgreSQL replica tells none once its upstream is silent. Their clouds
report one each minute: AuroraGlobalDBRPOLag of the secondary cluster, in milliseconds (Aurora user guide, "Amazon
CloudWatch metrics for Amazon Aurora"), and ReplicaLag of the replica, in seconds, -1 where it is not replicating (RDS
user guide, "Monitoring read replication"). It is read in the replica's own region, which is the one that survives.

What it proves. A datapoint is the worst of a minute that begins at `measured_at`; so what was committed `lag_seconds`
before that is there. What came later nobody has seen: the bound now is the lag and its age, never the lag alone.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail_aws.asking import Asking
from cloudfail_postgres.plane import Plane, Seen

NAMESPACE = "AWS/RDS"
PERIOD_SECONDS = 60
READ_SECONDS_MAX = 3.0
KEPT_SECONDS = 20.0
"""CloudWatch has a new datapoint each minute: who looks every second asks it all the same only so often."""


AHEAD_SECONDS_MAX = 60.0
"""So far CloudWatch's clock may be ahead of ours; what it says of a later time bounds nothing."""


@dataclass(frozen=True)
class Metric:
    """name, the dimension that names the replica, and how many of its units are a second."""

    name: str
    dimension: str
    per_second: float


AURORA = Metric("AuroraGlobalDBRPOLag", "DBClusterIdentifier", 1000.0)
REPLICA = Metric("ReplicaLag", "DBInstanceIdentifier", 1.0)


@dataclass(frozen=True)
class Report:
    """measured_at: wall seconds at which the minute began."""

    lag_seconds: float
    measured_at: float

    def age_seconds(self, now: float) -> float:
        return max(0.0, now - self.measured_at)

    def behind_seconds(self, now: float) -> float:
        """The most that it may be behind now."""
        return self.lag_seconds + self.age_seconds(now)


class ReportedLag:
    """Of the members of one database. names: region -> the replica's identifier. stale_seconds: older reports say
    nothing any more."""

    def __init__(
        self, asking: Asking, metric: Metric, names: Mapping[str, str], *, seconds: float, stale_seconds: float
    ) -> None:
        self._asking = asking
        self._metric = metric
        self._names = names
        self._seconds = min(seconds, READ_SECONDS_MAX)
        self.stale_seconds = stale_seconds
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Known[Report] | Unknown]] = {}
        self._listed: dict[str, tuple[Mapping[str, Any], ...]] = {}

    def read(self, region: str) -> Known[Report] | Unknown:
        """The newest report of that region's replica; never raises."""
        now = self._asking.deadline(0.0)
        with self._lock:
            kept = self._kept.get(region)
        if kept is None or now - kept[0] > KEPT_SECONDS:
            kept = (now, self._read(region))
            with self._lock:
                self._kept[region] = kept
        read = kept[1]
        if isinstance(read, Unknown):
            return read
        age = self._asking.wall() - read.value.measured_at
        if not -AHEAD_SECONDS_MAX <= age <= self.stale_seconds:
            return Unknown(f"CloudWatch's newest {self._metric.name} of {self._names[region]} is {age:.0f} s old")
        return read

    def noted(self, region: str, plane: Plane) -> float | None:
        """Have the plane count it in a bound on the loss, with its age; and the most that the replica may be behind
        now, None where nobody knows."""
        read = self.read(region)
        if isinstance(read, Unknown):
            return None
        now = self._asking.wall()
        age = read.value.age_seconds(now)
        plane.reported(
            region,
            read.value.lag_seconds,
            age,
            by=f"CloudWatch ({self._metric.name})",
            stale_seconds=self.stale_seconds,
        )
        return read.value.behind_seconds(now)

    def _read(self, region: str) -> Known[Report] | Unknown:
        name = self._names.get(region)
        at = self._asking.wall()
        if name is None:
            return Unknown(f"this database has no member in {region}", at)
        until = self._asking.deadline(self._seconds)
        try:
            metrics = self._metrics(region, name, until)
            reports = self._reports(region, metrics, until) if metrics else []
        except CloudfailError as error:
            return Unknown(f"CloudWatch does not say how far {name} is behind: {error.happened}", at)
        except (KeyError, TypeError, ValueError) as error:
            return Unknown(f"CloudWatch's answer about {name} cannot be read: {type(error).__name__}: {error}", at)
        if not reports:
            return Unknown(f"CloudWatch has no {self._metric.name} of {name} in {region}", at)
        worst = max(reports, key=lambda report: report.behind_seconds(at))
        if min(report.lag_seconds for report in reports) < 0:
            return Unknown(f"CloudWatch says {self._metric.name} -1 of {name}: it is not replicating", at)
        return Known(worst, at)

    def _metrics(self, region: str, name: str, until: float) -> tuple[Mapping[str, Any], ...]:
        """The metric with all of its dimensions: some have the source's region beside the replica's name."""
        with self._lock:
            listed = self._listed.get(region, ())
        if not listed:
            listed = tuple(
                self._asking.pages(
                    "cloudwatch",
                    region,
                    "list_metrics",
                    "Metrics",
                    within=self._asking.left_until(until),
                    Namespace=NAMESPACE,
                    MetricName=self._metric.name,
                    Dimensions=[{"Name": self._metric.dimension, "Value": name}],
                )
            )[:10]
            with self._lock:
                self._listed[region] = listed
        return listed

    def _reports(self, region: str, metrics: tuple[Mapping[str, Any], ...], until: float) -> list[Report]:
        """The newest of each that has one that is not stale."""
        now = datetime.datetime.fromtimestamp(self._asking.wall(), datetime.UTC)
        reply = self._asking.read(
            "cloudwatch",
            region,
            "get_metric_data",
            within=self._asking.left_until(until),
            MetricDataQueries=[
                {
                    "Id": f"m{number}",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": NAMESPACE,
                            "MetricName": self._metric.name,
                            "Dimensions": list(metric["Dimensions"]),
                        },
                        "Period": PERIOD_SECONDS,
                        "Stat": "Maximum",
                    },
                    "ReturnData": True,
                }
                for number, metric in enumerate(metrics)
            ],
            StartTime=now - datetime.timedelta(seconds=self.stale_seconds + PERIOD_SECONDS),
            EndTime=now + datetime.timedelta(seconds=PERIOD_SECONDS),
            ScanBy="TimestampDescending",
        )
        found = []
        for told in reply.get("MetricDataResults") or []:
            points = list(zip(told.get("Timestamps") or [], told.get("Values") or [], strict=True))
            if points:
                stamp, value = max(points, key=lambda point: point[0])
                at = stamp.replace(tzinfo=stamp.tzinfo or datetime.UTC).timestamp()
                found.append(Report(float(value) / self._metric.per_second, at))
        return found


def lag_of(reported: ReportedLag, region: str, seen: Seen | None, plane: Plane) -> float | None:
    """Of a member that was looked at over SQL (or could not be): its own word, else the most that CloudWatch's leaves
    open. A writer has no lag."""
    if seen is not None and (not seen.sight.recovery or seen.sight.lag_seconds is not None):
        return seen.sight.lag_seconds
    return reported.noted(region, plane)
