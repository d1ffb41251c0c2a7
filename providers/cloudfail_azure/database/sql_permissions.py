"""What the kinds of Azure SQL call, as Azure RBAC names it. What goes over TDS needs logins and no role. Source: "Azure
permissions for Databases" (learn.microsoft.com/azure/role-based-access-control/permissions/databases).

Where an order of a failover group is asked for, that page does not list ("failoverGroupAzureAsyncOperation" is a type
of Microsoft.Sql, and no action of it), and Azure refuses a whole role for one action that it does not know
(InvalidActionOrNotAction). So none is stated, the question is refused, and what becomes of such an order is seen of the
group and its databases alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.access.scopes import group_of
from cloudfail_azure.database.sql_options import DatabaseMember, GroupMember, InstanceGroupMember, SqlReached
from cloudfail_azure.grants import ORDERED, stated
from cloudfail_azure.paths import subscription_of

_SQL = "Microsoft.Sql"
_FORCED = "forceFailoverAllowDataLoss"
_FIRST = "tryPlannedBeforeForcedFailover"
_LINKS = f"{_SQL}/servers/databases/replicationLinks"
_OF_LINKS = tuple(f"{_SQL}/locations/replicationLinks{one}/read" for one in ("AzureAsyncOperation", "OperationResults"))
_BOTH = "Azure asks for it in the resource groups of both managed instances."
"""Source: "Configure a failover group - Azure SQL Managed Instance", Permissions: the minimal scopes. Of groups of
servers it is the "failover group on new server" (the same page of Azure SQL Database)."""


def azure_sql(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    member, moved = _SHAPES[resource.kind]
    ids = {region: member.model_validate(one).resource for region, one in resource.members.items()}
    planned = f"{moved}/failover/action"
    forced = [f"{moved}/{_FORCED}/action"]
    if resource.options.get("planned_first"):
        forced.append(f"{moved}/{_FIRST}/action" if member is GroupMember else planned)

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in ids:
                continue
            on: tuple[str, ...] = (ids[region],)
            why = ""
            if member is DatabaseMember:
                yield False, Grant(region, (f"{_LINKS}/read", f"{_SQL}/servers/databases/read"), on)
                yield False, Grant(region, _OF_LINKS, (subscription_of(ids[region]),), why=ORDERED)
            else:
                yield False, Grant(region, (f"{moved}/read",), on)
            if member is InstanceGroupMember:
                on, why = tuple(dict.fromkeys(group_of(one) for one in ids.values())), _BOTH
            yield True, Grant(region, (planned,), on, ("switchover",), why=why)
            yield True, Grant(region, tuple(forced), on, ("failover",), why=why)

    return stated(told())


_SHAPES: dict[str, tuple[type[SqlReached], str]] = {
    "sql-failover-group": (GroupMember, f"{_SQL}/servers/failoverGroups"),
    "sql-instance-group": (InstanceGroupMember, f"{_SQL}/locations/instanceFailoverGroups"),
    "sql-database": (DatabaseMember, _LINKS),
}
