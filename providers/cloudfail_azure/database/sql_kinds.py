"""The kinds of Azure SQL: `sql-failover-group`, `sql-instance-group`, `sql-database`."""

from __future__ import annotations

from typing import Any

from cloudfail.errors import Permanent
from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_azure.database import sql_permissions
from cloudfail_azure.database.sql_options import (
    DatabaseMember,
    GroupMember,
    InstanceGroupMember,
    SqlDatabaseOptions,
    SqlGroupOptions,
    SqlReached,
)


def _sql(resource: Resource, topology: Topology) -> Any:
    try:
        from cloudfail_azure.database import sql_failover
    except ModuleNotFoundError as error:
        if error.name != "pymssql":
            raise
        raise Permanent(
            f"{resource.name} is asked over TDS, by pymssql, which is not installed here.",
            "Nothing was asked of it.",
            "Install it with: pip install 'cloudfail[azure,sqlserver]'",
        ) from error

    return sql_failover.build(resource, topology)


def _kind(name: str, options: type[SqlDatabaseOptions], member: type[SqlReached]) -> Kind:
    return Kind(
        port=PortName.DATABASE,
        name=name,
        build=_sql,
        permissions=sql_permissions.azure_sql,
        options=options,
        member=member,
        settle_seconds=5.0,
        call_timeout_seconds=30.0,
        verbs={
            "fence": VerbFacts("data", "member", False, True, 5.0, 300.0, "mark"),
            # The mark is in the data, which a secondary cannot write: an order that lands late is found by watching.
            "failover": VerbFacts("control", "member", True, False, 60.0, 1800.0, "watching"),
            # Both sides must be there: never a way out of a region that is lost.
            "switchover": VerbFacts("control", "member", False, True, 60.0, 1800.0, "mark"),
            # Azure takes the old primary back by itself, once its region is there again.
            "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "mark"),
            "canary": VerbFacts("data", "member", False, True, 0.1, 5.0, "watching"),
        },
    )


SQL_KINDS: tuple[Kind, ...] = (
    _kind("sql-failover-group", SqlGroupOptions, GroupMember),
    _kind("sql-instance-group", SqlGroupOptions, InstanceGroupMember),
    _kind("sql-database", SqlDatabaseOptions, DatabaseMember),
)
