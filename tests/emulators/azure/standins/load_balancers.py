"""Load balancers of Microsoft.Network, regional and global, and whom they send new connections to.

As its documentation has it ("Administrative State (Admin State) in Azure Load Balancer"): an address that is Down takes
no new connection; one that is Up takes them whatever the probe sees; any other one while its probe succeeds. Where no
address is eligible there is nobody to connect to. A rule without a probe knows no state at all.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Told
from tests.emulators.azure.standins.arm import GROUP
from tests.emulators.azure.standins.replaced import Body, Replaced
from tests.emulators.listening import answers

NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
POOL, RULE = "all", "http"


class LoadBalancers(Replaced):
    """`health_seconds`: how long it takes to tell what a probe sees; 0 is at once, without an operation."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.health_seconds = 0.0
        self._ports: dict[str, int] = {}
        self._states: dict[str, dict[str, str]] = {}
        self._turn = 0

    # ---- for tests

    def balancer(self, name: str, region: str, ports: dict[str, int], *, tier: str = "Regional", **states: str) -> str:
        """ports: address -> the port on loopback that stands for it. states: address -> its administrative state.
        Returns the pool's id."""
        id_ = f"{NETWORK}/loadBalancers/{name}"
        addresses = [self._address(one, at, tier, states.get(one)) for at, one in enumerate(ports)]
        pool = {
            "id": f"{id_}/backendAddressPools/{POOL}",
            "name": POOL,
            "properties": {"provisioningState": "Succeeded", "loadBalancerBackendAddresses": addresses},
        }
        probe = {"id": f"{id_}/probes/live"}
        rule = {
            "id": f"{id_}/loadBalancingRules/{RULE}",
            "name": RULE,
            "properties": {
                "protocol": "Tcp",
                "frontendPort": 80,
                "backendAddressPool": {"id": pool["id"]},
                **({"probe": probe} if tier == "Regional" else {}),
            },
        }
        body = {
            "type": "Microsoft.Network/loadBalancers",
            "location": region,
            "tags": {"team": "shop"},
            "sku": {"name": "Standard", "tier": tier},
            "properties": {
                "provisioningState": "Succeeded",
                "backendAddressPools": [pool],
                "loadBalancingRules": [rule],
                "frontendIPConfigurations": [],
            },
        }
        self.put(id_, body, region)
        self._ports.update(ports)
        self._states[id_.lower()] = {one: states.get(one, "None") for one in ports}
        return str(pool["id"])

    def addresses(self, pool: str) -> dict[str, Body]:
        return {str(one["name"]): one for one in self.pool(pool)["properties"]["loadBalancerBackendAddresses"]}

    def pool(self, pool: str) -> Body:
        found: Body = next(
            one for one in self.at(_balancer(pool))["properties"]["backendAddressPools"] if one["id"] == pool
        )
        return found

    def by_hand(self, pool: str, address: str, state: str) -> None:
        self.addresses(pool)[address]["properties"]["adminState"] = state
        self._states[_balancer(pool).lower()][address] = state
        self.touch(_balancer(pool))

    def eligible(self, pool: str) -> list[int]:
        """The ports to which new connections go."""
        self.settle()
        held = self._states[_balancer(pool).lower()]
        return [
            self._ports[one]
            for one, state in held.items()
            if state != "Down" and (state == "Up" or answers(self._ports[one]))
        ]

    def takes(self, pool: str) -> int | None:
        """Where the next new connection goes."""
        found, self._turn = self.eligible(pool), self._turn + 1
        return found[self._turn % len(found)] if found else None

    # ---- the API

    def load_balancers_get(self, ask: Ask) -> Body:
        return self.told(ask.path)

    def load_balancer_backend_address_pools_create_or_update(self, ask: Ask) -> Told:
        balancer = _balancer(ask.path)
        self.asked(ask, balancer)
        pool = self.pool(str(self._named(balancer, ask.path)["id"]))
        held = self._states[balancer.lower()]

        def change() -> None:
            """It is replaced: what is left out is gone."""
            pool["properties"] = {**copy.deepcopy(ask.body["properties"]), "provisioningState": "Updating"}

        def follow() -> None:
            held.clear()
            for one in ask.body["properties"]["loadBalancerBackendAddresses"]:
                held[one["name"]] = one["properties"].get("adminState", "None")
            pool["properties"]["provisioningState"] = "Succeeded"

        return self.replace(ask, "pool", (balancer,), change, follow, lambda: copy.deepcopy(pool))

    def load_balancer_load_balancing_rules_health(self, ask: Ask) -> Any:
        balancer = ask.path.rsplit("/", 3)[0]
        addresses = self.at(balancer)["properties"]["backendAddressPools"][0]["properties"][
            "loadBalancerBackendAddresses"
        ]

        def told() -> Body:
            states = [
                {
                    "ipAddress": one["properties"].get("ipAddress", ""),
                    "state": "Up" if answers(self._ports[one["name"]]) else "Down",
                }
                for one in addresses
            ]
            well = sum(one["state"] == "Up" for one in states)
            return {"up": well, "down": len(states) - well, "loadBalancerBackendAddresses": states}

        return told() if not self.health_seconds else self.question(ask, told)

    def question(self, ask: Ask, answer: Any) -> Told:
        """An operation that changes nothing, and whose place gives the answer in the end."""
        style, self.style = self.style, "location"
        seconds, self.seconds = self.seconds, self.health_seconds
        try:
            return self.order(ask, "question", ask.path, lambda: None, answer)
        finally:
            self.style, self.seconds = style, seconds
            self.orders.pop()

    def _named(self, balancer: str, pool: str) -> Body:
        name = pool.rpartition("/")[2].lower()
        found: Body = next(
            one for one in self.at(balancer)["properties"]["backendAddressPools"] if one["name"].lower() == name
        )
        return found

    def _address(self, name: str, at: int, tier: str, state: str | None) -> Body:
        where: Body = {"ipAddress": f"10.{at}.0.4", "virtualNetwork": {"id": f"{NETWORK}/virtualNetworks/main"}}
        if tier == "Global":
            frontend = f"{NETWORK}/loadBalancers/{name}/frontendIPConfigurations/public"
            where = {"loadBalancerFrontendIPConfiguration": {"id": frontend}}
        return {"name": name, "properties": {**where, **({"adminState": state} if state else {})}}


def _balancer(pool: str) -> str:
    return pool.rsplit("/", 2)[0]
