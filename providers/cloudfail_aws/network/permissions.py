"""What the kinds of this port call, as IAM words it. Each stands in the one region that its options name, whatever
regions its members are in."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_aws.iam import Names, none_taken, stated

ROUTE = ("route",)
MOVE = ("move_address",)


def route_table(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    names, region = Names(resource, topology), str(resource.options["region"])
    tables = tuple(names.arn("ec2", region, f"route-table/{table}") for table in resource.options["tables"])
    actions = ("ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute", "ec2:CreateTags")
    return stated(
        [(False, none_taken(region, "ec2:DescribeRouteTables")), (True, Grant(region, actions, tables, ROUTE))]
    )


def elastic_ip(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    """Both calls are granted on the address and on what holds it: the reading of the Service Authorization Reference
    that is sufficient whichever of the two AWS holds them against."""
    names, region = Names(resource, topology), str(resource.options["region"])
    address = names.arn("ec2", region, f"elastic-ip/{resource.options['allocation']}")
    holders = tuple(
        names.arn(
            "ec2", region, f"{'network-interface' if one['holder'].startswith('eni-') else 'instance'}/{one['holder']}"
        )
        for one in resource.members.values()
    )
    actions = ("ec2:AssociateAddress", "ec2:DisassociateAddress")
    return stated(
        [
            (False, none_taken(region, "ec2:DescribeAddresses")),
            (True, Grant(region, actions, (address, *holders), MOVE)),
            (True, Grant(region, ("ec2:CreateTags",), (address,), MOVE)),
        ]
    )


def prefix_list(resource: Resource, topology: Topology, _regions: Sequence[str]) -> Permissions:
    names, region = Names(resource, topology), str(resource.options["region"])
    own = (names.arn("ec2", region, f"prefix-list/{resource.options['list']}"),)
    return stated(
        [
            (False, none_taken(region, "ec2:DescribeManagedPrefixLists")),
            (False, Grant(region, ("ec2:GetManagedPrefixListEntries",), own)),
            (True, Grant(region, ("ec2:ModifyManagedPrefixList", "ec2:CreateTags"), own, ROUTE)),
        ]
    )
