"""loadbalancer: application-gateway. Which backend pool of an application gateway one of its rules leads to.

A gateway has no weights between regions: it spreads requests over the servers of one pool, and a rule (or a path rule
of its map, or the map's default) names that pool ("Application Gateway components", request routing rules). So each
region has a pool of its own, and a shift leads the rule to another one. Servers are never taken out of a pool: that
would be a pool with nobody in it. A rule that redirects, or that divides by a load distribution policy, is refused.

The gateway is replaced as a whole (`Application Gateways - Create Or Update`), made of what was read within the call,
with one reference changed: so one request, and no moment without a pool (invariant I5); a pool without any server is
never led to. Keys and passwords of certificates are never told by Azure and are left out, as its own command line does,
and stay. The reference knows no condition; the ETag that was seen is sent all the same (network/route_table.py has the
source), and what an older lease sends late is put back by watching. A gateway commonly serves many applications: each
holds its log for a call (ADR 0013), and holds its own rule alone against what it saw.

A second order is not refused while one is under way: "the previous one gets cancelled and superseded by the new one"
(Azure/azure-cli issue 21156), and `provisioningState` says `Updating` only for a moment, while the order went on for 87
s (issue 32961). So a read may be that old: the kind's settle time is 90 s, for which a step waits before it looks, and
whoever holds the log next before they write. An order that was superseded is in doubt, and looked at again. A PUT would
start a gateway that was stopped (MicrosoftDocs/azure-docs pull request 107660), so none is sent to one.

A gateway stands in one region, and its control plane with it. Whether a server is well is asked of the gateway's own
probes (`backendhealth`, an operation), which look at pools that a rule leads to. Of another one it is asked to probe
for this question (`getBackendHealthOnDemand`), as the probe says that the rule's settings name; where they name none,
nothing is known.

What happens to clients: "updates applied to Application Gateway are applied one update domain at a time. […] Active
connections are gracefully drained from the instances being updated for up to 5 minutes" (learn.microsoft.com/answers/
questions/1810966). So it takes minutes, and other applications' long connections are cut by it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.loadbalancer.options import ApplicationGatewayOptions
from cloudfail_azure.paths import name_of, parent_of, same
from cloudfail_azure.whole import Network, Whole
from cloudfail_names.weights import UNCHANGED, wanted

READ_SECONDS = 8.0
PERCENT = 100
RETRY_SECONDS = 30.0
# What a probe and a question share (`ApplicationGatewayOnDemandProbe`).
_PROBE = ("protocol", "host", "path", "timeout", "pickHostNameFromBackendHttpSettings", "match")


@dataclass(frozen=True)
class _Seen:
    """leads: the region whose pool the rule leads to."""

    gateway: Whole
    leads: str
    moving: str


class ApplicationGateway:
    """One rule of a gateway; a member is the pool that stands for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        options = ApplicationGatewayOptions.model_validate(asking.resource.options)
        self._id, self._rule, self._path = options.gateway, options.rule, options.path
        self._network = Network(asking, options.region)
        self._members = {region: str(member["pool"]) for region, member in asking.resource.members.items()}
        for pool in self._members.values():
            if not same(parent_of(pool), self._id):
                raise Permanent(
                    f"The pool {pool} is not of the gateway {self._id}.",
                    UNCHANGED,
                    f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                )

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at, until = time.time(), self._asking.deadline(READ_SECONDS)
        try:
            seen = self._look(until)
        except CloudfailError as error:
            return Unknown(str(error), at)
        weights = {region: PERCENT if region == seen.leads else 0 for region in self._members}
        healthy = {} if seen.moving else self._healthy(seen.gateway, until)
        return Known(LoadBalancerState(weights, healthy, seen.leads, None, seen.moving, None), at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        region = self._one_of(wanted(weights, self._members, most=PERCENT, what=self._asking.resource.name))
        time_left = TimeLeft(call)
        seen = self._before(self._asking.deadline(call.timeout_seconds))
        if seen.leads == region and not seen.gateway.ended_badly:
            return
        if seen.leads != expect.version:
            raise Conflict(f"{self._id}: {self._said} leads to {seen.leads}, not as it was seen.", UNCHANGED)
        if seen.moving and not seen.gateway.ended_badly:
            raise Transient(f"{seen.moving}, and nothing is ordered on top of it.", retry_after_seconds=RETRY_SECONDS)
        self._refuse_empty(seen.gateway, region)
        body = seen.gateway.copied()
        where, key = self._place(body["properties"])
        where[key] = {"id": self._members[region]}
        reply = self._network.put(seen.gateway, body, call=time_left.rest())
        self._network.follow(reply, f"PUT {self._id}", time_left)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """Of each region: whether its pool could be led to."""
        at, until = time.time(), self._asking.deadline(READ_SECONDS)
        found = []
        try:
            gateway = self._look(until).gateway
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        for region in self._members:
            try:
                self._refuse_empty(gateway, region)
            except Permanent as error:
                found.append(str(error))
        return Known(tuple(found), at)

    @property
    def _said(self) -> str:
        return f"the path rule {self._path} of {self._rule}" if self._path else f"the rule {self._rule}"

    def _one_of(self, asked: Mapping[str, int]) -> str:
        opened = [region for region, share in asked.items() if share]
        if len(opened) > 1 or asked[opened[0]] != PERCENT:
            raise Permanent(
                f"A rule leads to one pool: one region of {self._asking.resource.name} is 100, and the others are 0.",
                UNCHANGED,
                "Shift all at once, or put a Traffic Manager profile or Front Door in front.",
            )
        return opened[0]

    def _before(self, until: float) -> _Seen:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            return self._look(until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{self._id} cannot be read: {error}") from error

    def _look(self, until: float) -> _Seen:
        gateway = self._network.get(self._id, within=self._asking.left_until(until))
        if "requestRoutingRules" not in gateway.properties:
            raise Transient(f"Azure answers, and does not tell the rules of {self._id}.")
        state = str(gateway.properties.get("operationalState") or "")
        if state.lower() in ("stopped", "stopping"):
            raise Transient(f"{self._id} is {state}: it answers nobody.")
        where, key = self._place(gateway.properties)
        pool = str((where.get(key) or {}).get("id", ""))
        leads = next((region for region, own in self._members.items() if same(own, pool)), None)
        if leads is None:
            raise Permanent(
                f"{self._id}: {self._said} leads to {pool}, which stands for no region.",
                UNCHANGED,
                "Name that pool as a member, or see who led it there.",
            )
        failed = f"Azure says that the last order on {self._id} ended as {gateway.state}"
        starting = f"{self._id} is {state}" if state.lower() == "starting" else ""
        return _Seen(gateway, leads, gateway.moving or starting or (failed if gateway.ended_badly else ""))

    def _place(self, properties: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """(what names the pool, under which key). Raises Permanent where there is no such place, or where something
        else than a pool is named there."""
        rule = self._named(properties.get("requestRoutingRules"), self._rule, "rule")
        if not rule.get("urlPathMap"):
            if self._path:
                raise Permanent(
                    f"{self._id}: the rule {self._rule} has no paths.", UNCHANGED, "Leave path: away in cloudfail.yaml."
                )
            return self._to_pool(rule, "backendAddressPool", "redirectConfiguration", "loadDistributionPolicy")
        maps = properties.get("urlPathMaps")
        map_ = self._named(maps, name_of(str(rule["urlPathMap"].get("id", ""))), "map")
        if not self._path:
            names = ("defaultRedirectConfiguration", "defaultLoadDistributionPolicy")
            return self._to_pool(map_, "defaultBackendAddressPool", *names)
        path = self._named(map_.get("pathRules"), self._path, "path rule")
        return self._to_pool(path, "backendAddressPool", "redirectConfiguration", "loadDistributionPolicy")

    def _to_pool(self, place: dict[str, Any], key: str, *instead: str) -> tuple[dict[str, Any], str]:
        for other in instead:
            if place.get(other):
                raise Permanent(
                    f"{self._id}: {self._said} leads by its {other}, and not to one pool.",
                    UNCHANGED,
                    "Lead it to a pool of one region first, or move a name in front of the gateway.",
                )
        return place, key

    def _named(self, listed: Any, name: str, what: str) -> dict[str, Any]:
        """The properties of the one with that name."""
        for one in listed or ():
            if same(str(one.get("name", "")), name):
                found: dict[str, Any] = one.get("properties") or {}
                return found
        there = ", ".join(str(one.get("name")) for one in listed or ()) or "none"
        raise Permanent(f"{self._id} has no {what} {name}.", UNCHANGED, f"It has: {there}.")

    def _refuse_empty(self, gateway: Whole, region: str) -> None:
        """A pool in which nobody is would answer everything with 502."""
        pool = self._named(gateway.properties.get("backendAddressPools"), name_of(self._members[region]), "pool")
        if not pool.get("backendAddresses") and not pool.get("backendIPConfigurations"):
            raise Permanent(
                f"The pool {self._members[region]} of {region} has no server.", UNCHANGED, "Add its servers first."
            )

    def _healthy(self, gateway: Whole, until: float) -> dict[str, int]:
        """By the gateway's own probes. What it does not tell, or not in time, is unknown."""
        found: dict[str, int] = {}
        try:
            told = self._network.gateway_health(self._id, within=self._asking.left_until(until))
            for one in told.get("backendAddressPools") or ():
                pool = str((one.get("backendAddressPool") or {}).get("id", ""))
                region = next((region for region, own in self._members.items() if same(own, pool)), None)
                by_settings = [held.get("servers") or [] for held in one.get("backendHttpSettingsCollection") or ()]
                if region is not None and any(by_settings):
                    found[region] = min(_well(servers) for servers in by_settings)
            probe = self._probe(gateway)
            for region in self._members if probe else ():
                if region not in found:
                    asked = {**probe, "backendAddressPool": {"id": self._members[region]}}
                    told = self._network.pool_health(self._id, asked, within=self._asking.left_until(until))
                    if servers := (told.get("backendHealthHttpSettings") or {}).get("servers"):
                        found[region] = _well(servers)
        except CloudfailError:
            pass  # what it leads to is known all the same
        return found

    def _probe(self, gateway: Whole) -> dict[str, Any]:
        """As the rule's settings have it; empty where they name none of their own."""
        place, key = self._place(gateway.properties)
        settings = place.get("backendHttpSettings" if key == "backendAddressPool" else "defaultBackendHttpSettings")
        if not settings:
            return {}
        listed = gateway.properties.get("backendHttpSettingsCollection")
        named = self._named(listed, name_of(str(settings.get("id", ""))), "settings").get("probe")
        if not named:
            return {}
        probe = self._named(gateway.properties.get("probes"), name_of(str(named.get("id", ""))), "probe")
        return {"backendHttpSettings": settings, **{name: probe[name] for name in _PROBE if name in probe}}


def _well(servers: Iterable[Mapping[str, Any]]) -> int:
    return sum(str(one.get("health", "")).lower() == "up" for one in servers)


def build(resource: Resource, topology: Topology) -> ApplicationGateway:
    """Kind.build. Raises Refused where two regions have one pool."""
    from cloudfail_paths.path import told_apart

    told_apart(resource, {region: [str(member["pool"]).lower()] for region, member in resource.members.items()})
    return ApplicationGateway(Asking.of(resource, topology))
