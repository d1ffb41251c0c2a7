"""Azure DNS, public and private zones: record sets under ETags, which a PUT replaces whole.

As the references have it (Record Sets, 2018-05-01; private DNS, 2024-06-01): If-Match is an ETag that must be so, a new
one is made by each change, and a record set without records is refused.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.emulators.azure.front import SUBSCRIPTION, Ask, Refused, Told
from tests.emulators.azure.standins.arm import GROUP, Resources

NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
_TYPES = {"arecords": "A", "aaaarecords": "AAAA", "cnamerecord": "CNAME"}


class Zones(Resources):
    """`obeying`: while it is not set, changes are accepted and have no effect. puts: bodies, as they came."""

    def __init__(self, *, private: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.private = private
        self.service = "privatedns" if private else "dns"
        self.puts: list[dict[str, Any]] = []

    def zone(self, domain: str) -> str:
        sort = "privateDnsZones" if self.private else "dnsZones"
        return self.put(f"{NETWORK}/{sort}/{domain}", {"location": "global"})

    def record(self, zone: str, name: str, values: list[str], ttl: int = 60, kind: str = "A", **more: Any) -> str:
        inner = {"A": "ipv4Address", "AAAA": "ipv6Address", "CNAME": "cname"}[kind]
        items: Any = [{inner: value} for value in values]
        key = {"A": "ARecords", "AAAA": "AAAARecords", "CNAME": "CNAMERecord"}[kind]
        if self.private:
            key = {"A": "aRecords", "AAAA": "aaaaRecords", "CNAME": "cnameRecord"}[kind]
        told = {"ttl" if self.private else "TTL": ttl, key: items[0] if kind == "CNAME" else items, **more}
        return self.put(f"{zone}/{kind}/{name}", {"properties": told})

    def zones_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    private_zones_get = zones_get

    def record_sets_get(self, ask: Ask) -> dict[str, Any]:
        return self.at(ask.path)

    def record_sets_create_or_update(self, ask: Ask) -> Told:
        self.matched(ask, ask.path)
        told = {key.lower(): value for key, value in ask.body["properties"].items()}
        if not any(told.get(key) for key in _TYPES) and not told.get("targetresource"):
            raise Refused(400, "BadRequest", "The record set has no records.")
        before = self.has(ask.path)
        self.puts.append(copy.deepcopy(ask.body))
        self.orders.append(("record set", ask.path))
        if not self.obeying:
            return Told({**ask.body, "etag": "accepted"}, 200 if before else 201)
        self.put(ask.path, ask.body)
        return Told(self.at(ask.path), 200 if before else 201)

    def published(self) -> list[dict[str, Any]]:
        """All record sets, in the shape that the name server (aws/zone_server.py) keeps them."""
        found = []
        for id_, body in list(self._bodies.items()):
            parts = id_.split("/")
            if len(parts) < 2 or "properties" not in body:
                continue
            told = {key.lower(): value for key, value in body["properties"].items()}
            key = next((key for key in _TYPES if told.get(key)), None)
            if key is None:
                continue
            items = told[key] if isinstance(told[key], list) else [told[key]]
            name, domain = parts[-1], parts[-3]
            whole = f"{domain}." if name == "@" else f"{name}.{domain}."
            values = [{"Value": next(iter(one.values()))} for one in items]
            record = {"Name": whole, "Type": _TYPES[key], "TTL": told["ttl"], "ResourceRecords": values}
            found.append(record)
        return found
