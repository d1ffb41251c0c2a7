"""Route tables of Microsoft.Network, and where packets go by them.

A PUT of a route is a long-running operation: what is told is the new one at once, `Updating`, and packets follow at its
end. One that fails leaves the new one told, as `Failed`, and packets as they were. A table takes one operation at a
time, and refuses the next as 429 RetryableError (kubernetes/kubernetes issue 88151). Routes have the ETag of their
table, and an If-Match that is no longer so is 412 (kubernetes-sigs/cluster-api-provider-azure issue 682).
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Operation, Resources

TABLES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/routeTables"
Body = dict[str, Any]


@dataclass
class _Change:
    """One that is under way: what stood before it, None where nothing did. `done`: its effect came about."""

    operation: Operation | None
    table: str
    name: str
    before: Body | None
    done: bool = False


class RouteTables(Resources):
    """`meanwhile`: what happens in the instant before the next change of a route, once."""

    service = "network"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.meanwhile: Callable[[], object] | None = None
        self._packets: dict[str, dict[str, str]] = {}
        self._changes: list[_Change] = []

    # ---- for tests

    def table(self, name: str, region: str, routes: dict[str, tuple[str, str]], **tags: str) -> str:
        """routes: name -> (destination, next hop), an address or a type."""
        body = {
            "type": "Microsoft.Network/routeTables",
            "location": region,
            "tags": {"team": "shop", **tags},
            "properties": {"provisioningState": "Succeeded", "disableBgpRoutePropagation": False, "routes": []},
        }
        made = self.put(f"{TABLES}/{name}", body, region)
        self._packets[made.lower()] = {}
        for route, (destination, hop) in routes.items():
            self.set_route(made, route, destination, hop)
        return made

    def set_route(self, table: str, name: str, destination: str, hop: str) -> None:
        """By hand, at once."""
        self._replace(table, name, _route(table, name, _properties(destination, hop), "Succeeded"))
        self._packets[table.lower()][name] = hop
        self.touch(table)

    def routes(self, table: str) -> dict[str, Body]:
        return {str(one["name"]): one for one in self.at(table)["properties"]["routes"]}

    def tags(self, table: str) -> dict[str, str]:
        return dict(self.at(table)["tags"])

    def goes(self, table: str, address: str) -> str:
        """The next hop of packets to that address; "" where the table has none for them."""
        self.settle()
        wanted = ipaddress.ip_address(address)
        told = self.routes(table)
        fits = {
            network.prefixlen: hop
            for name, hop in self._packets[table.lower()].items()
            if name in told and wanted in (network := ipaddress.ip_network(told[name]["properties"]["addressPrefix"]))
        }
        return fits[max(fits)] if fits else ""

    def settle(self) -> None:
        super().settle()
        for one in list(self._changes):
            if one.operation is None or one.operation.status == "InProgress":
                continue
            self._changes.remove(one)
            body = self._bodies[one.table]["properties"]
            body["provisioningState"] = "Succeeded"
            if one.done:
                continue
            if one.operation.status == "Succeeded":
                self._replace(one.table, one.name, one.before)
            else:
                for route in body["routes"]:
                    if route["name"] == one.name:
                        route["properties"]["provisioningState"] = "Failed"
            self.touch(one.table)

    # ---- the API

    def route_tables_get(self, ask: Ask) -> Body:
        return self._whole(ask.path)

    def route_tables_update_tags(self, ask: Ask) -> Body:
        self.matched(ask, ask.path)
        self._free(ask.path)
        self.at(ask.path)["tags"] = dict(ask.body["tags"])
        self.touch(ask.path)
        return self._whole(ask.path)

    def routes_create_or_update(self, ask: Ask) -> Told:
        table, name = self._asked(ask)
        told = ask.body["properties"]
        twice = [
            other
            for other, one in self.routes(table).items()
            if other.lower() != name.lower() and one["properties"]["addressPrefix"] == told["addressPrefix"]
        ]
        if twice:
            raise Refused(400, "RouteConflict", f"The route {twice[0]} has the same address prefix.")
        if (told["nextHopType"] == "VirtualAppliance") != bool(told.get("nextHopIpAddress")):
            raise Refused(
                400, "RouteNextHopIpAddressInvalid", "An address belongs to a VirtualAppliance, and to it alone."
            )
        before = copy.deepcopy(self.routes(table).get(name))
        made = _route(table, name, told, "Updating" if before else "Creating")
        self._replace(table, name, made)
        hop = told.get("nextHopIpAddress", told["nextHopType"])

        def effect() -> None:
            self._packets[table][name] = hop
            made["properties"]["provisioningState"] = "Succeeded"

        return self._begin(ask, "update", table, name, before, effect, 200 if before else 201, lambda: made)

    def routes_delete(self, ask: Ask) -> Told:
        table, name = self._asked(ask)
        before = copy.deepcopy(self.routes(table).get(name))
        if before is None:
            return Told(None, 204)
        self.routes(table)[name]["properties"]["provisioningState"] = "Deleting"

        def effect() -> None:
            self._packets[table].pop(name)
            self._replace(table, name, None)

        style, self.style = self.style, "location"
        try:
            return self._begin(ask, "delete", table, name, before, effect, 202, lambda: None)
        finally:
            self.style = style

    # ---- inside

    def _asked(self, ask: Ask) -> tuple[str, str]:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        table = ask.path.rsplit("/", 2)[0].lower()
        self._free(table)
        wanted = ask.headers.get("if-match", "")
        if wanted and wanted not in ("*", self.at(table)["etag"]):
            raise Refused(412, "PreconditionFailed", f"Etag provided in if-match header {wanted} does not match.")
        return table, ask.labels["routeName"]

    def _free(self, table: str) -> None:
        self.settle()
        if any(one.table == table.lower() for one in self._changes):
            raise Refused(429, "RetryableError", f"Another operation is updating resource {table}.")

    def _begin(
        self,
        ask: Ask,
        kind: str,
        table: str,
        name: str,
        before: Body | None,
        effect: Callable[[], None],
        status: int,
        answer: Callable[[], Any],
    ) -> Told:
        change = _Change(None, table, name, before)

        def happens() -> None:
            effect()
            change.done = True
            self.touch(table)

        self.at(table)["properties"]["provisioningState"] = "Updating"
        self.touch(table)
        told = self.order(ask, kind, ask.path, happens, answer, status=status, body=copy.deepcopy(answer()))
        change.operation = next(reversed(self._operations.values()))
        self._changes.append(change)
        return told

    def _whole(self, table: str) -> Body:
        """Routes have their table's ETag."""
        body = copy.deepcopy(self.at(table))
        for route in body["properties"].get("routes", ()):
            route["etag"] = body["etag"]
        return body

    def remove(self, table: str, name: str) -> None:
        """By hand, at once."""
        self._replace(table, name, None)
        self._packets[table.lower()].pop(name)
        self.touch(table)

    def _replace(self, table: str, name: str, route: Body | None) -> None:
        properties = self._bodies[table.lower()]["properties"]
        found = [at for at, one in enumerate(properties["routes"]) if one["name"].lower() == name.lower()]
        if route is None:
            properties["routes"] = [one for one in properties["routes"] if one["name"].lower() != name.lower()]
        elif found:
            properties["routes"][found[0]] = route
        else:
            properties["routes"].append(route)


def _properties(destination: str, hop: str) -> Body:
    address = hop[0].isdigit()
    kind = "VirtualAppliance" if address else hop
    return {"addressPrefix": destination, "nextHopType": kind, **({"nextHopIpAddress": hop} if address else {})}


def _route(table: str, name: str, properties: Body, state: str) -> Body:
    return {
        "id": f"{table}/routes/{name}",
        "name": name,
        "type": "Microsoft.Network/routeTables/routes",
        "properties": {**properties, "provisioningState": state},
    }
