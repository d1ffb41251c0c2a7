"""What the kinds of this port call, as IAM names it. What goes over SQL needs logins and no role. Source: Cloud SQL,
"Required permissions for common tasks" (cloud.google.com/sql/docs/postgres/iam-permissions): an instance's operations
are listed with `instances.list` (for gcloud, says the same page, with `instances.get`), and one is read with
`instances.get`. None has a switchover's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_gcp.database.options import CloudSqlMember
from cloudfail_gcp.grants import stated

MOVES = ("failover", "switchover")
_OPERATIONS = "Operations are listed and read with it, and an operation's name says nothing of its instance."
_SWITCH = "The list of permissions names none for a switchover, which promotes a replica and changes its primary."


def cloud_sql(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """Operations have no permissions of their own. Who may list instances is told all of each: to read one on the whole
    project lets nobody see more."""

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            member = CloudSqlMember.model_validate(resource.members[region])
            project = topology.regions[region].account if region in topology.regions else None
            instance = (f"projects/{project or '-'}/instances/{member.instance}",)
            reads = ("cloudsql.instances.get", "cloudsql.instances.list")
            yield False, Grant(region, reads, (f"projects/{project or '-'}",), why=_OPERATIONS)
            yield True, Grant(region, ("cloudsql.instances.update",), instance, (*MOVES, "fence", "follow"))
            yield True, Grant(region, ("cloudsql.instances.promoteReplica",), instance, ("failover",))
            every = tuple(
                f"projects/{project or '-'}/instances/{CloudSqlMember.model_validate(one).instance}"
                for one in resource.members.values()
            )
            both = ("cloudsql.instances.promoteReplica", "cloudsql.instances.update")
            yield True, Grant(region, both, every, ("switchover",), why=_SWITCH)

    return stated(told())
