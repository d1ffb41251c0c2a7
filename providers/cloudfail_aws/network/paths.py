"""What all kinds of this port share on AWS: how EC2 is asked, and the mark.

The mark is a tag of the
object itself, one for each application, since a route table may serve several and their epochs have nothing to do with
each other. It is written before the change: a mark without its change is harmless, for the change is seen to be
missing. It stops an older worker that looks, and no request that is on its way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfail.errors import Permanent
from cloudfail.ports import Call
from cloudfail.time_left import TimeLeft
from cloudfail_aws.asking import Asking
from cloudfail_paths.options import Reach
from cloudfail_paths.path import Path as SharedPath
from cloudfail_paths.path import Points


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


class Path(SharedPath[Seen], ABC):
    """ports.Network over one kind of EC2's."""

    cloud = "EC2"

    def __init__(
        self, asking: Asking, region: str, reaches: Mapping[str, Reach | None], *, answer_within: float
    ) -> None:
        super().__init__(asking.resource.name, reaches, answer_within=answer_within)
        self._asking = asking
        self._region = region
        self._tag = f"cloudfail:{asking.topology.application}:epoch"

    @abstractmethod
    def object_of(self, part: str) -> str:
        """The identifier of what carries the mark of that part."""

    def marked(self, part: str, seen: Seen, call: Call, time_left: TimeLeft) -> Seen:
        if seen.epochs.get(self.object_of(part)) == call.epoch:
            return seen
        self._mark(part, call, time_left)
        return self.again(seen, call, time_left)

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
