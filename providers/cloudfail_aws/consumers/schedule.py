"""consumers: schedule. One schedule of EventBridge Scheduler.

UpdateSchedule replaces the whole schedule, and what a request leaves out falls back to its default: a schedule that
kept its name and lost its time zone would still look well. So all that GetSchedule says goes back as it came, and only
the state is another. The one field that carries words, the description, carries the epoch at its end, in the same
request as the state.

Scheduler takes no StartDate that is more than five minutes past (its ValidationException; CreateSchedule's reference),
and a schedule that has run for a while has one. Where it refuses an update for that, which proves that nothing was
done, the same goes out again without it: the schedule began long ago, and begins again at once when it is turned on.

There is no condition: what somebody else changed between our look and our request would be put back. The look stands
immediately before, and the run goes on watching.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from cloudfail.errors import Permanent
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.consumers.options import ScheduleMember
from cloudfail_consumers.switches import Switch, Switched

_STANDS = {"ENABLED": True, "DISABLED": False}
# What GetSchedule says and UpdateSchedule does not take.
_READ_ONLY = frozenset({"Arn", "CreationDate", "LastModificationDate", "ResponseMetadata"})
DESCRIPTION_MAX = 512
_MARK = re.compile(r" ?\[cloudfail epoch (\d{1,18})\]$")


class Schedule(Switched[Asking]):
    """One schedule in each region."""

    def describe(self, region: str, *, within: float) -> Switch:
        member: ScheduleMember = self.member(region)
        raw = self._asking.read(
            "scheduler", region, "get_schedule", within=within, Name=member.schedule, GroupName=member.group
        )
        state = str(raw.get("State", "in no state"))
        mark = _MARK.search(str(raw.get("Description", "")))
        kept = {key: value for key, value in raw.items() if key != "ResponseMetadata"}
        return Switch(
            name=f"the schedule {member.group}/{member.schedule}",
            enabled=_STANDS.get(state),
            version=f"{state} {hashlib.sha256(repr(sorted(kept.items())).encode()).hexdigest()[:16]}",
            said=state,
            epoch=int(mark[1]) if mark else None,
            raw=raw,
        )

    def turn(self, region: str, seen: Switch, enabled: bool, *, call: Call) -> None:
        wanted, timed = replaced(seen.raw, enabled, call.epoch), TimeLeft(call)
        try:
            self._update(region, seen, wanted, timed.rest())
        except Permanent as error:
            if "StartDate" not in str(error) or "StartDate" not in wanted:
                raise
            began = wanted.pop("StartDate")
            self._update(region, seen, wanted, timed.rest())
            call.log(f"{seen.name} began {began}, which Scheduler takes no more: a rate counts anew from now")

    def _update(self, region: str, seen: Switch, wanted: Mapping[str, Any], call: Call) -> None:
        told = f"{call.key}/{call.epoch}/{seen.version}/{wanted['State']}/{'StartDate' in wanted}"
        token = hashlib.sha256(told.encode()).hexdigest()
        self._asking.change("scheduler", region, "update_schedule", call=call, ClientToken=token, **wanted)


def replaced(raw: Mapping[str, Any], enabled: bool, epoch: int) -> dict[str, Any]:
    """All of a schedule as it was read, with another state and the epoch in its description."""
    whole = {key: value for key, value in raw.items() if key not in _READ_ONLY}
    mark = f"[cloudfail epoch {epoch}]"
    words = _MARK.sub("", str(raw.get("Description", "")))
    described = f"{words} {mark}".strip()
    if len(described) > DESCRIPTION_MAX:
        raise Permanent(
            f"The description of {raw.get('Name')} leaves no room for the mark {mark!r}, which needs {len(mark) + 1}.",
            "The schedule was not changed.",
            f"Shorten it to {DESCRIPTION_MAX - len(mark) - 1} characters.",
        )
    return {**whole, "State": "ENABLED" if enabled else "DISABLED", "Description": described}


def build(resource: Resource, topology: Topology) -> Schedule:
    """Kind.build."""
    members = {region: ScheduleMember.model_validate(member) for region, member in resource.members.items()}
    return Schedule(Asking.of(resource, topology), members)
