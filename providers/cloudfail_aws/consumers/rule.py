"""consumers: eventbridge-rule. A rule of an event bus.

EnableRule knows one kind of "on". A rule that also sees read-only management events (`ENABLED_WITH_ALL_CLOUDTRAIL_
MANAGEMENT_EVENTS`) would come back as less than it was, so it is not turned off. Nor is one that another AWS service
made for itself.
"""

from __future__ import annotations

from cloudfail.errors import CloudfailError, Permanent
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_aws.asking import Asking
from cloudfail_aws.consumers.options import RuleMember
from cloudfail_consumers.switches import UNCHANGED, Switch, Switched

ALL_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_STANDS = {"ENABLED": True, ALL_EVENTS: True, "DISABLED": False}


class Rule(Switched[Asking]):
    """One rule in each region."""

    def describe(self, region: str, *, within: float) -> Switch:
        member: RuleMember = self.member(region)
        raw = self._asking.read(
            "events", region, "describe_rule", within=within, Name=member.rule, EventBusName=member.bus
        )
        state = str(raw.get("State", "in no state"))
        return Switch(
            name=f"the rule {member.bus}/{member.rule}",
            enabled=_STANDS.get(state),
            version=state,
            said=state,
            raw=raw,
        )

    def refusal(self, region: str, seen: Switch, enabled: bool) -> CloudfailError | None:
        if seen.raw.get("ManagedBy"):
            return Permanent(
                f"{seen.name} in {region} belongs to {seen.raw['ManagedBy']}, which turns it on and off itself.",
                UNCHANGED,
                "Take it out of cloudfail.yaml.",
            )
        if not enabled and seen.said == ALL_EVENTS:
            return Permanent(
                f"{seen.name} in {region} also sees read-only management events, and would come back without them.",
                UNCHANGED,
                f"aws events put-rule --region {region} --name {self.member(region).rule} --state DISABLED, with its "
                "other fields.",
            )
        return None

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        member: RuleMember = self.member(region)
        self._asking.change(
            "events",
            region,
            "enable_rule" if enabled else "disable_rule",
            call=call,
            Name=member.rule,
            EventBusName=member.bus,
        )


def build(resource: Resource, topology: Topology) -> Rule:
    """Kind.build."""
    members = {region: RuleMember.model_validate(member) for region, member in resource.members.items()}
    return Rule(Asking.of(resource, topology), members)
