"""What DocumentDB's and Neptune's global clusters call, as IAM words it: RDS's actions, on RDS's names.

Both services are part of RDS's API (Service Authorization Reference, "Amazon RDS").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.database.permissions import _clusters
from cloudfail_aws.iam import Names, Told, stated


def documentdb(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """What goes over MongoDB's protocol needs logins and no role."""
    names = Names(resource, topology)
    return stated(
        one
        for region in regions
        if region in resource.members
        for one in (*_clusters(resource, names, region), *_group(resource, names, region))
    )


def _group(resource: Resource, names: Names, region: str) -> Told:
    """The fence by security group."""
    member: Any = resource.members[region]
    if member["closed_group"] is None or "security-group" not in resource.options["fences"]:
        return
    cluster = names.arn("rds", region, f"cluster:{member['cluster']}")
    moves = ("fence", "switchover", "follow")
    yield False, Grant(region, ("rds:DescribeDBClusters", "rds:ListTagsForResource"), (cluster,))
    yield True, Grant(region, ("rds:ModifyDBCluster", "rds:AddTagsToResource"), (cluster,), moves)
