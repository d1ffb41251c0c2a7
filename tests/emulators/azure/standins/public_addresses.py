"""Public IP addresses of Microsoft.Network, the network interfaces and frontends of balancers that hold them, and where
packets to an address arrive.

An IP configuration has one public address at most, and an address one holder ("Public IP addresses"): an interface that
is written with an address that another one holds is refused. A swap gives each of two frontends the other's.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.azure.front import Ask, Refused, Told
from tests.emulators.azure.standins.load_balancers import NETWORK
from tests.emulators.azure.standins.replaced import Body, Replaced


class PublicAddresses(Replaced):
    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._carriers: dict[str, str] = {}

    # ---- for tests

    def address(self, name: str, region: str, ip: str, **tags: str) -> str:
        body = {
            "type": "Microsoft.Network/publicIPAddresses",
            "location": region,
            "tags": {"team": "shop", **tags},
            "sku": {"name": "Standard", "tier": "Regional"},
            "properties": {
                "provisioningState": "Succeeded",
                "publicIPAllocationMethod": "Static",
                "ipAddress": ip,
            },
        }
        return self.put(f"{NETWORK}/publicIPAddresses/{name}", body, region)

    def interface(self, name: str, region: str, address: str = "") -> str:
        """Returns the id of its one IP configuration."""
        id_ = f"{NETWORK}/networkInterfaces/{name}"
        config = {
            "id": f"{id_}/ipConfigurations/first",
            "name": "first",
            "properties": {
                "provisioningState": "Succeeded",
                "primary": True,
                "privateIPAddress": "10.0.0.4",
                "subnet": {"id": f"{NETWORK}/virtualNetworks/main/subnets/web"},
            },
        }
        body = {
            "type": "Microsoft.Network/networkInterfaces",
            "location": region,
            "tags": {"team": "shop"},
            "properties": {
                "provisioningState": "Succeeded",
                "enableIPForwarding": True,
                "ipConfigurations": [config],
            },
        }
        self.put(id_, body, region)
        self.hold(str(config["id"]), address)
        return str(config["id"])

    def public_frontend(self, name: str, region: str, address: str) -> str:
        """Returns the id of a balancer's one frontend."""
        id_ = f"{NETWORK}/loadBalancers/{name}"
        frontend = {"id": f"{id_}/frontendIPConfigurations/public", "name": "public", "properties": {}}
        body = {
            "type": "Microsoft.Network/loadBalancers",
            "location": region,
            "sku": {"name": "Standard", "tier": "Regional"},
            "properties": {"provisioningState": "Succeeded", "frontendIPConfigurations": [frontend]},
        }
        self.put(id_, body, region)
        self.hold(str(frontend["id"]), address)
        return str(frontend["id"])

    def hold(self, holder: str, address: str) -> None:
        """By hand, at once; "" lets go."""
        self._tell(holder, address)
        self._carry(holder, address)
        self.touch(_above(holder))

    def remove_interface(self, holder: str) -> None:
        self._bodies.pop(_above(holder).lower())

    def carries(self, address: str) -> str:
        """The holder at which packets to it arrive; "" for nobody."""
        self.settle()
        return self._carriers.get(address.lower(), "")

    def held(self, holder: str) -> str:
        """The address that its interface or balancer tells."""
        return str((self._config(holder)["properties"].get("publicIPAddress") or {}).get("id", ""))

    # ---- the API

    def public_ip_addresses_get(self, ask: Ask) -> Body:
        return self._of_address(ask.path)

    def public_ip_addresses_update_tags(self, ask: Ask) -> Body:
        self.matched(ask, ask.path)
        self.at(ask.path)["tags"] = dict(ask.body["tags"])
        self.touch(ask.path)
        return self._of_address(ask.path)

    def network_interfaces_get(self, ask: Ask) -> Body:
        return self.told(ask.path)

    def load_balancers_get(self, ask: Ask) -> Body:
        return self.told(ask.path)

    def network_interfaces_create_or_update(self, ask: Ask) -> Told:
        self.asked(ask, ask.path)
        whole = self.at(ask.path)
        config = ask.body["properties"]["ipConfigurations"][0]
        holder = str(whole["properties"]["ipConfigurations"][0]["id"])
        address = str((config["properties"].get("publicIPAddress") or {}).get("id", ""))
        if address and self._told_holder(address) not in ("", holder):
            raise Refused(400, "PublicIPAddressInUse", f"Resource {holder} uses {address}, which is in use.")

        def change() -> None:
            """It is replaced: what is left out is gone."""
            kept = {key: whole[key] for key in ("id", "name", "type", "etag")}
            whole.clear()
            whole.update({**copy.deepcopy(ask.body), **kept})

        return self.replace(
            ask, "interface", (ask.path,), change, lambda: self._carry(holder, address), lambda: self.told(ask.path)
        )

    def load_balancers_swap_public_ip_addresses(self, ask: Ask) -> Told:
        wanted = {
            str(one["id"]): str(one["properties"]["publicIPAddress"]["id"])
            for one in ask.body["frontendIPConfigurations"]
        }
        balancers = tuple(_above(holder) for holder in wanted)
        self.asked(ask, *balancers)
        if {self.held(holder).lower() for holder in wanted} != {address.lower() for address in wanted.values()}:
            raise Refused(400, "LoadBalancerFrontendsNotSwappable", "These are not the addresses of these frontends.")

        def change() -> None:
            for holder, address in wanted.items():
                self._tell(holder, address)

        def follow() -> None:
            for address in wanted.values():
                self._carriers.pop(address.lower(), None)
            for holder, address in wanted.items():
                self._carry(holder, address)

        style, self.style = self.style, "location"
        try:
            return self.replace(ask, "swap", balancers, change, follow, lambda: None, status=202)
        finally:
            self.style = style

    # ---- inside

    def _of_address(self, id_: str) -> Body:
        body = copy.deepcopy(self.at(id_))
        if holder := self._told_holder(str(body["id"])):
            body["properties"]["ipConfiguration"] = {"id": holder}
        return body

    def _told_holder(self, address: str) -> str:
        for body in self._bodies.values():
            for listed in ("ipConfigurations", "frontendIPConfigurations"):
                for one in body["properties"].get(listed, ()):
                    held = str((one["properties"].get("publicIPAddress") or {}).get("id", ""))
                    if held.lower() == address.lower():
                        return str(one["id"])
        return ""

    def _config(self, holder: str) -> Body:
        properties = self._bodies[_above(holder).lower()]["properties"]
        listed = properties.get("ipConfigurations") or properties["frontendIPConfigurations"]
        found: Body = next(one for one in listed if one["id"] == holder)
        return found

    def _tell(self, holder: str, address: str) -> None:
        config = self._config(holder)["properties"]
        config.pop("publicIPAddress", None)
        if address:
            config["publicIPAddress"] = {"id": address}

    def _carry(self, holder: str, address: str) -> None:
        self._carriers = {one: by for one, by in self._carriers.items() if by != holder}
        if address:
            self._carriers[address.lower()] = holder


def _above(holder: str) -> str:
    return holder.rsplit("/", 2)[0]
