"""network: route. Static routes of one VPC network, each destination to one region's next hop.

A route has no patch (Compute Engine v1, `routes`: insert, delete). So a move is two effects, each announced by itself:
a new route under a name of its own, whose priority is better by one than that of every route there (the lowest number
wins, "Routes", routing order), and, once something answers through it, the old one is deleted. Either is safe if the
other is lost: with both the better one leads, and there is no moment without a route. Nothing is deleted while nothing
answers through what is to stay, nor while its next hop is said to be gone. The old one is no standby to be kept: where
the next hop in front stops, Google sends packets to the next route behind it ("Static routes", considerations for next
hop instances), into the region that was left.

What is inserted says so in its description, `[cloudfail app=shop epoch=12 run=r1]`, for a route has no labels. Where
such a one leads, the members' routes behind it are the rest of a move, and are told with it; where somebody else's
leads, those behind it are not looked at. A route that leads to what is no member is nobody's to change.

Neither request has a condition. A worker of an older epoch that looks finds a newer mark; what was on its way lands
under a name in which its own epoch stands, is seen, and is put right by watching.

Routes that Cloud Router has learnt, policy-based routes and those of peered networks are not in the list that is read:
where one of them comes first, only what answers through the path tells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.errors import Conflict, Permanent, Transient
from cloudfail.model.observation import Known
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.network.marks import epoch_in, marked
from cloudfail_gcp.network.options import PRIORITY, HopMember, RouteOptions, key_of
from cloudfail_gcp.network.path import Path, Seen
from cloudfail_gcp.paths import name_of, path_of
from cloudfail_gcp.under_way import all_under_way
from cloudfail_paths.path import UNCHANGED, told_apart

ROOM_SECONDS = 6.0
"""What is left of a call for the look and the request after something has answered."""
AGAIN_SECONDS = 0.5
_STATIC_KEYS = ("nextHopInstance", "nextHopIp", "nextHopIlb", "nextHopVpnTunnel", "nextHopGateway")
_NOT_STATIC = frozenset({"BGP", "SUBNET", "TRANSIT"})
_GONE = "NEXT_HOP_"
_CLOCK = SystemClock()


@dataclass(frozen=True)
class Row:
    """One route. region: the member's to which it leads, "" for nobody's. epoch: of our own mark on it, None where
    there is none. warning: why Google says that its next hop is no good."""

    name: str
    hop: str
    priority: int
    region: str
    epoch: int | None
    warning: str


class StaticRoute(Path):
    """A part is one destination."""

    def __init__(self, asking: Asking, options: RouteOptions, members: Mapping[str, HopMember]) -> None:
        super().__init__(
            asking,
            "global",
            {region: member.reach for region, member in members.items()},
            answer_within=options.answer_within,
        )
        self._options = options
        self._scope = options.vpc.partition("/networks/")[0]
        self._hops = {region: member.hop for region, member in members.items()}
        self._stems = {
            (destination, region): self._stem(destination, hop)
            for destination in options.destinations
            for region, hop in self._hops.items()
        }

    # ---- the look

    def look(self, *, within: float) -> Seen:
        """What is under way is asked first: what ends between the two is then seen in the list."""
        until = self._asking.deadline(within)
        orders = all_under_way(self._asking, self._where, self._scope, within=within)
        left = max(0.01, self._asking.left_until(until))
        told = self._asking.pages("compute", self._where, f"{self._scope}/routes", "items", within=left)
        own = [one for one in told if path_of(str(one.get("network", ""))) == self._options.vpc]
        if not own:
            raise Transient(f"Compute Engine tells no route of {self._options.vpc}, not even those to its own subnets.")
        rows = self._rows(own)
        names = {row.name for held in rows.values() for row in held}
        moving = next((words for target, words in orders if self._concerns(target, names)), "")
        points = {part: self._leads(part, held) for part, held in rows.items()}
        front = [row for held in rows.values() for row in _front(held)]
        epochs = [row.epoch for held in rows.values() for row in held if row.epoch is not None]
        standing = {part: [(row.name, row.hop, row.priority) for row in held] for part, held in rows.items()}
        return Seen(
            points,
            hashlib.sha256(json.dumps(standing, sort_keys=True).encode()).hexdigest()[:16],
            max(epochs, default=None),
            moving=moving,
            obstacle="; ".join(f"{row.name}: {row.warning}" for row in front if row.warning),
            raw=rows,
        )

    def _rows(self, told: Iterable[Mapping[str, Any]]) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {part: [] for part in self._options.destinations}
        for one in told:
            part = str(one.get("destRange"))
            if (
                part in rows
                and one.get("routeType") not in _NOT_STATIC
                and set(one.get("tags") or ()) == set(self._options.tags)
                and (hop := _hop(one))
            ):
                rows[part].append(self._row(one, hop))
        return {part: sorted(held, key=lambda row: (row.priority, row.name)) for part, held in rows.items()}

    def _row(self, one: Mapping[str, Any], hop: str) -> Row:
        warning = next(
            (
                f"{told.get('code')}: {told.get('message', '')}".strip(": ")
                for told in one.get("warnings") or ()
                if str(told.get("code", "")).startswith(_GONE)
            ),
            "",
        )
        return Row(
            str(one.get("name")),
            hop,
            int(one.get("priority", PRIORITY)),
            next((region for region, own in self._hops.items() if own == hop), ""),
            epoch_in(str(one.get("description") or ""), self._asking.topology.application),
            warning,
        )

    def _leads(self, part: str, rows: list[Row]) -> tuple[str, ...]:
        front = _front(rows)
        for row in front:
            if not row.region:
                raise Conflict(
                    f"The route {row.name} to {part} leads to {row.hop}, which is no member of "
                    f"{self._asking.resource.name}.",
                    UNCHANGED,
                    f"Write it as a member, or see who led it there: gcloud compute routes describe {row.name} "
                    f"--project {self._options.vpc.split('/')[1]}",
                )
        told = rows if any(row.epoch is not None for row in front) else front
        return tuple(sorted({row.region for row in told if row.region}))

    def _concerns(self, target: str, names: set[str]) -> bool:
        name = name_of(target) if target.startswith(f"{self._scope}/routes/") else ""
        return bool(name) and (name in names or any(name.startswith(f"{stem}-") for stem in self._stems.values()))

    # ---- the verb

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        rows: list[Row] = seen.raw[part]
        if len(regions) > 1:
            raise Permanent(f"A route leads to one region, not to {' and '.join(regions)}.", UNCHANGED)
        if not regions:
            return self._take_back(part, rows, time_left)
        region = regions[0]
        if region not in seen.points[part]:
            return self._insert(part, region, rows, call, time_left)
        if any(row.region == region for row in _front(rows)):
            self._carries(part, region, rows, time_left)
            again = self.before(time_left)
            self.newest(again, call)
            self.unchanged(again, seen.version)
        return self._delete(next(row for row in rows if row.region not in ("", region)), seen, time_left)

    def rank(self, part: str, regions: tuple[str, ...], seen: Seen) -> int:
        """Last what is asked for through the path first: what answers may need every part to lead there."""
        gains = super().rank(part, regions, seen)
        return gains + any(row.region in regions for row in _front(seen.raw[part])) if gains else 0

    def _insert(self, part: str, region: str, rows: list[Row], call: Call, time_left: TimeLeft) -> str:
        best = min((row.priority for row in rows), default=self._options.priority + 1)
        if best == 0:
            raise Permanent(
                f"The route {rows[0].name} to {part} has the priority 0, and none is better.",
                UNCHANGED,
                "Make it anew with a priority of 1000, and take the old one away: gcloud compute routes create …",
            )
        hop, priority = self._hops[region], best - 1
        name = f"{self._stems[part, region]}-{call.epoch}-{priority}"
        body: dict[str, Any] = {
            "name": name,
            "description": marked("", self._asking.topology.application, call.epoch, call.run),
            "network": self._options.vpc,
            "destRange": part,
            "priority": priority,
            key_of(hop): hop,
        }
        if self._options.tags:
            body["tags"] = list(self._options.tags)
        self.order("POST", f"{self._scope}/routes", time_left, body=body)
        return f"a route to {part} by {hop}, with the priority {priority}: {name}"

    def _take_back(self, part: str, rows: list[Row], time_left: TimeLeft) -> str:
        """It led nowhere before: what a run inserted goes, and nothing else."""
        strange = next((row for row in rows if row.region and row.epoch is None), None)
        if strange is not None:
            raise Permanent(f"The route {strange.name} to {part} was made by no run, and is not taken away.", UNCHANGED)
        ours = [row for row in rows if row.region]
        self._away(ours[0].name, time_left)
        return f"the route {ours[0].name} to {part} is taken away, as it was before"

    def _carries(self, part: str, region: str, rows: list[Row], time_left: TimeLeft) -> None:
        """Return once something answers through the region's route; at once where nothing is named that could. A new
        route reaches the instances little by little ("Routes": an eventually consistent design)."""
        stays = "The old one stays until it does."
        bad = next((row for row in _front(rows) if row.region == region and row.warning), None)
        if bad is not None:
            raise Transient(f"The new route {bad.name} to {part} carries nothing: {bad.warning}. {stays}")
        said = "no time was left to ask"
        while (left := time_left.seconds - ROOM_SECONDS) > 0:
            reached = self.reach(region)
            if isinstance(reached, Known) and reached.value.answers is not False:
                return
            said = reached.value.what if isinstance(reached, Known) else reached.reason
            _CLOCK.sleep(min(AGAIN_SECONDS, left))
        raise Transient(f"Nothing answers through the new route to {part} yet: {said}. {stays}")

    def _delete(self, row: Row, seen: Seen, time_left: TimeLeft) -> str:
        try:
            self._away(row.name, time_left)
        except Permanent:
            # Somebody else may have deleted it in this instant, which Google says as it says that it never was.
            self.unchanged(self.before(time_left), seen.version)
            raise
        return f"the route {row.name} by {row.hop} is taken away"

    def _away(self, name: str, time_left: TimeLeft) -> None:
        self.order("DELETE", f"{self._scope}/routes/{name}", time_left)

    def _stem(self, destination: str, hop: str) -> str:
        """Of the names of what is inserted: the same for one application, network, destination and hop."""
        told = "/".join(
            (self._asking.topology.application, self._options.vpc, destination, *sorted(self._options.tags), hop)
        )
        return f"cloudfail-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _front(rows: list[Row]) -> list[Row]:
    """Those that packets go by: of the best priority, between which Google divides them."""
    return [row for row in rows if row.priority == rows[0].priority]


def _hop(one: Mapping[str, Any]) -> str:
    """ "" where it is none of a static route that a person can make."""
    return next((path_of(str(one[key])) for key in _STATIC_KEYS if one.get(key)), "")


def build(resource: Resource, topology: Topology) -> StaticRoute:
    """Kind.build. Raises Refused where two regions have one next hop."""
    members = {region: HopMember.model_validate(member) for region, member in resource.members.items()}
    told_apart(resource, {region: [member.hop] for region, member in members.items()})
    return StaticRoute(Asking.of(resource, topology), RouteOptions.model_validate(resource.options), members)
