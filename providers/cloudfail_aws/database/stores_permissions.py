"""What the kinds of key-value stores call, as IAM words it. What goes over their own wire needs logins and no role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.database.permissions import acls
from cloudfail_aws.iam import Names, Told, by_member, stated


def dynamodb_global(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    return by_member(_table, resource, topology, regions)


def _table(names: Names, region: str, member: Any) -> Told:
    """A heartbeat is a write of who watches, as an application would make it."""
    table = (names.arn("dynamodb", region, f"table/{member['table']}"),)
    yield False, Grant(region, ("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem"), table)
    yield True, Grant(region, ("dynamodb:PutItem",), table, ("canary",))


MOVES = ("failover", "switchover")
SHUTS = ("fence", "failover", "switchover", "follow")
"""Verbs that take users' access, or give it back."""


def elasticache_global(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    names = Names(resource, topology)
    return stated(one for region in regions if region in resource.members for one in _caches(resource, names, region))


def _caches(resource: Resource, names: Names, region: str) -> Told:
    """A datastore is asked in each region of its members."""
    member = resource.members[region]
    whole = names.everywhere("elasticache", region, f"globalreplicationgroup:{resource.id}")
    own = names.arn("elasticache", region, f"replicationgroup:{member['group']}")
    yield False, Grant(region, ("elasticache:DescribeGlobalReplicationGroups",), (whole,))
    reads = ("elasticache:DescribeReplicationGroups", "elasticache:ListTagsForResource")
    yield False, Grant(region, reads, (own,), MOVES)
    groups = ((one, f"replicationgroup:{other['group']}") for one, other in resource.members.items())
    every = tuple(names.arn("elasticache", one, group) for one, group in groups)
    yield True, Grant(region, ("elasticache:FailoverGlobalReplicationGroup",), (whole, *every), MOVES)
    yield True, Grant(region, ("elasticache:AddTagsToResource",), (own,), MOVES)
    users = tuple(names.arn("elasticache", region, f"user:{user}") for user in member["users"])
    if users and "users" in resource.options["fences"]:
        yield False, Grant(region, ("elasticache:DescribeUsers", "elasticache:ListTagsForResource"), users)
        yield True, Grant(region, ("elasticache:ModifyUser", "elasticache:AddTagsToResource"), users, SHUTS)
    yield from acls(names, region, member, resource.options)
