"""Changes of many names, cut into the fewest batches that Route 53 takes, and one that is refused cut until what is
wrong stands alone. Pure.

Route 53 counts, in one batch, the ResourceRecord elements and the characters of their values, those of an UPSERT twice
(API reference, ChangeResourceRecordSets, "Limits on ChangeResourceRecordSets requests"). DELETE beside CREATE counts as
much as UPSERT and says what was seen, so that the condition costs nothing: 10,000 names of one value are 20 batches
either way. What moves one name is never cut apart, or the name would have no answer in between (invariant I5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

RECORDS_MAX = 1000
CHARACTERS_MAX = 32_000
_TIMES = {"UPSERT": 2}


class TooLarge(Exception):
    """What moves this one name fits into no batch."""


@dataclass(frozen=True)
class Move:
    """All changes of one name."""

    name: str
    changes: tuple[Mapping[str, Any], ...]

    @cached_property
    def records(self) -> int:
        """ResourceRecord elements. An alias has none; it is counted as one, which can only make a batch smaller."""
        return sum(_TIMES.get(one["Action"], 1) * max(1, len(_values(one))) for one in self.changes)

    @cached_property
    def characters(self) -> int:
        return sum(_TIMES.get(one["Action"], 1) * sum(map(len, _values(one))) for one in self.changes)


def batches(
    moves: Sequence[Move], *, records_max: int = RECORDS_MAX, characters_max: int = CHARACTERS_MAX
) -> list[list[Move]]:
    """Every move in exactly one batch, within both limits; the largest first, each into the first batch that has room.
    As few as there can be where all are of one size. Raises TooLarge."""
    found: list[list[Move]] = []
    room: list[tuple[int, int]] = []
    open_from = 0
    least = (
        min((move.records for move in moves), default=0),
        min((move.characters for move in moves), default=0),
    )
    for move in sorted(moves, key=lambda one: -max(one.records / records_max, one.characters / characters_max)):
        if move.records > records_max or move.characters > characters_max:
            raise TooLarge(f"{move.name} has more values than one batch of Route 53 takes")
        while open_from < len(found) and (room[open_from][0] < least[0] or room[open_from][1] < least[1]):
            open_from += 1  # full, whatever comes
        for number in range(open_from, len(found)):
            records, characters = room[number]
            if move.records <= records and move.characters <= characters:
                found[number].append(move)
                room[number] = (records - move.records, characters - move.characters)
                break
        else:
            found.append([move])
            room.append((records_max - move.records, characters_max - move.characters))
    return found


def changes_of(batch: Sequence[Move]) -> list[dict[str, Any]]:
    return [dict(one) for move in batch for one in move.changes]


class Isolation:
    """A batch that was refused, cut in halves until what is refused stands alone: one bad name of a thousand costs
    about ten requests that change nothing, and keeps nobody else from moving."""

    def __init__(self, batch: Sequence[Move]) -> None:
        self._left: list[list[Move]] = [list(batch)]
        self.poisoned: list[Move] = []

    def next(self) -> list[Move] | None:
        """What to try now; None when everything was applied, or stands alone."""
        return self._left[-1] if self._left else None

    def applied(self) -> None:
        """That was."""
        self._left.pop()

    def refused(self) -> None:
        """It was refused, for what is in it."""
        group = self._left.pop()
        if len(group) == 1:
            self.poisoned.append(group[0])
            return
        middle = len(group) // 2
        self._left += [group[middle:], group[:middle]]


def _values(change: Mapping[str, Any]) -> list[str]:
    return [str(record["Value"]) for record in change["ResourceRecordSet"].get("ResourceRecords", ())]
