"""What the kinds of this port call, as IAM words it. What goes over SQL needs logins and no role."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.iam import Names, Told, by_member, none_taken, stated

_LAG = ("cloudwatch:ListMetrics", "cloudwatch:GetMetricData")
FOLLOW, MOVES = ("follow",), ("failover", "switchover")
_TAIL = "unplanned-global-failover"


def _acls(names: Names, region: str, member: Any, options: Any) -> Told:
    """The fence by network ACL: put up by a fence and by a switchover, taken away by what follows."""
    if member["network"] is None or "network-acl" not in options["fences"]:
        return
    acls = tuple(names.arn("ec2", region, f"network-acl/{acl}") for acl in member["network"]["acls"])
    yield False, none_taken(region, "ec2:DescribeNetworkAcls")
    yield True, Grant(region, ("ec2:CreateNetworkAclEntry",), acls, ("fence", "switchover"))
    yield True, Grant(region, ("ec2:DeleteNetworkAclEntry",), acls, ("fence", "follow"))
    yield True, Grant(region, ("ec2:CreateTags",), acls, ("fence", "switchover", "follow"))


def _closed(region: str, member: Any, options: Any, own: tuple[str, ...], sort: str) -> Told:
    """The fence by security group: exchanged by a fence and by a switchover, put back by what follows. own: the ARN of
    the member; sort: what RDS's operations call it."""
    if member["closed_group"] is None or "security-group" not in options["fences"]:
        return
    moves = ("fence", "switchover", "follow")
    yield False, Grant(region, (f"rds:Describe{sort}s",), own)
    yield True, Grant(region, (f"rds:Modify{sort}", "rds:AddTagsToResource"), own, moves)


def _instance(resource: Resource, names: Names, region: str, member: Any) -> Told:
    name = member["instance"]
    instance = (names.arn("rds", region, f"db:{name}"),)
    tails = (names.arn("rds", region, f"snapshot:cloudfail-tail-{name}-*"),)
    yield False, Grant(region, ("rds:DescribeDBInstances",), instance)
    yield False, none_taken(region, *_LAG)
    yield True, Grant(region, ("rds:PromoteReadReplica",), instance, MOVES)
    yield True, Grant(region, ("rds:AddTagsToResource",), instance, (*MOVES, *FOLLOW))
    # Building the old member anew: keep what it holds, rename it, make a replica under its name.
    every = (names.arn("rds", region, "db:*"),)
    why = (
        "The old instance is looked for among all of the region: it is kept under a name that RDS's own id is part of."
    )
    yield False, Grant(region, ("rds:DescribeDBInstances",), every, FOLLOW, why=why)
    why = "The snapshot's name ends with RDS's own id of the instance."
    yield False, Grant(region, ("rds:DescribeDBSnapshots",), tails, FOLLOW, why=why)
    yield True, Grant(region, ("rds:CreateDBSnapshot", "rds:AddTagsToResource"), tails, FOLLOW, why=why)
    yield True, Grant(region, ("rds:CreateDBSnapshot", "rds:ModifyDBInstance"), instance, FOLLOW)
    # The source's region is asked for its side of the copy by a request that is signed for it.
    both = tuple(names.arn("rds", one, f"db:{other['instance']}") for one, other in resource.members.items())
    yield True, Grant(region, ("rds:CreateDBInstanceReadReplica",), both, FOLLOW)
    groups = tuple(names.arn("rds", region, f"{sort}:*") for sort in ("og", "pg", "subgrp"))
    why = "RDS asks for its option, parameter and subnet groups too, which are those that the old instance had."
    yield True, Grant(region, ("rds:CreateDBInstanceReadReplica",), groups, FOLLOW, why=why)
    yield (
        True,
        Grant(
            region,
            ("kms:CreateGrant", "kms:DescribeKey"),
            (names.arn("kms", region, "key/*"),),
            FOLLOW,
            {"StringEquals": {"kms:ViaService": f"rds.{region}.amazonaws.com"}},
            why="An encrypted replica takes the key that the old instance had, which is not in cloudfail.yaml.",
        ),
    )
    yield from _acls(names, region, member, resource.options)
    yield from _closed(region, member, resource.options, instance, "DBInstance")


def rds_replica(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    return by_member(partial(_instance, resource), resource, topology, regions)


def aurora_global(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    names = Names(resource, topology)
    return stated(
        one
        for region in regions
        if region in resource.members
        for one in (*_clusters(resource, names, region), *_aurora(resource, names, region))
    )


def _aurora(resource: Resource, names: Names, region: str) -> Told:
    """What of the other global clusters is said elsewhere, or is not asked."""
    member = resource.members[region]
    own = (names.arn("rds", region, f"cluster:{member['cluster']}"),)
    yield False, none_taken(region, *_LAG)
    yield from _closed(region, member, resource.options, own, "DBCluster")


def _clusters(resource: Resource, names: Names, region: str) -> Told:
    """A global cluster is asked in each region of its members, and there about all of them."""
    member = resource.members[region]
    whole = names.everywhere("rds", region, f"global-cluster:{resource.id}")
    own = names.arn("rds", region, f"cluster:{member['cluster']}")
    every = tuple(names.arn("rds", one, f"cluster:{other['cluster']}") for one, other in resource.members.items())
    yield False, Grant(region, ("rds:DescribeGlobalClusters",), (whole,))
    yield False, Grant(region, ("rds:ListTagsForResource",), (own,))
    yield True, Grant(region, ("rds:FailoverGlobalCluster",), (whole, *every), ("failover",))
    yield True, Grant(region, ("rds:SwitchoverGlobalCluster",), (whole, *every), ("switchover",))
    yield True, Grant(region, ("rds:AddTagsToResource",), (own,), MOVES)
    # What a failover left behind: AWS's snapshot of it is copied to where no retention removes it.
    snapshots = (names.arn("rds", region, "cluster-snapshot:*"), names.arn("rds", region, "cluster:*"))
    why = "All snapshots of the region are listed: AWS made up the name of the one that is looked for."
    yield False, Grant(region, ("rds:DescribeDBClusterSnapshots",), snapshots, FOLLOW, why=why)
    end = f"{_TAIL}-{member['cluster']}-*"
    tail = names.arn("rds", region, f"cluster-snapshot:rds:{end}")
    copy = names.arn("rds", region, f"cluster-snapshot:cloudfail-{end}")
    why = "The snapshot's name ends with the time at which AWS took it."
    yield True, Grant(region, ("rds:CopyDBClusterSnapshot",), (tail, copy), FOLLOW, why=why)
    yield True, Grant(region, ("rds:AddTagsToResource",), (copy,), FOLLOW, why=why)
    yield from _acls(names, region, member, resource.options)


def acls(names: Names, region: str, member: Any, options: Any) -> Told:
    """The same fence, for kinds whose permissions stand in a file of their own."""
    yield from _acls(names, region, member, options)
