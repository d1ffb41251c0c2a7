"""Network security groups of Microsoft.Network, the subnets that they guard, and whom they let in and out.

A rule is written and deleted by a long-running operation: it is told at once, as Updating, and packets follow at its
end. A group takes one operation at a time, and refuses the next as 429 RetryableError; two rules of one direction never
have one priority. A connection that was made before goes on, whatever the rules say: they are asked for new ones alone.
"""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Operation, Resources

NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
GROUPS = f"{NETWORK}/networkSecurityGroups"
VNET = ipaddress.ip_network("10.0.0.0/8")
Body = dict[str, Any]


class SecurityGroups(Resources):
    service = "network"

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._held: dict[str, list[Body]] = {}
        self._running: set[str] = set()
        self._undone: list[tuple[Operation, str, str, Body | None]] = []

    # ---- for tests

    def group(self, name: str, region: str, subnet: str, **tags: str) -> str:
        body = {
            "type": "Microsoft.Network/networkSecurityGroups",
            "location": region,
            "tags": {"team": "shop", **tags},
            "properties": {"provisioningState": "Succeeded", "securityRules": [], "subnets": [{"id": subnet}]},
        }
        made = self.put(f"{GROUPS}/{name}", body, region)
        guarded = {"provisioningState": "Succeeded", "networkSecurityGroup": {"id": made}}
        self.put(subnet, {"properties": guarded}, region)
        self._held[made.lower()] = []
        return made

    def set_rule(self, group: str, name: str, priority: int, access: str, source: str, ports: str, **more: Any) -> None:
        """By hand, at once; of what comes in, unless `more` says otherwise."""
        properties = {
            "protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": ports, "sourceAddressPrefix": source,
            "destinationAddressPrefix": "*", "access": access, "priority": priority, "direction": "Inbound",
        }  # fmt: skip
        self._replace(group, name, {"name": name, "properties": {**properties, **more}})
        self._hold(group)

    def remove_rule(self, group: str, name: str) -> None:
        """By hand, at once."""
        self._replace(group, name, None)
        self._hold(group)

    def rules(self, group: str) -> dict[str, Body]:
        return {one["name"]: one["properties"] for one in self.at(group)["properties"]["securityRules"]}

    def tags(self, group: str) -> dict[str, str]:
        return dict(self.at(group)["tags"])

    def lets_in(self, group: str, source: str, port: int) -> bool:
        """Whether a new connection from there to that port is let in, by the rules that hold now."""
        decided = self._decided(group, "Inbound", source, port)
        return ipaddress.ip_address(source) in VNET if decided is None else decided

    def lets_out(self, group: str, to: str, port: int) -> bool:
        """The same of what goes there. Azure's own rules let everything out: to the network, and to the internet."""
        return self._decided(group, "Outbound", to, port) is not False

    def _decided(self, group: str, direction: str, peer: str, port: int) -> bool | None:
        self.settle()
        for rule in sorted(self._held[group.lower()], key=lambda one: int(one["properties"]["priority"])):
            told = rule["properties"]
            if told["direction"] == direction and _is_of(told, direction, peer) and _meets(told, port):
                return bool(told["access"] == "Allow")
        return None

    # ---- the API

    def subnets_get(self, ask: Ask) -> Body:
        return self.at(ask.path)

    def network_security_groups_get(self, ask: Ask) -> Body:
        return self.at(ask.path)

    def network_security_groups_update_tags(self, ask: Ask) -> Body:
        self.matched(ask, ask.path)
        self._free(ask.path)
        self.at(ask.path)["tags"] = dict(ask.body["tags"])
        self.touch(ask.path)
        return self.at(ask.path)

    def security_rules_create_or_update(self, ask: Ask) -> Told:
        group, name = ask.path.rsplit("/", 2)[0].lower(), ask.labels["securityRuleName"]
        self._free(group)
        told = ask.body["properties"]
        for other, one in self.rules(group).items():
            same = (one["priority"], one["direction"]) == (told["priority"], told["direction"])
            if same and other.lower() != name.lower():
                raise Refused(400, "SecurityRuleConflict", f"{other} has the same Priority and Direction.")
        before = self._found(group, name)
        rule = {"id": ask.path, "name": name, "properties": {**told, "provisioningState": "Succeeded"}}
        return self._begin(ask, group, name, rule, before, 200 if before else 201)

    def security_rules_delete(self, ask: Ask) -> Told:
        group, name = ask.path.rsplit("/", 2)[0].lower(), ask.labels["securityRuleName"]
        self._free(group)
        before = self._found(group, name)
        return self._begin(ask, group, name, None, before, 202) if before else Told(None, 204)

    # ---- inside

    def _free(self, group: str) -> None:
        self.settle()
        if group.lower() in self._running and self.busy():
            raise Refused(429, "RetryableError", f"Another operation is updating {group}.")
        self._running.discard(group.lower())

    def _begin(self, ask: Ask, group: str, name: str, rule: Body | None, before: Body | None, status: int) -> Told:
        """One that ends otherwise than well is told as Failed, and packets go as before."""
        self._running.add(group)
        told = copy.deepcopy(rule or before)
        assert told is not None
        told["properties"]["provisioningState"] = "Updating" if rule else "Deleting"
        self._replace(group, name, told)

        def ends() -> None:
            self._replace(group, name, rule)
            self._hold(group)

        style, self.style = self.style, self.style if rule else "location"
        try:
            body = copy.deepcopy(told) if rule else None
            given = self.order(ask, "rule", ask.path, ends, lambda: rule, status=status, body=body)
        finally:
            self.style = style
        self._undone.append((next(reversed(self._operations.values())), group, name, before))
        return given

    def settle(self) -> None:
        super().settle()
        for one in [one for one in self._undone if one[0].status != "InProgress"]:
            self._undone.remove(one)
            operation, group, name, before = one
            if operation.status == "Succeeded" and not self.obeying:
                self._replace(group, name, before)
            elif operation.status != "Succeeded":
                self.rules(group)[name]["provisioningState"] = "Failed"

    def _found(self, group: str, name: str) -> Body | None:
        rules = self.at(group)["properties"]["securityRules"]
        return next((copy.deepcopy(one) for one in rules if one["name"].lower() == name.lower()), None)

    def _hold(self, group: str) -> None:
        self._held[group.lower()] = copy.deepcopy(self._bodies[group.lower()]["properties"]["securityRules"])

    def _replace(self, group: str, name: str, rule: Body | None) -> None:
        properties = self._bodies[group.lower()]["properties"]
        kept = [one for one in properties["securityRules"] if one["name"].lower() != name.lower()]
        properties["securityRules"] = [*kept, *([rule] if rule else [])]
        self.touch(group)


def _is_of(told: Body, direction: str, peer: str) -> bool:
    far = "source" if direction == "Inbound" else "destination"
    prefixes = [told.get(f"{far}AddressPrefix"), *(told.get(f"{far}AddressPrefixes") or ())]
    address = ipaddress.ip_address(peer)
    return any(one == "*" or address in ipaddress.ip_network(one) for one in prefixes if one)


def _meets(told: Body, port: int) -> bool:
    for one in (told.get("destinationPortRange"), *(told.get("destinationPortRanges") or ())):
        first, _, last = (one or "0").partition("-")
        if one == "*" or int(first) <= port <= int(last or first):
            return True
    return False
