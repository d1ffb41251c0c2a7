"""What the kinds of this port call, as IAM names it. What goes over SQL needs logins and no role. Source: Cloud SQL,
"Roles and permissions" (cloud.google.com/sql/docs/postgres/iam-permissions): get; update for a patch; promoteReplica
for a promotion; switchover; listing operations is get on their instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.database.options import CloudSqlMember
from cloudfail_gcp.grants import stated

MOVES = ("failover", "switchover")


def cloud_sql(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """`get` is what operations need too: they have no permission of their own."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = CloudSqlMember.model_validate(resource.members[region])
            project = topology.regions[region].account if region in topology.regions else None
            instance = (f"projects/{project or '-'}/instances/{member.instance}",)
            yield False, Grant(region, ("cloudsql.instances.get",), instance)
            yield True, Grant(region, ("cloudsql.instances.update",), instance, (*MOVES, "fence", "follow"))
            yield True, Grant(region, ("cloudsql.instances.promoteReplica",), instance, ("failover",))
            yield True, Grant(region, ("cloudsql.instances.switchover",), instance, ("switchover",))

    return stated(told())
