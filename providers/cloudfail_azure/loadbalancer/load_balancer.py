"""loadbalancer: azure-load-balancer. The backend addresses of one pool of a Standard Load Balancer, regional or global.

A load balancer has no weights. What it has is an address's administrative state, which overrides the probe: `Down`
takes no new connection, whatever a probe sees, and that is the latch; `None` leaves it to the probe ("Administrative
State (Admin State) in Azure Load Balancer", MicrosoftDocs/azure-docs, articles/load-balancer/admin-state-overview.md,
commit 04cb5e08). A global balancer has it too (Azure/azure-cli issue 28917, `az network cross-region-lb address-pool
address update --admin-state`); there an address is the frontend of a region's own balancer. `Up` is never written: it
sends users to what the probe finds dead.

The state "isn't supported for nonprobed load balancing rules" (the same page), so a regional pool with such a rule is
refused; a global balancer probes by itself. An address that is there by its network interface alone cannot be written
at all (`networkInterfaceIPConfiguration` is only read), and is refused: what a PUT leaves out may be gone.

The pool is replaced as a whole (`Load Balancer Backend Address Pools - Create Or Update`), made of what was read within
the call: other addresses and settings stay, and all addresses change in one request, so that there is no moment with
none (invariant I5). The reference knows no condition, and Azure answers 412 to an If-Match that is no longer so
(hashicorp/terraform-provider-azurerm issue 13886; "the Etags of the backend pool and the LB are the same",
kubernetes-sigs/cloud-provider-azure pull request 1588). So it is sent, and what an older lease sends late is said to be
put back by watching.

The home region "doesn't affect how the traffic will be routed. If a home region goes down, traffic flow is unaffected"
("Global Load Balancer", cross-region-overview): but orders go there, so one whose home is lost moves nothing.

What happens to clients: "established TCP connections to the backend instance persist".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_azure.asking import Asking
from cloudfail_azure.paths import name_of, parent_of, same
from cloudfail_azure.whole import Network, Whole
from cloudfail_names.weights import UNCHANGED, wanted

READ_SECONDS = 8.0
PERCENT = 100
_CLOSED, _FORCED, _PROBED = "down", "up", "none"


@dataclass(frozen=True)
class _Seen:
    """pool: as it is to be written back. regions: region -> its addresses, as they stand in the pool."""

    pool: Whole
    regions: Mapping[str, list[Mapping[str, Any]]]
    moving: str

    @property
    def weights(self) -> dict[str, int]:
        """Of a region with some addresses down, the part that is not: what is open by a hair is not closed."""
        found = {}
        for region, held in self.regions.items():
            opened = sum(_state(one) != _CLOSED for one in held)
            found[region] = max(1, opened * PERCENT // len(held)) if opened else 0
        return found

    @property
    def version(self) -> str:
        told = ([f"{one['name']}={_state(one)}" for one in held] for held in self.regions.values())
        return "/".join(",".join(one) for one in told)


class LoadBalancer:
    """One backend pool; a member is the names of the addresses that stand for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        options = asking.resource.options
        self._pool = str(options["pool"])
        self._rule = str(options["rule"] or "")
        self._network = Network(asking, str(options["region"]))
        self._members = {region: list(member["addresses"]) for region, member in asking.resource.members.items()}

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at, until = time.time(), self._asking.deadline(READ_SECONDS)
        try:
            seen = self._look(until)
            healthy = self._healthy(seen, until)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(LoadBalancerState(seen.weights, healthy, seen.version, None, seen.moving, None), at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=PERCENT, what=self._asking.resource.name)
        for region, share in asked.items():
            if share not in (0, PERCENT):
                raise Permanent(
                    f"A load balancer has no shares: {region} is 0 or 100, not {share}.",
                    UNCHANGED,
                    "Shift all at once, or put a Traffic Manager profile that routes by Weighted in front.",
                )
        time_left = TimeLeft(call)
        seen = self._before(self._asking.deadline(call.timeout_seconds))
        if seen.weights == asked and not seen.pool.ended_badly:
            return
        if seen.version != expect.version:
            raise Conflict(f"The addresses are {seen.version}, not {expect.version} as they were seen.", UNCHANGED)
        if seen.moving and not seen.pool.ended_badly:
            raise Transient(f"{self._pool}: {seen.moving}, and nothing is ordered on top of it.")
        body = seen.pool.copied()
        for one in body["properties"]["loadBalancerBackendAddresses"]:
            region = self._region_of(one)
            if not region:
                continue
            state = _state(one)
            if not asked[region]:
                one["properties"]["adminState"] = "Down"
            elif state == _CLOSED:
                one["properties"]["adminState"] = "None"
        reply = self._network.put(seen.pool, body, call=time_left.rest())
        self._network.follow(reply, f"PUT {self._pool}", time_left)

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """Whether somebody's state sends users to an address whatever its probe finds."""
        at = time.time()
        try:
            seen = self._look(self._asking.deadline(READ_SECONDS))
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        forced = [str(one["name"]) for held in seen.regions.values() for one in held if _state(one) == _FORCED]
        said = "is Up by its administrative state, and gets users though its probe fails; set it to None"
        return Known(tuple(f"the address {name} of {self._pool} {said}" for name in forced), at)

    def _region_of(self, address: Mapping[str, Any]) -> str:
        return next((region for region, names in self._members.items() if address.get("name") in names), "")

    def _healthy(self, seen: _Seen, until: float) -> dict[str, int]:
        """As the rule's probe sees them. Of an address whose state overrides the probe nothing is known."""
        if not self._rule or seen.moving:
            return {}
        probed = {region: held for region, held in seen.regions.items() if all(_state(one) == _PROBED for one in held)}
        left = self._asking.left_until(until)
        try:
            told = self._network.rule_health(parent_of(self._pool), self._rule, within=left)
        except CloudfailError:
            return {}  # what it weighs is known all the same
        well = {
            str(one.get("ipAddress"))
            for one in told.get("loadBalancerBackendAddresses") or ()
            if str(one.get("state", "")).lower() == "up"
        }
        if "up" not in told:
            return {}
        return {
            region: sum(str(one["properties"].get("ipAddress")) in well for one in held)
            for region, held in probed.items()
        }

    def _before(self, until: float) -> _Seen:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            return self._look(until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{self._pool} cannot be read: {error}") from error

    def _look(self, until: float) -> _Seen:
        """The balancer tells its pools with itself, and which rules lead to them."""
        balancer = self._network.get(parent_of(self._pool), within=self._asking.left_until(until))
        self._refuse_sku(balancer)
        pools = balancer.properties.get("backendAddressPools") or ()
        found = next((one for one in pools if same(str(one.get("id", "")), self._pool)), None)
        if found is None:
            there = ", ".join(str(one.get("name")) for one in pools)
            raise Permanent(f"{balancer.id} has no pool {name_of(self._pool)}.", UNCHANGED, f"It has: {there}.")
        pool = Whole(self._pool, found)
        if "loadBalancerBackendAddresses" not in pool.properties:
            raise Transient(f"Azure answers, and does not tell the addresses of {self._pool}.")
        self._refuse_unprobed(balancer)
        addresses = {str(one.get("name")): one for one in pool.properties["loadBalancerBackendAddresses"]}
        self._refuse_others(addresses)
        regions = {region: [addresses[name] for name in names] for region, names in self._members.items()}
        failed = f"Azure says that the last order on {pool.id} ended as {pool.state}" if pool.ended_badly else ""
        return _Seen(pool, regions, pool.moving or balancer.moving or failed)

    def _refuse_sku(self, balancer: Whole) -> None:
        sku = str((balancer.body.get("sku") or {}).get("name") or "Basic")
        if sku.lower() != "standard":
            raise Permanent(f"{balancer.id} is {sku}: only Standard has an administrative state.", UNCHANGED)

    def _refuse_unprobed(self, balancer: Whole) -> None:
        if str((balancer.body.get("sku") or {}).get("tier") or "Regional").lower() == "global":
            return
        for rule in balancer.properties.get("loadBalancingRules") or ():
            told = rule.get("properties") or {}
            pools = [told.get("backendAddressPool") or {}, *(told.get("backendAddressPools") or ())]
            if any(same(str(one.get("id", "")), self._pool) for one in pools) and not told.get("probe"):
                raise Permanent(
                    f"The rule {rule.get('name')} of {balancer.id} has no probe: an administrative state is no state "
                    "for it.",
                    UNCHANGED,
                    f"Give it one: az network lb rule update --ids {rule.get('id')} --probe-name NAME",
                )

    def _refuse_others(self, addresses: Mapping[str, Mapping[str, Any]]) -> None:
        """Those that are not there, those that cannot be written, and those that take traffic for nobody."""
        for region, names in self._members.items():
            for name in names:
                if name not in addresses:
                    there = ", ".join(sorted(addresses))
                    raise Permanent(
                        f"{self._pool} has no address {name}, which is to stand for {region}.",
                        UNCHANGED,
                        f"It has: {there}.",
                    )
        for name, one in addresses.items():
            told = one.get("properties") or {}
            if not told.get("ipAddress") and not told.get("loadBalancerFrontendIPConfiguration"):
                raise Permanent(
                    f"{name} is in {self._pool} by its network interface, which no PUT of the pool can say.",
                    UNCHANGED,
                    "Have the pool hold addresses (az network lb address-pool address add), or move a name instead.",
                )
            if not self._region_of(one) and _state(one) != _CLOSED:
                raise Permanent(
                    f"The address {name} of {self._pool} stands for no region, and would take traffic.",
                    UNCHANGED,
                    "Name it as a member, or set its administrative state to Down.",
                )


def _state(address: Mapping[str, Any]) -> str:
    return str((address.get("properties") or {}).get("adminState") or "None").lower()


def build(resource: Resource, topology: Topology) -> LoadBalancer:
    """Kind.build. Raises Refused where two regions have one address."""
    from cloudfail_paths.path import told_apart

    told_apart(resource, {region: member["addresses"] for region, member in resource.members.items()})
    return LoadBalancer(Asking.of(resource, topology))
