"""signals: cloudwatch-alarm. One alarm for each region: a metric alarm, or a composite one.

It is asked where it stands. An alarm that stands in the region that it judges does not answer while that is lost, and
is unknown then: what it said before is not kept. That CloudWatch still evaluates it cannot be seen from outside. That
it had fresh data to evaluate can (metric_age.py), and each metric alarm that a composite one names must have had it.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import CloudfailError
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.signal import SignalState
from cloudfail.model.topology import Resource, Topology
from cloudfail_aws.asking import Asking
from cloudfail_aws.signals import metric_age
from cloudfail_aws.signals.alarm_rule import children
from cloudfail_aws.signals.metric_age import Unseen
from cloudfail_aws.signals.options import AlarmMember

READ_SECONDS = 8.0
DEPTH_MAX = 5
ALARMS_MAX = 20
"""What a composite alarm may name, with all below it: each is a request of its own."""


class CloudWatchAlarm:
    """Fulfils ports.Signals."""

    def __init__(self, asking: Asking, members: Mapping[str, AlarmMember], stale_seconds: float) -> None:
        self._asking = asking
        self._members = members
        self._stale_seconds = stale_seconds

    def read(self, region: str) -> Known[SignalState] | Unknown:
        member = self._members.get(region)
        if member is None:
            return self._unknown(f"no alarm is written for {region}")
        where = member.stands_in or region
        until = self._asking.deadline(READ_SECONDS)
        try:
            found = self._whole(member.alarm, where, until)
            state = self._state(member.alarm, where, found, until)
        except (Unseen, ValueError) as told:
            return self._unknown(f"the alarm {member.alarm} in {where}: {told}")
        except CloudfailError as error:
            return self._unknown(f"the alarm {member.alarm} in {where} could not be read: {error.happened}")
        return Known(state, self._asking.wall())

    def _unknown(self, why: str) -> Unknown:
        return Unknown(why, self._asking.wall())

    def _whole(self, name: str, where: str, until: float) -> Mapping[str, Mapping[str, Any]]:
        """The alarm, and all that it stands on, by name."""
        found: dict[str, Mapping[str, Any]] = {}
        asked = [name]
        for _ in range(DEPTH_MAX):
            for one in self._described(asked, where, until):
                found[one["AlarmName"]] = one
            missing = [one for one in asked if one not in found]
            if missing:
                raise Unseen(f"there is no metric or composite alarm {', '.join(missing)}")
            named = [child for one in asked if "AlarmRule" in found[one] for child in children(found[one]["AlarmRule"])]
            asked = [one for one in dict.fromkeys(named) if one not in found]
            if not asked:
                return found
            if len(found) + len(asked) > ALARMS_MAX:
                raise Unseen(f"it stands on more than {ALARMS_MAX} alarms")
        raise Unseen(f"it stands on alarms that are more than {DEPTH_MAX} deep")

    def _described(self, names: list[str], where: str, until: float) -> list[Mapping[str, Any]]:
        reply = self._asking.read(
            "cloudwatch",
            where,
            "describe_alarms",
            within=self._asking.left_until(until),
            AlarmNames=names,
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=100,
        )
        if reply.get("NextToken"):
            raise Unseen("CloudWatch did not tell of all of its alarms at once")
        return [*(reply.get("MetricAlarms") or []), *(reply.get("CompositeAlarms") or [])]

    def _state(self, name: str, where: str, found: Mapping[str, Mapping[str, Any]], until: float) -> SignalState:
        for one in found.values():
            if one.get("StateValue") not in ("OK", "ALARM"):
                because = f": {one['StateReason']}" if one.get("StateReason") else ""
                raise Unseen(f"{one['AlarmName']} is {one.get('StateValue', 'in no state')}{because}")
            if one.get("EvaluationState"):
                raise Unseen(f"{one['AlarmName']} is evaluated with {one['EvaluationState']}")
        ages = [self._measured_at(one, where, until) for one in found.values() if "AlarmRule" not in one]
        if not ages:
            raise Unseen("no metric stands behind it")
        firing = found[name]["StateValue"] == "ALARM"
        said = "is in ALARM" if firing else "is OK"
        reason = f": {found[name]['StateReason']}" if firing and found[name].get("StateReason") else ""
        return SignalState(firing, min(ages), self._stale_seconds, f"the alarm {name} in {where} {said}{reason}")

    def _measured_at(self, alarm: Mapping[str, Any], where: str, until: float) -> float:
        asked = metric_age.queries(alarm)
        now = datetime.datetime.fromtimestamp(self._asking.wall(), datetime.UTC)
        period = metric_age.longest_period(asked)
        reply = self._asking.read(
            "cloudwatch",
            where,
            "get_metric_data",
            within=self._asking.left_until(until),
            MetricDataQueries=asked,
            StartTime=now - datetime.timedelta(seconds=self._stale_seconds + 2 * period),
            EndTime=now + datetime.timedelta(seconds=period),
            ScanBy="TimestampDescending",
        )
        return metric_age.measured_at(asked, reply, alarm)


def build(resource: Resource, topology: Topology) -> CloudWatchAlarm:
    """Kind.build."""
    members = {region: AlarmMember.model_validate(member) for region, member in resource.members.items()}
    return CloudWatchAlarm(Asking.of(resource, topology), members, float(resource.options["stale_after"]))
