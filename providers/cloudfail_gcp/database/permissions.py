"""What the kinds of this port call, as IAM names it. What goes over SQL needs logins and no role. Source: Cloud SQL,
"Required permissions for common tasks" (cloud.google.com/sql/docs/postgres/iam-permissions): an instance's operations
are listed with `instances.list`, and one is read with `instances.get`. None has a switchover's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.database.options import CloudSqlMember
from cloudfail_gcp.grants import stated

MOVES = ("failover", "switchover")
_LIST = "It is what an instance's operations are listed with, and it is given on a project."
_SWITCH = "The list of permissions names none for a switchover, which promotes a replica and changes its primary."


def cloud_sql(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """Operations have no permissions of their own."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = CloudSqlMember.model_validate(resource.members[region])
            project = topology.regions[region].account if region in topology.regions else None
            instance = (f"projects/{project or '-'}/instances/{member.instance}",)
            yield False, Grant(region, ("cloudsql.instances.get",), instance)
            yield False, Grant(region, ("cloudsql.instances.list",), (f"projects/{project or '-'}",), why=_LIST)
            yield True, Grant(region, ("cloudsql.instances.update",), instance, (*MOVES, "fence", "follow"))
            yield True, Grant(region, ("cloudsql.instances.promoteReplica",), instance, ("failover",))
            every = tuple(
                f"projects/{project or '-'}/instances/{CloudSqlMember.model_validate(one).instance}"
                for one in resource.members.values()
            )
            both = ("cloudsql.instances.promoteReplica", "cloudsql.instances.update")
            yield True, Grant(region, both, every, ("switchover",), why=_SWITCH)

    return stated(told())
