"""What plan, lint and approval screen know of Cosmos DB's two kinds, and what they call, as Azure RBAC names it. It
imports no vendor library.

Source: "Azure permissions for Databases" (learn.microsoft.com/azure/role-based-access-control/permissions/databases).
Documents are asked for under the account's own RBAC, which knows no Azure role: docs/azure.md has the commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Grant, Kind, Permissions, VerbFacts
from cloudfail_azure.database.cosmos_options import CosmosMember, CosmosOptions
from cloudfail_azure.grants import stated
from cloudfail_azure.paths import subscription_of

_ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
_STATUS = "Microsoft.DocumentDB/locations/operationsStatus/read"


def _cosmos_db(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.database import cosmos_db

    return cosmos_db.build(resource, topology)


def _multi_write(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.database import cosmos_multi_write

    return cosmos_multi_write.build(resource, topology)


def _account(resource: Resource) -> str:
    return CosmosOptions.model_validate(dict(resource.options)).account


def _reads(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    on = (_account(resource),)
    return stated((False, Grant(region, (f"{_ACCOUNT}/read",), on)) for region in regions if region in resource.members)


def _moves(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    account = _account(resource)
    subscription = (subscription_of(account).lower(),)

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            yield False, Grant(region, (f"{_ACCOUNT}/read",), (account,))
            yield False, Grant(region, (_STATUS,), subscription, why="What became of an order is told there.")
            yield True, Grant(region, (f"{_ACCOUNT}/offlineRegion/action",), (account,), ("failover",))
            yield True, Grant(region, (f"{_ACCOUNT}/failoverPriorityChange/action",), (account,), ("switchover",))

    return stated(told())


_CANARY = VerbFacts("data", "member", False, True, 0.2, 10.0, "condition")

COSMOS_DB = Kind(
    port=PortName.DATABASE,
    name="cosmos-db",
    build=_cosmos_db,
    permissions=_moves,
    options=CosmosOptions,
    member=CosmosMember,
    settle_seconds=5.0,
    call_timeout_seconds=30.0,
    verbs={
        # There is none: what is seen of the old region is told, and nothing is changed.
        "fence": VerbFacts("data", "member", False, True, 1.0, 30.0, "watching"),
        # No tag and no condition: a run sees what it changed, and the list of regions is told by every look.
        "failover": VerbFacts("control", None, True, False, 300.0, 3600.0, "watching"),
        # All regions must be well, by Azure's own word: never a way out of one that is lost.
        "switchover": VerbFacts("control", None, False, True, 300.0, 3600.0, "mark"),
        # Microsoft's own team brings a region back.
        "follow": VerbFacts("data", "member", False, False, 259200.0, 864000.0, "watching"),
        "canary": _CANARY,
    },
)

COSMOS_DB_MULTI_WRITE = Kind(
    port=PortName.DATABASE,
    name="cosmos-db-multi-write",
    build=_multi_write,
    permissions=_reads,
    options=CosmosOptions,
    member=CosmosMember,
    settle_seconds=1.0,
    call_timeout_seconds=15.0,
    verbs={"canary": _CANARY},
    many_writers=True,
)
