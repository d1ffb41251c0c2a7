"""The kind `database: mysql-flexible`, and what it calls, as Azure RBAC names it. Source: "Azure permissions for
Databases": a promotion and a tag are both a PATCH of the server, which is `write`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Grant, Kind, Permissions, VerbFacts
from cloudfail_azure.database.mysql_options import MysqlMember, MysqlOptions
from cloudfail_azure.grants import stated
from cloudfail_azure.paths import subscription_of

_SERVERS = "Microsoft.DBforMySQL/flexibleServers"
_OPERATIONS = (
    "Microsoft.DBforMySQL/locations/azureAsyncOperation/read",
    "Microsoft.DBforMySQL/locations/operationResults/read",
)


def _build(resource: Resource, topology: Topology) -> Any:
    from cloudfail_azure.database import mysql_flexible

    return mysql_flexible.build(resource, topology)


def _permissions(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = MysqlMember.model_validate(resource.members[region])
            on, listed = (member.server,), member.firewall_rules is not None
            reads = (f"{_SERVERS}/read", f"{_SERVERS}/replicas/read", "Microsoft.Insights/metrics/read")
            yield False, Grant(region, (*reads, *((f"{_SERVERS}/firewallRules/read",) if listed else ())), on)
            subscription = (subscription_of(member.server).lower(),)
            yield False, Grant(region, _OPERATIONS, subscription, why="What became of an order is told there.")
            yield True, Grant(region, (f"{_SERVERS}/write",), on, ("failover", *(("fence",) if listed else ())))
            if listed:
                rules = (f"{_SERVERS}/firewallRules/write", f"{_SERVERS}/firewallRules/delete")
                yield True, Grant(region, rules, on, ("fence",))

    return stated(told())


MYSQL_FLEXIBLE = Kind(
    port=PortName.DATABASE,
    name="mysql-flexible",
    build=_build,
    permissions=_permissions,
    options=MysqlOptions,
    member=MysqlMember,
    settle_seconds=5.0,
    call_timeout_seconds=30.0,
    verbs={
        "fence": VerbFacts("control", "member", False, True, 5.0, 300.0, "mark", observed=False),
        "failover": VerbFacts("control", "member", True, False, 180.0, 1800.0, "mark", observed=False),
        # There is nothing that it could order: what follows nobody is built anew by hand.
        "follow": VerbFacts("control", "member", False, False, 1800.0, 43200.0, "watching", observed=False),
    },
)
