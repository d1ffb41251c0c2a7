"""loadbalancer: forwarding-rule. Which target proxy a global forwarding rule, and so its address, leads to.

For a stack for each region behind one address: the only lever of a proxy Network Load Balancer (TCP, SSL) between
regions besides capacity, and of an Application Load Balancer the one that swaps certificates and URL map with it.

A regional forwarding rule evacuates nobody: "for regional forwarding rules, this target must be in the same region as
the forwarding rule" (Compute Engine v1, `ForwardingRule.target`), and global access lets clients of other regions in,
and nobody out. `setTarget` is what moves a global one: a patch takes the network tier alone.

`globalForwardingRules.setTarget` replaces the target and has no condition. So the rule is read again immediately
before; applications that write one rule wait for each other (`Kind.shared`); and the epoch stands in the rule's labels,
beside the application whose it is. Labels have a condition (`labelFingerprint`), but are another request than the
target, and another operation, which is waited for: so they stop a worker that looks, and not a request that lands late,
which only a later look finds (repaired by watching).

The answer to either is an operation. While one is under way the rule is `moving`; DONE completes nothing, the target
that is read afterwards does. Connections end at the proxies that they were opened to: what is under way goes on there.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.clock import SystemClock
from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.loadbalancer.services import API, NOWHERE, counted
from cloudfail_gcp.loadbalancer.weights import UNCHANGED, one_of
from cloudfail_gcp.paths import path_of, region_of
from cloudfail_gcp.under_way import anew, taken, under_way

READ_SECONDS = 8.0
WAIT_SHARE = 0.5
"""Of what is left of a call's time, what may be spent on waiting for an operation: the rest is for the target."""
POLL_SECONDS = 0.5
OWNER, EPOCH = "cloudfail-application", "cloudfail-epoch"
_CLOCK = SystemClock()


@dataclass(frozen=True)
class _Seen:
    """The rule as it was read; region -> weight; what is under way on it."""

    rule: dict[str, Any]
    weights: Mapping[str, int]
    moving: str

    @property
    def version(self) -> str:
        return path_of(str(self.rule.get("target", "")))

    @property
    def labels(self) -> Mapping[str, str]:
        return self.rule.get("labels") or {}

    @property
    def epoch(self) -> int | None:
        """None for what is no number: no run of ours wrote it."""
        said = self.labels.get(EPOCH, "")
        return int(said) if said.isdigit() else None


class ForwardingRule:
    """One global forwarding rule; a member is the target proxy that stands for a region, and the backend services
    behind it whose targets are counted."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._path = str(asking.resource.options["forwarding_rule"])
        members = asking.resource.members
        self._targets = {region: str(member["target"]) for region, member in members.items()}
        self._services = {region: tuple(member["backend_services"]) for region, member in members.items()}
        self._owner = _as_label(asking.topology.application)
        if len(set(self._targets.values())) < len(self._targets):
            raise Permanent(f"Two regions of {asking.resource.name} have the same target.", UNCHANGED)
        if len({target.split("/")[-2] for target in self._targets.values()}) > 1:
            raise Permanent(
                f"The targets of {asking.resource.name} are of several types; setTarget takes one of the same type.",
                UNCHANGED,
                "Name target proxies of one type in cloudfail.yaml.",
            )

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        healthy = {}
        try:
            seen = self._look(until)
            for region, services in self._services.items():
                count = counted(self._asking, services, region, until)
                if count is not None:
                    healthy[region] = count
        except CloudfailError as error:
            return Unknown(str(error), at)
        state = LoadBalancerState(
            seen.weights, healthy, seen.version, seen.epoch, moving=seen.moving, lingering_seconds=0.0
        )
        return Known(state, at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        name = self._asking.resource.name
        asked = one_of(weights, self._targets, name, "For shares use loadbalancer: url-map, or a name (dns).")
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._at_rest(until)
        self._must_be_ours(seen, call)
        if seen.weights == asked:
            return
        if seen.version != expect.version:
            raise Conflict(f"{self._path} leads to {seen.version}, not to {expect.version} as it was seen.", UNCHANGED)
        if (seen.epoch, seen.labels.get(OWNER)) != (call.epoch, self._owner):
            self._mark(seen, call, until)
            seen = self._at_rest(until)
            self._must_be_ours(seen, call)
            if seen.version != expect.version:
                raise Conflict(f"{self._path} was led to {seen.version} by somebody else.", UNCHANGED)
        to = next(region for region, weight in asked.items() if weight)
        url = str(seen.rule["target"]).removesuffix(seen.version) + self._targets[to]
        self._order("setTarget", call, until, {"target": url}, request_id="requestId")

    def preflight(self) -> Known[tuple[str, ...]] | Unknown:
        """What would refuse a shift, or lose the address itself."""
        at = time.time()
        try:
            seen = self._look(self._asking.deadline(READ_SECONDS))
        except Permanent as error:
            return Known((str(error),), at)
        except CloudfailError as error:
            return Unknown(str(error), at)
        found = []
        if owner := self._other_owner(seen):
            found.append(f"{self._path} is moved by the application {owner}, as its labels say")
        subnetwork = path_of(str(seen.rule.get("subnetwork", "")))
        if seen.rule.get("loadBalancingScheme") == "INTERNAL_MANAGED" and subnetwork:
            found.append(
                f"the address of {self._path} is of a subnetwork in {region_of(subnetwork)}, and is lost with it: "
                f"give each region a forwarding rule, and move its users by a name (dns)"
            )
        return Known(tuple(found), at)

    def _other_owner(self, seen: _Seen) -> str:
        owner = seen.labels.get(OWNER, self._owner)
        return "" if owner == self._owner else owner

    def _must_be_ours(self, seen: _Seen, call: Call) -> None:
        if owner := self._other_owner(seen):
            raise Permanent(
                f"{self._path} is moved by the application {owner}, as its labels say.",
                UNCHANGED,
                f"Take the rule out of one of the two, then remove the label {OWNER}.",
            )
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(
                f"{self._path} was changed under lease {seen.epoch}, which is newer than {call.epoch}.", UNCHANGED
            )

    def _mark(self, seen: _Seen, call: Call, until: float) -> None:
        """The epoch beside the value, before it. Where it may not be written (no permission, too many labels), the
        target still is: what fences it is the watching."""
        labels = {**seen.labels, OWNER: self._owner, EPOCH: str(call.epoch)}
        body = {"labels": labels, "labelFingerprint": str(seen.rule.get("labelFingerprint", ""))}
        try:
            self._order("setLabels", call, until, body)
        except Permanent as error:
            call.log(f"the epoch could not be written beside the target: {error.happened}")

    def _at_rest(self, until: float) -> _Seen:
        """The rule once nothing is under way on it: a mark of ours, say, of this try or of the one before."""
        waits = self._asking.deadline(self._asking.left_until(until) * WAIT_SHARE)
        while (seen := self._before(until)).moving:
            if self._asking.left_until(waits) <= POLL_SECONDS:
                raise Transient(f"{self._path}: {seen.moving}, and nothing is ordered on top of it.")
            _CLOCK.sleep(POLL_SECONDS)
        return seen

    def _order(self, verb: str, call: Call, until: float, body: Mapping[str, Any], request_id: str = "") -> None:
        reply = self._asking.change(
            API,
            NOWHERE,
            "POST",
            f"{self._path}/{verb}",
            call=replace(anew(call), timeout_seconds=self._asking.left_until(until)),
            body=body,
            request_id=request_id,
        )
        taken(reply, f"{verb} of {self._path}")

    def _before(self, until: float) -> _Seen:
        """As it is immediately before the change: whatever came of this look, the target was not changed."""
        try:
            return self._look(until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{self._path} cannot be read: {error}") from error

    def _look(self, until: float) -> _Seen:
        """What is under way is asked first: what ends between the two is then seen in the rule."""
        moving = under_way(self._asking, NOWHERE, self._path, within=self._asking.left_until(until))
        rule = self._asking.read(API, NOWHERE, self._path, within=self._asking.left_until(until))
        target = path_of(str(rule.get("target", "")))
        if not target:
            raise Transient(f"Compute Engine answers, and does not tell what {self._path} leads to.")
        if target not in self._targets.values():
            raise Permanent(
                f"{self._path} leads to {target}, which stands for no region.",
                UNCHANGED,
                "Correct the members in cloudfail.yaml, or lead the rule to one of them by hand.",
            )
        return _Seen(rule, {region: 100 if one == target else 0 for region, one in self._targets.items()}, moving)


def _as_label(application: str) -> str:
    """A label's value is small letters, digits, - and _ (Compute Engine, "Labeling resources", requirements)."""
    if re.fullmatch(r"[a-z0-9_-]{1,63}", application):
        return application
    return f"application-{hashlib.sha256(application.encode()).hexdigest()[:16]}"


def build(resource: Resource, topology: Topology) -> ForwardingRule:
    """Kind.build."""
    return ForwardingRule(Asking.of(resource, topology))
