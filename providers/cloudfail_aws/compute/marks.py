"""What a run leaves in the tags of what it scales, so that the next one can tell whose the numbers are.

Three tags. The epoch under which the last change was ordered: an older worker that looks again finds a newer one and
refuses. What stood before the run scaled: floor and ceiling go back with the count. What the run suspended: exactly
that is resumed, and what somebody else had suspended stays so.

They are written before the change that they speak of, in a request of their own, since no API takes both. Tags without
the change are harmless: the change is seen to be missing, and ordered again. A change without its tags cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EPOCH = "cloudfail:epoch"
BEFORE = "cloudfail:before"
HELD = "cloudfail:held"
_BEFORE = re.compile(r"^run=(\S+) wanted=(\d+) floor=(\d+) ceiling=(\d+)$")
# What a tag may hold, in every service alike.
_UNFIT = re.compile(r"[^A-Za-z0-9_.:/=+@-]")


@dataclass(frozen=True)
class Before:
    """What stood before a run scaled for the first time."""

    run: str
    wanted: int
    floor: int
    ceiling: int

    def __str__(self) -> str:
        return f"run={self.run} wanted={self.wanted} floor={self.floor} ceiling={self.ceiling}"


@dataclass(frozen=True)
class Marks:
    """As they were found. What nobody of ours can have written counts as not there."""

    epoch: int | None = None
    before: Before | None = None
    held: frozenset[str] = frozenset()


def run_word(run: str) -> str:
    """A run's name as a tag can hold it."""
    return _UNFIT.sub("-", run)[:100]


def read(tags: Mapping[str, str]) -> Marks:
    """The marks among a resource's tags."""
    epoch = tags.get(EPOCH, "")
    before = _BEFORE.match(tags.get(BEFORE, ""))
    return Marks(
        epoch=int(epoch) if epoch.isascii() and epoch.isdigit() else None,
        before=Before(before[1], int(before[2]), int(before[3]), int(before[4])) if before else None,
        held=frozenset(tags.get(HELD, "").split("+")) - {""},
    )


def epoch_tag(epoch: int) -> dict[str, str]:
    return {EPOCH: str(epoch)}


def before_tag(before: Before) -> dict[str, str]:
    return {BEFORE: str(before)}


def held_tag(held: Iterable[str]) -> dict[str, str]:
    """An empty one says that nothing is ours."""
    return {HELD: "+".join(sorted(held))}
