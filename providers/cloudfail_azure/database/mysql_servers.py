"""Flexible servers of MySQL as Resource Manager has them: as PostgreSQL's, but for the promotion and the lag.

There is one promotion: "stop replication". The replica becomes a server of its own, with what it had when the order
came; it "doesn't catch up with the source server", and can't be made into a replica again. It is a PATCH of
`replicationRole`, and takes about two minutes.

The lag is a metric of Azure Monitor alone, each minute: `seconds_behind_master` of the replica, which counts what has
arrived there and is not replayed, and nothing of what has not arrived.

Sources: API 2024-12-30 of Microsoft.DBforMySQL; "Read replicas in Azure Database for MySQL - Flexible Server";
"Metrics - List" of Azure Monitor, API 2024-02-01.
"""

from __future__ import annotations

import datetime
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.database.flexible_servers import FOLLOW_SECONDS, Server, Servers
from cloudfail_azure.under_way import followed

API = "2024-12-30"
METRICS_API = "2024-02-01"
LAG = "replication_lag"
SAMPLE_SECONDS_MAX = 300.0
"""An older sample says nothing of now."""


class MysqlServers(Servers):
    """Of one resource: region -> id."""

    api = API

    def stop_replication(self, region: str, server: Server, call: Call) -> None:
        """The order, under the mark. What was not replicated is lost."""
        timed = TimeLeft(call)
        body = {"properties": {"replicationRole": "None"}}
        reply = self.asking.change(region, "PATCH", server.id, API, call=timed.rest(), body=body)
        within = min(FOLLOW_SECONDS, timed.seconds)
        followed(self.asking, region, reply, f"stop replication to {server.name}", within=within)

    def lag(self, region: str) -> tuple[float, float] | None:
        """(seconds behind, age of that sample) as Azure Monitor has it of the replica; None where it has none."""
        now = datetime.datetime.fromtimestamp(self.asking.clock.wall(), datetime.UTC)
        since = now - datetime.timedelta(seconds=SAMPLE_SECONDS_MAX)
        query = {
            "metricnames": LAG,
            "aggregation": "Maximum",
            "interval": "PT1M",
            "timespan": f"{since:%Y-%m-%dT%H:%M:%SZ}/{now:%Y-%m-%dT%H:%M:%SZ}",
        }
        path = f"{self.id(region)}/providers/Microsoft.Insights/metrics"
        try:
            told = self.asking.read(region, path, METRICS_API, within=self.seconds, query=query)
        except CloudfailError:
            return None
        samples = [one for one in _samples(told) if one[1] - now.timestamp() + SAMPLE_SECONDS_MAX >= 0.0]
        if not samples:
            return None
        behind, at = max(samples, key=lambda one: one[1])
        return behind, max(0.0, now.timestamp() - at)


def by_hand(id_: str) -> str:
    """The command of a promotion."""
    return f"az mysql flexible-server replica stop-replication --ids {id_}"


def _samples(told: dict[str, Any]) -> list[tuple[float, float]]:
    """(value, when) of each minute that has one."""
    found = []
    for metric in told.get("value") or ():
        for series in metric.get("timeseries") or ():
            for one in series.get("data") or ():
                if isinstance(one.get("maximum"), (int, float)) and one.get("timeStamp"):
                    at = datetime.datetime.fromisoformat(str(one["timeStamp"]).replace("Z", "+00:00"))
                    found.append((float(one["maximum"]), at.timestamp()))
    return found
