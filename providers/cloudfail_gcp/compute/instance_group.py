"""compute: instance-group. A zonal or regional managed instance group, and the autoscaler on it.

Where an autoscaler sets the size, `resize` is no way to change it: Google refuses it for a regional group (412,
"Resizing of autoscaled regional managed instance groups is not allowed"), and the autoscaler undoes it in a zonal one.
So what is ordered there is the floor, `minNumReplicas`: the autoscaler makes at least so many, and takes none of them
away. `wanted` is that floor. The ceiling goes up as far as needed, and back with the floor by the run that raised it.
One patch carries floor, ceiling and marks (marks.py). A group without an autoscaler, or with one that is OFF, is
resized.

Neither is done when its operation is DONE: that is before an instance exists. So `running` counts the instances that
are listed as running and are to stay so, and `healthy` those of them that a backend service, or the group's own health
check, finds healthy.

Its scaling schedules are another hand on the size. They raise it for a time and never go below the floor, so nothing of
ours is undone by them: they are named in the journal, and stay.

Scale-in is held by the autoscaler's mode ONLY_SCALE_OUT. Letting go puts back the mode that the hold replaced, and
nothing where somebody else had restricted it.

No request has a condition: group and autoscaler are read again immediately before, an older worker that looks finds a
newer epoch, and what it sent late is put right by watching. A group without an autoscaler carries no epoch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_gcp.asking import Asking
from cloudfail_gcp.compute import marks
from cloudfail_gcp.compute.groups import ON, ONLY_SCALE_OUT, Autoscaler, Group, described, healthy, running
from cloudfail_gcp.compute.marks import Before, Marks
from cloudfail_gcp.compute.options import InstanceGroupMember
from cloudfail_gcp.compute.quotas import launched, room_of
from cloudfail_gcp.paths import name_of, region_of
from cloudfail_gcp.under_way import anew, taken

READ_SECONDS = 8.0
ROOM_SECONDS = 12.0
"""What the project may run is asked of the group, its template, its machine type, the region and each zone."""


class InstanceGroup:
    """One group in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, InstanceGroupMember]) -> None:
        self._asking = asking
        self._members = members
        for region, member in members.items():
            if region_of(member.group) != region:
                # The one slip that would scale the region that is lost.
                raise Permanent(
                    f"The group {member.group} that is written for {region} stands in {region_of(member.group)}.",
                    "Nothing was changed.",
                    f"Correct the members of {asking.resource.name} in cloudfail.yaml.",
                )

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            member = self._member(region)
            group = described(self._asking, member.group, within=READ_SECONDS)
            instances = running(self._asking, group, within=self._asking.left_until(until))
            services = member.backend_services
            well = healthy(self._asking, group, instances, services, within=self._asking.left_until(until))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        state = ComputeState(
            wanted=group.wanted,
            running=len(instances),
            healthy=well,
            ceiling=group.scaled.ceiling if group.scaled is not None else None,
            scale_in_held=group.held,
            version=group.version,
            epoch=group.marks.epoch,
        )
        return Known(state, at)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)

        def left() -> float:
            return self._asking.left_until(until)

        try:
            group = described(self._asking, self._member(region).group, within=READ_SECONDS)
            own = len(running(self._asking, group, within=left()))
            machine, zones = launched(self._asking, group.path, within=left())
            project = group.path.split("/")[1]
            return Known(room_of(self._asking, project, region, zones, machine, own, within=left()), at)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.", "Nothing was changed.")
        until = self._asking.deadline(call.timeout_seconds)
        group = self._look(region, until)
        if group.wanted == count:
            return
        _may(group, expect, call)
        if (autoscaler := group.scaled) is None:
            path = f"{group.path}/resize"
            self._order(region_of(path), "POST", path, call, until, query={"size": str(count)}, body=None)
            call.log(f"{group.path}: {count} wanted")
            return
        ceiling, before = sized(autoscaler, count, call.run)
        noted = replace(autoscaler.marks, epoch=call.epoch, before=before)
        self._patch(autoscaler, {"minNumReplicas": count, "maxNumReplicas": ceiling}, noted, call, until)
        call.log(f"{group.path}: at least {count} wanted, and at most {ceiling}")
        _name_schedules(autoscaler, call)

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        group = self._look(region, until)
        if group.held == held:
            return
        _may(group, expect, call)
        if (autoscaler := group.autoscaler) is None:
            raise Permanent(
                f"{group.path} has no autoscaler, so nothing scales it in.",
                "It was not changed.",
                "Take the step out of the runbook, or give the group an autoscaler.",
            )
        noted = replace(autoscaler.marks, epoch=call.epoch, mode=autoscaler.mode if held else "")
        if not held and autoscaler.marks.mode != ON:
            raise Permanent(
                f"Scale-in of {group.path} was not held by cloudfail: somebody else set the mode {autoscaler.mode}.",
                "It stays so.",
                f"If nobody needs that any more: gcloud compute instance-groups managed update-autoscaling "
                f"{name_of(group.path)} --mode=on",
            )
        self._patch(autoscaler, {"mode": ONLY_SCALE_OUT if held else ON}, noted, call, until)
        _name_schedules(autoscaler, call)

    def _patch(self, autoscaler: Autoscaler, policy: Mapping[str, Any], noted: Marks, call: Call, until: float) -> None:
        """What is left out stays (JSON merge patch). It goes to the collection; the name is a parameter."""
        self._order(
            region_of(autoscaler.path),
            "PATCH",
            autoscaler.path.rpartition("/")[0],
            call,
            until,
            query={"autoscaler": name_of(autoscaler.path)},
            body={"description": str(noted), "autoscalingPolicy": dict(policy)},
        )

    def _order(
        self,
        region: str,
        method: str,
        path: str,
        call: Call,
        until: float,
        *,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
    ) -> None:
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient(f"The time of this call was over before {method} {path}.")
        reply = self._asking.change(
            "compute",
            region,
            method,
            path,
            call=replace(anew(call), timeout_seconds=left),
            query=query,
            body=body,
            request_id="requestId",
        )
        taken(reply, f"{method} {path}")

    def _member(self, region: str) -> InstanceGroupMember:
        if region not in self._members:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        return self._members[region]

    def _look(self, region: str, until: float) -> Group:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        member = self._member(region)
        try:
            return described(self._asking, member.group, within=min(READ_SECONDS, self._asking.left_until(until)))
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"{member.group} cannot be read: {error}") from error


def _may(group: Group, expect: ComputeState, call: Call) -> None:
    """Raise Conflict where the world is not as it was seen, or a newer lease was here."""
    if group.marks.epoch is not None and group.marks.epoch > call.epoch:
        raise Conflict(f"{group.path} was changed under epoch {group.marks.epoch}, and this is {call.epoch}.")
    if group.version != expect.version:
        raise Conflict(f"{group.path} is {group.version}, not {expect.version} as it was seen.")


def _name_schedules(autoscaler: Autoscaler, call: Call) -> None:
    """Who else has a hand on the size. A schedule raises it for a time, never below the floor; it stays as it is."""
    if autoscaler.schedules:
        said = ", ".join(f"{name} (at least {least})" for name, least in autoscaler.schedules)
        call.log(f"{autoscaler.path} follows schedules beside its load: {said}. They were not changed.")


def sized(autoscaler: Autoscaler, count: int, run: str) -> tuple[int, Before | None]:
    """The ceiling with `count` as the floor, and what is to be noted as having stood before."""
    word, before = marks.run_word(run), autoscaler.marks.before
    if before is not None and before.run != word:
        before = None
    if count > autoscaler.floor:
        return max(autoscaler.ceiling, count), before or Before(word, autoscaler.floor, autoscaler.ceiling)
    if before is not None and before.floor == count:
        return max(before.ceiling, count), None
    return max(autoscaler.ceiling, count), before


def build(resource: Resource, topology: Topology) -> InstanceGroup:
    """Kind.build."""
    members = {region: InstanceGroupMember.model_validate(member) for region, member in resource.members.items()}
    return InstanceGroup(Asking.of(resource, topology), members)
