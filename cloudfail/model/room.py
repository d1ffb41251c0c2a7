"""How many workers an account may run in a region: its quota, held against what is wanted there. Pure.

Most quotas are shared. Two groups that each fit may not fit together, so what is compared is the pool that they draw
on, in its own units (vCPUs, executions). Every figure leans the same way: what is not known to be taken by others
counts as free. So what is found too much certainly is, and what fits may still not be there: a quota promises nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Of one group in one region. pool: what it is drawn from, by a name that is the same for all who share it, in
    words that a person can look up. limit: in `unit`s; used: of them, None where nobody says. each: units that one
    worker takes. own: this group's workers that `used` counts. reserved: workers that capacity reservations hold for
    this group and that do not run yet; None where nobody says."""

    pool: str
    limit: float
    unit: str
    each: float
    own: int = 0
    used: float | None = None
    reserved: int | None = None

    @property
    def others(self) -> float:
        """Units that others are known to take."""
        if self.used is None:
            return 0.0
        return max(0.0, self.used - (self.own + (self.reserved or 0)) * self.each)

    @property
    def at_most(self) -> int:
        """Workers of this group that may run at once, if no other group of ours gets more."""
        return max(0, int((self.limit - self.others) // self.each))

    def in_words(self) -> str:
        taken = "an unknown number of which others use" if self.used is None else f"{self.others:g} used by others"
        held = f"; {self.reserved} more are held by reservations" if self.reserved else ""
        return f"at most {self.at_most} ({self.pool}: {self.limit:g} {self.unit}, {taken}, {self.each:g} each{held})"


def short(wanted: Mapping[str, int], rooms: Mapping[str, Room]) -> list[tuple[tuple[str, ...], str]]:
    """For each pool that cannot hold what is wanted of it: the groups that draw on it, and why, as a sentence.
    wanted: group -> workers in that region; rooms: of the same region, those that are known."""
    found = []
    for pool in dict.fromkeys(room.pool for name, room in rooms.items() if name in wanted):
        drawing = {name: room for name, room in rooms.items() if room.pool == pool and name in wanted}
        one = next(iter(drawing.values()))
        need = sum(wanted[name] * room.each for name, room in drawing.items())
        ours = sum((room.own + (room.reserved or 0)) * room.each for room in drawing.values())
        others = 0.0 if one.used is None else max(0.0, one.used - ours)
        if need + others > one.limit:
            said = " and ".join(f"{wanted[name]} of {name}" for name in drawing)
            beside = f", beside the {others:g} that others use" if others else ""
            found.append((tuple(drawing), f"{said} need {need:g} {one.unit}{beside}; {pool} allows {one.limit:g}."))
    return found


def most_of_any(recorded: Mapping[str, Mapping[str, int]], groups: Iterable[str]) -> dict[str, int]:
    """Group -> the most workers that were seen to run in any region: what each region may have to run one day."""
    return {name: max(recorded[name].values()) for name in groups if recorded.get(name)}
