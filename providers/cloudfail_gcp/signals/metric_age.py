"""How old the data is that an alerting policy judged, in what `timeSeries.list` takes and gives.

The series are asked for as they are, without aligning or reducing: an aligner may make points of none (interpolation,
the next older value, a count of nothing). Only those of the time in which they count are asked for, so that the first
page is enough: each point on it is fresh, and the newest of them is at least as old as the newest of all.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

POINTS = 1000
_THRESHOLD = "conditionThreshold"


class Unseen(Exception):
    """Why it cannot be told."""


def filters(policy: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Of each condition: what selects its series. A ratio has two; of those either may be missing for good, as errors
    are that are counted only where there are some."""
    found = []
    for condition in policy.get("conditions") or []:
        name = condition.get("displayName") or condition.get("name", "")
        if _THRESHOLD not in condition:
            kinds = ", ".join(sorted(key for key in condition if key.startswith("condition")))
            raise Unseen(f"its condition {name!r} ({kinds or 'of no kind'}) does not say how old its data is")
        told = condition[_THRESHOLD]
        asked = tuple(str(told[key]) for key in ("filter", "denominatorFilter") if told.get(key))
        if not asked:
            raise Unseen(f"its condition {name!r} names no metric")
        found.append(asked)
    if not found:
        raise Unseen("it has no condition")
    return found


def measured_at(
    ask: Callable[[Mapping[str, str]], Mapping[str, Any]], asked: Iterable[str], now: float, stale_seconds: float
) -> float:
    """Wall seconds of the newest point behind one condition. ask: sends the query of `timeSeries.list`. Raises Unseen
    where there is none of the time in which it would count, and what `ask` raises."""
    newest: list[float] = []
    for selects in asked:
        reply = ask(
            {
                "filter": selects,
                "interval.startTime": stamp(now - stale_seconds),
                "interval.endTime": stamp(now),
                "view": "FULL",
                "pageSize": str(POINTS),
            }
        )
        if reply.get("executionErrors"):
            raise Unseen(f"Monitoring did not look at all of its data: {reply['executionErrors'][0]}")
        newest += [
            instant((point.get("interval") or {}).get("endTime"))
            for series in reply.get("timeSeries") or []
            for point in series.get("points") or []
        ]
    if not newest:
        raise Unseen(f"there is no data of the last {stale_seconds:.0f} s, in which it would count")
    return max(newest)


def stamp(wall: float) -> str:
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).isoformat().replace("+00:00", "Z")


def instant(said: Any) -> float:
    """Wall seconds of one of Google's time stamps. Raises Unseen where it is none."""
    try:
        return datetime.datetime.fromisoformat(str(said)).timestamp()
    except ValueError:
        raise Unseen(f"Monitoring says {said!r} where a time should stand") from None
