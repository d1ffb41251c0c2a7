"""What the clients felt, computed from the record of every write. Pure: values in, values out; times are seconds of
CLOCK_MONOTONIC, which is the same in every namespace of one machine.

A write is *acknowledged* (200 with its id), *refused* (certainly not committed) or *unknown* (the client cannot tell).
Only an acknowledged write can be lost. An unknown one that is found in the surviving database was recovered; a refused
one that is found there means that the application lied, and is counted too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["acknowledged", "refused", "unknown"]


@dataclass(frozen=True)
class Write:
    """One write of one client. `region`: the one that acknowledged it. It was committed at some instant in
    [sent, done], if it was acknowledged."""

    id: str
    group: str
    sent: float
    done: float
    outcome: Outcome
    region: str | None = None
    reason: str = ""

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


@dataclass(frozen=True)
class Gap:
    """The time between two acknowledgements. `ended` is None when the window closed before another one came."""

    seconds: float
    began: float
    ended: float | None


def read(path: Path) -> list[Write]:
    """The writes of a record; a last line that was cut off by a kill is left out."""
    writes = []
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            writes.append(Write(**json.loads(line)))
    return writes


def window(writes: Iterable[Write], began: float | None, ended: float | None) -> list[Write]:
    """Writes sent in [began, ended), so that neighbouring windows share none."""
    return [
        write
        for write in writes
        if (began is None or write.sent >= began) and (ended is None or write.sent < ended)
    ]  # fmt: skip


def acknowledged(writes: Iterable[Write]) -> list[Write]:
    """The acknowledged ones, in the order of their acknowledgements."""
    return sorted((write for write in writes if write.outcome == "acknowledged"), key=lambda write: write.done)


def longest_gap(writes: Iterable[Write], began: float | None = None, ended: float | None = None) -> Gap | None:
    """The longest time without an acknowledgement; None when there was none at all and no window to measure by.

    With `began` and `ended` the edges of the window count too: clients that never recover have a gap to the end.
    """
    times = [write.done for write in acknowledged(writes)]
    starts = ([began] if began is not None else []) + times
    ends: list[float | None] = [*times[(0 if began is not None else 1) :], *([ended] if ended is not None else [])]
    gaps = []
    for start, end in zip(starts, ends, strict=False):
        if end is not None and end >= start:
            last = ended is not None and end == ended and end not in times
            gaps.append(Gap(end - start, start, None if last else end))
    return max(gaps, key=lambda gap: gap.seconds, default=None)


def writer_changes(writes: Iterable[Write]) -> int:
    """The least number of hand-overs from one region to another that explains every acknowledgement.

    Each acknowledged write was committed somewhere in [sent, done]. Whoever holds the pen may keep it until the
    earliest `done` of another region's pending write forces a hand-over; keeping it that long is best, because it
    leaves the fewest writes to a later turn. So the count is certain: no choice of commit instants explains the
    acknowledgements with fewer.
    """
    acks = acknowledged(writes)
    regions = sorted({write.region or "" for write in acks})
    if len(regions) < 2:
        return 0
    return min(_changes_from(region, acks) for region in regions)


def _changes_from(holder: str, acks: Sequence[Write]) -> int:
    pending, changes = list(acks), 0
    while True:
        others = [write for write in pending if (write.region or "") != holder]
        if not others:
            return changes
        forced = others[0]  # sorted by `done`: the earliest deadline
        pending = [write for write in pending if (write.region or "") != holder or write.sent > forced.done]
        holder, changes = forced.region or "", changes + 1


def writers_at_once_max(writes: Sequence[Write], hand_overs: int = 1) -> int:
    """2 when two regions certainly acknowledged writes in overlapping time, else the number of writers (0 or 1).

    `hand_overs` is how many the window holds on purpose: one for an evacuation, one for a failback. A primary that
    acknowledges once more after the other region has begun needs a second hand-over to explain it, and gives 2.
    """
    changes = writer_changes(writes)
    if changes > hand_overs:
        return 2
    return 1 if acknowledged(writes) else 0


def lost(writes: Iterable[Write], surviving: set[str]) -> list[str]:
    """Ids that were acknowledged and are not in the surviving database, in the order of their acknowledgements."""
    return [write.id for write in acknowledged(writes) if write.id not in surviving]


def counts(writes: Iterable[Write]) -> dict[str, int]:
    """How many were acknowledged, refused and unknown."""
    found = {"acknowledged": 0, "refused": 0, "unknown": 0}
    for write in writes:
        found[write.outcome] += 1
    return found


def groups(writes: Iterable[Write]) -> list[str]:
    """The groups that wrote, in the order of their names."""
    return sorted({write.group for write in writes})


def score(
    writes: Iterable[Write],
    surviving: set[str],
    began: float | None = None,
    ended: float | None = None,
    *,
    hand_overs: int = 1,
) -> dict[str, Any]:
    """Everything about one window, ready for a report. `surviving`: ids in the database that serves at its end.

    `write_outage_seconds` is the longest gap of the outside groups (edge, dns); clients inside of a region tell of
    writers, not of the outage.
    """
    inside = window(writes, began, ended)
    by_group: dict[str, Any] = {}
    for group in groups(inside):
        own = [write for write in inside if write.group == group]
        gap = longest_gap(own, began, ended)
        by_group[group] = counts(own) | {
            "write_outage_seconds": round(gap.seconds, 4) if gap else None,
            "outage_began": gap.began if gap else None,
            "outage_ended": gap.ended if gap else None,
        }
    outages = [
        entry["write_outage_seconds"]
        for group, entry in by_group.items()
        if not group.startswith("inside") and entry["write_outage_seconds"] is not None
    ]
    total = counts(inside)
    return {
        "write_outage_seconds": max(outages, default=None),
        "acknowledged_writes": total["acknowledged"],
        "refused_writes": total["refused"],
        "unknown_writes": total["unknown"],
        "acknowledged_writes_lost": len(lost(inside, surviving)),
        "unknown_writes_recovered": sum(1 for w in inside if w.outcome == "unknown" and w.id in surviving),
        "refused_writes_present": sum(1 for w in inside if w.outcome == "refused" and w.id in surviving),
        "writers_at_once_max": writers_at_once_max(inside, hand_overs),
        "groups": by_group,
    }
