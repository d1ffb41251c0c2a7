"""ElastiCache's global datastores, whose failover takes its time.

As its documentation has it: FailoverGlobalReplicationGroup names the member that is to be the primary, by region and
id; it is accepted at once; the datastore is `modifying` until the roles have changed, and refuses another failover for
so long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Hours, RealHours, Refused


@dataclass
class Datastore:
    """`members`: the replication groups' ids by region."""

    name: str
    members: dict[str, str]
    primary: str
    status: str = "available"
    unreachable: set[str] = field(default_factory=set)


class GlobalDatastores:
    """`failover_seconds`: from a failover's acceptance to the new roles; None: it never ends. `on_failover` is called
    with the datastore and the new primary's region when the roles have changed."""

    def __init__(
        self,
        hours: Hours | None = None,
        on_failover: Callable[[str, str], None] | None = None,
        account: str = "123456789012",
    ) -> None:
        self.hours = hours or RealHours()
        self.failover_seconds: float | None = 0.0
        # Each failover that was accepted, for tests to count: (datastore, region).
        self.failovers: list[tuple[str, str]] = []
        self._on_failover = on_failover or (lambda name, region: None)
        self._account = account
        self._stores: dict[str, Datastore] = {}

    def datastore(self, name: str, members: dict[str, str], primary: str) -> Datastore:
        self._stores[name] = Datastore(name, members, primary)
        return self._stores[name]

    def describe_global_replication_groups(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        name = given.get("GlobalReplicationGroupId")
        found = [self._find(name)] if name else list(self._stores.values())
        start, size = int(given.get("Marker", "0")), given.get("MaxRecords", 100)
        page = [self._described(one, given.get("ShowMemberInfo", False)) for one in found[start : start + size]]
        more = {"Marker": str(start + size)} if start + size < len(found) else {}
        return {"GlobalReplicationGroups": page, **more}

    def describe_replication_groups(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        """Those members that stand in the region that is asked."""
        here = [
            (store, group)
            for store in self._stores.values()
            for region, group in store.members.items()
            if region == what.region and given.get("ReplicationGroupId", group) == group
        ]
        if not here and "ReplicationGroupId" in given:
            raise Refused("ReplicationGroupNotFoundFault", f"There is no {given['ReplicationGroupId']} here.")
        return {
            "ReplicationGroups": [
                {
                    "ReplicationGroupId": group,
                    "Status": store.status,
                    "GlobalReplicationGroupInfo": {
                        "GlobalReplicationGroupId": store.name,
                        "GlobalReplicationGroupMemberRole": _role(store, what.region),
                    },
                }
                for store, group in here
            ]
        }

    def failover_global_replication_group(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        store = self._find(given["GlobalReplicationGroupId"])
        region = given["PrimaryRegion"]
        if store.members.get(region) != given["PrimaryReplicationGroupId"]:
            raise Refused("InvalidParameterValueException", f"{region} has no such member of {store.name}.")
        if store.status != "available":
            raise Refused("InvalidGlobalReplicationGroupStateFault", f"{store.name} is {store.status}.")
        if store.primary == region:
            raise Refused("InvalidParameterValueException", f"{region} is the primary of {store.name} already.")
        self.failovers.append((store.name, region))
        store.status = "modifying"

        def done() -> None:
            store.primary, store.status = region, "available"
            self._on_failover(store.name, region)

        if self.failover_seconds == 0:
            done()
        elif self.failover_seconds is not None:
            self.hours.at(self.failover_seconds, done)
        return {"GlobalReplicationGroup": self._described(store, True)}

    def _find(self, name: str) -> Datastore:
        if name not in self._stores:
            raise Refused("GlobalReplicationGroupNotFoundFault", f"There is no {name}.")
        return self._stores[name]

    def _described(self, store: Datastore, with_members: bool) -> dict[str, Any]:
        members = [
            {
                "ReplicationGroupId": group,
                "ReplicationGroupRegion": region,
                "Role": _role(store, region),
                "AutomaticFailover": "enabled",
                "Status": "unavailable" if region in store.unreachable else "associated",
            }
            for region, group in store.members.items()
        ]
        return {
            "GlobalReplicationGroupId": store.name,
            "GlobalReplicationGroupDescription": store.name,
            "Status": store.status,
            "Engine": "redis",
            "EngineVersion": "7.1",
            "ClusterEnabled": False,
            "ARN": f"arn:aws:elasticache::{self._account}:globalreplicationgroup:{store.name}",
            **({"Members": members} if with_members else {}),
        }


def _role(store: Datastore, region: str) -> str:
    return "PRIMARY" if store.primary == region else "SECONDARY"
