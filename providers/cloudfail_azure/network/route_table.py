"""network: route-table. User-defined routes of literal tables, each to one region's next hop.

`Routes - Create Or Update` replaces one route as a whole: there is no moment without a next hop. `Routes - Delete` is
sent only to take back a route that a run created, which its name says: `cloudfail-APPLICATION-DESTINATION`.

The reference knows no condition for any of these requests. Routes and tables do have an ETag ("changes whenever the
resource is updated"), and Azure answers 412 where an If-Match is no longer so (PreconditionFailedEtagMismatch;
kubernetes-sigs/cluster-api-provider-azure issue 682). So it is sent, beside the look that stands immediately before,
and what an older lease sends late is said to be put right by watching, which needs no promise.

The mark is a tag of the table. It is written before the change: a mark without its change is harmless, for the change
is seen to be missing.

A route that is `Succeeded` says that the table holds it, and not that anything arrives: an address without an appliance
behind it, or one that does not forward, takes all packets and drops them ("Virtual network traffic routing",
learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview). What must answer is asked for through it.
Routes of the system, of BGP and of peerings are not in the table: a more specific one of them comes first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import Conflict, Permanent
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.network.options import HopMember, RouteTableOptions
from cloudfail_azure.network.tables import VERSION, Route, Table, described, leading
from cloudfail_azure.paths import name_of
from cloudfail_azure.under_way import followed
from cloudfail_paths.path import UNCHANGED, Path, Points, told_apart

FOLLOW_SECONDS = 2.0
_UNFIT = re.compile(r"[^A-Za-z0-9.]")


@dataclass(frozen=True)
class Seen:
    """As Azure describes it: the tables by their ids."""

    points: Points
    version: str
    epoch: int | None
    moving: str
    obstacle: str
    tables: Mapping[str, Table]


class RouteTable(Path[Seen]):
    """A part is one route: `TABLE DESTINATION`."""

    cloud = "Azure"

    def __init__(self, asking: Asking, options: RouteTableOptions, members: Mapping[str, HopMember]) -> None:
        reaches = {region: member.reach for region, member in members.items()}
        super().__init__(asking.resource.name, reaches, answer_within=options.answer_within)
        self._asking = asking
        self._options = options
        self._hops = {region: member.hop for region, member in members.items()}
        self._application = asking.topology.application

    # ---- the look

    def look(self, *, within: float) -> Seen:
        until = self._asking.deadline(within)
        tables = {
            table: described(self._asking, self._options.region, table, within=self._asking.left_until(until))
            for table in self._options.tables
        }
        points, hops, bad = {}, {}, []
        for table in self._options.tables:
            for destination in self._options.destinations:
                part, route = f"{table} {destination}", tables[table].routes.get(destination)
                hops[part] = route.hop if route is not None else ""
                points[part] = self._leads(route, destination)
                if route is not None and route.ended_badly:
                    bad.append(f"Azure says {route.state} of the route {route.id}")
        epochs = [one.epoch(self._application) for one in tables.values()]
        return Seen(
            points,
            hashlib.sha256(json.dumps(hops, sort_keys=True).encode()).hexdigest()[:16],
            max((epoch for epoch in epochs if epoch is not None), default=None),
            next((one.moving for one in tables.values() if one.moving), ""),
            "; ".join(bad),
            tables,
        )

    def _leads(self, route: Route | None, destination: str) -> tuple[str, ...]:
        if route is None:
            return ()
        region = next((region for region, own in self._hops.items() if own == route.hop), None)
        if region is None:
            raise Conflict(
                f"The route {route.id} to {destination} leads to {route.hop}, which is no member of "
                f"{self._asking.resource.name}.",
                UNCHANGED,
                f"Write it as a member, or see who led it there: az network route-table route show --ids {route.id}",
            )
        return (region,)

    # ---- the verb

    def marked(self, part: str, seen: Seen, call: Call, time_left: TimeLeft) -> Seen:
        table = seen.tables[part.partition(" ")[0]]
        if table.epoch(self._application) == call.epoch:
            return seen
        self._mark(table, call, time_left)
        return self.again(seen, call, time_left)

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        id_, _, destination = part.partition(" ")
        table = seen.tables[id_]
        route = table.routes.get(destination)
        if len(regions) > 1:
            raise Permanent(f"A route leads to one region, not to {' and '.join(regions)}.", UNCHANGED)
        if not regions:
            return self._take_back(table, destination, time_left)
        hop = self._hops[regions[0]]
        if route is None:
            route = Route(f"{table.id}/routes/{self._route_name(destination)}", destination, "", "", "")
        self._order("PUT", route, time_left, leading(route.prefix, hop))
        return f"{name_of(table.id)}: the route to {destination} goes by {hop}"

    def _take_back(self, table: Table, destination: str, time_left: TimeLeft) -> str:
        """It led nowhere before: what a run created goes, and nothing else."""
        route = table.routes[destination]
        if name_of(route.id).lower() != self._route_name(destination).lower():
            raise Permanent(f"The route {route.id} was made by no run, and is not taken away.", UNCHANGED)
        self._order("DELETE", route, time_left, None)
        return f"{name_of(table.id)}: the route to {destination} is taken away, as it was before"

    def _order(self, method: str, route: Route, time_left: TimeLeft, body: Mapping[str, object] | None) -> None:
        region = self._options.region
        reply = self._asking.change(
            region, method, route.id, VERSION, call=time_left.rest(), body=body, if_match=route.etag
        )
        rest = min(FOLLOW_SECONDS, time_left.seconds)
        followed(self._asking, region, reply, f"{method} {route.id}", within=rest)

    def _mark(self, table: Table, call: Call, time_left: TimeLeft) -> None:
        """Where it may not be written (no permission, too many tags) the change is still made: the watching is what
        guards it."""
        body = {"tags": table.marked(self._application, call.epoch)}
        region = self._options.region
        try:
            self._asking.change(
                region, "PATCH", table.id, VERSION, call=time_left.rest(), body=body, if_match=table.etag
            )
        except Permanent as error:
            call.log(f"the epoch could not be written beside it: {error.happened}")

    def _route_name(self, destination: str) -> str:
        """Of a route that a run creates: 80 characters at most ("Naming rules", Microsoft.Network)."""
        return f"cloudfail-{self._application[:24]}-{_UNFIT.sub('-', destination)}"


def build(resource: Resource, topology: Topology) -> RouteTable:
    """Kind.build. Raises Refused where two regions have one next hop."""
    members = {region: HopMember.model_validate(member) for region, member in resource.members.items()}
    told_apart(resource, {region: [member.hop] for region, member in members.items()})
    return RouteTable(Asking.of(resource, topology), RouteTableOptions.model_validate(resource.options), members)
