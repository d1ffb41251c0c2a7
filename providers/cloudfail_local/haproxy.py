"""loadbalancer: haproxy. Weights and states over the runtime API.

The API has no condition: the state is read again right before it is changed, and read back after (fenced by watching).
What takes traffic is set before what loses it is drained, so that no moment is without a server (invariant I5).

Drained means `state drain`, not `state maint`: both send the next request of a kept-alive connection elsewhere (HTTP
mode), but in maintenance HAProxy stops its checks, and whether a region may take traffic back could not be seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_local import runtime
from cloudfail_local.errors import from_haproxy
from cloudfail_local.options import HAPROXY_NAME, HaproxyOptions

WEIGHT_MAX = 256


class Haproxy:
    """One backend; a member is the name of the server in it that stands for a region."""

    def __init__(self, resource: Resource) -> None:
        self._options = HaproxyOptions.model_validate(dict(resource.options))
        self._members = {region: str(server) for region, server in resource.members.items()}
        for server in self._members.values():
            if not HAPROXY_NAME.fullmatch(server):
                raise Permanent(f"{server!r} is no name of a server of HAProxy's.")

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        options = self._options
        try:
            lines = runtime.servers(options.socket, options.backend, seconds=options.answer_within)
        except (CloudfailError, ValueError) as error:
            return Unknown(str(error), at)
        missing = [server for server in self._members.values() if server not in lines]
        if missing:
            return Unknown(f"HAProxy lists no server {options.backend}/{missing[0]}", at)
        weights, healthy, marks = {}, {}, []
        for region, server in self._members.items():
            line = lines[server]
            weights[region] = line.weight if line.takes_traffic else 0
            marks.append(f"{server}={weights[region]}")
            if line.healthy is not None:
                healthy[region] = int(line.healthy)
        return Known(LoadBalancerState(weights, healthy, "/".join(marks)), at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        self._refuse(weights)
        deadline = time.monotonic() + call.timeout_seconds
        seen = self._look()
        wanted = {region: weights.get(region, 0) for region in self._members}
        if dict(seen.weights) == wanted:
            return
        if seen.version != expect.version:
            raise Conflict(f"The weights are {seen.version}, not {expect.version} as they were seen.")
        gaining = [region for region, weight in wanted.items() if weight > 0]
        losing = [region for region, weight in wanted.items() if weight == 0]
        for region in gaining:
            self._set(region, f"weight {wanted[region]}", call, deadline)
            self._set(region, "state ready", call, deadline)
        for region in losing:
            self._set(region, "state drain", call, deadline)
        after = self._look()
        if dict(after.weights) != wanted:
            raise OutcomeUnknown(f"HAProxy obeyed, and reads {after.version}.")

    def _refuse(self, weights: Mapping[str, int]) -> None:
        unknown = [region for region in weights if region not in self._members]
        if unknown:
            raise Permanent(f"This load balancer has no server for {unknown[0]}.")
        if not any(weight > 0 for weight in weights.values()):
            raise Permanent("Every weight is zero: this would leave nothing to answer.", "Nothing was changed.")
        if any(weight < 0 or weight > WEIGHT_MAX for weight in weights.values()):
            raise Permanent(f"HAProxy's weights go from 0 to {WEIGHT_MAX}.", "Nothing was changed.")

    def _look(self) -> LoadBalancerState:
        seen = self.read()
        if isinstance(seen, Unknown):
            raise Transient(f"The load balancer cannot be read: {seen.reason}.")
        return seen.value

    def _set(self, region: str, what: str, call: Call, deadline: float) -> None:
        options = self._options
        left = max(0.05, min(float(options.answer_within), deadline - time.monotonic()))
        call.check()
        name = f"{options.backend}/{self._members[region]}"
        problem = from_haproxy(runtime.ask(options.socket, f"set server {name} {what}", seconds=left), options.socket)
        if problem is not None:
            raise problem


def build(resource: Resource, topology: Topology) -> Haproxy:
    """Kind.build."""
    del topology
    return Haproxy(resource)
