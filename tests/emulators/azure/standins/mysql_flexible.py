"""Flexible servers of Azure Database for MySQL, and the lag that Azure Monitor tells of them.

As "Read replicas in Azure Database for MySQL - Flexible Server" has it: `replicationRole: None` stops the replication
for good, and the replica is a server of its own with what it had; its source keeps its role. Operations, firewall rules
and what is refused while one is under way are as PostgreSQL's.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Resources
from tests.emulators.azure.standins.postgres_flexible import FlexibleServers

SERVERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DBforMySQL/flexibleServers"


class MysqlServers(FlexibleServers):
    """`promotions`: what was asked for, of each that was accepted."""

    service = "mysqlflexibleservers"

    def server(
        self,
        name: str,
        region: str,
        *,
        source: str = "",
        public: bool = True,
        rules: Mapping[str, tuple[str, str]] | None = None,
    ) -> str:
        """A new one; a replica where it has a source. Returns its id."""
        properties: dict[str, Any] = {
            "fullyQualifiedDomainName": f"{name}.mysql.database.azure.com",
            "version": "8.0.21",
            "state": "Ready",
            "storage": {"storageSizeGB": 100, "autoGrow": "Enabled", "iops": 600},
            "network": {"publicNetworkAccess": "Enabled" if public else "Disabled"},
            "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
            "replicationRole": "Replica" if source else "Source",
        }
        if source:
            properties["sourceServerResourceId"] = source
        sku = {"name": "Standard_D2ds_v4", "tier": "GeneralPurpose"}
        body = {"location": region, "sku": sku, "tags": {"team": "shop"}, "properties": properties}
        id_ = self.put(f"{SERVERS}/{name}", body, region)
        for rule, (start, end) in (rules or {}).items():
            self._rule(id_, rule, start, end)
        return id_

    def servers_update(self, ask: Ask) -> Told:
        found = self._free(ask.path)
        role = (ask.body.get("properties") or {}).get("replicationRole")
        if role is None:
            tags = copy.deepcopy(ask.body["tags"])
            return self._hold(ask, "tags", lambda: found.update(tags=tags), ask.path)
        if role != "None" or not found["properties"].get("sourceServerResourceId"):
            raise Refused(400, "InvalidParameterValue", f"{found['name']} is no read replica.")
        self.promotions.append({"replicationRole": role})

        def effect() -> None:
            found["properties"].pop("sourceServerResourceId")
            found["properties"]["replicationRole"] = "None"

        return self._hold(ask, "stop replication", effect, ask.path)


class Lags(Resources):
    """Azure Monitor, as far as one metric goes. `behind`: what it tells, in seconds; None for a minute without a value.
    `age`: of the newest sample, in seconds."""

    service = "monitor"

    def __init__(self, servers: MysqlServers) -> None:
        super().__init__()
        self.servers = servers
        self.behind: float | None = 7.0
        self.age = 60.0
        self.asked: list[Mapping[str, str]] = []

    def region_of(self, path: str) -> str:
        return self.servers.region_of(path)

    def metrics_list(self, ask: Ask) -> dict[str, Any]:
        self.asked.append(ask.query)
        now = datetime.datetime.now(datetime.UTC)
        data = []
        for age in (self.age + 60.0, self.age):
            at = f"{now - datetime.timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}"
            data.append({"timeStamp": at, **({} if self.behind is None else {"maximum": self.behind})})
        name = ask.query["metricnames"]
        metric = {
            "id": f"{ask.path}/{name}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": name, "localizedValue": "Replication Lag In Seconds"},
            "unit": "Seconds",
            "timeseries": [{"metadatavalues": [], "data": data}],
        }
        return {"timespan": ask.query["timespan"], "interval": ask.query["interval"], "value": [metric]}
