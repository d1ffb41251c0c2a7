"""Route 53 Application Recovery Controller: the data plane of a cluster of routing controls, at five endpoints.

As its documentation has it: all five endpoints give the same answers; a call changes several controls at once, or none;
a safety rule that the outcome would break refuses the whole call with ConflictException, unless the call names that
rule in SafetyRulesToOverride; an endpoint may be unavailable for a while, by EndpointTemporarilyUnavailableException or
by silence, and the caller must go to the next.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.aws.asked import Asked
from tests.emulators.aws.standin import Refused, StandIn
from tests.emulators.wire import Answer, Door, Lost, Request

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
# ARC's quota for one call.
ENTRIES_MAX = 10
_SERVICE = "route53-recovery-cluster"


@dataclass
class Control:
    arn: str
    name: str
    panel: str
    state: str = "Off"


@dataclass(frozen=True)
class Rule:
    """With no `gating`, an assertion: of `controls` at least `threshold` must be On. Else a gate: `controls` may change
    only while of `gating` at least `threshold` are On."""

    arn: str
    controls: tuple[str, ...]
    threshold: int
    gating: tuple[str, ...] = ()
    inverted: bool = False

    def broken(self, before: dict[str, str], after: dict[str, str]) -> bool:
        if self.gating:
            changes = any(before[arn] != after[arn] for arn in self.controls)
            return changes and not self._holds(self.gating, after)
        return not self._holds(self.controls, after)

    def _holds(self, arns: tuple[str, ...], states: dict[str, str]) -> bool:
        return (sum(states[arn] == "On" for arn in arns) >= self.threshold) is not self.inverted


@dataclass
class Panel:
    """Of one account and cluster. The state machine behind all five endpoints."""

    account: str = "123456789012"
    controls: dict[str, Control] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    # Each change that took effect, for tests to count: {arn: state}.
    changes: list[dict[str, str]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def arn(self) -> str:
        return f"arn:aws:route53-recovery-control::{self.account}:controlpanel/{'0123456789abcdef' * 2}"

    def control(self, name: str, state: str = "Off") -> str:
        """A new one. Returns its ARN."""
        arn = f"{self.arn}/routingcontrol/{next(self._numbers):016x}"
        self.controls[arn] = Control(arn, name, self.arn, state)
        return arn

    def assertion(self, *controls: str, at_least: int = 1, inverted: bool = False) -> str:
        """A new safety rule. Returns its ARN."""
        return self._rule(controls, (), at_least, inverted)

    def gate(self, gating: tuple[str, ...], controls: tuple[str, ...], at_least: int = 1) -> str:
        return self._rule(controls, gating, at_least, False)

    def _rule(self, controls: tuple[str, ...], gating: tuple[str, ...], threshold: int, inverted: bool) -> str:
        arn = f"{self.arn}/safetyrule/{next(self._numbers):016x}"
        self.rules[arn] = Rule(arn, controls, threshold, gating, inverted)
        return arn

    def states(self) -> dict[str, str]:
        """By name, as the health checks of those controls see them."""
        return {one.name: one.state for one in self.controls.values()}

    def get_routing_control_state(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        one = self._find(given["RoutingControlArn"])
        return {"RoutingControlArn": one.arn, "RoutingControlName": one.name, "RoutingControlState": one.state}

    def list_routing_controls(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        if given.get("ControlPanelArn", self.arn) != self.arn:
            raise Refused("ResourceNotFoundException", "There is no such control panel.", **_of("ControlPanel", given))
        start, size = int(given.get("NextToken", "0")), given.get("MaxResults", 100)
        ordered = sorted(self.controls.values(), key=lambda one: one.arn)
        page = [
            {
                "ControlPanelArn": one.panel,
                "ControlPanelName": "panel",
                "RoutingControlArn": one.arn,
                "RoutingControlName": one.name,
                "RoutingControlState": one.state,
                "Owner": self.account,
            }
            for one in ordered[start : start + size]
        ]
        more = {"NextToken": str(start + size)} if start + size < len(ordered) else {}
        return {"RoutingControls": page, **more}

    def update_routing_control_state(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        return self._update([given], given.get("SafetyRulesToOverride", []))

    def update_routing_control_states(self, given: dict[str, Any], what: Asked) -> dict[str, Any]:
        entries = given["UpdateRoutingControlStateEntries"]
        if len(entries) > ENTRIES_MAX:
            raise Refused(
                "ServiceLimitExceededException",
                f"At most {ENTRIES_MAX} routing controls can be changed in one call.",
                limitCode="entries",
                serviceCode="route53-recovery-cluster",
            )
        return self._update(entries, given.get("SafetyRulesToOverride", []))

    def _update(self, entries: list[dict[str, Any]], overridden: list[str]) -> dict[str, Any]:
        wanted = {entry["RoutingControlArn"]: entry["RoutingControlState"] for entry in entries}
        if len(wanted) < len(entries):
            raise Refused("ValidationException", "A routing control is named twice.", reason="OTHER", fields=[])
        for arn in (*wanted, *overridden):
            if arn not in self.rules:
                self._find(arn)
        before = {arn: one.state for arn, one in self.controls.items()}
        after = {**before, **wanted}
        for rule in self.rules.values():
            if rule.arn not in overridden and rule.broken(before, after):
                raise Refused(
                    "ConflictException",
                    f"Safety rule {rule.arn} would be broken.",
                    resourceId=rule.arn,
                    resourceType="SafetyRule",
                )
        for arn, state in wanted.items():
            self.controls[arn].state = state
        self.changes.append(wanted)
        return {}

    def _find(self, arn: str) -> Control:
        if arn not in self.controls:
            raise Refused(
                "ResourceNotFoundException", f"There is no {arn}.", resourceId=arn, resourceType="RoutingControl"
            )
        return self.controls[arn]


def _of(kind: str, given: dict[str, Any]) -> dict[str, str]:
    return {"resourceId": given.get("ControlPanelArn", ""), "resourceType": kind}


class Endpoint:
    """One of the five, at a port of its own. It can be killed (connecting is refused), silenced, or be unavailable
    (it says so), and each ends with `restore`."""

    def __init__(self, region: str, stand_in: StandIn) -> None:
        self.region = region
        self._stand_in = stand_in
        self._how = "up"
        self._lock = threading.Lock()
        # How many requests reached it, whatever they met.
        self.asked = 0
        self._door = Door(self._answer)

    @property
    def url(self) -> str:
        return self._door.url

    def kill(self) -> None:
        self._door.shut()

    def silence(self) -> None:
        """Requests arrive, have no effect, and are never answered."""
        self._how = "silent"

    def lose_answers(self) -> None:
        """Requests take effect and are never answered."""
        self._how = "deaf"

    def be_unavailable(self) -> None:
        self._how = "unavailable"

    def restore(self) -> None:
        self._how = "up"
        self._door.open()

    def close(self) -> None:
        self._door.shut()

    def refuse_if_unavailable(self) -> None:
        if self._how == "unavailable":
            raise Refused("EndpointTemporarilyUnavailableException", "The cluster endpoint isn't available.")

    def _answer(self, request: Request) -> Answer | Lost:
        with self._lock:
            self.asked += 1
        if self._how == "silent":
            return Lost.SILENCE
        answer = self._stand_in.answer(request)
        return Lost.SILENCE if self._how == "deaf" else answer


class Cluster:
    """The five endpoints of one panel."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.stand_ins: list[StandIn] = []
        self.endpoints: dict[str, Endpoint] = {}
        one_at_a_time = threading.RLock()
        for region in REGIONS:
            stand_in = StandIn(_SERVICE, panel, self._available, one_at_a_time)
            self.stand_ins.append(stand_in)
            self.endpoints[region] = Endpoint(region, stand_in)

    def urls(self) -> dict[str, str]:
        """By region, as DescribeCluster of the control plane would list them."""
        return {region: endpoint.url for region, endpoint in self.endpoints.items()}

    def close(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.close()

    def _available(self, what: Asked) -> None:
        """The region that a request is signed for is its endpoint's: AWS refuses a signature of another."""
        if what.region not in self.endpoints:
            raise Refused("AccessDeniedException", f"Signed for {what.region}, where the cluster has no endpoint.")
        self.endpoints[what.region].refuse_if_unavailable()
