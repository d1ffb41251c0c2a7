"""network: route-table. Routes of literal tables, each to one region's next hop.

CreateRoute fails where the route is there, ReplaceRoute where it is not, and neither has a condition (EC2 API
reference). So the table is read immediately before, and the one that fits is sent. ReplaceRoute is one change of one
route: there is no moment without a next hop. DeleteRoute is sent only to take back a route that the same step created.

A route that a gateway propagates into the table is none of ours: a static route to the same destination comes before it
(VPC user guide, "Route priority"), so it counts as not there, and shows again once ours is taken back.

`blackhole` is EC2's word for a route whose next hop is gone; a step is not done while a route that it set is one. That
a route is `active` says that its next hop exists, and not that anything arrives there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.network.options import HOPS, HopMember, RouteTableOptions, parameter_of
from cloudfail_aws.network.paths import Path, Seen
from cloudfail_paths.path import UNCHANGED, told_apart

PROPAGATED = frozenset({"EnableVgwRoutePropagation", "Advertisement"})
_SAID_IN = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
# An instance's route is told with its network interface beside it: the instance is what was asked for.
_HOP_KEYS = ("InstanceId", *(key for key in dict.fromkeys(HOPS.values()) if key != "InstanceId"), "CoreNetworkArn")


class RouteTable(Path):
    """A part is one route: `TABLE DESTINATION`."""

    def __init__(self, asking: Asking, options: RouteTableOptions, members: Mapping[str, HopMember]) -> None:
        super().__init__(
            asking,
            options.region,
            {region: member.reach for region, member in members.items()},
            answer_within=options.answer_within,
        )
        self._tables = options.tables
        self._destinations = options.destinations
        self._hops = {region: member.hop for region, member in members.items()}

    def look(self, *, within: float) -> Seen:
        found = self._asking.pages(
            "ec2",
            self._region,
            "describe_route_tables",
            "RouteTables",
            within=within,
            RouteTableIds=list(self._tables),
        )
        tables = {table.get("RouteTableId"): table for table in found}
        absent = [table for table in self._tables if table not in tables]
        if absent:
            raise Transient(f"EC2 in {self._region} answers, and tells nothing of {', '.join(absent)}.")
        points, hops, dark = {}, {}, []
        for table in self._tables:
            for destination in self._destinations:
                part = f"{table} {destination}"
                route = _route(tables[table], destination)
                hops[part] = _hop(route) if route is not None else ""
                points[part] = self._leads(part, hops[part])
                if route is not None and route.get("State") == "blackhole":
                    dark.append(f"the route of {table} to {destination} is a black hole: {hops[part]} is gone")
        return Seen(
            points,
            hashlib.sha256(json.dumps(hops, sort_keys=True).encode()).hexdigest()[:16],
            {table: self.epoch_in(tables[table].get("Tags")) for table in self._tables},
            obstacle="; ".join(dark),
        )

    def _leads(self, part: str, hop: str) -> tuple[str, ...]:
        if not hop:
            return ()
        region = next((region for region, own in self._hops.items() if own == hop), None)
        if region is None:
            table, _, destination = part.partition(" ")
            raise Conflict(
                f"The route of {table} to {destination} leads to {hop}, which is no member of "
                f"{self._asking.resource.name}.",
                UNCHANGED,
                "Write it as a member, or see who led it there: aws ec2 describe-route-tables "
                f"--region {self._region} --route-table-ids {table}",
            )
        return (region,)

    def object_of(self, part: str) -> str:
        return part.partition(" ")[0]

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        table, _, destination = part.partition(" ")
        route = {"RouteTableId": table, _said_as(destination): destination}
        if not regions:
            self.change("delete_route", time_left, **route)
            return f"{table}: the route to {destination} is taken away, as it was before"
        if len(regions) > 1:
            raise Permanent(f"A route leads to one region, not to {' and '.join(regions)}.", UNCHANGED)
        hop = self._hops[regions[0]]
        route[parameter_of(hop)] = hop
        if not seen.points[part]:
            self.change("create_route", time_left, **route)
            return f"{table}: a route to {destination} by {hop}"
        try:
            self.change("replace_route", time_left, **route)
        except Permanent:
            # EC2 says of a route that is gone what it says of any parameter that it does not like.
            self.unchanged(self.before(time_left), seen.version)
            raise
        return f"{table}: the route to {destination} goes by {hop}"


def _said_as(destination: str) -> str:
    if destination.startswith("pl-"):
        return "DestinationPrefixListId"
    return "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"


def _route(table: Mapping[str, Any], destination: str) -> Mapping[str, Any] | None:
    """The table's own route to exactly that destination."""
    return next(
        (
            route
            for route in table.get("Routes") or ()
            if destination in [route.get(key) for key in _SAID_IN] and route.get("Origin") not in PROPAGATED
        ),
        None,
    )


def _hop(route: Mapping[str, Any]) -> str:
    return next((str(route[key]) for key in _HOP_KEYS if route.get(key)), "what EC2 does not name")


def build(resource: Resource, topology: Topology) -> RouteTable:
    """Kind.build. Raises Refused where two regions have one next hop."""
    members = {region: HopMember.model_validate(member) for region, member in resource.members.items()}
    told_apart(resource, {region: [member.hop] for region, member in members.items()})
    return RouteTable(Asking.of(resource, topology), RouteTableOptions.model_validate(resource.options), members)
