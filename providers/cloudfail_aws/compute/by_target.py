"""What kinds share whose count is changed by Application Auto Scaling: scale-in is held by its switches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from cloudfail.time_left import TimeLeft
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.groups import Group, ScaledGroup
from cloudfail_aws.compute.scalable import SUSPENDED, Scalable, switches


class ScaledByTarget(ScaledGroup):
    """`Group.more` is the scalable target as it was described, empty where there is none."""

    @abstractmethod
    def scalable(self, region: str) -> Scalable:
        """The target of the member in `region`."""

    def suspend(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        scalable = self.scalable(region)
        scalable.refuse_without(group.more, group.name, region)
        on = switches(group.more)
        free = set(SUSPENDED) - on
        self.tag(region, group, {**tags, **marks.held_tag(free | (group.marks.held & on))}, call=call.rest())
        scalable.suspend(region, group.more, free, call=call)

    def resume(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        scalable = self.scalable(region)
        ours = group.marks.held & switches(group.more) & set(SUSPENDED)
        if not ours:
            raise scalable.not_ours(group.name, region)
        self.tag(region, group, tags, call=call.rest())
        scalable.resume(region, group.more, ours, call=call)
