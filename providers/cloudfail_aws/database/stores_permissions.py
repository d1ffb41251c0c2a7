"""What the kinds of key-value stores call, as IAM words it. What goes over their own wire needs logins and no role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.iam import Names, Told, by_member


def dynamodb_global(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    return by_member(_table, resource, topology, regions)


def _table(names: Names, region: str, member: Any) -> Told:
    """A heartbeat is a write of who watches, as an application would make it."""
    table = (names.arn("dynamodb", region, f"table/{member['table']}"),)
    yield False, Grant(region, ("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem"), table)
    yield True, Grant(region, ("dynamodb:PutItem",), table, ("canary",))
