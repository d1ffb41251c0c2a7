"""What the kinds of this port call, as Azure RBAC names it. Nothing of it changes anything. Source: "Azure permissions
for Monitor" and "Azure permissions for General"
(learn.microsoft.com/azure/role-based-access-control/permissions/)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Grant, Permissions
from cloudfail_azure.grants import stated
from cloudfail_azure.signals.options import HealthMember, RuleMember


def alert(resource: Resource, _topology: Topology, regions: Sequence[str]) -> Permissions:
    """What a rule watches only Azure Monitor knows."""
    why = "Alerts are listed for a whole subscription, and which resources' metrics a rule reads, the rule alone says."

    def told() -> Iterator[tuple[bool, Grant]]:
        for region in regions:
            if region not in resource.members:
                continue
            rule = RuleMember.model_validate(resource.members[region]).rule
            whole = ("/".join(rule.split("/")[:3]),)
            yield False, Grant(region, ("Microsoft.Insights/metricAlerts/read",), (rule,))
            reads = ("Microsoft.AlertsManagement/alerts/read", "Microsoft.Insights/metrics/read")
            yield False, Grant(region, reads, whole, why=why)

    return stated(told())


def health(resource: Resource, topology: Topology, regions: Sequence[str]) -> Permissions:
    """Each region's subscription is asked."""
    why = "Events are listed for a whole subscription."

    def told() -> Iterator[tuple[bool, Grant]]:
        for region, of in topology.regions.items():
            if region not in regions or (resource.members and region not in resource.members):
                continue
            if not resource.members and of.provider != resource.provider:
                continue
            member = resource.members.get(region)
            said = HealthMember.model_validate(member).subscription if member is not None else None
            if subscription := said or of.account:
                on = (f"/subscriptions/{subscription}",)
                yield False, Grant(region, ("Microsoft.ResourceHealth/events/read",), on, why=why)

    return stated(told())
