"""What the kinds of Azure SQL call, as Azure RBAC names it. What goes over TDS needs logins and no role. Source: "Azure
permissions for Databases" (learn.microsoft.com/azure/role-based-access-control/permissions/databases)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.database.sql_options import DatabaseMember, GroupMember, InstanceGroupMember, SqlReached
from cloudfail_azure.grants import stated

_SQL = "Microsoft.Sql"
_FORCED = "forceFailoverAllowDataLoss"
_FIRST = "tryPlannedBeforeForcedFailover"


def azure_sql(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    member, moved, operations = _SHAPES[resource.kind]
    first = bool(resource.options.get("planned_first"))

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            id_ = member.model_validate(resource.members[region]).resource
            on, below = (id_,), moved
            reads = [f"{below}/read"]
            if member is DatabaseMember:
                reads.append(f"{_SQL}/servers/databases/read")
            yield False, Grant(region, tuple(reads), on)
            subscription = (id_.lower().partition("/resourcegroups/")[0],)
            asked = tuple(f"{_SQL}/locations/{one}/read" for one in operations)
            yield False, Grant(region, asked, subscription, why="What became of an order is told there.")
            planned = f"{below}/failover/action"
            yield True, Grant(region, (planned,), on, ("switchover",))
            forced = [f"{below}/{_FORCED}/action"]
            if first:
                forced.append(f"{below}/{_FIRST}/action" if member is GroupMember else planned)
            yield True, Grant(region, tuple(forced), on, ("failover",))

    return stated(told())


_SHAPES: dict[str, tuple[type[SqlReached], str, tuple[str, ...]]] = {
    "sql-failover-group": (
        GroupMember,
        f"{_SQL}/servers/failoverGroups",
        ("failoverGroupAzureAsyncOperation", "failoverGroupOperationResults"),
    ),
    "sql-instance-group": (
        InstanceGroupMember,
        f"{_SQL}/locations/instanceFailoverGroups",
        ("instanceFailoverGroupAzureAsyncOperation", "instanceFailoverGroupOperationResults"),
    ),
    "sql-database": (
        DatabaseMember,
        f"{_SQL}/servers/databases/replicationLinks",
        ("replicationLinksAzureAsyncOperation", "replicationLinksOperationResults"),
    ),
}
