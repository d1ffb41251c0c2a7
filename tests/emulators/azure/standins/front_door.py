"""Front Door: the origins of a group as Resource Manager has them, the settings that edges have, and whom an edge asks.

As its documentation has it ("Traffic routing methods to origin", "Health probes"): of those that are enabled and whose
probe succeeds, those of the best priority; where none of the enabled is well, all of them; where none is enabled,
nobody. An order is an operation, one at a time in a profile, and edges have its settings only later, one order after
the other. An origin's host here is loopback, and its port decides.
"""

from __future__ import annotations

from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Operation, Resources, merged
from tests.emulators.listening import answers

PROFILE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Cdn/profiles/shop"
_TYPE = "Microsoft.Cdn/profiles/origingroups"


class FrontDoor(Resources):
    """`obeying`: while it is not set, orders are accepted and have no effect. `edge_seconds`: how long the edges take
    after an order's end; at 0 `deploymentStatus` is NotStarted for good, as in the reference's examples."""

    service = "cdn"

    def __init__(self, *, edge_seconds: float = 0.0, **more: Any) -> None:
        super().__init__(**more)
        self.edge_seconds = edge_seconds
        self._last: dict[str, Operation] = {}
        self._edges: dict[str, dict[str, Any]] = {}
        self._pushed: list[tuple[float, str, dict[str, Any]]] = []

    def group(self, name: str = "web", *, latency: int = 1000, affinity: str = "Disabled") -> str:
        settings = {"sampleSize": 4, "successfulSamplesRequired": 3, "additionalLatencyInMilliseconds": latency}
        properties = {"loadBalancingSettings": settings, "sessionAffinityState": affinity}
        return self.put(f"{PROFILE}/originGroups/{name}", {"type": _TYPE, "properties": properties})

    def origin(self, group: str, name: str, port: int, **more: Any) -> str:
        """It is there from the beginning, and edges have it."""
        told = {"hostName": "127.0.0.1", "httpPort": port, "httpsPort": 443, "originHostHeader": "shop.example"}
        properties = {**told, "enabledState": "Enabled", "priority": 1, "weight": 1000, **more}
        id_ = self.put(f"{group}/origins/{name}", {"type": f"{_TYPE}/origins", "properties": properties})
        self._edges[id_.lower()] = dict(properties)
        return id_

    def afd_origin_groups_get(self, ask: Ask) -> dict[str, Any]:
        return _without_etag(self.at(ask.path))

    def afd_origins_list_by_origin_group(self, ask: Ask) -> dict[str, Any]:
        self.at(ask.path.rpartition("/")[0])
        return {"value": [self._told(one) for one in self.below(ask.path)]}

    def afd_origins_update(self, ask: Ask) -> Told:
        found, id_ = self.at(ask.path), ask.path.lower()
        asked = ask.body.get("properties") or {}
        for name, most in (("priority", 5), ("weight", 1000)):
            if asked.get(name) is not None and not 1 <= asked[name] <= most:
                raise Refused(400, "BadRequest", f"{name} must be from 1 to {most}.")
        if self.busy():
            raise Refused(409, "Conflict", "Another operation is in progress in the profile.")
        if self.obeying:
            found.update(merged(found, ask.body))
        properties = dict(found["properties"])
        told = self.order(ask, "origin", ask.path, lambda: self._push(id_, properties))
        self._last[id_] = list(self._operations.values())[-1]
        return Told(self._told(merged(found, ask.body)), told.status, told.headers)

    def asked_by_an_edge(self, group: str) -> dict[int, int]:
        """port -> weight, of those that an edge would ask now; empty: it answers every request with an error."""
        self._follow()
        start = f"{group}/origins/".lower()
        enabled = [
            one for id_, one in self._edges.items() if id_.startswith(start) and one["enabledState"] == "Enabled"
        ]
        well = [one for one in enabled if answers(int(one["httpPort"]))] or enabled
        best = min((int(one["priority"]) for one in well), default=0)
        return {int(one["httpPort"]): int(one["weight"]) for one in well if int(one["priority"]) == best}

    def end(self) -> None:
        """Until every order has come to its end, and to the edges."""
        super().end()
        self._pushed = [(0.0, id_, properties) for _, id_, properties in self._pushed]
        self._follow()

    def _push(self, id_: str, properties: dict[str, Any]) -> None:
        before = max((due for due, _, _ in self._pushed), default=self.clock())
        self._pushed.append((max(before, self.clock()) + self.edge_seconds, id_, properties))

    def _follow(self) -> None:
        self.settle()
        for one in [one for one in self._pushed if one[0] <= self.clock()]:
            self._edges[one[1]] = one[2]
            self._pushed.remove(one)

    def _told(self, one: dict[str, Any]) -> dict[str, Any]:
        self._follow()
        id_ = str(one["id"]).lower()
        last = self._last.get(id_)
        status = (
            {"InProgress": "Updating", "Succeeded": "Succeeded"}.get(last.status, "Failed") if last else "Succeeded"
        )
        deployed = not any(pushed == id_ for _, pushed, _ in self._pushed)
        deployment = "NotStarted" if not self.edge_seconds else "Succeeded" if deployed else "InProgress"
        told = {"provisioningState": status, "deploymentStatus": deployment, "originGroupName": id_.split("/")[-3]}
        return _without_etag(merged(one, {"properties": told}))


def _without_etag(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "etag"}
