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
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cloudfail.errors import CloudfailError, Conflict, Permanent, Refused, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import NetworkState, Reached
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.probes.through import through
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.network.options import HopMember, RouteTableOptions
from cloudfail_azure.network.tables import VERSION, Route, Table, described, leading
from cloudfail_azure.paths import name_of
from cloudfail_azure.under_way import followed

READ_SECONDS = 8.0
"""How long one look may take, with all tables that it asks for."""
FOLLOW_SECONDS = 2.0
UNCHANGED = "It was not changed."
UNASKED = "nothing was asked through it: only what Azure says of it was read"
_UNFIT = re.compile(r"[^A-Za-z0-9.]")
Points = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Seen:
    """As Azure describes it: the tables by their ids."""

    points: Points
    version: str
    epoch: int | None
    moving: str
    obstacle: str
    tables: Mapping[str, Table]


class RouteTable:
    """ports.Network. A part is one route: `TABLE DESTINATION`."""

    serves = "route"

    def __init__(self, asking: Asking, options: RouteTableOptions, members: Mapping[str, HopMember]) -> None:
        self._asking = asking
        self._options = options
        self._hops = {region: member.hop for region, member in members.items()}
        self._reaches = {region: member.reach for region, member in members.items()}
        self._application = asking.topology.application

    # ---- the port

    def read(self) -> Known[NetworkState] | Unknown:
        at = time.time()
        try:
            seen = self._look(READ_SECONDS)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(NetworkState(seen.points, seen.moving, seen.obstacle, seen.version, seen.epoch), at)

    def reach(self, region: str) -> Known[Reached] | Unknown:
        wanted = self._reaches.get(region)
        if wanted is None:
            return Known(Reached(None, UNASKED), time.time())
        return through(wanted.at, wanted.says, within_seconds=self._options.answer_within)

    def move_address(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        name = self._asking.resource.name
        raise Permanent(f"{name} has no move_address.", UNCHANGED, "Write network.route in the runbook.")

    def route(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        name = self._asking.resource.name
        nobody = {region for regions in points.values() for region in regions} - set(self._hops)
        if nobody:
            raise Permanent(f"{name} has no member in {', '.join(sorted(nobody))}.", UNCHANGED)
        time_left = TimeLeft(call)
        seen = self._before(time_left)
        strange = [part for part in points if part not in seen.points]
        if strange:
            raise Permanent(f"{name} has no part {strange[0]} any more.", UNCHANGED, "Plan anew.")
        self._newest(seen, call)
        part = next((part for part, regions in points.items() if seen.points[part] != regions), None)
        if part is None:
            return
        self._unchanged(seen, expect.version)
        if seen.moving:
            raise Transient(f"{name}: {seen.moving}; it takes no order until that is over.")
        table, _, destination = part.partition(" ")
        if seen.tables[table].epoch(self._application) != call.epoch:
            self._mark(seen.tables[table], call, time_left)
            again = self._before(time_left)
            self._newest(again, call)
            self._unchanged(again, seen.version)
            seen = again
        call.log(self._lead(seen.tables[table], destination, points[part], time_left))

    # ---- the look

    def _look(self, within: float) -> Seen:
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

    def _before(self, time_left: TimeLeft) -> Seen:
        """As it is immediately before the change. Nothing was changed yet, so whatever came of the look is no doubt
        about an effect."""
        try:
            return self._look(min(READ_SECONDS, max(0.01, time_left.seconds)))
        except (Permanent, Conflict):
            raise
        except CloudfailError as error:
            raise Transient(f"{self._asking.resource.name} cannot be read: {error}") from error

    def _unchanged(self, seen: Seen, version: str) -> None:
        if seen.version != version:
            raise Conflict(f"{self._asking.resource.name} is not as it was seen.", UNCHANGED)

    def _newest(self, seen: Seen, call: Call) -> None:
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(
                f"{self._asking.resource.name} was changed under epoch {seen.epoch}, and this is {call.epoch}.",
                UNCHANGED,
            )

    # ---- the verb

    def _lead(self, table: Table, destination: str, regions: tuple[str, ...], time_left: TimeLeft) -> str:
        route = table.routes.get(destination)
        if len(regions) > 1:
            raise Permanent(f"A route leads to one region, not to {' and '.join(regions)}.", UNCHANGED)
        if not regions:
            return self._take_back(table, destination, time_left)
        hop = self._hops[regions[0]]
        if route is None:
            route = Route(f"{table.id}/routes/{self._name(destination)}", destination, "", "", "")
        self._order("PUT", route, time_left, leading(route.prefix, hop))
        return f"{name_of(table.id)}: the route to {destination} goes by {hop}"

    def _take_back(self, table: Table, destination: str, time_left: TimeLeft) -> str:
        """It led nowhere before: what a run created goes, and nothing else."""
        route = table.routes[destination]
        if name_of(route.id).lower() != self._name(destination).lower():
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

    def _name(self, destination: str) -> str:
        """Of a route that a run creates: 80 characters at most ("Naming rules", Microsoft.Network)."""
        return f"cloudfail-{self._application[:24]}-{_UNFIT.sub('-', destination)}"


def build(resource: Resource, topology: Topology) -> RouteTable:
    """Kind.build. Raises Refused where two regions have one next hop."""
    members = {region: HopMember.model_validate(member) for region, member in resource.members.items()}
    owners: dict[str, str] = {}
    for region, member in members.items():
        if owners.setdefault(member.hop, region) != region:
            raise Refused(
                f"{resource.name}: {member.hop} is a member's in {owners[member.hop]} and in {region}.",
                "Nothing was changed.",
                "Name another one for one of them in cloudfail.yaml.",
            )
    return RouteTable(Asking.of(resource, topology), RouteTableOptions.model_validate(resource.options), members)
