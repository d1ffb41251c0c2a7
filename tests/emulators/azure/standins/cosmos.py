"""Accounts of Cosmos DB: Resource Manager's side of them, and the regions' own doors, which take documents.

As "Manage an Azure Cosmos DB account" and "Disaster recovery guidance" have it: a change of priorities takes the whole
list, each priority once, and asks that all regions are well and that the account does not fail over by itself; an
offline region is out of the account, and the one of the best priority among the rest takes writes, without what was not
replicated. One change at a time. The codes of what is refused are our own reading where the documentation names none.

A region's door is REST over TLS: it wants the headers that the reference asks for, and a token for Cosmos DB. A write
that comes to a region which is not the write region is refused with 403/3, and what comes to one that is none of the
account with 403/1008. `following`: while it is not set, the doors go on as they are, whatever Azure says.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Resources
from tests.emulators.wire import Answer, Door, Lost, Request

ACCOUNTS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts"
ACCOUNT = f"{ACCOUNTS}/orders"
DOCS = "/dbs/shop/colls/cloudfail/docs"
DISPLAY = {"westeurope": "West Europe", "northeurope": "North Europe", "uksouth": "UK South"}
AUDIENCE = "https://cosmos.azure.com"


class Cosmos(Resources):
    """One account. Its regions, as they come, are its priorities; the first takes writes."""

    service = "cosmosdb"

    def __init__(self, regions: Iterable[str], *, consistency: str = "Strong", many: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.following = True
        self.replicating = True
        self.many = many
        self.lost: set[str] = set()
        self.order_ = list(regions)
        self.there = list(self.order_)
        self.writer = self.order_[0]
        self.doors: dict[str, RegionDoor] = {}
        self.documents: dict[str, dict[str, dict[str, Any]]] = {region: {} for region in self.order_}
        self._etags = itertools.count(1)
        self._changing = False
        properties = {
            "provisioningState": "Succeeded",
            "documentEndpoint": "https://orders.documents.azure.com:443/",
            "enableAutomaticFailover": False,
            "enableMultipleWriteLocations": many,
            "consistencyPolicy": {"defaultConsistencyLevel": consistency, "maxIntervalInSeconds": 300},
            "capabilities": [],
            "publicNetworkAccess": "Enabled",
        }
        body = {"kind": "GlobalDocumentDB", "location": "West Europe", "tags": {}, "properties": properties}
        self.put(ACCOUNT, body)

    @property
    def properties(self) -> dict[str, Any]:
        """What of the account is written as it is, to be read and changed."""
        found: dict[str, Any] = self.at(ACCOUNT)["properties"]
        return found

    def open(self) -> None:
        """The regions' doors, once the machine stands behind a front."""
        self.doors = {region: RegionDoor(self, region) for region in self.order_}

    def close(self) -> None:
        for door in self.doors.values():
            door.door.shut()

    def bring_back(self, region: str) -> None:
        """As Microsoft's team does: a region that reads, with everything."""
        self.order_.append(region)
        self.there.append(region)
        self.documents[region] = copy.deepcopy(self.documents[self.writer])

    def replicate(self) -> None:
        """All regions hold what the write region does."""
        for region in self.there:
            self.documents[region] = copy.deepcopy(self.documents[self.writer])

    # ---- Resource Manager

    def database_accounts_get(self, ask: Ask) -> dict[str, Any]:
        told = copy.deepcopy({key: value for key, value in self.at(ask.path).items() if key != "etag"})
        if self.busy():
            told["properties"]["provisioningState"] = "Updating"
        places = {one: self._location(one, priority) for priority, one in enumerate(self._said_order())}
        told["properties"].update(
            writeLocations=[places[one] for one in (self._said_order() if self.many else self._said_order()[:1])],
            readLocations=list(places.values()),
            locations=list(places.values()),
            failoverPolicies=[
                {key: one[key] for key in ("id", "locationName", "failoverPriority")} for one in places.values()
            ],
        )
        return told

    def database_accounts_failover_priority_change(self, ask: Ask) -> Told:
        self._free()
        wanted = {_code(one["locationName"]): one["failoverPriority"] for one in ask.body["failoverPolicies"]}
        order = sorted(wanted, key=lambda one: int(wanted[one]))
        if set(wanted) != set(self.order_) or sorted(wanted.values()) != list(range(len(self.order_))):
            raise Refused(400, "BadRequest", "Every region of the account is to be listed, each priority once.")
        if order[0] != self.order_[0] and self.properties["enableAutomaticFailover"]:
            raise Refused(400, "BadRequest", "The write region of an account with automatic failover is not changed.")
        if self.lost & set(self.there):
            raise Refused(503, "ServiceUnavailable", "A region does not answer.")

        def effect() -> None:
            self.order_ = order
            if self.following:
                self.replicate()
                self.writer = order[0]

        return self._told(ask, "failoverPriorityChange", effect)

    def database_accounts_offline_region(self, ask: Ask) -> Told:
        self._free()
        region = _code(ask.body["region"])
        if ask.body["region"] not in DISPLAY.values() or region not in self.order_ or len(self.order_) < 2:
            raise Refused(400, "BadRequest", f"{ask.body['region']} is no region of this account.")

        def effect() -> None:
            self.order_ = [one for one in self.order_ if one != region]
            if self.following:
                self.there = list(self.order_)
                self.writer = self.order_[0]

        return self._told(ask, "offlineRegion", effect)

    def _told(self, ask: Ask, kind: str, effect: Any) -> Told:
        return self.order(ask, kind, ACCOUNT, effect)

    def _free(self) -> None:
        if self.busy():
            raise Refused(409, "AnotherOperationInProgress", "There is already an operation in progress.")

    def _said_order(self) -> list[str]:
        return self.order_

    def _location(self, region: str, priority: int) -> dict[str, Any]:
        door = self.doors.get(region)
        return {
            "id": f"orders-{region}",
            "locationName": DISPLAY[region],
            "documentEndpoint": f"{door.door.url}/" if door else f"https://orders-{region}.documents.azure.com:443/",
            "provisioningState": "Succeeded",
            "failoverPriority": priority,
        }

    # ---- documents

    def written(self, region: str, body: dict[str, Any], *, held: str, new: bool, many: bool) -> tuple[int, str, Any]:
        """(status, sub-status, body). held: the ETag that is asked for, "" for none; new: it must not be there; many:
        the client says that it knows of many writers."""
        self.settle()
        if region not in self.there:
            return 403, "1008", {"code": "Forbidden", "message": "Database Account orders does not exist"}
        if region != self.writer and not (self.many and many):
            return (
                403,
                "3",
                {"code": "Forbidden", "message": "The operation cannot be performed at this region"},
            )
        there = self.documents[region].get(body["id"])
        if held and there is None:
            return 404, "", {"code": "NotFound", "message": "Entity with the specified id does not exist."}
        if held and there is not None and there["_etag"] != held:
            return 412, "", {"code": "PreconditionFailed", "message": "One of the pre-conditions is not met"}
        if new and there is not None:
            return 409, "", {"code": "Conflict", "message": "Entity with the specified id already exists."}
        made = {**body, "_etag": f'"{next(self._etags)}"', "_ts": 0}
        for one in self.there if self.replicating else [region]:
            self.documents[one][body["id"]] = made
        return (201 if there is None else 200), "", made

    def got(self, region: str, name: str) -> tuple[int, str, Any]:
        self.settle()
        if region not in self.there:
            return 403, "1008", {"code": "Forbidden", "message": "Database Account orders does not exist"}
        found = self.documents[region].get(name)
        if found is None:
            return 404, "", {"code": "NotFound", "message": "Entity with the specified id does not exist."}
        return 200, "", found


class RegionDoor:
    """One region's address. `silent`: requests are taken, and never answered. `instead`: an answer that is given
    instead of each. `losing`: a write takes effect, and its answer is lost. `lying`: a write is acknowledged, and
    nothing is written. `stale`: reads are answered as they were then."""

    def __init__(self, account: Cosmos, region: str) -> None:
        self._account = account
        self.region = region
        self.silent = self.losing = self.lying = False
        self.instead: tuple[int, str] | None = None
        self.stale: dict[str, dict[str, Any]] | None = None
        self.seen: list[tuple[str, str]] = []
        self.door = Door(self._answer, context=account.front.context)

    def _answer(self, request: Request) -> Answer | Lost:
        if self.silent:
            return Lost.SILENCE
        if self.instead is not None:
            status, substatus = self.instead
            return _json(status, substatus, {"code": str(status), "message": "It is not now."})
        wrong = _offences(request)
        if wrong:
            self._account.front.mistakes.append(f"{request.method} {request.target}: {wrong}")
            return _json(400, "", {"code": "BadRequest", "message": wrong})
        name = urllib.parse.unquote(request.path.removeprefix(DOCS).removeprefix("/"))
        if request.method == "GET":
            self.seen.append(("GET", name))
            if self.stale is not None:
                found = self.stale.get(name)
                return _json(*((404, "", {"message": "NotFound"}) if found is None else (200, "", found)))
            return _json(*self._account.got(self.region, name))
        body = json.loads(request.body)
        self.seen.append((request.method, body["id"]))
        many = request.headers.get("x-ms-cosmos-allow-tentative-writes") == "true"
        new = request.method == "POST" and request.headers.get("x-ms-documentdb-is-upsert") != "True"
        if self.lying:
            return _json(201, "", body)
        told = self._account.written(self.region, body, held=request.headers.get("if-match", ""), new=new, many=many)
        return Lost.BROKEN if self.losing else _json(*told)


def _offences(request: Request) -> str:
    """What the reference asks for of each request, and this one has not; "" for none."""
    headers = request.headers
    said = dict(urllib.parse.parse_qsl(urllib.parse.unquote(headers.get("authorization", ""))))
    if said.get("type") != "aad" or said.get("ver") != "1.0" or _audience(said.get("sig", "")) != AUDIENCE:
        return "no token for Cosmos DB"
    if headers.get("x-ms-version") != "2018-12-31" or not headers.get("x-ms-date", "").endswith("GMT"):
        return "no version, or no date"
    below = request.path.removeprefix(DOCS)
    if not request.path.startswith(DOCS) or (request.method == "POST") != (below == ""):
        return "no such place"
    name = json.loads(request.body)["id"] if request.body else urllib.parse.unquote(below.removeprefix("/"))
    if json.loads(headers.get("x-ms-documentdb-partitionkey", "null")) != [name]:
        return "the partition key is not the id"
    if any(one in name for one in "/\\?#"):
        return "an id with a character that none may have"
    return ""


def _audience(token: str) -> str:
    part = token.split(".")[1] if token.count(".") == 2 else ""
    return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["aud"]) if part else ""


def _json(status: int, substatus: str, body: Mapping[str, Any]) -> Answer:
    headers = (("Content-Type", "application/json"), *((("x-ms-substatus", substatus),) if substatus else ()))
    return Answer(status, headers, json.dumps(body).encode())


def _code(name: str) -> str:
    return name.replace(" ", "").lower()
