"""An account of Cosmos DB as Resource Manager has it: which region takes writes, which comes next, and the two orders
that change it.

`failoverPriorityChange` moves the write region while all are well: the new one has everything before it takes over. It
takes the whole list, each priority once, 0 for the write region; "in the event of a write region outage, don't use
change-write region", and an account that fails over by itself refuses it. `offlineRegion` is for the outage: the
region is taken out of the account, and if it was the write region, the one of the best priority among the rest takes
its place, whichever that is, without what was not replicated. It cannot be undone from here: "the Azure Cosmos DB
service team handles bringing back the region online", in three days or more, after a drill by a support request. So the
API's `onlineRegion` is not ordered by cloudfail.

An account takes one change at a time, and `provisioningState` is not Succeeded until then. It has no ETag that a change
would be held against.

Sources: API 2026-03-15 of Microsoft.DocumentDB; "Manage an Azure Cosmos DB account", "Disaster recovery guidance for
Azure Cosmos DB", "Consistency levels" (learn.microsoft.com/azure/cosmos-db/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import Transient
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.paths import name_of, plain_region, same
from cloudfail_azure.under_way import followed

API = "2026-03-15"
SUCCEEDED = "Succeeded"
STRONG, BOUNDED = "Strong", "BoundedStaleness"
FOLLOW_SECONDS = 3.0
"""For so long an order that was taken is looked at, so that one which fails at once is told in Azure's words."""


@dataclass(frozen=True)
class Account:
    """One answer of databaseAccounts.get. Regions as Azure's tools write them (westeurope). state: `provisioningState`.
    writes: which take writes. priorities: by priority, 0 first. names: region -> as this account words it. there: those
    that the account has in service. interval_seconds: of bounded staleness. automatic: it fails over by itself."""

    id: str
    state: str
    writes: tuple[str, ...]
    priorities: tuple[str, ...]
    names: Mapping[str, str]
    there: tuple[str, ...]
    many: bool
    consistency: str
    interval_seconds: float
    automatic: bool
    properties: Mapping[str, Any]
    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        return name_of(self.id)

    @property
    def version(self) -> str:
        return f"{self.state}/{'+'.join(self.writes)}/{','.join(self.priorities)}"

    def next_after(self, region: str) -> str | None:
        """Which region takes writes once that one is taken out of the account."""
        return next((one for one in self.priorities if one != region and one in self.there), None)

    def named(self, region: str) -> str:
        return self.names.get(region, region)


class Accounts:
    """The account of one resource."""

    def __init__(self, asking: Asking, id_: str, *, seconds: float) -> None:
        self.asking = asking
        self.id = id_
        self.seconds = seconds

    @property
    def name(self) -> str:
        return name_of(self.id)

    def describe(self, region: str, *, within: float | None = None) -> Account:
        """region: whose roles ask. Raises Transient, Permanent, OutcomeUnknown."""
        bound = self.seconds if within is None else min(within, self.seconds)
        told = self.asking.read(region, self.id, API, within=bound)
        properties = told.get("properties") or {}
        policies = properties.get("failoverPolicies")
        if not same(str(told.get("id", "")), self.id) or not policies or not properties.get("provisioningState"):
            raise Transient(f"Azure answers, and does not tell what {self.name} is.")
        ordered = sorted(policies, key=lambda one: int(one.get("failoverPriority") or 0))
        names = {
            place_of(one): str(one.get("locationName", ""))
            for key in ("failoverPolicies", "locations", "readLocations", "writeLocations")
            for one in properties.get(key) or ()
        }
        policy = properties.get("consistencyPolicy") or {}
        return Account(
            self.id,
            str(properties["provisioningState"]),
            tuple(place_of(one) for one in properties.get("writeLocations") or ()),
            tuple(place_of(one) for one in ordered),
            names,
            tuple(place_of(one) for one in properties.get("readLocations") or ()),
            bool(properties.get("enableMultipleWriteLocations")),
            str(policy.get("defaultConsistencyLevel") or ""),
            float(policy.get("maxIntervalInSeconds") or 0.0),
            bool(properties.get("enableAutomaticFailover")),
            properties,
            told,
        )

    def take_offline(self, region: str, target: str, account: Account, call: Call) -> None:
        """The forced failover out of that region, asked for with the roles of `target`."""
        body = {"region": account.named(region)}
        self._order(target, "offlineRegion", body, f"offlineRegion {body['region']} of {account.name}", call)

    def change_writer(self, source: str, target: str, account: Account, call: Call) -> None:
        """The two change places in the list; all others stay."""
        swapped = {source: target, target: source}
        policies = [
            {"locationName": account.named(swapped.get(region, region)), "failoverPriority": priority}
            for priority, region in enumerate(account.priorities)
        ]
        what = f"failoverPriorityChange of {account.name} to {account.named(target)}"
        self._order(target, "failoverPriorityChange", {"failoverPolicies": policies}, what, call)

    def _order(self, region: str, operation: str, body: Mapping[str, Any], what: str, call: Call) -> None:
        timed = TimeLeft(call)
        reply = self.asking.change(region, "POST", f"{self.id}/{operation}", API, call=timed.rest(), body=body)
        followed(self.asking, region, reply, what, within=min(FOLLOW_SECONDS, timed.seconds))


def place_of(location: Mapping[str, Any]) -> str:
    """The region of one of an account's locations."""
    return plain_region(str(location.get("locationName", "")))
