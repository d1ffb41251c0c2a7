"""compute: scale-set. A virtual machine scale set, and the autoscale setting that sizes it.

Where a setting sizes it, its `minimum` is what is ordered (groups.py). `wanted` is that floor. A set without a setting,
or with one that is disabled, is given its capacity, under the ETag that was seen (Virtual Machine Scale Sets - Update,
If-Match). An enabled setting that nobody named is found, named and refused.

Neither is done when its operation has succeeded: `running` counts the instances whose power state is running, `healthy`
those of them that the set's own health finds so.

A setting has no ETag: it is read again immediately before, an older worker that looks finds a newer epoch, and what it
sent late is put right by watching.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from cloudfail.errors import CloudfailError, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.topology import Resource, Topology
from cloudfail.ports import Call
from cloudfail_azure.asking import Asking
from cloudfail_azure.compute.groups import READ_SECONDS, Groups
from cloudfail_azure.compute.marks import Bounds
from cloudfail_azure.compute.options import ScaleSetMember
from cloudfail_azure.compute.quotas import ROOM_SECONDS, Machine, room_of
from cloudfail_azure.compute.sets import SETS, ScaleSet, counted, running
from cloudfail_azure.compute.settings import SETTINGS, bounded, setting_of


class ScaleSets(Groups[ScaleSetMember, ScaleSet]):
    """One set in each region."""

    word = "scale set"
    unscaled = (
        "has no autoscale setting, so nothing scales it in.",
        "Take the step out of the runbook, or name the setting in cloudfail.yaml.",
    )

    def described(self, region: str, member: ScaleSetMember, *, within: float) -> ScaleSet:
        until = self._asking.deadline(within)
        id_ = member.scale_set
        told = self._asking.read(region, id_, SETS, within=within)
        sku = told.get("sku") or {}
        if "capacity" not in sku or "location" not in told:
            raise Transient(f"Azure answers, and does not tell the capacity of {id_}.")
        self.must_stand(region, id_, told["location"])
        left = self._asking.left_until(until)
        setting = setting_of(self._asking, region, id_, member.autoscale, within=left)
        state = str((told.get("properties") or {}).get("provisioningState", ""))
        return ScaleSet(
            id=id_,
            capacity=int(sku["capacity"]),
            bounds=setting.bounds if setting is not None else None,
            tags=(setting.tags if setting is not None else told.get("tags")) or {},
            sku=sku,
            etag=str(told.get("etag") or ""),
            setting=setting,
            changing=state in ("Creating", "Updating", "Migrating"),
        )

    def counted(self, region: str, member: ScaleSetMember, whole: ScaleSet, *, within: float) -> tuple[int, int]:
        return counted(self._asking, region, whole, within=within)

    def order(
        self, region: str, whole: ScaleSet, bounds: Sequence[Bounds], tags: Mapping[str, str], call: Call, until: float
    ) -> None:
        if whole.setting is None:
            body = {"sku": {**whole.sku, "capacity": bounds[0].least}, "tags": tags}
            self.send(region, "PATCH", whole.id, SETS, body, call, until, if_match=whole.etag)
        else:
            body = bounded(whole.setting, whole.id, bounds, tags)
            self.send(region, "PATCH", whole.setting.id, SETTINGS, body, call, until)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom. A set begins instances of one size, which its SKU names."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)
        try:
            id_ = self.member(region).scale_set
            told = self._asking.read(region, id_, SETS, within=READ_SECONDS)
            machine = Machine.of_set(id_, told)
            _, found = running(self._asking, region, id_, within=self._asking.left_until(until))
            left = self._asking.left_until(until)
            return Known(room_of(self._asking, region, id_, machine, len(found), within=left), at)
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)


def build(resource: Resource, topology: Topology) -> ScaleSets:
    """Kind.build."""
    members = {region: ScaleSetMember.model_validate(member) for region, member in resource.members.items()}
    return ScaleSets(Asking.of(resource, topology), members)
