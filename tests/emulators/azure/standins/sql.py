"""Microsoft.Sql: failover groups of servers and of managed instances, and replication links.

As the REST reference and "Failover groups overview & best practices" have it: each side has its own object, with its
own role; a failover is ordered on the secondary and refused on the primary, and while another runs; a planned one needs
the primary, a forced one does not; tryPlannedBeforeForcedFailover is one, and then the other; an old primary that
was lost becomes a secondary by itself once it is there. Resource Manager is no server: what an operation does to the
databases is `then`, called beside it once Azure calls it done.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Resources

SQL = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Sql"
PRIMARY, SECONDARY = "Primary", "Secondary"
LINK = "fb92de60-eb87-4a58-b250-3362d0cfdf26"


class Sql(Resources):
    """`lost`: regions in which nothing is. `then`: "planned", "forced", "rejoin": what it does to the databases.
    `stuck`: planned failovers never end."""

    service = "sql"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.lost: set[str] = set()
        self.stuck = False
        self.then: dict[str, Callable[[], None]] = {}
        self._pairs: dict[str, str] = {}
        self._owed: list[tuple[str, str]] = []
        self._beside: list[threading.Thread] = []

    # ---- the hand of the test

    def _in(self, shape: str) -> None:
        """Its operations stand in a place of that shape's own: `locations/REGION/SHAPEAzureAsyncOperation`."""
        self._numbers = (f"{shape}-{number}" for number in itertools.count(1))

    def groups(self, west: str, north: str, databases: Sequence[str], *, policy: str = "Manual") -> tuple[str, str]:
        """A failover group "orders" on the servers orders-w and orders-n. Returns the ids of both sides."""
        self._in("failoverGroup")
        servers = {west: f"{SQL}/servers/orders-w", north: f"{SQL}/servers/orders-n"}
        ids = []
        for region, other, role in ((west, north, PRIMARY), (north, west, SECONDARY)):
            self.put(servers[region], {"location": region}, region)
            partner = {"id": servers[other], "location": other, "replicationRole": _other(role)}
            told = {
                "readWriteEndpoint": _endpoint(policy),
                "readOnlyEndpoint": {"failoverPolicy": "Disabled"},
                "replicationRole": role,
                "replicationState": "CATCH_UP",
                "partnerServers": [partner],
                "databases": [f"{servers[region]}/databases/{one}" for one in databases],
            }
            id_ = f"{servers[region]}/failoverGroups/orders"
            ids.append(self.put(id_, {"location": region, "properties": told}, region))
        return self._paired(ids)

    def instance_groups(self, west: str, north: str, *, policy: str = "Manual") -> tuple[str, str]:
        self._in("instanceFailoverGroup")
        ids = []
        for region, other, role in ((west, north, PRIMARY), (north, west, SECONDARY)):
            told = {
                "secondaryType": "Geo",
                "readWriteEndpoint": _endpoint(policy),
                "readOnlyEndpoint": {"failoverPolicy": "Disabled"},
                "replicationRole": role,
                "replicationState": "CATCH_UP",
                "partnerRegions": [{"location": other, "replicationRole": _other(role)}],
                "managedInstancePairs": [],
            }
            ids.append(
                self.put(f"{SQL}/locations/{region}/instanceFailoverGroups/orders", {"properties": told}, region)
            )
        return self._paired(ids)

    def links(self, west: str, north: str, name: str = "shop") -> tuple[str, str]:
        """A database by itself, and its geo-replica. Returns the ids of the databases."""
        found, links = [], []
        for region, other, role, short in ((west, north, PRIMARY, "w"), (north, west, SECONDARY, "n")):
            id_ = self.put(f"{SQL}/servers/orders-{short}/databases/{name}", {"location": region}, region)
            told = {
                "partnerServer": f"orders-{'n' if short == 'w' else 'w'}",
                "partnerDatabase": name,
                "partnerLocation": other,
                "role": role,
                "partnerRole": _other(role),
                "replicationMode": "ASYNC",
                "percentComplete": 100,
                "replicationState": "CATCH_UP",
                "linkType": "GEO",
            }
            found.append(id_)
            links.append(self.put(f"{id_}/replicationLinks/{LINK}", {"properties": told}, region))
        self._paired(links)
        return found[0], found[1]

    def role(self, id_: str) -> str:
        told = self.at(id_)["properties"]
        return str(told.get("replicationRole") or told["role"])

    def plays(self, member: str) -> str:
        """The role of a member: of a database, that of its link."""
        return self.role(f"{member}/replicationLinks/{LINK}" if "/databases/" in member.lower() else member)

    def settle(self) -> None:
        super().settle()
        for new, old in [one for one in self._owed if self.region_of(one[1]) not in self.lost]:
            self._owed.remove((new, old))
            self._play(old, SECONDARY)
            self._databases("rejoin")

    def end(self) -> None:
        super().end()
        self.close()

    def close(self) -> None:
        for one in self._beside:
            one.join(60)

    # ---- operations

    def failover_groups_get(self, ask: Ask) -> dict[str, Any]:
        return _bare(self.at(ask.path))

    def failover_groups_failover(self, ask: Ask) -> Told:
        return self._order(ask, "planned")

    def failover_groups_try_planned_before_forced_failover(self, ask: Ask) -> Told:
        other = self._pairs[_below(ask.path).lower()]
        return self._order(ask, "forced" if self.region_of(other) in self.lost else "planned")

    def failover_groups_force_failover_allow_data_loss(self, ask: Ask) -> Told:
        return self._order(ask, "forced")

    def instance_failover_groups_get(self, ask: Ask) -> dict[str, Any]:
        return _bare(self.at(ask.path))

    def instance_failover_groups_failover(self, ask: Ask) -> Told:
        return self._order(ask, "planned", "Instance")

    def instance_failover_groups_force_failover_allow_data_loss(self, ask: Ask) -> Told:
        return self._order(ask, "forced", "Instance")

    def replication_links_list_by_database(self, ask: Ask) -> dict[str, Any]:
        self.at(ask.path.rpartition("/")[0])
        return {"value": [_bare(one) for one in self.below(ask.path)]}

    def replication_links_failover(self, ask: Ask) -> Told:
        return self._order(ask, "planned")

    def replication_links_failover_allow_data_loss(self, ask: Ask) -> Told:
        return self._order(ask, "forced")

    def databases_get(self, ask: Ask) -> dict[str, Any]:
        return _bare(self.at(ask.path))

    # ---- what they do

    def _order(self, ask: Ask, how: str, prefix: str = "") -> Told:
        id_ = _below(ask.path)
        link = "/replicationlinks/" in id_.lower()
        other = self._pairs[id_.lower()]
        if self.role(id_) != SECONDARY:
            code = "GeoReplicationDatabaseNotSecondary" if link else f"{prefix}FailoverGroupFailoverRequestOnPrimary"
            raise Refused(400, code, "The failover request should be initiated on the secondary.")
        if self.busy():
            raise Refused(409, f"{prefix}FailoverGroupBusy", "Failover Group is busy with another operation.")
        gone = self.region_of(other) in self.lost
        if how == "planned" and gone:
            raise Refused(400, "PlannedFailoverTimedOut", "It timed out while contacting the partner.")
        if how == "planned" and self.stuck:
            before, self.seconds = self.seconds, 3600.0
            told = self.order(ask, how, id_, lambda: None)
            self.seconds = before
            return told

        def effect() -> None:
            self._play(id_, PRIMARY)
            if gone:
                self._owed.append((id_, other))
            else:
                self._play(other, SECONDARY)
            self._databases(how)

        return self.order(ask, how, id_, effect, lambda: _bare(self.at(id_)))

    def give_up(self) -> None:
        """What runs is over, without an effect."""
        for one in self._operations.values():
            if one.status == "InProgress":
                one.status, one.code = "Failed", "PlannedFailoverTimedOut"

    def _play(self, id_: str, role: str) -> None:
        told = self.at(id_)["properties"]
        told["replicationRole" if "replicationRole" in told else "role"] = role
        if "partnerRole" in told:
            told["partnerRole"] = _other(role)
        for one in (*told.get("partnerServers", ()), *told.get("partnerRegions", ())):
            one["replicationRole"] = _other(role)

    def _paired(self, ids: Sequence[str]) -> tuple[str, str]:
        west, north = ids
        self._pairs[west.lower()], self._pairs[north.lower()] = north, west
        return west, north

    def _databases(self, kind: str) -> None:
        if kind in self.then:
            beside = threading.Thread(target=self.then[kind], daemon=True)
            self._beside.append(beside)
            beside.start()


def _below(path: str) -> str:
    return path.rpartition("/")[0]


def _other(role: str) -> str:
    return SECONDARY if role == PRIMARY else PRIMARY


def _endpoint(policy: str) -> dict[str, Any]:
    told: dict[str, Any] = {"failoverPolicy": policy}
    if policy == "Automatic":
        told["failoverWithDataLossGracePeriodMinutes"] = 60
    return told


def _bare(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "etag"}
