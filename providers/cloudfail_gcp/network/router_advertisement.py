"""network: router-advertisement. What one Cloud Router tells its neighbours by BGP: whether they send packets by it.

Only the router of the region that takes over is changed, and nothing is asked of the one that is lost. It takes over by
being better than whatever the neighbours have besides: by ranges that it advertises only then (of several routes the
longest prefix wins, so halves of a range that the other region advertises do; or ranges that nobody else does), or by
the base priority of its sessions (a neighbour's MED; "Advertised routes": custom ranges are advertised with the base
priority alone, subnets of other regions with a cost added). To go back is to stop. So a move is one patch of one
router, and there is no moment without a route that was there before. Whether it is better is for the neighbours to say:
only what answers through the path tells.

`routers.patch` merges objects and replaces arrays (JSON merge patch), and a router has no fingerprint. So the array of
ranges, or of sessions, is written back as it was read immediately before, with nothing changed but our own; one worker
at a time does so (`Kind.shared`), of all applications in the same store. What somebody else writes in that instant may
be lost. The epoch stands in the router's description, in the same request. A request that lands late is seen, and put
right by watching.

`getRouterStatus` tells which sessions are up, and what was advertised on them: where what is set is not advertised, it
carries nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Conflict, Permanent, Refused, Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.network.marks import epoch_in, marked
from cloudfail_gcp.network.options import AdvertisedMember, AdvertisementOptions
from cloudfail_gcp.network.path import Path, Seen
from cloudfail_gcp.paths import region_of
from cloudfail_gcp.under_way import under_way
from cloudfail_paths.path import UNCHANGED

CUSTOM = "CUSTOM"
BASE_PRIORITY = 100
"""Google's own, of a session that names none ("Update the base route priority")."""


class RouterAdvertisement(Path):
    """The one part is the router, by its path."""

    def __init__(self, asking: Asking, options: AdvertisementOptions, members: Mapping[str, AdvertisedMember]) -> None:
        self._taker = region_of(options.router)
        super().__init__(
            asking,
            self._taker,
            {region: member.reach for region, member in members.items()},
            answer_within=options.answer_within,
        )
        self._options = options
        self._router = options.router
        self._other = next(region for region in members if region != self._taker)

    # ---- the look

    def look(self, *, within: float) -> Seen:
        """What is under way is asked first: what ends between the two is then seen in the router."""
        until = self._asking.deadline(within)
        moving = under_way(self._asking, self._where, self._router, within=within)
        router = self._get(self._router, until)
        if not router.get("bgp"):
            raise Transient(f"Compute Engine answers, and tells no BGP of {self._router}.")
        peers = self._peers(router)
        leads = self._by_ranges(router, peers) if self._options.ranges else self._by_priority(peers)
        status = self._get(f"{self._router}/getRouterStatus", until).get("result") or {}
        return Seen(
            {self._router: (self._taker if leads else self._other,)},
            "leads" if leads else "waits",
            epoch_in(str(router.get("description") or ""), self._asking.topology.application),
            moving=moving,
            obstacle="; ".join(self._silent(status, list(peers))) if leads else "",
            raw=router,
        )

    def _get(self, path: str, until: float) -> dict[str, Any]:
        return self._asking.read("compute", self._where, path, within=max(0.01, self._asking.left_until(until)))

    def _peers(self, router: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Our sessions, by name. Raises Transient where the router has none of them."""
        there = {str(one.get("name")): one for one in router.get("bgpPeers") or ()}
        names = self._options.peers or tuple(there)
        absent = [name for name in names if name not in there]
        if absent or not names:
            raise Transient(f"{self._router} has no session {', '.join(absent) or 'at all'}.")
        return {name: there[name] for name in names}

    def _by_ranges(self, router: Mapping[str, Any], peers: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whole or not at all: one request adds or removes all of them."""
        own = next((name for name, peer in peers.items() if peer.get("advertiseMode") == CUSTOM), None)
        if router["bgp"].get("advertiseMode") != CUSTOM or own is not None:
            raise Permanent(
                f"{self._router} advertises no ranges of its own choice"
                + (f" on the session {own}, which has its own." if own is not None else "."),
                UNCHANGED,
                "Set the router to custom advertisements, and its sessions to those of the router: gcloud compute "
                "routers update … --advertisement-mode custom --set-advertisement-groups all_subnets",
            )
        there = _ranges(router)
        found = [one for one in self._options.ranges if one in there]
        if found and len(found) < len(self._options.ranges):
            absent = next(one for one in self._options.ranges if one not in there)
            raise Conflict(
                f"{self._router} advertises {found[0]}, and not {absent}.",
                UNCHANGED,
                f"Add it, or take the others out: gcloud compute routers update {self._router.rpartition('/')[2]} …",
            )
        return bool(found)

    def _by_priority(self, peers: Mapping[str, Mapping[str, Any]]) -> bool:
        wanted = self._options.priority
        assert wanted is not None, "the file says one of the two"
        said = {name: int(peer.get("advertisedRoutePriority", BASE_PRIORITY)) for name, peer in peers.items()}
        if set(said.values()) == {wanted.leads}:
            return True
        if set(said.values()) == {wanted.waits}:
            return False
        told = ", ".join(f"{name} {priority}" for name, priority in said.items())
        raise Conflict(
            f"The sessions of {self._router} have the priorities {told}, and not all {wanted.leads} or {wanted.waits}.",
            UNCHANGED,
            "Set them all to one of the two: gcloud compute routers update-bgp-peer … --advertised-route-priority",
        )

    def _silent(self, status: Mapping[str, Any], names: list[str]) -> list[str]:
        """Why it carries nothing, session by session."""
        told = {str(one.get("name")): one for one in status.get("bgpPeerStatus") or ()}
        words = []
        for name in names:
            one = told.get(name, {})
            advertised = {str(route.get("destRange")): route for route in one.get("advertisedRoutes") or ()}
            absent = next((span for span in self._options.ranges if span not in advertised), None)
            if one.get("status") != "UP":
                words.append(f"the session {name} is {one.get('status', 'not told of')}")
            elif absent is not None:
                words.append(f"{absent} is not advertised on {name} yet")
        return words

    # ---- the verb

    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, call: Call, time_left: TimeLeft) -> str:
        if len(regions) != 1:
            raise Permanent(f"{self._router} leads to one region, not to {' and '.join(regions) or 'none'}.", UNCHANGED)
        leads = regions[0] == self._taker
        router = seen.raw
        description = marked(
            str(router.get("description") or ""), self._asking.topology.application, call.epoch, call.run
        )
        body: dict[str, Any] = {"description": description}
        if self._options.ranges:
            kept = [
                one for one in router["bgp"].get("advertisedIpRanges") or () if one["range"] not in self._options.ranges
            ]
            ours = [{"range": one, "description": "cloudfail"} for one in self._options.ranges] if leads else []
            body["bgp"] = {"advertisedIpRanges": [*kept, *ours]}
        else:
            body["bgpPeers"] = self._sessions(router, leads=leads)
        self.order("PATCH", self._router, time_left, body=body)
        return f"{self._router}: {'takes packets over' if leads else 'leaves packets'} for {regions[0]}"

    def _sessions(self, router: Mapping[str, Any], *, leads: bool) -> list[dict[str, Any]]:
        wanted = self._options.priority
        assert wanted is not None, "the file says one of the two"
        priority = wanted.leads if leads else wanted.waits
        own = self._peers(router)
        return [
            {**one, "advertisedRoutePriority": priority} if str(one.get("name")) in own else dict(one)
            for one in router["bgpPeers"]
        ]


def _ranges(router: Mapping[str, Any]) -> set[str]:
    return {str(one.get("range")) for one in router["bgp"].get("advertisedIpRanges") or ()}


def build(resource: Resource, topology: Topology) -> RouterAdvertisement:
    """Kind.build. Raises Refused unless there are two members, one of which is the router's own region."""
    options = AdvertisementOptions.model_validate(resource.options)
    taker = region_of(options.router)
    if len(resource.members) != 2 or taker not in resource.members:
        raise Refused(
            f"{resource.name}: {options.router} either takes packets over for {taker}, or leaves them where they go.",
            "Nothing was changed.",
            f"Write two members: {taker}, and the region where packets go without it.",
        )
    members = {region: AdvertisedMember.model_validate(member) for region, member in resource.members.items()}
    return RouterAdvertisement(Asking.of(resource, topology), options, members)
