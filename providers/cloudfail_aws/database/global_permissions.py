"""What DocumentDB's and Neptune's global clusters call, as IAM words it: RDS's actions, on RDS's names.

Both services are part of RDS's API (Service Authorization Reference, "Amazon RDS").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.database.permissions import MOVES, _clusters
from cloudfail_aws.iam import Names, Told, stated
from cloudfail_aws.roles import home


def documentdb(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """What goes over MongoDB's protocol needs logins and no role."""
    names = Names(resource, topology)
    return stated(
        one
        for region in regions
        if region in resource.members
        for one in (*_clusters(resource, names, region), *_group(resource, names, region))
    )


def neptune(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """Writes are an application's, under its own role; what is only read, and the epoch's mark, are cloudfail's."""
    names = Names(resource, topology)
    return stated(
        one
        for region in regions
        if region in resource.members
        for one in (
            *_clusters(resource, names, region),
            *_group(resource, names, region),
            *_graph(resource, names, region),
        )
    )


def _graph(resource: Resource, names: Names, region: str) -> Told:
    member: Any = resource.members[region]
    if member["resource"] is None:
        return
    data = (names.arn("neptune-db", region, f"{member['resource']}/*"),)
    why = "IAM knows a cluster's data as everything below its id."
    yield False, Grant(region, ("neptune-db:GetEngineStatus", "neptune-db:ReadDataViaQuery"), data, why=why)
    # The mark is merged: looked for, made, and its values replaced.
    marks = tuple(f"neptune-db:{what}DataViaQuery" for what in ("Read", "Write", "Delete"))
    yield True, Grant(region, marks, data, MOVES, why=why)
    if "iam" not in resource.options["fences"]:
        return
    roles, where = tuple(member["writers"]), home(region)
    yield False, Grant(where, ("iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListRoleTags"), roles)
    moves = ("fence", "switchover", "follow")
    yield True, Grant(where, ("iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:TagRole"), roles, moves)


def _group(resource: Resource, names: Names, region: str) -> Told:
    """The fence by security group."""
    member: Any = resource.members[region]
    if member["closed_group"] is None or "security-group" not in resource.options["fences"]:
        return
    cluster = names.arn("rds", region, f"cluster:{member['cluster']}")
    moves = ("fence", "switchover", "follow")
    yield False, Grant(region, ("rds:DescribeDBClusters", "rds:ListTagsForResource"), (cluster,))
    yield True, Grant(region, ("rds:ModifyDBCluster", "rds:AddTagsToResource"), (cluster,), moves)
