"""What a run leaves in the description of an autoscaler, so that the next one can tell whose the numbers are.

A managed instance group has no labels, and what its `allInstancesConfig` carries goes to every instance. An autoscaler
has a description that can be changed (Terraform's provider updates it in place), in the same request as the bounds and
the mode that it speaks of: neither is ever there without the other.

It holds the epoch of the last change; what stood before the run scaled, so that the ceiling goes back with the floor;
and the mode that a hold replaced, which is what letting go puts back. What people wrote there stays in front of it. A
group without an autoscaler carries nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(
    r"\s*\[cloudfail epoch=(?P<epoch>\d+)"
    r"(?: run=(?P<run>\S+) floor=(?P<floor>\d+) ceiling=(?P<ceiling>\d+))?"
    r"(?: mode=(?P<mode>[A-Z_]+))?\]"
)
_UNFIT = re.compile(r"[^A-Za-z0-9_.:/-]")


@dataclass(frozen=True)
class Before:
    """What stood before a run scaled for the first time."""

    run: str
    floor: int
    ceiling: int


@dataclass(frozen=True)
class Marks:
    """As they were found. text: what else stands in the description."""

    text: str = ""
    epoch: int | None = None
    before: Before | None = None
    mode: str = ""

    def __str__(self) -> str:
        """The description that holds them."""
        said = f"[cloudfail epoch={self.epoch or 0}"
        if (one := self.before) is not None:
            said += f" run={one.run} floor={one.floor} ceiling={one.ceiling}"
        said += f" mode={self.mode}]" if self.mode else "]"
        return f"{self.text} {said}" if self.text else said


def run_word(run: str) -> str:
    """A run's name as it stands in there."""
    return _UNFIT.sub("-", run)[:100]


def read(description: str) -> Marks:
    """What nobody of ours can have written counts as text."""
    found = _MARK.search(description)
    if found is None:
        return Marks(description)
    told = found.groupdict()
    before = Before(told["run"], int(told["floor"]), int(told["ceiling"])) if told["run"] else None
    return Marks(_MARK.sub("", description), int(told["epoch"]), before, told["mode"] or "")
