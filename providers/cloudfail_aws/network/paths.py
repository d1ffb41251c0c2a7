"""What all kinds of this port share: a look, a mark, and a verb that makes one effect after another look.

EC2 takes a route without a condition, so the look stands immediately before the request. The mark is a tag of the
object itself, one for each application, since a route table may serve several and their epochs have nothing to do with
each other. It is written before the change: a mark without its change is harmless, for the change is seen to be
missing. It stops an older worker that looks, and no request that is on its way.

What leads to something that is no member is not this resource's to change: a read of it is unknown, a verb on it is
refused, and both name who holds it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import CloudfailError, Conflict, Permanent, Refused, Transient
from cloudfail.model.observation import Known, Unknown
from cloudfail.model.states import NetworkState, Reached
from cloudfail.model.topology import Resource
from cloudfail.ports import Call
from cloudfail.probes.through import through
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_aws.network.options import Reach

READ_SECONDS = 8.0
"""How long one look may take, with all that it asks."""
UNCHANGED = "It was not changed."
Points = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Seen:
    """As EC2 describes it. epochs: the mark on each object, by its identifier. `raw`: what a change needs of it."""

    points: Points
    version: str
    epochs: Mapping[str, int | None]
    moving: str = ""
    obstacle: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int | None:
        return max((epoch for epoch in self.epochs.values() if epoch is not None), default=None)


class Path(ABC):
    """ports.Network over one kind, which serves the verb `serves`."""

    serves = "route"

    def __init__(
        self, asking: Asking, region: str, reaches: Mapping[str, Reach | None], *, answer_within: float
    ) -> None:
        self._asking = asking
        self._region = region
        self._reaches = reaches
        self._answer_within = answer_within
        self._tag = f"cloudfail:{asking.topology.application}:epoch"

    # ---- what a kind says

    @abstractmethod
    def look(self, *, within: float) -> Seen:
        """All of it, once. Raises Transient where the answer says nothing of a part, Conflict where one leads to what
        is no member."""

    @abstractmethod
    def object_of(self, part: str) -> str:
        """The identifier of what carries the mark of that part."""

    @abstractmethod
    def lead(self, part: str, regions: tuple[str, ...], seen: Seen, *, time_left: TimeLeft) -> str:
        """One effect towards that, by one request; in words."""

    # ---- the port

    def read(self) -> Known[NetworkState] | Unknown:
        at = time.time()
        try:
            seen = self.look(within=READ_SECONDS)
        except CloudfailError as error:
            return Unknown(str(error), at)
        return Known(NetworkState(seen.points, seen.moving, seen.obstacle, seen.version, seen.epoch), at)

    def reach(self, region: str) -> Known[Reached] | Unknown:
        wanted = self._reaches.get(region)
        if wanted is None:
            return Known(Reached(None, "nothing was asked through it: only what EC2 says of it was read"), time.time())
        return through(wanted.at, wanted.says, within_seconds=self._answer_within)

    def route(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._move("route", points, expect, call)

    def move_address(self, points: Points, *, expect: NetworkState, call: Call) -> None:
        self._move("move_address", points, expect, call)

    # ---- inside

    def _move(self, verb: str, points: Points, expect: NetworkState, call: Call) -> None:
        name = self._asking.resource.name
        if verb != self.serves:
            raise Permanent(f"{name} has no {verb}.", UNCHANGED, f"Write network.{self.serves} in the runbook.")
        nobody = {region for regions in points.values() for region in regions} - set(self._reaches)
        if nobody:
            raise Permanent(f"{name} has no member in {', '.join(sorted(nobody))}.", UNCHANGED)
        time_left = TimeLeft(call)
        seen = self._before(time_left)
        strange = [part for part in points if part not in seen.points]
        if strange:
            raise Permanent(f"{name} has no part {strange[0]} any more.", UNCHANGED, "Plan anew.")
        self._newest(seen, call)
        part = next((part for part, regions in points.items() if seen.points[part] != regions), None)
        if part is None:
            return
        self._unchanged(seen, expect.version)
        if seen.moving:
            raise Transient(f"{name}: {seen.moving}; it takes no order until that is over.")
        if seen.epochs.get(self.object_of(part)) != call.epoch:
            self._mark(part, call, time_left)
            again = self._before(time_left)
            self._newest(again, call)
            self._unchanged(again, seen.version)
            seen = again
        call.log(self.lead(part, points[part], seen, time_left=time_left))

    def _before(self, time_left: TimeLeft) -> Seen:
        """As it is immediately before the change. Nothing was changed yet, so whatever came of the look is no doubt
        about an effect."""
        try:
            return self.look(within=min(READ_SECONDS, max(0.01, time_left.seconds)))
        except (Permanent, Conflict):
            raise
        except CloudfailError as error:
            raise Transient(f"{self._asking.resource.name} cannot be read: {error}") from error

    def _unchanged(self, seen: Seen, version: str) -> None:
        if seen.version != version:
            raise Conflict(f"{self._asking.resource.name} is not as it was seen.", UNCHANGED)

    def _newest(self, seen: Seen, call: Call) -> None:
        if seen.epoch is not None and seen.epoch > call.epoch:
            raise Conflict(
                f"{self._asking.resource.name} was changed under epoch {seen.epoch}, and this is {call.epoch}.",
                UNCHANGED,
            )

    def _mark(self, part: str, call: Call, time_left: TimeLeft) -> None:
        """Where it may not be written (no permission, too many tags) the change is still made: the condition, or the
        watching, is what guards it."""
        tag = {"Key": self._tag, "Value": str(call.epoch)}
        try:
            self.change("create_tags", time_left, Resources=[self.object_of(part)], Tags=[tag])
        except Permanent as error:
            call.log(f"the epoch could not be written beside it: {error.happened}")

    def epoch_in(self, tags: Iterable[Mapping[str, Any]] | None) -> int | None:
        """What is no number was written by no run of ours."""
        found = next((str(tag.get("Value", "")) for tag in tags or () if tag.get("Key") == self._tag), "")
        return int(found) if found.isascii() and found.isdigit() else None

    def ask(self, operation: str, within: float, **parameters: Any) -> dict[str, Any]:
        return self._asking.read("ec2", self._region, operation, within=within, **parameters)

    def change(self, operation: str, time_left: TimeLeft, **parameters: Any) -> None:
        self._asking.change("ec2", self._region, operation, call=time_left.rest(), **parameters)


def told_apart(resource: Resource, values: Mapping[str, Iterable[str]]) -> None:
    """Raises Refused where two members have one of these in common: nobody could say to which of them it leads."""
    owners: dict[str, str] = {}
    for region, held in values.items():
        for value in held:
            if owners.setdefault(value, region) != region:
                raise Refused(
                    f"{resource.name}: {value} is a member's in {owners[value]} and in {region}.",
                    "Nothing was changed.",
                    "Name another one for one of them in cloudfail.yaml.",
                )
