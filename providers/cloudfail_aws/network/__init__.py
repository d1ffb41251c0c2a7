"""Paths and addresses of a VPC: routes, an Elastic IP, a prefix list.

All of it is control plane of the one region in which the object itself stands, which is an option and need not be a
region of the application: lint refuses a failover out of it. Importing this package imports no vendor library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudfail.model.topology import PortName, Resource, Topology
from cloudfail.ports import Kind, VerbFacts
from cloudfail_aws.network import permissions
from cloudfail_aws.network.options import (
    ElasticIpOptions,
    EntriesMember,
    HolderMember,
    HopMember,
    PrefixListOptions,
    RouteTableOptions,
)


def _route_table(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.network import route_table

    return route_table.build(resource, topology)


def _elastic_ip(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.network import elastic_ip

    return elastic_ip.build(resource, topology)


def _prefix_list(resource: Resource, topology: Topology) -> Any:
    from cloudfail_aws.network import prefix_list

    return prefix_list.build(resource, topology)


_ROUTE = {"route": VerbFacts("control", "member", False, True, 10.0, 60.0, "watching")}
# The condition of each of its two effects is who holds the address, which may come to be so again: the worse is said.
_ADDRESS = {"move_address": VerbFacts("control", "member", False, True, 15.0, 60.0, "watching")}
_ENTRIES = {"route": VerbFacts("control", "member", False, True, 30.0, 300.0, "condition")}


def _at_home(facts: dict[str, VerbFacts], resource: Resource) -> dict[str, VerbFacts]:
    return {verb: replace(one, home=str(resource.options["region"])) for verb, one in facts.items()}


KINDS: tuple[Kind, ...] = (
    Kind(
        port=PortName.NETWORK,
        name="route-table",
        build=_route_table,
        permissions=permissions.route_table,
        options=RouteTableOptions,
        member=HopMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs=_ROUTE,
        verbs_of=lambda resource: _at_home(_ROUTE, resource),
    ),
    Kind(
        port=PortName.NETWORK,
        name="elastic-ip",
        build=_elastic_ip,
        permissions=permissions.elastic_ip,
        options=ElasticIpOptions,
        member=HolderMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs=_ADDRESS,
        verbs_of=lambda resource: _at_home(_ADDRESS, resource),
    ),
    Kind(
        port=PortName.NETWORK,
        name="prefix-list",
        build=_prefix_list,
        permissions=permissions.prefix_list,
        options=PrefixListOptions,
        member=EntriesMember,
        settle_seconds=5.0,
        call_timeout_seconds=20.0,
        verbs=_ENTRIES,
        verbs_of=lambda resource: _at_home(_ENTRIES, resource),
    ),
)
