"""signals: monitor-alert. One metric alert rule of Azure Monitor for each region.

It fires while one of its alerts has the condition Fired; what people answer to an alert (acknowledged, closed) is no
word on that. Neither a fired alert nor its absence says that anything is still measured. So the metrics themselves are
asked for, by the rule's own criteria (metric_age.py), on each resource that it watches, and how old the newest is
counts.

That can be told of rules that compare metrics with a threshold, a fixed or a learnt one, on resources that they name. A
web test, a query, a whole resource group or subscription is unknown. So is a rule that is disabled, and one whose
alerts are not resolved by themselves (`autoMitigate: false`): they say that it fired once, and not that it does.

An alert is deleted after thirty days, whether it is resolved or not, and no other one is fired while the condition
lasts (learn.microsoft.com/azure/azure-monitor/alerts/alerts-overview): what has fired for longer than that reads as
quiet. Rules that process alerts suppress what is done, and not the alert.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState
from cloudfail.model.topology import Resource, Topology
from cloudfail_azure.asking import Asking
from cloudfail_azure.paths import name_of, same
from cloudfail_azure.signals import metric_age
from cloudfail_azure.signals.metric_age import Unseen
from cloudfail_azure.signals.options import RuleMember

RULES_API = "2018-03-01"
ALERTS_API = "2019-05-05-preview"
METRICS_API = "2024-02-01"
READ_SECONDS = 8.0
NAMED_MAX = 3
SCOPES_MAX = 10
PAGE = "250"
_RESOURCE = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+", re.IGNORECASE)


class MonitorAlert:
    """Fulfils ports.Signals. now: wall seconds."""

    def __init__(
        self,
        asking: Asking,
        members: Mapping[str, RuleMember],
        stale_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._asking = asking
        self._members = members
        self._stale_seconds = stale_seconds
        self._now = now

    def read(self, region: str) -> Known[SignalState] | Unknown:
        member = self._members.get(region)
        if member is None:
            return Unknown(f"no alert rule is written for {region}", self._now())
        until = self._asking.deadline(READ_SECONDS)
        try:
            state = self._state(region, member.rule, until)
        except Unseen as told:
            return Unknown(f"the alert rule {member.rule}: {told}", self._now())
        except CloudfailError as error:
            return Unknown(f"the alert rule {member.rule} could not be read: {error.happened}", self._now())
        return Known(state, self._now())

    def _state(self, region: str, id_: str, until: float) -> SignalState:
        told = self._asking.read(region, id_, RULES_API, within=self._left(until))
        if not same(str(told.get("id", "")), id_):
            raise Unseen("Azure Monitor answers, and says nothing of it")
        rule = told.get("properties") or {}
        if rule.get("enabled") is not True:
            raise Unseen("it is not enabled, and fires no alert")
        if rule.get("autoMitigate") is False:
            raise Unseen(
                "its alerts are not resolved by themselves (autoMitigate is off): whether it fires now, none says"
            )
        criteria, scopes = metric_age.criteria(rule), scopes_of(id_, rule)
        fired = self._fired(region, id_, scopes, until)
        now = self._now()
        ages = [
            metric_age.measured_at(
                one,
                self._asking.read(
                    region,
                    f"{scope}/providers/Microsoft.Insights/metrics",
                    METRICS_API,
                    within=self._left(until),
                    query=metric_age.question(one, now - self._stale_seconds, now),
                ),
                self._stale_seconds,
            )
            for scope in scopes
            for one in criteria
        ]
        said = f"the alert rule {name_of(id_)} "
        said += f"has alerts that are fired: {', '.join(fired[:NAMED_MAX])}" if fired else "has no alert that is fired"
        more = f" and {len(fired) - NAMED_MAX} more" if len(fired) > NAMED_MAX else ""
        return SignalState(bool(fired), min(ages), self._stale_seconds, said + more)

    def _fired(self, region: str, id_: str, scopes: list[str], until: float) -> list[str]:
        """Whatever was asked for, what came is looked at: another rule's alert is none of this one's. Alerts of metrics
        are "Platform"'s (the common alert schema, `monitoringService`)."""
        subscription = "/".join(id_.split("/")[:3])
        found = self._asking.pages(
            region,
            f"{subscription}/providers/Microsoft.AlertsManagement/alerts",
            ALERTS_API,
            within=self._left(until),
            query={"monitorCondition": "Fired", "monitorService": "Platform", "timeRange": "30d", "pageCount": PAGE},
        )
        named = []
        for one in found:
            essentials = (one.get("properties") or {}).get("essentials") or {}
            if essentials.get("monitorCondition") == "Fired" and _is_of(essentials, id_, scopes):
                named.append(
                    f"{essentials.get('severity', 'of no severity')} on {essentials.get('targetResourceName')}"
                )
        return sorted(named)

    def _left(self, until: float) -> float:
        return max(0.01, self._asking.left_until(until))


def _is_of(essentials: Mapping[str, Any], id_: str, scopes: list[str]) -> bool:
    """Whether an alert is the rule's. The reference says of `alertRule` that it is an id or a name: by a name alone it
    is where it is of a resource that the rule watches."""
    rule = str(essentials.get("alertRule", ""))
    if "/" in rule:
        return same(rule, id_)
    target = str(essentials.get("targetResource", ""))
    return same(rule, name_of(id_)) and any(same(target, one) for one in scopes)


def scopes_of(id_: str, rule: Mapping[str, Any]) -> list[str]:
    """The resources that a rule watches. Raises Unseen where they are not named, or not the subscription's own: an
    alert stands in the subscription of the resource that it is of."""
    scopes = [str(one) for one in rule.get("scopes") or []]
    if not scopes or len(scopes) > SCOPES_MAX:
        raise Unseen(f"it watches {len(scopes)} resources; the data of one to {SCOPES_MAX} is asked for")
    for one in scopes:
        if not _RESOURCE.fullmatch(one):
            raise Unseen(f"it watches all of {one}, and names no resource whose data could be asked for")
        if one.split("/")[2].lower() != id_.split("/")[2].lower():
            raise Unseen(f"it watches {one}, which is of another subscription")
    return scopes


def build(resource: Resource, topology: Topology) -> MonitorAlert:
    """Kind.build."""
    members = {region: RuleMember.model_validate(member) for region, member in resource.members.items()}
    return MonitorAlert(Asking.of(resource, topology), members, float(resource.options["stale_after"]))
