"""How many workers each group ran: what `like: recorded REGION` means. The most of 24 hours, not the last look. Pure.

A region that loses its users is scaled in before anybody calls it lost, and a night is no measure for the next noon
(safety rule 8; AWS Region switch takes the same 24 hours). So beside the newest count stand the larger ones before it,
each with the time at which it ended. They are forgotten only while the region is seen to run: what is known of one that
is gone does not get less by waiting.

In the log these are two samples: `workers`, group -> region -> count, and `workers_before`, group -> region ->
[[wall seconds at which it ended, count], ...], each smaller than the one before it and larger than the newest count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WINDOW_SECONDS = 24 * 3600.0
FORMER_MAX = 100
"""Of one group in one region. A count that swings more often than this in a day keeps its largest ones."""


def noted(
    samples: Mapping[str, Any], counted: Mapping[str, Mapping[str, int]], now: float
) -> dict[str, dict[str, dict[str, Any]]]:
    """Both samples, with what was counted at `now` (wall seconds). What was not counted stays as it was."""
    workers = {group: dict(regions) for group, regions in samples.get("workers", {}).items()}
    former = {group: dict(regions) for group, regions in samples.get("workers_before", {}).items()}
    for group, regions in counted.items():
        for region, count in regions.items():
            last = workers.get(group, {}).get(region)
            ended = former.get(group, {}).pop(region, [])
            if last is not None and last != count:
                ended = [one for one in ended if one[1] > last] + [[now, last]]
            # A clock that was set back makes nothing last longer than a day.
            kept = [[min(at, now), most] for at, most in ended if at > now - WINDOW_SECONDS and most > count]
            if kept:
                former.setdefault(group, {})[region] = kept[:FORMER_MAX]
            workers.setdefault(group, {})[region] = count
    told = {group: regions for group, regions in former.items() if regions}
    return {"workers": workers} | ({"workers_before": told} if told or "workers_before" in samples else {})


def most(samples: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Group -> region -> the most that it ran in the 24 hours before it was last counted."""
    former = samples.get("workers_before", {})
    return {
        group: {
            region: max([count, *(ended for _, ended in former.get(group, {}).get(region, []))])
            for region, count in regions.items()
        }
        for group, regions in samples.get("workers", {}).items()
    }
