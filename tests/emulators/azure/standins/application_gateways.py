"""Application gateways of Microsoft.Network, and which server gets the next request of a rule.

A rule leads to one pool, and its requests go round the servers of that pool whose probe succeeds ("How an application
gateway works"); where nobody is well, it answers 502. Backend health tells the pools that a rule leads to.

A second PUT is taken while one is under way, which ends as Canceled (Azure/azure-cli issue 21156), and the state may
say Succeeded all the while (issue 32961).
"""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.emulators.azure.front import Ask, Told
from tests.emulators.azure.standins.load_balancers import NETWORK, LoadBalancers
from tests.emulators.azure.standins.replaced import Body
from tests.emulators.listening import answers

MAP, PATHS = "paths", "by-path"


class ApplicationGateways(LoadBalancers):
    """`health_seconds`: as there. `silent`: what is under way is not told."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.silent = False
        self._servers: dict[str, int] = {}
        self._carried: dict[str, Body] = {}

    # ---- for tests

    def gateway(self, name: str, region: str, pools: dict[str, list[int]], rule: str = "http") -> str:
        """pools: name -> the ports on loopback of its servers; the rule leads to the first. Beside it stands a rule
        that routes by paths, whose path rule `api` leads there too, and one of another application's."""
        id_ = f"{NETWORK}/applicationGateways/{name}"
        first = next(iter(pools))
        to_first = {"backendAddressPool": {"id": f"{id_}/backendAddressPools/{first}"}}
        settings = {"backendHttpSettings": {"id": f"{id_}/backendHttpSettingsCollection/plain"}}
        path = {"paths": ["/api/*"], **to_first, **settings}
        by_path = {
            "defaultBackendAddressPool": to_first["backendAddressPool"],
            "pathRules": [_part(f"{id_}/urlPathMaps/{MAP}/pathRules/api", path)],
        }
        rules = [
            _part(f"{id_}/requestRoutingRules/{rule}", {"ruleType": "Basic", "priority": 10, **to_first, **settings}),
            _part(
                f"{id_}/requestRoutingRules/{PATHS}",
                {"ruleType": "PathBasedRouting", "priority": 20, "urlPathMap": {"id": f"{id_}/urlPathMaps/{MAP}"}},
            ),
            _part(f"{id_}/requestRoutingRules/theirs", {"ruleType": "Basic", "priority": 30, **to_first, **settings}),
        ]
        body = {
            "type": "Microsoft.Network/applicationGateways",
            "location": region,
            "tags": {"team": "shop"},
            "zones": ["1", "2"],
            "properties": {
                "provisioningState": "Succeeded",
                "operationalState": "Running",
                "sku": {"name": "Standard_v2", "tier": "Standard_v2"},
                "sslCertificates": [_part(f"{id_}/sslCertificates/shop", {"publicCertData": "MII"})],
                "backendAddressPools": [
                    _part(f"{id_}/backendAddressPools/{one}", {"backendAddresses": self._addresses(one, ports)})
                    for one, ports in pools.items()
                ],
                "urlPathMaps": [_part(f"{id_}/urlPathMaps/{MAP}", by_path)],
                "requestRoutingRules": rules,
            },
        }
        self.put(id_, json.loads(json.dumps(body)), region)  # no part stands in two places
        self._carried[id_.lower()] = copy.deepcopy(self.at(id_)["properties"])
        return id_

    def leads(self, gateway: str, rule: str, path: str = "") -> str:
        """The name of the pool to which requests go now."""
        self.settle()
        return str(_place(self._carried[gateway.lower()], rule, path)["id"]).rpartition("/")[2]

    def requested(self, gateway: str, rule: str) -> int | None:
        """The port that the next request goes to."""
        pool = self.leads(gateway, rule)
        found = [at for name, at in self._servers.items() if name.startswith(f"{pool}-") and answers(at)]
        self._turn += 1
        return found[self._turn % len(found)] if found else None

    # ---- the API

    def application_gateways_get(self, ask: Ask) -> Body:
        body = self.told(ask.path)
        if self.silent and body["properties"]["provisioningState"] == "Updating":
            body["properties"]["provisioningState"] = "Succeeded"
        return body

    def application_gateways_create_or_update(self, ask: Ask) -> Told:
        self._supersede(ask.path.lower())
        self.asked(ask, ask.path)
        whole = self.at(ask.path)
        only_read = {"operationalState": whole["properties"]["operationalState"]}

        def change() -> None:
            """It is replaced: what is left out is gone."""
            kept = {key: whole[key] for key in ("id", "name", "type", "etag")}
            whole.clear()
            whole.update({**copy.deepcopy(ask.body), **kept})
            whole["properties"] = {**whole["properties"], **only_read, "provisioningState": "Updating"}

        def follow() -> None:
            self._carried[ask.path.lower()] = copy.deepcopy(ask.body["properties"])

        return self.replace(ask, "gateway", (ask.path,), change, follow, lambda: self.told(ask.path))

    def application_gateways_backend_health(self, ask: Ask) -> Any:
        gateway = ask.path.rpartition("/")[0]

        def told() -> Body:
            led = {self.leads(gateway, "http"), self.leads(gateway, "theirs"), self.leads(gateway, PATHS, "api")}
            return {"backendAddressPools": [self._health(gateway, pool) for pool in sorted(led)]}

        return told() if not self.health_seconds else self.question(ask, told)

    def application_gateways_backend_health_on_demand(self, ask: Ask) -> Any:
        gateway = ask.path.rpartition("/")[0]
        pool = self._health(gateway, str(ask.body["backendAddressPool"]["id"]).rpartition("/")[2])

        def told() -> Body:
            return {
                "backendAddressPool": pool["backendAddressPool"],
                "backendHealthHttpSettings": pool["backendHttpSettingsCollection"][0],
            }

        return told() if not self.health_seconds else self.question(ask, told)

    def _supersede(self, gateway: str) -> None:
        for one in [one for one in self._replacing if gateway in one.ids and one.operation.status == "InProgress"]:
            one.operation.status, one.operation.code = "Canceled", "CanceledAndSupersededDueToAnotherOperation"
            self._replacing.remove(one)

    def _health(self, gateway: str, pool: str) -> Body:
        servers = [
            {"address": name, "health": "Up" if answers(port) else "Down"}
            for name, port in self._servers.items()
            if name.startswith(f"{pool}-")
        ]
        settings = {"id": f"{gateway}/backendHttpSettingsCollection/plain"}
        return {
            # As the official example has it: not in the words of the resource's own id.
            "backendAddressPool": {"id": f"{gateway}/backendaddressPools/{pool}"},
            "backendHttpSettingsCollection": [{"backendHttpSettings": settings, "servers": servers}],
        }

    def _addresses(self, pool: str, ports: list[int]) -> list[Body]:
        names = [f"{pool}-{at}.internal" for at in range(len(ports))]
        self._servers.update(zip(names, ports, strict=True))
        return [{"fqdn": name} for name in names]


def _part(id_: str, properties: Body) -> Body:
    return {"id": id_, "name": id_.rpartition("/")[2], "properties": {**properties, "provisioningState": "Succeeded"}}


def _place(properties: Body, rule: str, path: str) -> Body:
    def named(listed: list[Body], name: str) -> Body:
        found: Body = next(one["properties"] for one in listed if one["name"] == name)
        return found

    found = named(properties["requestRoutingRules"], rule)
    if "urlPathMap" not in found:
        led: Body = found["backendAddressPool"]
        return led
    map_ = named(properties["urlPathMaps"], MAP)
    chosen: Body = named(map_["pathRules"], path)["backendAddressPool"] if path else map_["defaultBackendAddressPool"]
    return chosen
