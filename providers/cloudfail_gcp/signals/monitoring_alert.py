"""signals: monitoring-alert. One alerting policy of Cloud Monitoring for each region.

It fires while one of its alerts is open. Neither that nor its opposite says that anything is still measured: an alert
stays open without data until `autoClose` (AlertPolicy.AlertStrategy), and where nothing is measured none is opened. So
the metrics themselves are asked for, by the conditions' own filters (metric_age.py), and how old the newest is counts.

That can be told of conditions that compare a metric with a threshold. One on absence is judged on data that is not
there; a query (PromQL, MQL, SQL) may fill in what is missing; a log has no next entry to wait for. A policy that has
any of those is unknown. So is one that is disabled, invalid or, while it is quiet, snoozed: Monitoring opens no alert
then.

That Monitoring still evaluates the policy cannot be seen from outside. Its API belongs to no region.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState
from cloudfail.model.topology import Resource, Topology
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.signals import metric_age
from cloudfail_gcp.signals.metric_age import Unseen, instant
from cloudfail_gcp.signals.options import PolicyMember

READ_SECONDS = 8.0
NAMED_MAX = 3


class MonitoringAlert:
    """Fulfils ports.Signals. now: wall seconds."""

    def __init__(
        self,
        asking: Asking,
        members: Mapping[str, PolicyMember],
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
            return Unknown(f"no alerting policy is written for {region}", self._now())
        until = self._asking.deadline(READ_SECONDS)
        try:
            state = self._state(region, member.policy, until)
        except Unseen as told:
            return Unknown(f"the alerting policy {member.policy}: {told}", self._now())
        except CloudfailError as error:
            return Unknown(f"the alerting policy {member.policy} could not be read: {error.happened}", self._now())
        return Known(state, self._now())

    def _state(self, region: str, path: str, until: float) -> SignalState:
        policy = self._asking.read("monitoring", region, f"v3/{path}", within=self._left(until))
        if number(policy) != path.rpartition("/")[2]:
            raise Unseen("Monitoring answers, and says nothing of it")
        if policy.get("enabled") is not True:
            raise Unseen("it is not enabled, and opens no alert")
        if policy.get("validity"):
            raise Unseen(f"it is invalid, and opens no alert: {policy['validity'].get('message', 'no message')}")
        filters = metric_age.filters(policy)
        project = "/".join(path.split("/")[:2])
        opened = self._opened(region, project, path, until)
        if not opened:
            self._refuse_snoozed(region, project, path, until)
        now = self._now()
        ages = [
            metric_age.measured_at(
                lambda query: self._asking.read(
                    "monitoring", region, f"v3/{project}/timeSeries", within=self._left(until), query=query
                ),
                asked,
                now,
                self._stale_seconds,
            )
            for asked in filters
        ]
        said = f"the alerting policy {policy.get('displayName') or path} "
        said += f"has open alerts: {', '.join(opened[:NAMED_MAX])}" if opened else "has no open alert"
        more = f" and {len(opened) - NAMED_MAX} more" if len(opened) > NAMED_MAX else ""
        return SignalState(bool(opened), min(ages), self._stale_seconds, said + more)

    def _opened(self, region: str, project: str, path: str, until: float) -> list[str]:
        """Whatever was asked for, what came is looked at: another policy's alert is none of this one's."""
        found = self._asking.pages(
            "monitoring",
            region,
            f"v3/{project}/alerts",
            "alerts",
            within=self._left(until),
            query={"filter": 'state="OPEN"', "pageSize": "1000"},
        )
        mine = path.rpartition("/")[2]
        return [
            str(one.get("name", "")).rpartition("/")[2]
            for one in found
            if one.get("state") == "OPEN" and number(one.get("policy") or {}) == mine
        ]

    def _refuse_snoozed(self, region: str, project: str, path: str, until: float) -> None:
        found = self._asking.pages(
            "monitoring",
            region,
            f"v3/{project}/snoozes",
            "snoozes",
            within=self._left(until),
            query={"pageSize": "1000"},
        )
        mine, now = path.rpartition("/")[2], self._now()
        for one in found:
            named = [str(name).rpartition("/")[2] for name in (one.get("criteria") or {}).get("policies") or []]
            interval = one.get("interval") or {}
            if mine in named and instant(interval.get("startTime")) <= now < instant(interval.get("endTime")):
                raise Unseen(f"it is snoozed until {interval['endTime']}, and opens no alert")

    def _left(self, until: float) -> float:
        return max(0.01, self._asking.left_until(until))


def number(policy: Mapping[str, Any]) -> str:
    """What names it, whether its project is told by id or by number."""
    return str(policy.get("name") or "").rpartition("/")[2]


def build(resource: Resource, topology: Topology) -> MonitoringAlert:
    """Kind.build."""
    members = {region: PolicyMember.model_validate(member) for region, member in resource.members.items()}
    return MonitoringAlert(Asking.of(resource, topology), members, float(resource.options["stale_after"]))
