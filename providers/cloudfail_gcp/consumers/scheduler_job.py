"""consumers: scheduler-job. One job of Cloud Scheduler.

A paused job "will not execute" (Cloud Scheduler v1, Job.State). That says nothing of an attempt that had begun, nor
does Google say how soon all of its servers know. The job itself tells when its last attempt began; so a job that is
PAUSED is off once that is longer ago than the shortest schedule, and not before.

No mark. A job has a description, which `jobs.patch` changes; but where an update does not succeed the job may be left
in UPDATE_FAILED, in which it "may not be executed" (jobs.patch). A mark is not worth that.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Transient
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_consumers.switches import Switch
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.consumers.options import JobMember
from cloudfail_gcp.consumers.switches import Switched, at_home

_STANDS = {"ENABLED": True, "PAUSED": False}
_NEITHER = {
    "DISABLED": "DISABLED by Cloud Scheduler itself, because of an error",
    "UPDATE_FAILED": "UPDATE_FAILED, in which it may run or not; an update that succeeds ends that",
}


class SchedulerJob(Switched):
    """One job in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, Any]) -> None:
        super().__init__(asking, members)
        at_home({region: member.job for region, member in members.items()}, asking.resource.name)

    def describe(self, region: str, *, within: float) -> Switch:
        member: JobMember = self.member(region)
        raw = self._asking.read("cloudscheduler", region, f"v1/{member.job}", within=within)
        if raw.get("name") != member.job:
            raise Transient(f"Cloud Scheduler answers, and says nothing of {member.job}.")
        state = str(raw.get("state", "in no state"))
        return Switch(
            name=f"the job {member.job}",
            enabled=_STANDS.get(state),
            version=f"{state} {raw.get('userUpdateTime', '')}",
            said=_NEITHER.get(state, state),
            still=_attempted(raw, member.quiet_for) if state == "PAUSED" else "",
            raw=raw,
        )

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        verb = "resume" if enabled else "pause"
        path = f"v1/{self.member(region).job}:{verb}"
        self._asking.change("cloudscheduler", region, "POST", path, call=call, body={})


def _attempted(raw: Mapping[str, Any], quiet_seconds: float) -> str:
    """What speaks against its being off: an attempt that is not long enough ago, by Google's stamp and our clock."""
    last = str(raw.get("lastAttemptTime") or "")
    if not last:
        return ""
    try:
        ago = time.time() - datetime.datetime.fromisoformat(last).timestamp()
    except ValueError:
        return f"its last attempt began at {last!r}, which is no time"
    return f"an attempt began {ago:.0f} s ago (quiet_for {quiet_seconds:.0f} s)" if ago < quiet_seconds else ""


def build(resource: Resource, topology: Topology) -> SchedulerJob:
    """Kind.build."""
    members = {region: JobMember.model_validate(member) for region, member in resource.members.items()}
    return SchedulerJob(Asking.of(resource, topology), members)
