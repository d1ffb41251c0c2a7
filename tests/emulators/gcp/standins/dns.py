"""Cloud DNS: managed zones, their record sets, and changes that are applied whole or not at all.

As Google documents it: a deletion must match what is there exactly (412 conditionNotMet), of a record set that is there
(404 notFound); an addition must find its place free (409 alreadyExists); what Google adds by itself (`kind`,
signatures) does not count. A change is pending, then done; "done" says nothing of the servers, so that what they answer
from (`published`) follows on its own.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.emulators.gcp.front import Refused

PROJECT = "shop-prod"
_ADDED = ("kind", "signatureRrdatas")
Labels = Mapping[str, str]


class CloudDns:
    """One project's. `pending_seconds`: until a change is done, and until the servers have it. `page`: record sets on a
    page. `signed`: the zone has DNSSEC, and record sets carry signatures that nobody gave."""

    def __init__(
        self, *, pending_seconds: float = 0.05, page: int = 100, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._pending, self._page = clock, pending_seconds, page
        self.signed = False
        self.domain = ""
        self.sets: dict[tuple[str, str], dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self._began: list[tuple[float, dict[tuple[str, str], dict[str, Any]]]] = []
        self._ids: set[str] = set()

    # ---- as an operator sets it up

    def zone(self, domain: str) -> None:
        self.domain = domain
        self.put(
            {"name": domain, "type": "SOA", "ttl": 21600, "rrdatas": [f"ns.{domain} hostmaster.{domain} 1 2 3 4 300"]},
            {"name": domain, "type": "NS", "ttl": 21600, "rrdatas": [f"ns.{domain}"]},
        )

    def put(self, *sets: Mapping[str, Any]) -> None:
        """At once, and seen by the servers."""
        for one in sets:
            self.sets[one["name"], one["type"]] = copy.deepcopy(dict(one))
        self._began = [(0.0, copy.deepcopy(self.sets))]

    def published(self) -> list[dict[str, Any]]:
        """What the servers answer from now."""
        now = self._clock()
        return list([sets for began, sets in self._began if now - began >= self._pending][-1].values())

    # ---- the API's methods

    def managed_zones_get(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        self._must_be_there(labels)
        return {
            "kind": "dns#managedZone",
            "name": "shop-example",
            "dnsName": self.domain,
            "visibility": "public",
            "dnssecConfig": {"state": "on" if self.signed else "off"},
        }

    def managed_zones_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        return {"managedZones": [self.managed_zones_get({**labels, "managedZone": "shop-example"}, query, body)]}

    def resource_record_sets_list(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        self._must_be_there(labels)
        if "type" in query and "name" not in query:
            raise Refused(400, "invalid", "A type is asked for with a name alone.")
        found = [
            self._told(one)
            for key, one in sorted(self.sets.items())
            if query.get("name") in (None, key[0]) and query.get("type") in (None, key[1])
        ]
        start = int(query.get("pageToken", "0"))
        page: dict[str, Any] = {
            "kind": "dns#resourceRecordSetsListResponse",
            "rrsets": found[start : start + self._page],
        }
        return page | ({"nextPageToken": str(start + self._page)} if start + self._page < len(found) else {})

    def resource_record_sets_create(self, labels: Labels, query: Labels, body: Mapping[str, Any]) -> dict[str, Any]:
        self.changes_create(labels, query, {"additions": [body]})
        return self._told(self.sets[body["name"], body["type"]])

    def changes_create(self, labels: Labels, query: Labels, body: Mapping[str, Any]) -> dict[str, Any]:
        self._must_be_there(labels)
        identifier = query.get("clientOperationId", "")
        if identifier and identifier in self._ids:
            raise Refused(409, "alreadyExists", f"The operation {identifier} exists.")
        after = dict(self.sets)
        for number, one in enumerate(body.get("deletions", ())):
            where, key = f"entity.change.deletions[{number}]", (one["name"], one["type"])
            if key not in after:
                raise Refused(404, "notFound", f"The '{where}' resource named '{key[0]} ({key[1]})' does not exist.")
            if _exactly(after[key]) != _exactly(one):
                raise Refused(412, "conditionNotMet", f"Precondition not met for '{where}'")
            del after[key]
        for number, one in enumerate(body.get("additions", ())):
            where, key = f"entity.change.additions[{number}]", (one["name"], one["type"])
            if key in after:
                raise Refused(
                    409, "alreadyExists", f"The '{where}' resource named '{key[0]} ({key[1]})' already exists"
                )
            _must_be_well(where, one, self.domain)
            after[key] = copy.deepcopy(dict(one))
        self.sets = after
        self._ids.add(identifier)
        self._began.append((self._clock(), copy.deepcopy(after)))
        self.changes.append({"at": self._clock(), "body": copy.deepcopy(dict(body)), "clientOperationId": identifier})
        return self._change(len(self.changes) - 1)

    def changes_get(self, labels: Labels, query: Labels, body: Any) -> dict[str, Any]:
        self._must_be_there(labels)
        if not labels["changeId"].isdigit() or int(labels["changeId"]) >= len(self.changes):
            raise Refused(404, "notFound", "There is no such change.")
        return self._change(int(labels["changeId"]))

    def _change(self, number: int) -> dict[str, Any]:
        one = self.changes[number]
        return {
            "kind": "dns#change",
            "id": str(number),
            "status": "done" if self._clock() - one["at"] >= self._pending else "pending",
            "startTime": "2026-01-01T00:00:00.000Z",
            **{key: value for key, value in one["body"].items() if key in ("additions", "deletions")},
        }

    def _told(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """With what Google adds."""
        more: dict[str, Any] = {"kind": "dns#resourceRecordSet"}
        if self.signed and "rrdatas" in one:
            more["signatureRrdatas"] = ["A 8 3 60 20300101000000 20200101000000 1 example. c2lnbmVk"]
        return {**copy.deepcopy(dict(one)), **more}

    def _must_be_there(self, labels: Labels) -> None:
        if labels["project"] != PROJECT:
            raise Refused(403, "forbidden", "The caller does not have permission", "PERMISSION_DENIED")
        if labels["managedZone"] != "shop-example":
            raise Refused(
                404, "notFound", f"The 'parameters.managedZone' resource named '{labels['managedZone']}' is not."
            )


def _must_be_well(where: str, one: Mapping[str, Any], domain: str) -> None:
    """What Google refuses of an addition, as far as it is documented."""
    policy = one.get("routingPolicy")
    if bool(one.get("rrdatas")) == bool(policy):
        raise Refused(400, "invalid", f"'{where}' has rrdatas or a routing policy, one of the two.")
    if not f".{one['name']}".endswith(f".{domain}"):
        raise Refused(400, "invalid", f"'{where}' is outside of the zone.")
    if one["type"] == "TXT" and any(not text.startswith('"') for text in one["rrdatas"]):
        raise Refused(400, "invalid", f"'{where}': a text stands in quotes.")
    if policy:
        for kind in ("wrr", "geo"):
            _items_must_be_well(where, policy[kind]["items"]) if kind in policy else None
        if "primaryBackup" in policy:
            both = policy["primaryBackup"]
            if not any(both["primaryTargets"].values()):
                raise Refused(400, "invalid", f"'{where}' has no primary targets.")
            if not 0 <= both.get("trickleTraffic", 0) <= 1:
                raise Refused(400, "invalid", f"'{where}': trickleTraffic is a share.")
            _items_must_be_well(where, both["backupGeoTargets"]["items"])
        checked = "externalEndpoints" in json.dumps(policy)
        if checked and not policy.get("healthCheck"):
            raise Refused(400, "required", f"'{where}' has external endpoints and no health check.")


def _items_must_be_well(where: str, items: list[Mapping[str, Any]]) -> None:
    places = [one["location"] for one in items if "location" in one]
    if not items or len(places) != len(set(places)):
        raise Refused(400, "invalid", f"'{where}' has no items, or two of one location.")
    if any(not one.get("rrdatas") and not one.get("healthCheckedTargets") for one in items):
        raise Refused(400, "invalid", f"'{where}' has an item that answers nothing.")
    if len({bool(one.get("healthCheckedTargets")) for one in items}) > 1:
        raise Refused(400, "invalid", f"'{where}' mixes targets that are health-checked with others.")
    if any(one.get("weight", 0) < 0 for one in items):
        raise Refused(400, "invalid", f"'{where}' has a weight below zero.")


def _exactly(one: Mapping[str, Any]) -> dict[str, Any]:
    """The order of values counts for nothing, nor how a number is written."""
    kept = {key: value for key, value in one.items() if key not in _ADDED}
    return {**kept, "rrdatas": sorted(kept.get("rrdatas", ()))}
