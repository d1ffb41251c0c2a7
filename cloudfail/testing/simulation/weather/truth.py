"""The truth for users, which no vantage and no decider is asked for.

Users live in `PLACES` places. In a place and moment a region is *down* if at least half of what users ask there fails,
of whichever check fails most. A failover at t is *right* if the region's loss had lasted: within the three minutes
before t (the default hold-down), in most places, at least half of all requests failed, and there was no pause in which
users were served for longer than `rise` good answers take (a shorter one no observer can call a recovery). "Before t"
may end up to one long interval and one timeout earlier: so old is the newest evidence. A failover is *early* if this
was not so yet, and the same loss then lasted three minutes more. Every other one is *false*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from cloudfail.testing.simulation.weather.events import PLACES, Event

DOWN_SHARE = 0.5
LASTING_SECONDS = 180.0
"""So long must a loss last before it is worth a failover: the default hold-down. The truth does not ask the policy."""


def down_for_users(events: Sequence[Event], region: str, start: float, end: float, pause_seconds: float) -> bool:
    """Whether, in most places, half of all requests failed from `start` to `end`, without a pause of good service."""
    bad = [e for e in events if e.places and region in e.regions and e.start < end and e.end > start]
    edges = {start, end}
    for event in bad:
        edges |= {event.start, event.end}
        if event.period:
            for beat in range(
                max(0, int((start - event.start) / event.period)), int((end - event.start) / event.period) + 1
            ):
                began = event.start + beat * event.period
                edges |= {began, began + event.share * event.period}
    moments = sorted(edge for edge in edges if start <= edge <= end)
    checks = {check for event in bad for check in event.checks}
    down = 0
    for place in range(PLACES):
        here = [event for event in bad if place in event.places]
        failed = pause = longest = 0.0
        for begin, finish in pairwise(moments):
            middle = (begin + finish) / 2
            share = max((_failing(here, check, middle) for check in checks), default=0.0)
            failed += share * (finish - begin)
            pause = pause + finish - begin if share < DOWN_SHARE else 0.0
            longest = max(longest, pause)
        down += failed >= DOWN_SHARE * (end - start) and longest <= pause_seconds
    return down > PLACES / 2


def _failing(events: Sequence[Event], check: str, at: float) -> float:
    return 1.0 - math.prod(1.0 - e.failing(at) for e in events if check in e.checks and e.start <= at < e.end)
