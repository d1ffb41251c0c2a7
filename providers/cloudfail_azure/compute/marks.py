"""What a run leaves in the tags of what it sized, so that the next one can tell whose the numbers are.

The epoch's mark is everybody's (cloudfail_azure.marks). `cloudfail-before` is the run that scaled first, and the bounds
that stood before, one `minimum/maximum/default` for each profile: they go back by the same run. `cloudfail-held` is the
same for a hold. A PATCH replaces the map of tags, so all others are written back as they were read; a tag's value holds
at most 256 characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloudfail.ports import Call
from cloudfail_azure.marks import TAG, VALUE_MAX, mark

BEFORE, HELD = "cloudfail-before", "cloudfail-held"
_UNFIT = re.compile(r"[^A-Za-z0-9_.:-]")
_BOUNDS = re.compile(r"(\d+)/(\d+)/(\d+)")


@dataclass(frozen=True)
class Bounds:
    """One profile's, or, of a set without a setting, its capacity three times."""

    least: int
    most: int
    default: int

    def __str__(self) -> str:
        return f"{self.least}/{self.most}/{self.default}"


@dataclass(frozen=True)
class Before:
    """What stood before a run changed it for the first time."""

    run: str
    bounds: tuple[Bounds, ...]

    def __str__(self) -> str:
        return f"{self.run} {';'.join(map(str, self.bounds))}"


def run_word(run: str) -> str:
    """A run's name as it stands in there."""
    return _UNFIT.sub("-", run)[:80]


def before_of(tags: Mapping[str, str], key: str) -> Before | None:
    """None for a text that no run of ours wrote."""
    said = next((str(value) for name, value in tags.items() if name.lower() == key), "")
    run, _, rest = said.partition(" ")
    found = [_BOUNDS.fullmatch(one) for one in rest.split(";")] if rest else []
    if not run or not found or None in found:
        return None
    return Before(run, tuple(Bounds(int(one[1]), int(one[2]), int(one[3])) for one in found if one is not None))


def written(
    tags: Mapping[str, str], call: Call, *, before: Before | None, held: Before | None
) -> dict[str, str] | None:
    """The whole map of tags; None where what is to be remembered does not fit into one."""
    kept = {name: str(value) for name, value in tags.items() if name.lower() not in (TAG, BEFORE, HELD)}
    noted = {BEFORE: before, HELD: held}
    own = {**mark(call), **{key: str(one) for key, one in noted.items() if one is not None}}
    return None if any(len(value) > VALUE_MAX for value in own.values()) else kept | own


def sized(bounds: Sequence[Bounds], count: int) -> tuple[Bounds, ...]:
    """Each profile with `count` as its least, and room for it."""
    return tuple(
        Bounds(count, max(one.most, count), min(max(one.default, count), max(one.most, count))) for one in bounds
    )
