"""loadbalancer: alb. The weights of target groups in one forward action: of a listener's default action, or of a
rule's.

`modify_listener` and `modify_rule` replace the whole list of actions, and have no condition (elbv2 API reference). So
the list is read again immediately before, and written back with nothing changed but the weights of the members' groups:
other groups, the stickiness of the action, what authenticates before it, and the order stay. Applications that write
one list wait for each other (`Kind.shared`), and each holds its own weights, not the list, against what it saw. Whoever
else writes at the same moment can still be overwritten, or overwrite, which only a later look finds: fenced by
watching. The epoch stands in a tag of
the listener or rule, one tag for each application, and who finds a newer one there changes nothing; but tag and weights
are two requests, so the tag stops a worker that looks and not a request that lands late.

A target group that has no weight stays in the list: elbv2 checks the health of targets only while their group is used.

What happens to clients. A request that is under way ends where it is. A client's connection ends at the balancer, so
its next request goes by the new weights; behind a Network Load Balancer a flow stays with its target until it ends.
But where the action keeps clients on their group ("group stickiness"), one that has the cookie stays there until the
cookie's time is over, whatever the weights are, and gets 503 where no target there is healthy. That time is
`lingering_seconds`. The deregistration delay of a group is about targets that are taken out of it, which a weight does
not do; it is noted in the journal, for who does that next.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import LoadBalancerState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.loadbalancer.options import listener_or_rule, region_of
from cloudfail_names.weights import UNCHANGED, wanted

WEIGHT_MAX = 999
READ_SECONDS = 8.0
_NOTE_SECONDS = 2.0


@dataclass(frozen=True)
class _Seen:
    """The list of actions; which of them forwards; group -> weight in it; the newest epoch in the tag."""

    actions: list[dict[str, Any]]
    forward: int
    groups: Mapping[str, int]
    epoch: int | None

    @property
    def whole(self) -> str:
        written = json.dumps(self.actions, sort_keys=True, default=str)
        return hashlib.sha256(written.encode()).hexdigest()[:16]

    @property
    def sticky_seconds(self) -> float:
        """How long the action keeps a client on its group."""
        kept = self.actions[self.forward].get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {})
        return float(kept.get("DurationSeconds", 0)) if kept.get("Enabled") else 0.0

    def weights(self, members: Mapping[str, str]) -> dict[str, int]:
        return {region: self.groups.get(group, 0) for region, group in members.items()}

    def version(self, members: Mapping[str, str]) -> str:
        """Our part of the list. What others change in theirs is kept, and no reason to look again."""
        return "/".join(f"{region}={weight}" for region, weight in sorted(self.weights(members).items()))


class Alb:
    """One listener or rule; a member is the ARN of the target group that stands for a region."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._arn = listener_or_rule(asking.resource.options)
        self._is_rule = asking.resource.options["rule"] is not None
        self._region = region_of(self._arn)
        self._members = {region: str(group) for region, group in asking.resource.members.items()}
        self._tag = f"cloudfail:{asking.topology.application}:epoch"

    def read(self) -> Known[LoadBalancerState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            seen = self._look(until)
        except CloudfailError as error:
            return Unknown(str(error), at)
        healthy = {}
        for region, group in self._members.items():
            count = self._healthy(group, until)
            if count is not None:
                healthy[region] = count
        state = LoadBalancerState(
            seen.weights(self._members),
            healthy,
            seen.version(self._members),
            seen.epoch,
            lingering_seconds=seen.sticky_seconds,
        )
        return Known(state, at)

    def shift(self, weights: Mapping[str, int], *, expect: LoadBalancerState, call: Call) -> None:
        asked = wanted(weights, self._members, most=WEIGHT_MAX, what=self._asking.resource.name)
        until = self._asking.deadline(call.timeout_seconds)
        seen = self._look(until)
        self._newest(seen, call)
        if seen.weights(self._members) == asked:
            return
        if seen.version(self._members) != expect.version:
            raise Conflict(f"The weights of {self._arn} are not those that were seen.", UNCHANGED)
        if seen.epoch != call.epoch:
            self._mark(call, until)
            again = self._look(until)
            self._newest(again, call)
            if again.whole != seen.whole:
                raise Conflict(f"The actions of {self._arn} were changed by somebody else.", UNCHANGED)
        self._write(self._with(seen, asked), call, until)
        self._note(seen, asked, call, until)

    def _newest(self, seen: _Seen, call: Call) -> None:
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(
                f"{self._arn} was changed under lease {seen.epoch}, which is newer than {call.epoch}.", UNCHANGED
            )

    def _look(self, until: float) -> _Seen:
        if self._is_rule:
            found = self._read("describe_rules", until, RuleArns=[self._arn]).get("Rules") or []
            lists = [rule.get("Actions") for rule in found]
        else:
            found = self._read("describe_listeners", until, ListenerArns=[self._arn]).get("Listeners") or []
            lists = [listener.get("DefaultActions") for listener in found]
        if len(lists) != 1 or not lists[0]:
            # An empty list is no news of what is there.
            raise Transient(f"elbv2 in {self._region} answers, and tells no actions of {self._arn}.")
        actions: list[dict[str, Any]] = lists[0]
        forwards = [place for place, action in enumerate(actions) if action.get("Type") == "forward"]
        if len(forwards) != 1:
            raise Permanent(
                f"{self._arn} has {len(forwards)} forward actions, not one.",
                UNCHANGED,
                "Name a listener or a rule that forwards to the target groups of both regions.",
            )
        forward = actions[forwards[0]]
        groups = forward.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": forward["TargetGroupArn"]}]
        return _Seen(
            actions,
            forwards[0],
            {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups},
            self._epoch(until),
        )

    def _epoch(self, until: float) -> int | None:
        described = self._read("describe_tags", until, ResourceArns=[self._arn]).get("TagDescriptions") or []
        for tag in (tag for one in described for tag in one.get("Tags") or []):
            if tag["Key"] == self._tag:
                # What is no number was written by no run of ours, and says nothing of when.
                return int(tag["Value"]) if tag.get("Value", "").isdigit() else None
        return None

    def _healthy(self, group: str, until: float) -> int | None:
        """How many targets elbv2 counts as healthy; None where it does not say: it checks none of a group that no
        action uses, and a list without targets is no count."""
        try:
            told = self._read("describe_target_health", until, TargetGroupArn=group).get("TargetHealthDescriptions")
        except CloudfailError:
            return None
        states = [one.get("TargetHealth", {}).get("State", "") for one in told or []]
        if not set(states) - {"", "unused", "unavailable"}:
            return None
        return states.count("healthy")

    def _with(self, seen: _Seen, asked: Mapping[str, int]) -> list[dict[str, Any]]:
        """The same list, with these weights. What elbv2 tells and does not take back is left out: a forward action's
        group beside its groups, and that it never tells the secret of an OIDC client but keeps it when asked to."""
        actions = copy.deepcopy(seen.actions)
        forward = actions[seen.forward]
        forward.pop("TargetGroupArn", None)
        config = forward.setdefault("ForwardConfig", {})
        by_group = {self._members[region]: weight for region, weight in asked.items()}
        weights = {**seen.groups, **by_group}
        config["TargetGroups"] = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
        for action in actions:
            if "AuthenticateOidcConfig" in action:
                action["AuthenticateOidcConfig"].pop("ClientSecret", None)
                action["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True
        return actions

    def _write(self, actions: list[dict[str, Any]], call: Call, until: float) -> None:
        if self._is_rule:
            self._change("modify_rule", call, until, RuleArn=self._arn, Actions=actions)
        else:
            self._change("modify_listener", call, until, ListenerArn=self._arn, DefaultActions=actions)

    def _mark(self, call: Call, until: float) -> None:
        """The epoch beside the value, before it. Where it may not be written (no permission, too many tags), the
        weights still are: what fences them is the watching."""
        try:
            tag = {"Key": self._tag, "Value": str(call.epoch)}
            self._change("add_tags", call, until, ResourceArns=[self._arn], Tags=[tag])
        except Permanent as error:
            call.log(f"the epoch could not be written beside the weights: {error.happened}")

    def _note(self, seen: _Seen, asked: Mapping[str, int], call: Call, until: float) -> None:
        """What becomes of the clients of the regions that lost their weight, for the journal. The weights are set: what
        cannot be read now is left out."""
        if seen.sticky_seconds:
            call.log(f"clients with the balancer's cookie stay with their region for up to {seen.sticky_seconds:.0f} s")
        until = min(until, self._asking.deadline(_NOTE_SECONDS))
        for region, group in self._members.items():
            if asked[region] or not seen.groups.get(group):
                continue
            with contextlib.suppress(CloudfailError):
                told = self._read("describe_target_group_attributes", until, TargetGroupArn=group)
                kept = {one["Key"]: one.get("Value", "") for one in told.get("Attributes") or []}
                delay = kept.get("deregistration_delay.timeout_seconds")
                if delay is not None:
                    call.log(f"{region}: targets that are deregistered get {delay} s to end what they do")

    def _read(self, operation: str, until: float, **parameters: Any) -> dict[str, Any]:
        left = self._asking.left_until(until)
        return self._asking.read("elbv2", self._region, operation, within=left, **parameters)

    def _change(self, operation: str, call: Call, until: float, **parameters: Any) -> None:
        left = replace(call, timeout_seconds=self._asking.left_until(until))
        self._asking.change("elbv2", self._region, operation, call=left, **parameters)


def build(resource: Resource, topology: Topology) -> Alb:
    """Kind.build."""
    return Alb(Asking.of(resource, topology))
