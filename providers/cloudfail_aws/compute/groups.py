"""What all kinds of this port share: one look, and two verbs that order marks first and the count last.

Why a half that was done does no harm. A verb sends up to three requests: the tags, the ceiling where it is an object of
its own, and the count. `wanted` is read from the count alone, which is sent last. So whatever was lost on the way, the
next look finds the count missing and orders the whole again; and each request says what is to be, not what to add.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.room import Room
from cloudfail.model.states import ComputeState
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.compute import marks
from cloudfail_aws.compute.marks import Before, Marks

READ_SECONDS = 8.0
"""How long one look at a member may take, with all that it asks."""
ROOM_SECONDS = 12.0
"""The same for what the account may run; it is asked of up to five services."""


@dataclass(frozen=True)
class Size:
    """What a scaler is told: how many, and the bounds within which policies may change that."""

    wanted: int
    floor: int
    ceiling: int | None


@dataclass(frozen=True)
class Group:
    """One member as AWS describes it, without what the balancer counts. `raw`: the answer that it was read from."""

    name: str
    size: Size
    running: int
    held: bool
    marks: Marks = field(default_factory=Marks)
    raw: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        size, held = self.size, "held" if self.held else "free"
        return f"{size.floor}/{size.wanted}/{size.ceiling}/{held}/{self.marks.epoch}"

    def state(self, healthy: int) -> ComputeState:
        return ComputeState(
            wanted=self.size.wanted,
            running=self.running,
            healthy=min(healthy, self.running),
            ceiling=self.size.ceiling,
            scale_in_held=self.held,
            version=self.version,
            epoch=self.marks.epoch,
        )


class ScaledGroup(ABC):
    """ports.Compute over one kind. What a kind says of itself is below `what a kind says`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    # ---- what a kind says

    @abstractmethod
    def describe(self, region: str, *, within: float) -> Group:
        """The member in `region`. Raises Transient where the answer says nothing of it."""

    @abstractmethod
    def healthy(self, region: str, group: Group, *, within: float) -> int:
        """How many of it serve, counted by what sends them requests. Raises Transient where that is not known."""

    @abstractmethod
    def tag(self, region: str, group: Group, tags: Mapping[str, str], *, call: Call) -> None:
        """Write these tags, in one request."""

    @abstractmethod
    def resize(self, region: str, group: Group, size: Size, *, call: TimeLeft) -> None:
        """Order this size, the count last."""

    @abstractmethod
    def suspend(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        """Hold scale-in, with a note in the tags of what that suspended."""

    @abstractmethod
    def resume(self, region: str, group: Group, *, call: TimeLeft, tags: Mapping[str, str]) -> None:
        """Let go what `suspend` noted, and nothing else."""

    @abstractmethod
    def account(self, region: str, group: Group, *, within: float) -> Room:
        """What the account may run of it there. Raises Transient where that is not known."""

    def refuse(self, region: str, group: Group, count: int) -> None:
        """Raise Permanent where scaling would be accepted and come to nothing. A kind that knows no such case says
        nothing."""
        del region, group, count

    # ---- the port

    def read(self, region: str) -> Known[ComputeState] | Unknown:
        at = time.time()
        until = self._asking.deadline(READ_SECONDS)
        try:
            group = self.describe(region, within=self._asking.left_until(until))
            healthy = self.healthy(region, group, within=max(0.1, self._asking.left_until(until)))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        return Known(group.state(healthy), at)

    def room(self, region: str) -> Known[Room] | Unknown:
        """ports.HasRoom."""
        at = time.time()
        until = self._asking.deadline(ROOM_SECONDS)
        try:
            group = self.describe(region, within=READ_SECONDS)
            room = self.account(region, group, within=max(0.1, self._asking.left_until(until)))
        except CloudfailError as error:
            return Unknown(f"{region}: {error}", at)
        return Known(room, at)

    def scale(self, region: str, count: int, *, expect: ComputeState, call: Call) -> None:
        if count < 0:
            raise Permanent(f"{count} workers cannot be run.")
        time_left = TimeLeft(call)
        group = self._look(region, time_left)
        if group.size.wanted == count:
            return
        self._may(group, expect, call)
        self.refuse(region, group, count)
        size, before = sized(group, count, call.run)
        tags = marks.epoch_tag(call.epoch) | (marks.before_tag(before) if before is not None else {})
        self.tag(region, group, tags, call=time_left.rest())
        self.resize(region, group, size, call=time_left)
        call.log(f"{group.name} in {region}: {count} wanted, between {size.floor} and {size.ceiling}")

    def hold(self, region: str, held: bool, *, expect: ComputeState, call: Call) -> None:
        time_left = TimeLeft(call)
        group = self._look(region, time_left)
        if group.held == held:
            return
        self._may(group, expect, call)
        if held:
            self.suspend(region, group, call=time_left, tags=marks.epoch_tag(call.epoch))
            return
        # The note of what is ours stays until that is resumed, so that a half can be carried on; then it goes, so that
        # what somebody suspends another day is not taken for ours.
        self.resume(region, group, call=time_left, tags=marks.epoch_tag(call.epoch))
        try:
            self.tag(region, group, marks.held_tag(()), call=time_left.rest())
        except CloudfailError as error:
            call.log(f"{group.name} in {region}: the tag {marks.HELD} still says what was suspended: {error}")

    def _look(self, region: str, time_left: TimeLeft) -> Group:
        """As it is immediately before the change. Nothing was changed yet, so whatever came of the look is no doubt
        about an effect."""
        try:
            return self.describe(region, within=min(READ_SECONDS, time_left.seconds))
        except Permanent:
            raise
        except CloudfailError as error:
            raise Transient(f"The group in {region} cannot be read: {error}") from error

    @staticmethod
    def _may(group: Group, expect: ComputeState, call: Call) -> None:
        """Raise Conflict where the world is not as it was seen, or a newer lease was here."""
        if group.marks.epoch is not None and group.marks.epoch > call.epoch:
            raise Conflict(f"{group.name} was changed under epoch {group.marks.epoch}, and this is {call.epoch}.")
        if group.version != expect.version:
            raise Conflict(f"{group.name} is {group.version}, not {expect.version} as it was seen.")


def sized(group: Group, count: int, run: str) -> tuple[Size, Before | None]:
    """The size with `count` wanted, and what is to be noted as having stood before, if it is not noted yet.

    Up: the floor goes along, so that no policy scales in what was just ordered, and the ceiling as far as needed. Back
    to what stood before this same run: floor and ceiling as they stood then. Down to anything else: the floor goes
    along, and the ceiling stays.
    """
    now, word, before = group.size, marks.run_word(run), group.marks.before
    if before is not None and before.run != word:
        before = None
    if count > now.wanted:
        ceiling = None if now.ceiling is None else max(now.ceiling, count)
        stood = before or Before(word, now.wanted, now.floor, now.ceiling if now.ceiling is not None else now.wanted)
        return Size(count, max(now.floor, count), ceiling), None if before is not None else stood
    if before is not None and before.wanted == count:
        ceiling = None if now.ceiling is None else max(before.ceiling, count)
        return Size(count, min(before.floor, count), ceiling), None
    return Size(count, min(now.floor, count), now.ceiling), None


def member_of(members: Mapping[str, Any], region: str) -> Any:
    """The member in `region`. Transient: a read of it is unknown, and a verb has no effect."""
    if region not in members:
        raise Transient(f"this group has no member in {region}.")
    return members[region]
