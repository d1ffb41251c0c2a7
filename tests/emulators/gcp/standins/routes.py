"""Routes of a VPC network: inserted and deleted, never changed.

As "Routes" and the reference of `routes` have it: a name is taken once; the lowest priority wins, and packets are
divided between routes of the same; a next hop that is not running is passed over where another route is there, and
Google warns of it on the route. What it does is done when the operation is.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import BASE, Operations

HOPS = ("nextHopInstance", "nextHopIp", "nextHopIlb", "nextHopVpnTunnel", "nextHopGateway")


class Routes(Operations):
    """`gone`: next hops that do not run. `page`: how many routes are told at a time. `lists`: whether any is."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.gone: set[str] = set()
        self.page = 500
        self.lists = True
        self._routes: dict[str, dict[str, Any]] = {}

    def route(self, name: str, vpc: str, destination: str, hop: str, *, priority: int = 1000, **more: Any) -> str:
        """As a person makes one. hop: an address, or an instance's path."""
        key = "nextHopInstance" if "/instances/" in hop else "nextHopIp"
        told = {"name": name, "network": vpc, "destRange": destination, "priority": priority, key: hop, **more}
        self._put(vpc.split("/")[1], told)
        return name

    def subnet(self, name: str, vpc: str, destination: str) -> str:
        """As Google makes one, for each subnetwork."""
        told = {"network": vpc, "destRange": destination, "priority": 0, "nextHopNetwork": BASE + vpc}
        self._put(vpc.split("/")[1], {"name": name, **told, "routeType": "SUBNET"})
        return name

    def drop(self, name: str) -> None:
        """As a person deletes one."""
        del self._routes[name]

    def names(self) -> list[str]:
        self.settle()
        return sorted(self._routes)

    def stands(self, name: str) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._routes[name])

    def goes(self, vpc: str, destination: str) -> set[str]:
        """The data plane: by which next hops the packets of an instance without tags go at this moment. It only reads,
        from whichever thread."""
        there = [
            one
            for one in list(self._routes.values())
            if one["network"] == BASE + vpc
            and one["destRange"] == destination
            and not one["tags"]
            and _hop(one) not in self.gone | {""}
        ]
        best = min((one["priority"] for one in there), default=0)
        return {_hop(one) for one in there if one["priority"] == best}

    def _put(self, project: str, told: dict[str, Any]) -> None:
        whole = {"kind": "compute#route", "priority": 1000, "routeType": "STATIC", "tags": [], **told}
        whole["selfLink"] = f"{BASE}projects/{project}/global/routes/{told['name']}"
        for key in ("network", *HOPS):
            if str(whole.get(key, "")).startswith("projects/"):
                whole[key] = BASE + whole[key]
        self._routes[told["name"]] = whole

    # ---- methods

    def routes_list(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        if not self.lists:
            return {"kind": "compute#routeList"}
        start = int(query.get("pageToken", "0"))
        told = [self._told(one) for one in sorted(self._routes.values(), key=lambda one: str(one["name"]))]
        whole: dict[str, Any] = {"kind": "compute#routeList", "items": told[start : start + self.page]}
        more = start + self.page < len(told)
        return whole | ({"nextPageToken": str(start + self.page)} if more else {})

    def routes_insert(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = f"projects/{labels['project']}/global/routes/{body['name']}"
        if query.get("requestId", "") in self._by_request:
            return self.order("insert", path, query, lambda: None)
        if body["name"] in self._routes or self.busy(path):
            raise Refused(409, "alreadyExists", f"The resource '{path}' already exists")
        if len([key for key in HOPS if key in body]) != 1:
            raise Refused(400, "invalid", "Exactly one next hop must be specified.")
        if not 0 <= body.get("priority", 1000) <= 65535:
            raise Refused(400, "invalid", "Invalid value for field 'resource.priority'.")
        told = copy.deepcopy(body)
        return self.order("insert", path, query, lambda: self._put(labels["project"], told))

    def routes_delete(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        name = labels["route"]
        path = f"projects/{labels['project']}/global/routes/{name}"
        if query.get("requestId", "") not in self._by_request and name not in self._routes:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        if self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")

        def delete() -> None:
            self._routes.pop(name, None)

        return self.order("delete", path, query, delete)

    def _told(self, one: dict[str, Any]) -> dict[str, Any]:
        told = copy.deepcopy(one)
        if _hop(one) in self.gone:
            told["warnings"] = [{"code": "NEXT_HOP_NOT_RUNNING", "message": f"{_hop(one)} is not running."}]
        return told


def _hop(one: dict[str, Any]) -> str:
    return next((str(one[key]).removeprefix(BASE) for key in HOPS if key in one), "")
