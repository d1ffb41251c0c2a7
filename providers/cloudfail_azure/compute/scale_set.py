"""compute: scale-set. A virtual machine scale set, and the autoscale setting that sizes it.

Where a setting sizes it, the set's capacity is no way to change it: the setting takes it back within its bounds at its
next evaluation. So what is ordered there is the floor, the `minimum` of each of its profiles, since any of them may be
in force tonight: at least so many are kept whatever the rules say. `wanted` is that floor. Ceilings go up as far as
needed, and all bounds go back by the run that changed them (marks.py), in the same request. A set without a setting, or
with one that is disabled, is given its capacity, under the ETag that was seen (Virtual Machine Scale Sets - Update,
If-Match). An enabled setting that nobody named is found, named and refused.

Neither is done when its operation has succeeded: `running` counts the instances whose power state is running, `healthy`
those of them that the set's own health finds so.

Autoscale has no mode without scale-in. A hold raises the floor of each profile to what the set has now, so that nothing
that runs is taken away, and more may be added; letting go puts the floors back. A set without a setting is scaled in by
nobody.

A setting has no ETag: it is read again immediately before, an older worker that looks finds a newer epoch, and what it
sent late is put right by watching.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import ComputeState
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute import marks
from cloudfail_azure.compute.marks import Before, Bounds
from cloudfail_azure.compute.options import ScaleSetMember
from cloudfail_azure.compute.sets import SETS, SETTINGS, ScaleSet, Setting, counted, described, with_bounds
from cloudfail_azure.marks import refuse_older
from cloudfail_azure.under_way import followed

READ_SECONDS = 8.0
FOLLOW_SECONDS = 2.0
UNCHANGED = "Nothing was changed."


class ScaleSets:
    """One set in each region."""

    def __init__(self, asking: Asking, members: Mapping[str, ScaleSetMember]) -> None:
        self._asking = asking
        self._members = members

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            whole = self._look(region, until)
            running, healthy = counted(self._asking, region, whole, within=self._asking.left_until(until))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        state = ComputeState(
            wanted=whole.wanted,
            running=running,
            healthy=healthy,
            ceiling=whole.setting.ceiling if whole.setting is not None else None,
            scale_in_held=whole.held is not None,
            version=whole.version,
            epoch=whole.epoch,
        )
        return Known(state, at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.", UNCHANGED)
        until = self._asking.deadline(call.timeout_seconds)
        whole = self._before(region, until)
        if whole.wanted == count:
            return
        _may(whole, expect, call)
        stood = whole.setting.bounds if whole.setting is not None else (Bounds(*(whole.capacity,) * 3),)
        before = whole.before
        word = marks.run_word(call.run)
        if before is not None and (before.run != word or len(before.bounds) != len(stood)):
            before = None
        if before is not None and min(one.least for one in before.bounds) == count:
            bounds, before = before.bounds, None
        else:
            bounds, before = marks.sized(stood, count), before or Before(word, stood)
        self._write(region, whole, bounds, before, whole.held, call, until)
        call.log(f"{whole.id}: {'at least ' if whole.setting is not None else ''}{count} wanted")

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        until = self._asking.deadline(call.timeout_seconds)
        whole = self._before(region, until)
        if (whole.held is not None) == held:
            return
        _may(whole, expect, call)
        if whole.setting is None:
            raise Permanent(
                f"{whole.id} has no autoscale setting, so nothing scales it in.",
                "It was not changed.",
                "Take the step out of the runbook, or name the setting in cloudfail.yaml.",
            )
        stood = whole.setting.bounds
        if held:
            bounds = tuple(marks.sized((one,), max(one.least, whole.capacity))[0] for one in stood)
            noted: Before | None = Before(marks.run_word(call.run), stood)
        else:
            bounds, noted = _let_go(stood, whole), None
        self._write(region, whole, bounds, whole.before if held else _without_hold(whole), noted, call, until)

    def _write(
        self,
        region: str,
        whole: ScaleSet,
        bounds: Sequence[Bounds],
        before: Before | None,
        held: Before | None,
        call: Call,
        until: float,
    ) -> None:
        """Bounds and marks in one request."""
        tags = marks.written(whole.tags, call, before=before, held=held)
        if tags is None:
            raise Permanent(
                f"The bounds of the {len(bounds)} profiles of {whole.id} do not fit into a tag to be put back from.",
                UNCHANGED,
                "Give the setting fewer profiles.",
            )
        body: dict[str, Any]
        if whole.setting is None:
            path, version, etag = whole.id, SETS, whole.etag
            body = {"sku": {**whole.sku, "capacity": bounds[0].least}, "tags": tags}
        else:
            path, version, etag = whole.setting.id, SETTINGS, ""
            body = {"tags": tags, "properties": _properties(whole.setting, whole.id, bounds)}
        left = self._asking.left_until(until)
        if left <= 0:
            raise Transient(f"The time of this call was over before PATCH {path}.")
        timed = replace(call, timeout_seconds=left)
        reply = self._asking.change(region, "PATCH", path, version, call=timed, body=body, if_match=etag)
        rest = min(FOLLOW_SECONDS, self._asking.left_until(until))
        followed(self._asking, region, reply, f"PATCH {path}", within=rest)

    def _look(self, region: str, until: float) -> ScaleSet:
        if region not in self._members:
            raise Transient(f"{self._asking.resource.name} has no member in {region}.")
        member = self._members[region]
        within = min(READ_SECONDS, self._asking.left_until(until))
        return described(self._asking, region, member.scale_set, member.autoscale, within=within)

    def _before(self, region: str, until: float) -> ScaleSet:
        """As it is immediately before the change: whatever came of this look, nothing was changed."""
        try:
            return self._look(region, until)
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"The scale set in {region} cannot be read: {error}") from error


def _properties(setting: Setting, target: str, bounds: Sequence[Bounds]) -> dict[str, Any]:
    return {"profiles": with_bounds(setting.profiles, bounds), "enabled": True, "targetResourceUri": target}


def _let_go(stood: Sequence[Bounds], whole: ScaleSet) -> tuple[Bounds, ...]:
    """The floors as they were before the hold; one that was ordered since then stays."""
    noted = whole.held.bounds if whole.held is not None else ()
    if len(noted) != len(stood):
        return tuple(stood)
    raised = whole.before is not None
    return tuple(
        now if raised else Bounds(was.least, was.most, was.default) for now, was in zip(stood, noted, strict=True)
    )


def _without_hold(whole: ScaleSet) -> Before | None:
    """What stood before the run scaled, had it not been held then."""
    before, held = whole.before, whole.held
    if before is None or held is None or len(before.bounds) != len(held.bounds):
        return before
    return replace(before, bounds=held.bounds)


def _may(whole: ScaleSet, expect: ComputeState, call: Call) -> None:
    """Raise Conflict where the world is not as it was seen, or a newer lease was here."""
    refuse_older(whole.epoch, call, whole.id)
    if whole.version != expect.version:
        raise Conflict(f"{whole.id} is {whole.version}, not {expect.version} as it was seen.")


def build(resource: Resource, topology: Topology) -> ScaleSets:
    """Kind.build."""
    members = {region: ScaleSetMember.model_validate(member) for region, member in resource.members.items()}
    return ScaleSets(Asking.of(resource, topology), members)
