"""Flexible servers of Azure Database for PostgreSQL: servers, replicas, virtual endpoints, firewall rules.

As "Promote read replicas", "Virtual endpoints" and "Read replicas in Azure Database for PostgreSQL" have it: a change
is an operation, during which the server is Updating, and refused while another runs; a switchover needs a virtual
endpoint that leads to the replica, both servers alike and Ready, of which a forced one asks nothing of a primary whose
region is lost; the old primary is a replica from then on, Reconfiguring until its region is back; a standalone
promotion ends the replication, and the reader endpoint leads to the old primary again. A PATCH replaces the map of
tags. Azure is no server: what an operation does to servers is `then`, called beside it once Azure calls it done. The
codes of what is refused are our own reading where the documentation names none.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Operation, Resources

SERVERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers"
REPLICA = "GeoAsyncReplica"
ENDPOINT = "{}.{}.postgres.database.azure.com"


class FlexibleServers(Resources):
    """`lost`: regions in which nothing is (what a server there last was is told still, if its region is reached).
    `told_by_both`: whether a replica tells of the virtual endpoints too. `then`: by kind ("Switchover", "Standalone",
    "rejoin", "tags"), what it does to the servers. `promotions`: what was asked for, of each that was accepted."""

    service = "postgresqlflexibleservers"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.lost: set[str] = set()
        self.told_by_both = False
        self.then: dict[str, Callable[[], None]] = {}
        self.promotions: list[dict[str, str]] = []
        self._holding: list[tuple[Operation, tuple[str, ...]]] = []
        self._owed: set[str] = set()
        self._beside: list[threading.Thread] = []

    # ---- the hand of the test

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
            "fullyQualifiedDomainName": f"{name}.postgres.database.azure.com",
            "version": "16",
            "state": "Ready",
            "storage": {"storageSizeGB": 512, "autoGrow": "Disabled", "tier": "P20"},
            "network": {"publicNetworkAccess": "Enabled" if public else "Disabled"},
            "replicationRole": REPLICA if source else "Primary",
            "replica": {"role": REPLICA if source else "Primary"},
        }
        if source:
            properties["sourceServerResourceId"] = source
            properties["replica"]["replicationState"] = "Active"
        sku = {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}
        body = {"location": region, "sku": sku, "tags": {"team": "shop"}, "properties": properties}
        id_ = self.put(f"{SERVERS}/{name}", body, region)
        for rule, (start, end) in (rules or {}).items():
            self._rule(id_, rule, start, end)
        return id_

    def pair(self, primary: str, reader: str, name: str = "orders") -> str:
        """Virtual endpoints below a primary; the reader leads to the server with that id."""
        members = [primary.rpartition("/")[2]]
        if reader != primary:
            members.append(reader.rpartition("/")[2])
        told = {
            "endpointType": "ReadWrite",
            "members": members,
            "virtualEndpoints": [ENDPOINT.format(name, "reader"), ENDPOINT.format(name, "writer")],
        }
        return self.put(f"{primary}/virtualendpoints/{name}", {"properties": told}, self.region_of(primary))

    def begin(self, id_: str) -> None:
        """Something that Azure, or somebody else, does on it, and does not end: maintenance, say."""
        self.at(id_)["properties"]["state"] = "Updating"

    def rules(self, id_: str) -> dict[str, tuple[str, str]]:
        found = self.below(f"{id_}/firewallrules")
        return {one["name"]: (one["properties"]["startIpAddress"], one["properties"]["endIpAddress"]) for one in found}

    def settle(self) -> None:
        super().settle()
        for id_ in [one for one in self._owed if self.region_of(one) not in self.lost]:
            self._owed.remove(id_)
            self._bodies[id_]["properties"]["replica"]["replicationState"] = "Active"
            self._servers("rejoin")

    def end(self) -> None:
        """Wait until every operation has come to its end, and the servers have done what it leads to."""
        super().end()
        for one in self._beside:
            one.join(60)

    def close(self) -> None:
        for one in self._beside:
            one.join(60)

    # ---- operations

    def servers_get(self, ask: Ask) -> dict[str, Any]:
        return self._told(ask.path)

    def servers_update(self, ask: Ask) -> Told:
        found = self._free(ask.path)
        replica = (ask.body.get("properties") or {}).get("replica")
        if replica is not None:
            return self._promotion(ask, found, replica)
        tags = copy.deepcopy(ask.body["tags"])

        def effect() -> None:
            found["tags"] = tags
            self._servers("tags")

        return self._hold(ask, "tags", effect, ask.path)

    def replicas_list_by_server(self, ask: Ask) -> dict[str, Any]:
        id_ = ask.path.rpartition("/")[0]
        self.at(id_)
        return {"value": [self._told(one["id"]) for one in self._replicas(id_)]}

    def virtual_endpoints_list_by_server(self, ask: Ask) -> dict[str, Any]:
        id_ = ask.path.rpartition("/")[0]
        found = self.at(id_)
        told = self.below(f"{id_}/virtualendpoints")
        if self.told_by_both and (source := found["properties"].get("sourceServerResourceId")):
            told += self.below(f"{source}/virtualendpoints")
        return {"value": [self._bare(one) for one in told]}

    def firewall_rules_list_by_server(self, ask: Ask) -> dict[str, Any]:
        self.at(ask.path.rpartition("/")[0])
        return {"value": [self._bare(one) for one in self.below(ask.path)]}

    def firewall_rules_create_or_update(self, ask: Ask) -> Told:
        id_, _, name = ask.path.rpartition("/")
        server, told = id_.rpartition("/")[0], ask.body["properties"]
        self._free(server)

        def effect() -> None:
            self._rule(server, name, told["startIpAddress"], told["endIpAddress"])

        return self._hold(ask, "rule", effect, server)

    def firewall_rules_delete(self, ask: Ask) -> Told:
        server = ask.path.rsplit("/", 2)[0]
        self._free(server)
        if not self.has(ask.path):
            return Told(None, 204)

        def effect() -> None:
            del self._bodies[ask.path.lower()]

        return self._hold(ask, "no rule", effect, server)

    # ---- what they do

    def _promotion(self, ask: Ask, found: dict[str, Any], replica: Mapping[str, str]) -> Told:
        source = found["properties"].get("sourceServerResourceId", "")
        if not source:
            raise Refused(400, "InvalidParameterValue", f"{found['name']} is no read replica.")
        mode, option = replica["promoteMode"], replica["promoteOption"]
        old, gone = self._bodies[source.lower()], self.region_of(source) in self.lost
        if not (gone and option == "Forced"):
            self._free(source)
        if mode == "Switchover":
            if not any(
                found["name"] in one["properties"]["members"] for one in self.below(f"{source}/virtualendpoints")
            ):
                raise Refused(400, "InvalidParameterValue", f"No reader endpoint leads to {found['name']}.")
            if not (gone and option == "Forced") and found["sku"] != old["sku"]:
                raise Refused(400, "InvalidParameterValue", f"{found['name']} is not like {old['name']}.")
        self.promotions.append(dict(replica))
        both = (ask.path,) if gone else (ask.path, source)

        def effect() -> None:
            if mode == "Switchover":
                self._exchange(found, old, forced=option == "Forced")
            else:
                self._part(found, old)
            self._servers(mode)

        return self._hold(ask, mode, effect, *both)

    def _exchange(self, new: dict[str, Any], old: dict[str, Any], *, forced: bool) -> None:
        """Forced, the old one is not waited for: it is made a replica beside it, once its region is there."""
        self._release(new)
        state = "Reconfiguring" if forced else "Active"
        old["properties"].update(
            replicationRole=REPLICA,
            replica={"role": REPLICA, "replicationState": state},
            sourceServerResourceId=new["id"],
        )
        for one in self.below(f"{old['id']}/virtualendpoints"):
            del self._bodies[one["id"].lower()]
            self.pair(new["id"], old["id"], one["name"])
        if forced:
            self._owed.add(old["id"].lower())

    def _part(self, new: dict[str, Any], old: dict[str, Any]) -> None:
        self._release(new)
        new["properties"]["replicationRole"] = new["properties"]["replica"]["role"] = "None"
        for one in self.below(f"{old['id']}/virtualendpoints"):
            one["properties"]["members"] = [old["name"]]

    def _release(self, one: dict[str, Any]) -> None:
        one["properties"].pop("sourceServerResourceId")
        one["properties"].update(replicationRole="Primary", replica={"role": "Primary"})

    def _hold(self, ask: Ask, kind: str, effect: Callable[[], None], *ids: str) -> Told:
        """An operation, during which those servers are Updating."""
        told = self.order(ask, kind, ids[0], effect, lambda: self._told(ids[0]))
        self._holding.append((list(self._operations.values())[-1], tuple(one.lower() for one in ids)))
        return told

    def _held(self, id_: str) -> bool:
        return any(one.status == "InProgress" and id_.lower() in ids for one, ids in self._holding)

    def _free(self, id_: str) -> dict[str, Any]:
        found = self.at(id_)
        if found["properties"]["state"] != "Ready" or self._held(id_):
            raise Refused(409, "ServerIsBusy", f"Server '{found['name']}' is busy with another operation.")
        return found

    def _replicas(self, id_: str) -> list[dict[str, Any]]:
        return [
            one
            for one in self._bodies.values()
            if one.get("properties", {}).get("sourceServerResourceId", "").lower() == id_.lower()
        ]

    def _rule(self, server: str, name: str, start: str, end: str) -> None:
        told = {"properties": {"startIpAddress": start, "endIpAddress": end}}
        self.put(f"{server}/firewallrules/{name}", told, self.region_of(server))

    def _told(self, id_: str) -> dict[str, Any]:
        told = copy.deepcopy(self._bare(self.at(id_)))
        if self._held(id_):
            told["properties"]["state"] = "Updating"
        return told

    @staticmethod
    def _bare(one: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in one.items() if key != "etag"}

    def _servers(self, kind: str) -> None:
        if kind in self.then:
            beside = threading.Thread(target=self.then[kind], daemon=True)
            self._beside.append(beside)
            beside.start()
