"""Cloud Routers, and what their neighbours make of what they advertise.

As the reference of `routers` and "Advertised routes" have it: a patch merges objects and replaces arrays; in custom
mode the ranges of the router go out on each session that is up, with the session's base priority. A neighbour sends
packets by the longest prefix, and of several by the lowest priority.
"""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from tests.emulators.gcp.front import Refused
from tests.emulators.gcp.standins.operations import BASE, Operations, merged


class Routers(Operations):
    """`down`: sessions that are not up, as (router's path, session). `deaf`: while it is set, what is patched is not
    advertised."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.down: set[tuple[str, str]] = set()
        self.deaf = False
        self._routers: dict[str, dict[str, Any]] = {}
        self._heard: dict[str, dict[str, dict[str, int]]] = {}

    def router(self, path: str, ranges: list[str], peers: dict[str, int], **more: Any) -> str:
        """In custom mode. peers: session -> its base priority. Returns its path."""
        self._routers[path] = {
            "kind": "compute#router",
            "name": path.rpartition("/")[2],
            "selfLink": BASE + path,
            "bgp": {
                "asn": 64512,
                "advertiseMode": "CUSTOM",
                "advertisedGroups": ["ALL_SUBNETS"],
                "advertisedIpRanges": [{"range": one} for one in ranges],
            },
            "bgpPeers": [
                {"name": name, "peerAsn": 64600, "advertiseMode": "DEFAULT", "advertisedRoutePriority": priority}
                for name, priority in peers.items()
            ],
            **more,
        }
        self._advertise(path)
        return path

    def set(self, path: str, **changes: Any) -> None:
        """As a person does."""
        self._routers[path] = merged(self._routers[path], changes)
        self._advertise(path)

    def there(self, path: str) -> dict[str, Any]:
        self.settle()
        return copy.deepcopy(self._routers[path])

    def ranges(self, path: str) -> list[str]:
        return [str(one["range"]) for one in self.there(path)["bgp"].get("advertisedIpRanges") or ()]

    def hears(self) -> None:
        """What stands in each router is advertised now."""
        self.deaf = False
        for path in self._routers:
            self._advertise(path)

    def sends(self, address: str) -> set[str]:
        """The data plane: by which routers a neighbour sends packets to that address. It only reads."""
        found = [
            (-ipaddress.ip_network(span).prefixlen, priority, path)
            for path, sessions in list(self._heard.items())
            for session, spans in list(sessions.items())
            for span, priority in list(spans.items())
            if (path, session) not in self.down and ipaddress.ip_address(address) in ipaddress.ip_network(span)
        ]
        return {path for length, priority, path in found if (length, priority) == min(found)[:2]}

    def _advertise(self, path: str) -> None:
        if self.deaf:
            return
        router = self._routers[path]
        spans = [str(one["range"]) for one in router["bgp"].get("advertisedIpRanges") or ()]
        self._heard[path] = {
            peer["name"]: dict.fromkeys(spans, int(peer.get("advertisedRoutePriority", 100)))
            for peer in router["bgpPeers"]
        }

    # ---- methods

    def routers_get(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        return self.there(self._at(labels))

    def routers_get_router_status(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = self._at(labels)
        told = []
        for name, spans in self._heard[path].items():
            up = (path, name) not in self.down
            routes = [
                {"kind": "compute#route", "destRange": span, "priority": priority} for span, priority in spans.items()
            ]
            told.append(
                {"name": name, "status": "UP" if up else "DOWN", **({"advertisedRoutes": routes} if up else {})}
            )
        return {"kind": "compute#routerStatusResponse", "result": {"bgpPeerStatus": told}}

    def routers_patch(self, labels: dict[str, str], query: dict[str, str], body: Any) -> dict[str, Any]:
        self.settle()
        path = self._at(labels)
        if query.get("requestId", "") not in self._by_request and self.busy(path):
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")
        told = copy.deepcopy(body)
        return self.order("patch", path, query, lambda: self.set(path, **told))

    def _at(self, labels: dict[str, str]) -> str:
        path = f"projects/{labels['project']}/regions/{labels['region']}/routers/{labels['router']}"
        if path not in self._routers:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return path
