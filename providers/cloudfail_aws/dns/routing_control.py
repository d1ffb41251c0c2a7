"""dns: routing-control. A name whose record sets hang on routing controls of Application Recovery Controller.

A cluster has five endpoints in five regions, of which any is enough. They are written in cloudfail.yaml, since the
service that lists them lives in one region, and are tried in an order that is drawn anew each time; a state that is set
twice is set once. All states of a move go in one request, which is applied whole or not.

The API takes no condition: what stands is read immediately before, and what a late call changed is repaired by
watching. Safety rules are the cluster's own: what one refuses is refused for good, unless cloudfail.yaml names that
rule.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cloudfail.errors import CloudfailError, Conflict, OutcomeUnknown, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import DnsState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.dns import zones
from cloudfail_aws.dns.options import ControlMember, Endpoint, RoutingControlOptions
from cloudfail_aws.dns.records import place
from cloudfail_names.resolving import Resolvers

SERVICE = "route53-recovery-cluster"
STATES_MAX = 10
"""In one request (ARC developer guide, "Quotas")."""
ON, OFF = "On", "Off"

T = TypeVar("T")


class RoutingControl:
    """One name. `shuffled`: the order in which the endpoints are tried, drawn unless a test has its own."""

    def __init__(
        self,
        resource: Resource,
        topology: Topology,
        asking: Asking | None = None,
        shuffled: Callable[[list[Endpoint]], list[Endpoint]] = lambda endpoints: random.sample(
            endpoints, len(endpoints)
        ),
    ) -> None:
        self._options = options = RoutingControlOptions.model_validate(dict(resource.options))
        self._asking = asking or Asking.of(resource, topology)
        self._shuffled = shuffled
        members = {
            region: ControlMember.model_validate(resource.members[region])
            for region in zones.primary_first(resource.members, topology.primary)
        }
        self._controls = {region: member.control for region, member in members.items()}
        self._places = {region: place(region, member, options.type) for region, member in members.items()}
        if not 2 <= len(set(self._controls.values())) == len(members) <= STATES_MAX:
            raise Permanent(f"{options.name} needs a routing control for each of its regions, from 2 to {STATES_MAX}.")
        self._resolvers = Resolvers(options.resolvers, options.answer_within)

    # ---- reading

    def read(self) -> Known[DnsState] | Unknown:
        at = time.time()
        try:
            states = self._look(self._options.answer_within)
        except CloudfailError as error:
            return Unknown(f"no endpoint of the cluster said how the routing controls stand: {error}", at)
        # All of them Off: no record set is healthy, and Route 53 answers as if each were.
        fails_open = ON not in states.values()
        weights = {region: 100 * (state == ON or fails_open) for region, state in states.items()}
        return Known(
            DnsState(
                weights=weights,
                answers=self.answers(weights),
                ttl_seconds=float(self._options.ttl),
                version=json.dumps(states),
                one_at_a_time=self._options.routing != "multivalue",
            ),
            at,
        )

    def _look(self, within: float) -> dict[str, str]:
        def all_states(endpoint: Endpoint, left: float) -> dict[str, str]:
            until = self._asking.deadline(left)
            return {
                region: self._asking.read(
                    SERVICE,
                    endpoint.region,
                    "get_routing_control_state",
                    within=self._asking.left_until(until),
                    endpoint=endpoint.url,
                    RoutingControlArn=arn,
                )["RoutingControlState"]
                for region, arn in self._controls.items()
            }

        return self._anywhere(all_states, within)

    def answers(self, weights: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(
            sorted(one for region, weight in weights.items() if weight > 0 for one in self._places[region].answers)
        )

    def resolve(self) -> Known[Mapping[str, tuple[str, ...]]] | Unknown:
        targets = [one.answers[0] for one in self._places.values() if one.alias is not None]
        return self._resolvers.answers(self._options.name, self._options.type, targets)

    # ---- changing

    def shift(self, weights: Mapping[str, int], *, expect: DnsState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        unknown = [region for region in weights if region not in self._controls]
        if unknown:
            raise Permanent(f"{self._options.name} has no routing control for {unknown[0]}.", "Nothing was changed.")
        wanted = {region: ON if weights.get(region, 0) > 0 else OFF for region in self._controls}
        if ON not in wanted.values():
            raise Permanent(
                "Every routing control would be Off: Route 53 would then answer as if all were On.",
                "Nothing was changed.",
            )
        now = self._look(min(self._options.answer_within, self._asking.left_until(until)))
        if now == wanted:
            return
        if json.dumps(now) != expect.version:
            raise Conflict(f"The routing controls of {self._options.name} are not as they were seen.")
        entries = [
            {"RoutingControlArn": self._controls[region], "RoutingControlState": state}
            for region, state in wanted.items()
            if now[region] != state
        ]
        overrides = list(self._options.override_safety_rules)
        if overrides:
            call.log(f"safety rules that may be broken: {', '.join(overrides)}")

        def update(endpoint: Endpoint, left: float) -> dict[str, Any]:
            return self._asking.change(
                SERVICE,
                endpoint.region,
                "update_routing_control_states",
                call=zones.within(call, left),
                endpoint=endpoint.url,
                UpdateRoutingControlStateEntries=entries,
                **({"SafetyRulesToOverride": overrides} if overrides else {}),
            )

        try:
            self._anywhere(update, self._asking.left_until(until))
        except Conflict as error:
            self._why_refused(error, now)

    def _why_refused(self, error: Conflict, seen: Mapping[str, str]) -> None:
        """A safety rule and somebody else's change are one error to the cluster; how the controls stand tells them
        apart."""
        try:
            now = self._look(self._options.answer_within)
        except CloudfailError:
            raise error from None
        if now != seen:
            raise error
        raise Permanent(
            f"A safety rule of the cluster does not allow it: {error.happened}",
            "No routing control was changed.",
            "Name the rule under override_safety_rules in cloudfail.yaml if it may be broken, and plan anew.",
        ) from error

    # ---- endpoints

    def _anywhere(self, ask: Callable[[Endpoint, float], T], within: float) -> T:
        """What the first endpoint says that says anything; each gets its share of what is left. What was refused for
        good (or by a safety rule) by one is refused by all. An endpoint whose answer was lost may have set the states;
        the next one then sets them to the same."""
        until = self._asking.deadline(within)
        endpoints = self._shuffled(list(self._options.endpoints))
        problem: CloudfailError = Transient("No endpoint was asked in time.")
        for tried, endpoint in enumerate(endpoints):
            left = self._asking.left_until(until)
            try:
                return ask(endpoint, left / (len(endpoints) - tried))
            except Transient as error:
                problem = problem if isinstance(problem, OutcomeUnknown) else error
            except OutcomeUnknown as error:
                problem = error
        raise problem


def build(resource: Resource, topology: Topology) -> RoutingControl:
    """Kind.build."""
    return RoutingControl(resource, topology)
